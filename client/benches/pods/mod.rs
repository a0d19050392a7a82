//! A pod as it is in production: three containers and one for the start, probes, volumes, statuses, managed fields. About 6.5 KiB of
//! protobuf and 11.5 KB of JSON.

use serde_json::{Value, json};

/// How many variables the environment of a container has.
const SETTINGS: usize = 3;

/// The pod with this number; numbers differ in names, addresses and versions.
pub(crate) fn pod(number: usize) -> Value {
    let suffix = format!("{number:05}");
    let names = ["service", "proxy", "logs"];
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata(number, &suffix),
        "spec": {
            "volumes": volumes(),
            "initContainers": [container("migration")], "containers": (names.map(container)),
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "service", "serviceAccount": "service", "nodeName": format!("node-{}", number % 200),
            "securityContext": {"runAsUser": 1000, "runAsNonRoot": true, "fsGroup": 1000},
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": {
                "labelSelector": {"matchLabels": {"app": "service"}}, "topologyKey": "kubernetes.io/hostname"}}]}},
            "schedulerName": "default-scheduler",
            "tolerations": (["not-ready", "unreachable"].map(|key| json!({
                "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}))),
            "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "phase": "Running",
            "conditions": (["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
                .map(|name| json!({"type": name, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-02T03:04:05Z"}))),
            "hostIP": "10.1.2.3", "hostIPs": [{"ip": "10.1.2.3"}],
            "podIP": format!("10.4.{}.{}", number / 250, number % 250), "podIPs": [{"ip": format!("10.4.{}.{}", number / 250, number % 250)}],
            "startTime": "2026-01-02T03:04:05Z", "qosClass": "Burstable",
            "initContainerStatuses": [status("migration", json!({"terminated": {
                "exitCode": 0, "reason": "Completed", "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06Z"}}))],
            "containerStatuses": (names.map(|name| status(name, json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}})))),
        },
    })
}

fn status(name: &str, state: Value) -> Value {
    json!({
        "name": name, "state": state, "lastState": {}, "ready": true, "restartCount": 0, "started": true,
        "image": format!("registry.example.com/platform/{name}:v1.42.7"),
        "imageID": format!("registry.example.com/platform/{name}@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"),
        "containerID": "containerd://9b2e1c7d5a3f4e6880c1b2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d",
    })
}

fn metadata(number: usize, suffix: &str) -> Value {
    json!({
        "name": format!("service-6d4cf56db6-{suffix}"), "generateName": "service-6d4cf56db6-", "namespace": "production",
        "uid": format!("0b1d2c3e-4f56-4789-8abc-def0123{suffix}"), "resourceVersion": (123_456_789 + number).to_string(),
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "labels": {"app": "service", "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "6d4cf56db6", "team": "platform", "tier": "backend"},
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080",
            "checksum/config": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "service-6d4cf56db6",
            "uid": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "controller": true, "blockOwnerDeletion": true}],
        "managedFields": [
            managed("kube-controller-manager", "", json!({
                "f:metadata": {"f:annotations": {".": {}, "f:checksum/config": {}, "f:prometheus.io/port": {}, "f:prometheus.io/scrape": {}},
                    "f:generateName": {}, "f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}, "f:team": {}, "f:tier": {}},
                    "f:ownerReferences": {".": {}, "k:{\"uid\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\"}": {}}},
                "f:spec": {"f:affinity": {}, "f:containers": {
                    "k:{\"name\":\"service\"}": managed_container()},
                    "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {},
                    "f:securityContext": {".": {}, "f:fsGroup": {}, "f:runAsNonRoot": {}, "f:runAsUser": {}},
                    "f:serviceAccount": {}, "f:serviceAccountName": {}, "f:terminationGracePeriodSeconds": {},
                    "f:volumes": {".": {}, "k:{\"name\":\"cache\"}": {".": {}, "f:emptyDir": {}, "f:name": {}}}}})),
            managed("kubelet", "status", json!({
                "f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:lastProbeTime": {}, "f:status": {}, "f:type": {}}},
                    "f:containerStatuses": {}, "f:hostIP": {}, "f:hostIPs": {}, "f:phase": {}, "f:podIP": {},
                    "f:podIPs": {".": {}, "k:{\"ip\":\"10.4.0.1\"}": {".": {}, "f:ip": {}}}, "f:startTime": {}}})),
        ],
    })
}

fn managed_container() -> Value {
    let probe = json!({".": {}, "f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}, "f:scheme": {}},
        "f:periodSeconds": {}, "f:successThreshold": {}, "f:timeoutSeconds": {}});
    json!({".": {}, "f:args": {}, "f:env": {".": {}, "k:{\"name\":\"SETTING_0\"}": {".": {}, "f:name": {}, "f:value": {}}}, "f:image": {}, "f:imagePullPolicy": {}, "f:livenessProbe": probe, "f:name": {},
        "f:ports": {".": {}, "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
        "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}, "f:memory": {}}, "f:requests": {".": {}, "f:cpu": {}, "f:memory": {}}},
        "f:securityContext": {".": {}, "f:allowPrivilegeEscalation": {}, "f:capabilities": {".": {}, "f:drop": {}}, "f:readOnlyRootFilesystem": {}},
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
        "f:volumeMounts": {".": {}, "k:{\"mountPath\":\"/etc/config\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}})
}

fn managed(manager: &str, subresource: &str, fields: Value) -> Value {
    let mut entry = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
        "fieldsType": "FieldsV1", "fieldsV1": fields});
    if !subresource.is_empty() {
        entry["subresource"] = subresource.into();
    }
    entry
}

fn container(name: &str) -> Value {
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    let environment: Vec<Value> = (0..SETTINGS)
        .map(|index| json!({"name": format!("SETTING_{index}"), "value": format!("value-{index}-of-the-setting")}))
        .chain([
            json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}),
        ])
        .collect();
    json!({
        "name": name, "image": format!("registry.example.com/platform/{name}:v1.42.7"), "args": ["--port=8080", "--verbose", "--config=/etc/config/config.yaml"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}], "env": environment,
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "512Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config"},
            {"name": "kube-api-access-x2v7k", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
        "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false},
    })
}

fn volumes() -> Value {
    json!([
        {"name": "config", "configMap": {"name": "service-config", "defaultMode": 420}},
        {"name": "cache", "emptyDir": {}},
        {"name": "kube-api-access-x2v7k", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}},
    ])
}
