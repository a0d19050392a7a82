//! What webhooks are shown: the version they want, scales, connections, what is applied and what goes.

use std::time::Duration;

use http::header;
use http_body_util::BodyExt;
use kubewire_client::WriteOptions;
use kubewire_server_stub::testing::Server;
use serde_json::{Value, json};
use tower_service::Service;

use crate::{Webhook, config_map, patch, start};

#[tokio::test]
async fn writes_through_another_version_are_heard_of_in_the_wanted_one() {
    let (_server, clientset) = start().await;
    let webhook = Webhook::start(
        |request| match request["operation"] == "CREATE" && request["kind"]["group"] != "" {
            true => patch(&json!([{ "op": "replace", "path": "/spec/maxReplicas", "value": 9 }])),
            false => json!({ "allowed": true }),
        },
    )
    .await;
    webhook
        .hear_of(&clientset, &[("autoscaling", "v1", "horizontalpodautoscalers")])
        .await;
    let autoscalers = clientset.autoscaling_v2().horizontal_pod_autoscalers("default");
    let autoscaler = json!({
        "metadata": { "name": "a" },
        "spec": {
            "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" },
            "metrics": [{
                "type": "Resource",
                "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 70 } },
            }],
        },
    });
    let autoscaler = serde_json::from_value(autoscaler).unwrap();
    let created = autoscalers.create(&autoscaler, &WriteOptions::default()).await.unwrap();
    let spec = created.spec;
    assert_eq!((spec.max_replicas, spec.metrics.unwrap().len()), (9, 1));
    let asked = webhook.taken();
    assert_eq!((&asked[0]["kind"]["version"], asked.len()), (&json!("v1"), 1));
    assert_eq!(asked[0]["object"]["apiVersion"], "autoscaling/v1");
    assert_eq!(asked[0]["object"]["spec"]["targetCPUUtilizationPercentage"], 70);
    assert_eq!(asked[0]["requestKind"]["version"], "v2");
    assert_eq!(asked[0]["requestResource"]["version"], "v2");
    autoscalers.delete("a", &Default::default()).await.unwrap();
    let asked = webhook.taken();
    assert_eq!(asked[0]["oldObject"]["apiVersion"], "autoscaling/v1");
    assert_eq!(asked[0]["options"]["kind"], "DeleteOptions");
}

#[tokio::test]
async fn scales_are_asked_about_as_scales() {
    let (server, clientset) = start().await;
    let webhook = Webhook::start(|request| match request["subResource"] == "scale" {
        true => patch(&json!([{ "op": "add", "path": "/spec/replicas", "value": 7 }])),
        false => json!({ "allowed": true }),
    })
    .await;
    webhook
        .hear_of(&clientset, &[("apps", "v1", "deployments/scale")])
        .await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let spec = json!({
        "selector": { "matchLabels": { "a": "b" } },
        "template": {
            "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] },
        },
    });
    let deployment = json!({ "metadata": { "name": "d" }, "spec": spec });
    send(&server, "POST", path, deployment).await;
    let scale = json!({ "metadata": { "name": "d" }, "spec": { "replicas": 3 } });
    let scaled = send(&server, "PUT", &format!("{path}/d/scale"), scale).await;
    assert_eq!(scaled["spec"]["replicas"], 7);
    let asked = webhook.taken();
    let shown = |object: &Value| (object["kind"].clone(), object["spec"]["replicas"].clone());
    assert_eq!(shown(&asked[0]["object"]), (json!("Scale"), json!(3)));
    assert_eq!(shown(&asked[0]["oldObject"]), (json!("Scale"), json!(1)));
    assert_eq!(
        asked[0]["kind"],
        json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" })
    );
    assert_eq!(asked[0]["options"]["kind"], "UpdateOptions");
    let stored = clientset.apps_v1().deployments("default").get("d").await.unwrap();
    assert_eq!(stored.spec.replicas, Some(7));
}

#[tokio::test]
async fn connections_are_asked_about() {
    let (server, clientset) = start().await;
    let webhook = Webhook::start(|request| json!({ "allowed": request["operation"] != "CONNECT" })).await;
    webhook
        .hear_of(&clientset, &[("", "v1", "pods/exec"), ("", "v1", "services/proxy")])
        .await;
    let exec = "/api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&stdin=true&container=app";
    let refused = send(&server, "POST", exec, Value::Null).await;
    assert_eq!(
        refused["message"],
        "admission webhook \"listener.example.com\" denied the request without explanation"
    );
    send(
        &server,
        "GET",
        "/api/v1/namespaces/default/services/s:80/proxy/a/b",
        Value::Null,
    )
    .await;
    let asked = webhook.taken();
    let options = json!({
        "apiVersion": "v1", "kind": "PodExecOptions", "command": ["sh", "-c"], "stdin": true, "container": "app",
    });
    assert_eq!((&asked[0]["object"], &asked[0]["options"]), (&options, &Value::Null));
    assert_eq!(
        asked[1]["object"],
        json!({ "apiVersion": "v1", "kind": "ServiceProxyOptions", "path": "/a/b" })
    );
    assert_eq!(
        (&asked[1]["name"], &asked[1]["operation"]),
        (&json!("s:80"), &json!("CONNECT"))
    );
}

#[tokio::test]
async fn what_is_applied_is_filled_in_and_shown_as_it_will_be() {
    let (server, clientset) = start().await;
    let webhook = Webhook::start(|request| match request["object"]["kind"] == "Pod" {
        true => patch(&json!([{ "op": "add", "path": "/metadata/labels", "value": { "hooked": "yes" } }])),
        false => json!({ "allowed": true }),
    })
    .await;
    webhook.hear_of(&clientset, &[("", "v1", "pods")]).await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
    });
    let path = "/api/v1/namespaces/default/pods/p?fieldManager=me";
    let made = send(&server, "APPLY", path, pod).await;
    assert_eq!(made["spec"]["tolerations"].as_array().unwrap().len(), 2);
    let asked = webhook.taken();
    assert_eq!(asked[0]["operation"], "CREATE");
    assert_eq!(asked[0]["options"]["kind"], "CreateOptions");
    let shown = &asked[0]["object"]["spec"];
    assert_eq!(
        (&shown["priority"], &shown["restartPolicy"]),
        (&json!(0), &json!("Always"))
    );
    // What a webhook adds to a changed object belongs to nobody.
    let change = json!({ "metadata": { "annotations": { "a": "b" } } });
    let changed = send(&server, "PATCH", "/api/v1/namespaces/default/pods/p", change).await;
    assert_eq!(changed["metadata"]["labels"], json!({ "hooked": "yes" }));
    assert!(!changed["metadata"]["managedFields"].to_string().contains("hooked"));
    let dry = send(
        &server,
        "DELETE",
        "/api/v1/namespaces/default/pods?dryRun=All",
        Value::Null,
    )
    .await;
    assert_eq!(dry["items"].as_array().unwrap().len(), 1);
    let asked = webhook.taken();
    let last = asked.last().unwrap();
    assert_eq!((&last["operation"], &last["dryRun"]), (&json!("DELETE"), &json!(true)));
    assert_eq!(
        (&last["name"], &last["oldObject"]["metadata"]["name"]),
        (&Value::Null, &json!("p"))
    );
}

#[tokio::test]
async fn conditions_that_nobody_evaluates_count_as_failing() {
    let (server, clientset) = start().await;
    let webhook = Webhook::start(|_| json!({ "allowed": true })).await;
    webhook.validate(&clientset, "judge", json!({})).await;
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/judge";
    let conditions = json!([{ "name": "always", "expression": "true" }]);
    let with = |policy: &str| {
        json!([
            { "op": "add", "path": "/webhooks/0/matchConditions", "value": conditions },
            { "op": "add", "path": "/webhooks/0/failurePolicy", "value": policy },
        ])
    };
    let create = async || {
        let dry = WriteOptions::default().with_dry_run();
        clientset
            .core_v1()
            .config_maps("default")
            .create(&config_map("one"), &dry)
            .await
    };
    send(&server, "JSON", path, with("Fail")).await;
    let refused = async {
        loop {
            match create().await {
                Err(error) => return error,
                // Until the server has heard of it.
                Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    let status = refused.status().unwrap();
    assert_eq!(
        (status.code, status.message.as_deref()),
        (
            Some(403),
            Some(
                "configmaps is forbidden: match conditions of webhook \"judge.example.com\" are not evaluated by this \
                 server"
            )
        )
    );
    send(&server, "JSON", path, with("Ignore")).await;
    webhook.taken();
    let passed = async {
        while create().await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), passed).await.unwrap();
    assert_eq!(webhook.taken(), Vec::<Value>::new());
}

/// Sends a request and returns the answer's document; `APPLY` and `JSON` are patches.
async fn send(server: &Server, method: &str, path: &str, body: Value) -> Value {
    let (method, content_type) = match method {
        "APPLY" => ("PATCH", "application/apply-patch+yaml"),
        "JSON" => ("PATCH", "application/json-patch+json"),
        "PATCH" => ("PATCH", "application/merge-patch+json"),
        method => (method, "application/json"),
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content_type);
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = server
        .in_process()
        .call(request.body(body.into()).unwrap())
        .await
        .unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}
