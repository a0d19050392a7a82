use serde_json::{Value, json};

use super::levels::{Level, violations};
use super::{label_errors, policy};

fn found(level: Level, spec: Value) -> Vec<String> {
    let found = violations(level, &json!({ "metadata": {}, "spec": spec }));
    found
        .into_iter()
        .map(|one| format!("{} ({})", one.reason, one.detail))
        .collect()
}

fn container(context: Value) -> Value {
    json!({ "containers": [{ "name": "app", "securityContext": context }] })
}

#[test]
fn baseline_keeps_pods_away_from_their_node() {
    let cases = [
        (
            json!({ "hostNetwork": true, "hostPID": true }),
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            json!({ "volumes": [{ "name": "v", "hostPath": {} }] }),
            "hostPath volumes (volume \"v\")",
        ),
        (
            container(json!({ "privileged": true })),
            "privileged (container \"app\" must not set securityContext.privileged=true)",
        ),
        (
            container(json!({ "capabilities": { "add": ["SYS_ADMIN", "CHOWN"] } })),
            "non-default capabilities (container \"app\" must not include \"SYS_ADMIN\" in \
             securityContext.capabilities.add)",
        ),
        (
            json!({ "containers": [{ "name": "a", "ports": [{ "hostPort": 80 }, { "hostPort": 81 }] }] }),
            "hostPort (container \"a\" uses hostPorts 80, 81)",
        ),
        (
            json!({ "securityContext": { "sysctls": [{ "name": "kernel.msgmax" }] } }),
            "forbidden sysctls (kernel.msgmax)",
        ),
    ];
    for (spec, expected) in cases {
        assert_eq!(found(Level::Baseline, spec.clone()), [expected]);
        assert_eq!(found(Level::Privileged, spec), Vec::<String>::new());
    }
    assert_eq!(found(Level::Baseline, container(json!({}))), Vec::<String>::new());
}

#[test]
fn restricted_pods_give_up_what_they_do_not_need() {
    let reasons = |spec: Value| -> Vec<String> {
        let found = violations(Level::Restricted, &json!({ "metadata": {}, "spec": spec }));
        found.into_iter().map(|one| one.reason).collect()
    };
    let all = [
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
        "runAsNonRoot != true",
        "seccompProfile",
    ];
    assert_eq!(reasons(container(json!({}))), all);
    let good = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(reasons(container(good.clone())), Vec::<String>::new());
    let mut root = good;
    root["runAsUser"] = json!(0);
    assert_eq!(reasons(container(root)), ["runAsUser=0"]);
}

#[test]
fn labels_are_levels_and_versions() {
    let namespace = |labels: Value| json!({ "metadata": { "labels": labels } });
    let good = namespace(json!({
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "v1.30",
    }));
    assert_eq!(label_errors(&good).len(), 0);
    assert_eq!(policy(&good, "enforce").name(), "baseline:v1.30");
    assert_eq!(policy(&good, "warn").name(), "privileged:latest");
    let bad = namespace(json!({
        "pod-security.kubernetes.io/enforce": "strict",
        "pod-security.kubernetes.io/warn-version": "1.30",
    }));
    assert_eq!(label_errors(&bad).len(), 2);
    assert_eq!(policy(&bad, "enforce").name(), "restricted:latest");
}
