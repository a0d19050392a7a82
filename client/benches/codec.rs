//! What the codec costs on a pod as it is in production: three containers, probes, volumes, managed fields.
//!
//! `cargo bench -p kubewire-client --bench codec`

#![allow(clippy::unwrap_used, missing_docs)] // a program for developers

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::wire::{
    EncodedList, EncodedObject, Encoding, Message, ObjectHeader, drop_managed_fields, schema, transcode,
};
use serde_json::{Value, json};

fn pod() -> Value {
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    let containers: Vec<Value> = (0..3)
        .map(|index| {
            let environment: Vec<Value> = (0..12)
                .map(|index| json!({"name": format!("SETTING_{index}"), "value": format!("value-{index}-of-the-setting")}))
                .collect();
            json!({
                "name": format!("container-{index}"), "image": "registry.example.com/team/service:v1.42.7", "args": ["--port=8080", "--verbose"],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}], "env": environment,
                "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "512Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}, {"name": "token", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
                "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"), "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "securityContext": {"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}},
            })
        })
        .collect();
    let managed = json!({"f:spec": {"f:containers": {"k:{\"name\":\"container-0\"}": {".": {}, "f:image": {}, "f:resources": {}, "f:env": {".": {}}}}}});
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(|name| json!({"type": name, "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "service-6d4cf56db6-x2v7k", "generateName": "service-6d4cf56db6-", "namespace": "production", "uid": "0b1d2c3e-4f56-4789-8abc-def012345678",
            "resourceVersion": "123456789", "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"app": "service", "pod-template-hash": "6d4cf56db6", "team": "platform"},
            "annotations": {"prometheus.io/scrape": "true", "checksum/config": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "service-6d4cf56db6", "uid": "u", "controller": true, "blockOwnerDeletion": true}],
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": managed},
                {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": managed, "subresource": "status"},
            ],
        },
        "spec": {
            "containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "serviceAccountName": "service", "nodeName": "node-17",
            "volumes": [
                {"name": "config", "configMap": {"name": "service-config", "defaultMode": 420}},
                {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}], "defaultMode": 420}},
            ],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        },
        "status": {
            "phase": "Running", "conditions": conditions, "hostIP": "10.1.2.3", "podIP": "10.4.5.6",
            "podIPs": [{"ip": "10.4.5.6"}], "startTime": "2026-01-02T03:04:05Z", "qosClass": "Burstable",
        },
    })
}

fn codec(criterion: &mut Criterion) {
    let schema = schema::message("core.v1.Pod").unwrap();
    let (value, _) = transcode::json_to_value(schema, pod().to_string().as_bytes()).unwrap();
    let protobuf = transcode::value_to_protobuf(schema, &value).unwrap();
    let mut json = Vec::new();
    transcode::write_json(schema, &value, &mut json);
    let typed = Pod::from_protobuf(&protobuf).unwrap();
    println!("protobuf {} bytes, JSON {} bytes", protobuf.len(), json.len());

    let mut group = criterion.benchmark_group("typed");
    group.throughput(Throughput::Bytes(protobuf.len() as u64));
    group.bench_function("protobuf decode", |b| {
        b.iter(|| Pod::from_protobuf(black_box(&protobuf)).unwrap())
    });
    group.bench_function("protobuf encode", |b| b.iter(|| black_box(&typed).to_protobuf()));
    group.bench_function("JSON decode (serde_json)", |b| {
        b.iter(|| serde_json::from_slice::<Pod>(black_box(&json)).unwrap())
    });
    group.bench_function("JSON encode (serde_json)", |b| {
        b.iter(|| serde_json::to_vec(black_box(&typed)).unwrap())
    });
    group.finish();

    let mut group = criterion.benchmark_group("transcoder");
    group.throughput(Throughput::Bytes(protobuf.len() as u64));
    group.bench_function("protobuf to value", |b| {
        b.iter(|| transcode::protobuf_to_value(schema, black_box(&protobuf)).unwrap())
    });
    group.bench_function("value to protobuf", |b| {
        b.iter(|| transcode::value_to_protobuf(schema, black_box(&value)).unwrap())
    });
    group.bench_function("JSON to value", |b| {
        b.iter(|| transcode::json_to_value(schema, black_box(&json)).unwrap())
    });
    group.bench_function("value to JSON", |b| {
        b.iter(|| {
            let mut text = Vec::with_capacity(json.len());
            transcode::write_json(schema, black_box(&value), &mut text);
            text
        });
    });
    group.bench_function("protobuf to JSON", |b| {
        b.iter(|| transcode::protobuf_to_json(schema, black_box(&protobuf)).unwrap())
    });
    group.finish();

    let encoded = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: protobuf.clone(),
    };
    let mut group = criterion.benchmark_group("bytes");
    group.bench_function("header", |b| {
        b.iter(|| ObjectHeader::parse(black_box(&encoded)).unwrap())
    });
    group.bench_function("drop managed fields", |b| {
        b.iter(|| drop_managed_fields(black_box(&protobuf)).unwrap())
    });
    let list = List {
        items: vec![typed; 1000],
        ..Default::default()
    };
    let list = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: list.to_protobuf(),
    };
    group.throughput(Throughput::Elements(1000));
    group.bench_function("split a list of 1000", |b| {
        b.iter(|| EncodedList::parse(black_box(&list)).unwrap())
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
