//! The pod of all measurements: 2.5 KB of JSON, as deployments make them, and 4 to 5 KB as the server keeps it.

use k8s_openapi::api::core::v1::Pod;
use kubewire_client::Client;
use kubewire_client::rest::{Request, Verb};
use serde_json::{Value, json};

pub(crate) const PATH: &str = "/api/v1/namespaces/default/pods";

pub(crate) fn pod(name: &str) -> Value {
    let env = |names: &[&str]| -> Vec<Value> {
        let field = |name: &&str| json!({ "name": name, "value": format!("value-of-{}", name.to_lowercase()) });
        names.iter().map(field).collect()
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {
                "app.kubernetes.io/name": "checkout", "app.kubernetes.io/instance": "checkout-production",
                "app.kubernetes.io/version": "2.14.3", "pod-template-hash": "6d4cf56db6", "tier": "backend",
            },
            "annotations": {
                "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/metrics",
                "example.com/config-checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            },
        },
        "spec": {
            "serviceAccountName": "checkout",
            "nodeName": "node-17",
            "terminationGracePeriodSeconds": 45,
            "containers": [{
                "name": "checkout",
                "image": "registry.example.com/shop/checkout:2.14.3",
                "args": ["--listen=:8080", "--metrics=:9090", "--log-format=json"],
                "ports": [{ "name": "http", "containerPort": 8080 }, { "name": "metrics", "containerPort": 9090 }],
                "env": env(&["DATABASE_URL", "CACHE_URL", "QUEUE_URL", "FEATURE_FLAGS", "LOG_LEVEL", "REGION"]),
                "resources": {
                    "requests": { "cpu": "250m", "memory": "512Mi" }, "limits": { "cpu": "1", "memory": "1Gi" },
                },
                "livenessProbe": { "httpGet": { "path": "/livez", "port": 8080 }, "periodSeconds": 10 },
                "readinessProbe": { "httpGet": { "path": "/readyz", "port": 8080 }, "periodSeconds": 5 },
                "volumeMounts": [
                    { "name": "config", "mountPath": "/etc/checkout", "readOnly": true },
                    { "name": "scratch", "mountPath": "/var/scratch" },
                ],
                "securityContext": { "runAsNonRoot": true, "allowPrivilegeEscalation": false },
            }, {
                "name": "proxy",
                "image": "registry.example.com/mesh/proxy:1.20.1",
                "args": ["proxy", "sidecar", "--domain", "shop.svc.cluster.local"],
                "env": env(&["POD_NAME", "POD_NAMESPACE", "INSTANCE_IP"]),
                "resources": { "requests": { "cpu": "50m", "memory": "64Mi" } },
            }],
            "volumes": [
                { "name": "config", "configMap": { "name": "checkout-config" } },
                { "name": "scratch", "emptyDir": {} },
            ],
            "tolerations": [{ "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }],
        },
    })
}

/// A service account is needed where its admission is on.
pub(crate) async fn prepare(client: &Client) {
    let account = json!({ "metadata": { "name": "checkout", "namespace": "default" } });
    let request = Request::new(
        Verb::Create,
        "/api/v1/namespaces/default/serviceaccounts",
        "the service account",
    );
    // It may be there from an earlier run.
    let _ = client.send(request.body("application/json", account.to_string())).await;
}

pub(crate) fn create_json(name: &str) -> Request {
    Request::new(Verb::Create, PATH, "a pod")
        .json_only()
        .body("application/json", pod(name).to_string())
}

pub(crate) fn typed(name: &str) -> Pod {
    serde_json::from_value(pod(name)).expect("it is a pod")
}

/// Sets the annotation by which delays are measured.
pub(crate) fn stamp(name: &str, nanoseconds: u128) -> Request {
    let patch = json!({ "metadata": { "annotations": { "stamp": nanoseconds.to_string() } } });
    Request::new(Verb::Patch, format!("{PATH}/{name}"), "a pod")
        .json_only()
        .body("application/merge-patch+json", patch.to_string())
}
