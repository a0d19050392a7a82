//! Scales, logs, evictions and what else is behind an object.

use http::Request;
use serde_json::{Value, json};

use super::{Caller, DEFINITIONS, NAMESPACES, PODS, pod};

#[tokio::test]
async fn scales() {
    let mut api = Caller::start().await;
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    let mut set = json!({ "spec": { "replicas": 2, "selector": { "matchLabels": { "a": "b" } }, "template": pod() } });
    set["spec"]["template"]["metadata"] = json!({ "labels": { "a": "b" } });
    api.make(sets, "ReplicaSet", "s", set).await;
    let scale = |name: &str, more: Value| {
        let mut scale = more;
        scale["kind"] = "Scale".into();
        scale["apiVersion"] = "autoscaling/v1".into();
        scale["metadata"]["name"] = name.into();
        scale["spec"] = json!({ "replicas": 3 });
        scale
    };
    let path = format!("{sets}/s/scale");
    api.refused(
        "PUT",
        &format!("{sets}/x/scale"),
        scale("x", json!({})),
        404,
        "replicasets.apps \"x\" not found",
    )
    .await;
    api.refused(
        "PATCH",
        &path,
        json!({ "metadata": { "name": "x" } }),
        400,
        "the name of the object (x) does not match the name on the URL (s)",
    )
    .await;
    let (code, answer) = api
        .send("PUT", &path, scale("s", json!({ "metadata": { "uid": "x" } })))
        .await;
    assert_eq!(code, 409);
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.starts_with("Operation cannot be fulfilled on replicasets.apps \"s\": StorageError"),
        "{message}"
    );
    api.refused(
        "PUT",
        &path,
        json!({ "kind": "Scale", "apiVersion": "extensions/v1beta1", "metadata": { "name": "s" } }),
        400,
        "the API version in the data (extensions/v1beta1) does not match the expected API version (autoscaling/v1)",
    )
    .await;
    api.ok("PUT", &path, scale("s", json!({}))).await;
    let (code, answer) = api
        .send("PATCH", &format!("{path}?fieldManager=m"), {
            let mut other = scale("s", json!({}));
            other["spec"]["replicas"] = 4.into();
            other
        })
        .await;
    assert_eq!(code, 409);
    let cause = &answer["details"]["causes"][0];
    assert_eq!(cause["field"], ".spec.replicas");
    assert!(
        cause["message"]
            .as_str()
            .unwrap()
            .ends_with("with subresource \"scale\" using autoscaling/v1"),
        "{cause}"
    );
    let view = |view: &str| {
        let accept = format!("application/json;as={view};v=v1;g=meta.k8s.io");
        Request::get(path.as_str()).header("Accept", accept)
    };
    let (_, table, _) = api.ask(view("Table"), String::new()).await;
    assert_eq!(
        (&table["rows"][0]["cells"][0], &table["rows"][0]["cells"][1]),
        (&json!("s"), &json!(3))
    );
    assert_eq!(table["columnDefinitions"].as_array().unwrap().len(), 4);
    let (_, partial, _) = api.ask(view("PartialObjectMetadata"), String::new()).await;
    assert_eq!(
        (&partial["kind"], partial.get("spec")),
        (&json!("PartialObjectMetadata"), None)
    );
}

#[tokio::test]
async fn pods_and_their_subresources() {
    let mut api = Caller::start().await;
    let mut gated = pod();
    gated["spec"]["schedulingGates"] = json!([{ "name": "a.b/c" }]);
    let gated = api.make(PODS, "Pod", "gated", gated).await;
    assert_eq!(gated["status"]["conditions"][0]["reason"], "SchedulingGated");
    api.make(PODS, "Pod", "p", pod()).await;
    let mut two = pod();
    two["spec"]["containers"] = json!([{ "name": "a", "image": "i" }, { "name": "b", "image": "i" }]);
    two["spec"]["nodeName"] = "nosuch".into();
    api.make(PODS, "Pod", "two", two).await;
    let log = |rest: &str| format!("{PODS}/{rest}");
    // A pod without a node has said nothing so far.
    let (code, answer) = api.send("GET", &log("p/log"), Value::Null).await;
    assert_eq!((code, answer), (204, Value::Null));
    for (path, code, message) in [
        (
            "two/log",
            400,
            "a container name must be specified for pod two, choose one of: [a b]",
        ),
        ("two/log?container=a", 404, "pods \"nosuch\" not found"),
        (
            "p/log?stream=Stdout",
            422,
            "PodLogOptions \"p\" is invalid: stream: Forbidden: may not be specified",
        ),
        (
            "p/log?sinceTime=x",
            400,
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\"",
        ),
    ] {
        api.refused("GET", &log(path), Value::Null, code, message).await;
    }
    api.refused(
        "PATCH", &log("p/status"), json!({ "status": { "podIPs": [{ "ip": "10.0.0.1" }, { "ip": "10.0.0.2" }] } }), 422,
        "Pod \"p\" is invalid: status.podIPs: Invalid value: [{\"IP\":\"10.0.0.1\"},{\"IP\":\"10.0.0.2\"}]: may specify no \
         more than one IP for each IP family",
    ).await;
    let debug =
        json!({ "spec": { "ephemeralContainers": [{ "name": "d", "image": "i", "targetContainerName": "x" }] } });
    api.refused(
        "PATCH",
        &log("p/ephemeralcontainers"),
        debug,
        422,
        "Pod \"p\" is invalid: spec.ephemeralContainers[0].targetContainerName: Not found: \"x\"",
    )
    .await;
    let binding = json!({ "kind": "Binding", "apiVersion": "v1", "target": { "kind": "Node", "name": "n" } });
    api.refused(
        "POST",
        &format!("{NAMESPACES}/default/bindings"),
        binding,
        400,
        "Name parameter required.",
    )
    .await;
    let eviction = |more: Value| {
        let mut eviction = json!({ "kind": "Eviction", "apiVersion": "policy/v1beta1", "metadata": { "name": "p" } });
        eviction["deleteOptions"] = more;
        eviction
    };
    // It is refused once, not tried for ever.
    let refused = json!({ "preconditions": { "uid": "x" } });
    let (code, answer) = api.send("POST", &log("p/eviction"), eviction(refused)).await;
    assert_eq!((code, &answer["details"]["kind"]), (409, &json!("Pod")));
    api.ok("POST", &log("p/eviction"), eviction(json!({}))).await;
    let proxied = "/api/v1/namespaces/default/services/https:nosuch:web/proxy/";
    api.refused(
        "GET",
        proxied,
        Value::Null,
        503,
        "no endpoints available for service \"nosuch\"",
    )
    .await;
}

#[tokio::test]
async fn custom_resources() {
    let mut api = Caller::start().await;
    let definition = json!({ "spec": {
        "group": "x.io", "scope": "Namespaced", "names": { "plural": "ws", "singular": "w", "kind": "W" },
        "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
        } }, "subresources": { "status": {}, "scale": {
            "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size",
        } } }],
    } });
    api.make(DEFINITIONS, "CustomResourceDefinition", "ws.x.io", definition)
        .await;
    let all = "/apis/x.io/v1/namespaces/default/ws";
    while api.send("GET", all, Value::Null).await.0 != 200 {
        tokio::task::yield_now().await;
    }
    // A finalizer without a domain is one.
    let rest = json!({ "metadata": { "finalizers": ["held"] }, "spec": { "size": 1 } });
    api.make(all, "W", "one", rest).await;
    let one = format!("{all}/one");
    let status = json!({ "metadata": { "labels": { "a": "b" } }, "status": { "size": 1 } });
    let updated = api.ok("PATCH", &format!("{one}/status"), status).await;
    assert_eq!(
        (updated["metadata"].get("labels"), &updated["status"]["size"]),
        (None, &json!(1))
    );
    let scale = json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": { "name": "one" }, "spec": { "replicas": 3 } });
    assert_eq!(
        api.ok("PUT", &format!("{one}/scale"), scale).await["spec"]["replicas"],
        3
    );
    for (method, path, code, message) in [
        (
            "POST",
            format!("{one}/status"),
            405,
            "create is not supported on resources of kind \"ws.x.io\"",
        ),
        ("PUT", all.to_owned(), 400, "name must be provided"),
    ] {
        api.refused(method, &path, json!({}), code, message).await;
    }
    api.ok("DELETE", &one, Value::Null).await;
    let (_, answer) = api
        .send(
            "PATCH",
            &one,
            json!({ "metadata": { "finalizers": ["a.b/c", "a.b/d"] } }),
        )
        .await;
    assert_eq!(answer["details"]["causes"].as_array().unwrap().len(), 2);
    let definition = format!("{DEFINITIONS}/ws.x.io");
    api.ok("DELETE", &definition, Value::Null).await;
    // It waits for the object that is held.
    assert_eq!(
        api.ok("DELETE", &definition, Value::Null).await["metadata"]["deletionGracePeriodSeconds"],
        0
    );
    let late = json!({ "kind": "W", "apiVersion": "x.io/v1", "metadata": { "name": "late" } });
    let message = "ws.x.io \"late\" is forbidden: create not allowed while custom resource definition is terminating";
    let try_late = format!("{all}?dryRun=All");
    while api.send("POST", &try_late, late.clone()).await.0 == 201 {
        tokio::task::yield_now().await;
    }
    api.refused("POST", all, late, 403, message).await;
}
