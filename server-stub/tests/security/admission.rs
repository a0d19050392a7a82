//! The admission plugins that are on from the start.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{ADMIN, ALICE, Answer, Caller};

const NAMESPACE: &str = "/api/v1/namespaces/default";
const PODS: &str = "/api/v1/namespaces/default/pods";
const RESTRICTED: &str = "allowPrivilegeEscalation != false (container \"app\" must set \
    securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"app\" must set \
    securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"app\" must set \
    securityContext.runAsNonRoot=true), seccompProfile (pod or container \"app\" must set \
    securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";

fn pod(name: &str, more: &Value) -> Value {
    let mut spec = json!({ "containers": [{ "name": "app", "image": "app" }] });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({ "metadata": { "name": name }, "spec": spec })
}

async fn label(caller: &Caller, labels: Value) -> Answer {
    let patch = json!({ "metadata": { "labels": labels } });
    caller.send(ADMIN, Method::PATCH, NAMESPACE, &patch).await
}

#[tokio::test]
async fn labels_of_a_namespace_say_what_its_pods_may_do() {
    let caller = Caller::start().await;
    caller
        .create(PODS, &pod("first", &json!({ "hostNetwork": true })))
        .await;
    caller
        .create(PODS, &pod("second", &json!({ "hostNetwork": true })))
        .await;
    let changed = label(&caller, json!({ "pod-security.kubernetes.io/enforce": "baseline" })).await;
    let warnings: Vec<&str> = changed
        .headers
        .get_all("warning")
        .iter()
        .map(|warning| warning.to_str().unwrap())
        .collect();
    assert_eq!(
        warnings,
        [
            "299 - \"existing pods in namespace \\\"default\\\" violate the new PodSecurity enforce level \
             \\\"baseline:latest\\\"\"",
            "299 - \"first (and 1 other pod): host namespaces\"",
        ]
    );
    let refused = caller
        .post(ADMIN, PODS, &pod("p", &json!({ "hostNetwork": true })))
        .await;
    let message =
        "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)";
    assert_eq!((refused.code, refused.message()), (403, message));
    let template =
        json!({ "metadata": { "labels": { "a": "b" } }, "spec": pod("", &json!({ "hostPID": true }))["spec"] });
    let deployment = json!({
        "metadata": { "name": "d" },
        "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template },
    });
    let warned = caller
        .post(ADMIN, "/apis/apps/v1/namespaces/default/deployments", &deployment)
        .await;
    assert_eq!(warned.code, 201);
    assert!(
        warned.headers["warning"]
            .to_str()
            .unwrap()
            .contains("would violate PodSecurity")
    );

    label(&caller, json!({ "pod-security.kubernetes.io/enforce": "restricted" })).await;
    let refused = caller.post(ADMIN, PODS, &pod("p", &json!({}))).await;
    assert!(refused.message().ends_with(RESTRICTED), "{}", refused.message());
    let wrong = label(&caller, json!({ "pod-security.kubernetes.io/warn": "strict" })).await;
    assert_eq!(wrong.code, 422);
    caller.stop().await;
}

#[tokio::test]
async fn quotas_with_a_status_are_counted_and_kept() {
    let caller = Caller::start().await;
    let quotas = format!("{NAMESPACE}/resourcequotas");
    let hard = json!({ "pods": "2", "requests.cpu": "1" });
    let mut quota = caller
        .create(
            &quotas,
            &json!({ "metadata": { "name": "q" }, "spec": { "hard": hard } }),
        )
        .await;
    // Nobody has counted yet.
    caller.create(PODS, &pod("early", &json!({}))).await;
    quota["status"] = json!({ "hard": hard, "used": { "pods": "0", "requests.cpu": "0" } });
    let path = format!("{quotas}/q");
    assert_eq!(
        caller
            .send(ADMIN, Method::PUT, &format!("{path}/status"), &quota)
            .await
            .code,
        200
    );

    let asking = |name: &str, cpu: &str| {
        let container = json!({ "name": "app", "image": "app", "resources": { "requests": { "cpu": cpu } } });
        pod(name, &json!({ "containers": [container] }))
    };
    let refused = async |object: Value| {
        let answer = caller.post(ADMIN, PODS, &object).await;
        assert_eq!(answer.code, 403, "{}", answer.body);
        answer.message().split_once("is forbidden: ").unwrap().1.to_owned()
    };
    assert_eq!(
        refused(pod("p", &json!({}))).await,
        "failed quota: q: must specify requests.cpu for: app"
    );
    caller.create(PODS, &asking("a", "600m")).await;
    assert_eq!(
        refused(asking("b", "600m")).await,
        "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    );
    caller.create(PODS, &asking("b", "0.1")).await;
    assert_eq!(
        refused(asking("c", "1m")).await,
        "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
    );
    let used = caller.get(ADMIN, &path).await.body["status"]["used"].clone();
    assert_eq!(used, json!({ "pods": "2", "requests.cpu": "700m" }));
    caller.stop().await;
}

#[tokio::test]
async fn a_pod_gets_what_its_runtime_class_says() {
    let caller = Caller::start().await;
    let class = json!({
        "metadata": { "name": "vm" },
        "handler": "vm",
        "overhead": { "podFixed": { "cpu": "10m" } },
        "scheduling": { "nodeSelector": { "vm": "yes" } },
    });
    caller.create("/apis/node.k8s.io/v1/runtimeclasses", &class).await;
    let made = caller
        .create(PODS, &pod("p", &json!({ "runtimeClassName": "vm" })))
        .await;
    assert_eq!(made["spec"]["overhead"]["cpu"], "10m");
    assert_eq!(made["spec"]["nodeSelector"], json!({ "vm": "yes" }));
    for (spec, message) in [
        (
            json!({ "runtimeClassName": "none" }),
            "pod rejected: RuntimeClass \"none\" not found",
        ),
        (
            json!({ "runtimeClassName": "vm", "nodeSelector": { "vm": "no" } }),
            "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
        ),
        (
            json!({ "overhead": { "cpu": "1" } }),
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ] {
        let refused = caller.post(ADMIN, PODS, &pod("q", &spec)).await;
        assert_eq!(
            (refused.code, refused.message()),
            (403, &*format!("pods \"q\" is forbidden: {message}"))
        );
    }
    caller.stop().await;
}

#[tokio::test]
async fn only_one_priority_class_is_the_default() {
    let caller = Caller::start().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str| json!({ "metadata": { "name": name }, "value": 7, "globalDefault": true });
    caller.create(classes, &class("one")).await;
    let refused = caller.post(ADMIN, classes, &class("two")).await;
    let message = "PriorityClass one is already marked as default. Only one default can exist";
    assert_eq!(refused.code, 403);
    assert!(refused.message().ends_with(message), "{}", refused.message());
    caller.stop().await;
}

#[tokio::test]
async fn claims_grow_where_their_class_allows_it() {
    let caller = Caller::start().await;
    let classes = "/apis/storage.k8s.io/v1/storageclasses";
    let claims = format!("{NAMESPACE}/persistentvolumeclaims");
    caller
        .create(
            classes,
            &json!({ "metadata": { "name": "disk" }, "provisioner": "example.com/disk" }),
        )
        .await;
    let size = |size: &str| json!({ "resources": { "requests": { "storage": size } } });
    let mut spec = size("1Gi");
    spec["accessModes"] = json!(["ReadWriteOnce"]);
    spec["storageClassName"] = json!("disk");
    spec["volumeName"] = json!("v");
    caller
        .create(&claims, &json!({ "metadata": { "name": "c" }, "spec": spec }))
        .await;
    let path = format!("{claims}/c");
    let bound = json!({ "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } } });
    assert_eq!(
        caller
            .send(ADMIN, Method::PATCH, &format!("{path}/status"), &bound)
            .await
            .code,
        200
    );
    let grow = json!({ "spec": size("2Gi") });
    let refused = caller.send(ADMIN, Method::PATCH, &path, &grow).await;
    assert!(
        refused
            .message()
            .contains("the storageclass that provisions the pvc must support resize"),
        "{}",
        refused.body
    );
    let allow = json!({ "allowVolumeExpansion": true });
    caller
        .send(ADMIN, Method::PATCH, &format!("{classes}/disk"), &allow)
        .await;
    assert_eq!(caller.send(ADMIN, Method::PATCH, &path, &grow).await.code, 200);
    caller.stop().await;
}

#[tokio::test]
async fn signing_requests_need_more_than_the_right_to_write_them() {
    let caller = Caller::start().await;
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let request = |name: &str, group: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, group);
        params.distinguished_name.push(rcgen::DnType::CommonName, "ann");
        let pem = params
            .serialize_request(&rcgen::KeyPair::generate().unwrap())
            .unwrap()
            .pem()
            .unwrap();
        let encoded = k8s_openapi::ByteString(pem.into_bytes());
        json!({
            "metadata": { "name": name },
            "spec": {
                "request": encoded,
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        })
    };
    let refused = caller.post(ADMIN, requests, &request("a", "system:masters")).await;
    let message = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
    assert!(
        refused.code == 403 && refused.message().ends_with(message),
        "{}",
        refused.body
    );

    let mut wanted = caller.create(requests, &request("b", "staff")).await;
    let rules = json!([{
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests", "certificatesigningrequests/approval"],
        "verbs": ["get", "update"],
    }]);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    caller
        .create(
            &format!("{rbac}/clusterroles"),
            &json!({ "metadata": { "name": "csr" }, "rules": rules }),
        )
        .await;
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": { "name": "csr" },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "csr" },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": "alice" }],
    });
    caller.create(&format!("{rbac}/clusterrolebindings"), &binding).await;
    let path = format!("{requests}/b");
    while caller.get(ALICE, &path).await.code != 200 {
        tokio::task::yield_now().await;
    }
    wanted["status"]["conditions"] = json!([{ "type": "Approved", "status": "True", "reason": "r" }]);
    let approval = format!("{path}/approval");
    let refused = caller.send(ALICE, Method::PUT, &approval, &wanted).await;
    let message = "user not permitted to approve requests with signerName \"kubernetes.io/kube-apiserver-client\"";
    assert!(
        refused.code == 403 && refused.message().ends_with(message),
        "{}",
        refused.body
    );
    assert_eq!(caller.send(ADMIN, Method::PUT, &approval, &wanted).await.code, 200);
    caller.stop().await;
}
