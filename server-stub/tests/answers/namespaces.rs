//! Namespaces, and the networks of services.

use serde_json::{Value, json};

use super::{Caller, NAMESPACES};

#[tokio::test]
async fn namespaces() {
    let mut api = Caller::start().await;
    let one = format!("{NAMESPACES}/one");
    let named = |name: &str, rest: Value| {
        let mut object = rest;
        object["kind"] = "Namespace".into();
        object["apiVersion"] = "v1".into();
        object["metadata"]["name"] = name.into();
        object
    };
    // The namespace of a namespace is nobody's business.
    let made = api
        .make(
            NAMESPACES,
            "Namespace",
            "one",
            json!({ "metadata": { "namespace": "other" } }),
        )
        .await;
    assert_eq!(made["metadata"].get("namespace"), None);
    api.refused(
        "POST",
        NAMESPACES,
        named("a.b", json!({})),
        422,
        "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": must not contain dots",
    )
    .await;
    api.refused(
        "PATCH",
        &format!("{one}/status"),
        json!({ "status": { "phase": "Terminating" } }),
        422,
        "Namespace \"one\" is invalid: status.Phase: Invalid value: \"Terminating\": may only be 'Active' if \
         `deletionTimestamp` is empty",
    )
    .await;
    api.refused(
        "GET",
        &format!("{one}/namespaces"),
        Value::Null,
        404,
        "the server could not find the requested resource",
    )
    .await;
    let uid = made["metadata"]["uid"].as_str().unwrap();
    api.refused(
        "DELETE",
        &one,
        json!({ "preconditions": { "uid": "x" } }),
        409,
        &format!(
            "Operation cannot be fulfilled on namespaces \"one\": Precondition failed: UID in precondition: x, UID \
                  in object meta: {uid}"
        ),
    )
    .await;
    // Without finalizers a namespace still ends in two steps.
    api.ok("PUT", &format!("{one}/finalize"), named("one", json!({ "spec": {} })))
        .await;
    let going = api.ok("DELETE", &one, Value::Null).await;
    assert_eq!(going["status"]["phase"], "Terminating");
    assert!(going["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test]
async fn networks_of_services() {
    let mut api = Caller::start().await;
    let group = "/apis/networking.k8s.io/v1";
    let own = api
        .ok("GET", &format!("{group}/servicecidrs/kubernetes"), Value::Null)
        .await;
    assert_eq!(own["spec"]["cidrs"], json!(["10.0.0.0/24"]));
    assert_eq!(
        own["status"]["conditions"][0]["message"],
        "Kubernetes default Service CIDR is ready"
    );
    api.refused(
        "PATCH", &format!("{group}/servicecidrs/kubernetes"), json!({ "spec": { "cidrs": ["10.1.0.0/24"] } }), 422,
        "ServiceCIDR.networking.k8s.io \"kubernetes\" is invalid: spec.cidrs[0]: Invalid value: \"10.1.0.0/24\": field is \
         immutable",
    ).await;
    let address = json!({ "spec": { "parentRef": { "resource": "services", "name": "x" } } });
    api.make(&format!("{group}/ipaddresses"), "IPAddress", "2001:db8::1", address)
        .await;
    let first = api
        .ok("GET", &format!("{group}/ipaddresses/10.0.0.1"), Value::Null)
        .await;
    assert_eq!(first["metadata"]["managedFields"][0]["manager"], "kube-apiserver");
}
