use super::*;
use crate::registry::validation::told;

fn of_pod(volume: Value) -> Vec<String> {
    told(validate(
        &volume,
        "v",
        Owner::Pod {
            volume: "data",
            pod: None,
        },
    ))
}

#[test]
fn a_volume_has_one_source() {
    assert_eq!(
        of_pod(json!({ "name": "data" })),
        ["v: Required value: must specify a volume type"]
    );
    assert_eq!(
        of_pod(json!({ "emptyDir": {}, "cephfs": {}, "downwardAPI": {} })),
        [
            "v.cephFS: Forbidden: may not specify more than 1 volume type",
            "v.downwarAPI: Forbidden: may not specify more than 1 volume type",
        ]
    );
}

#[test]
fn files() {
    let source = json!({ "secretName": "s", "defaultMode": 512, "items": [{ "key": "k", "path": "../x" }] });
    assert_eq!(
        of_pod(json!({ "secret": source })),
        [
            "v.secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
            "v.secret.items[0].path: Invalid value: \"../x\": must not contain '..'",
        ]
    );
    let field = json!({ "apiVersion": "v1", "fieldPath": "spec.nodeName" });
    let files = json!([{ "path": "a" }, { "path": "b", "fieldRef": field }]);
    assert_eq!(
        of_pod(json!({ "downwardAPI": { "items": files } })),
        [
            "v.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
            "v.downwardAPI.fieldRef.fieldPath: Unsupported value: \"spec.nodeName\": supported values: \
             \"metadata.annotations\", \"metadata.labels\", \"metadata.name\", \"metadata.namespace\", \"metadata.uid\"",
        ]
    );
    let item = json!([{ "key": "k", "path": "p" }]);
    let sources = json!([
        { "secret": { "name": "s", "items": item }, "configMap": { "name": "c", "items": item } },
        { "serviceAccountToken": { "path": "t", "expirationSeconds": 1 } },
    ]);
    assert_eq!(
        of_pod(json!({ "projected": { "sources": sources } })),
        [
            "v.projected: Invalid value: \"c\": conflicting duplicate paths",
            "v.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
            "v.projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration \
             less than 10 minutes",
        ]
    );
}

#[test]
fn disks_of_pods_and_volumes() {
    let source = json!({ "iscsi": { "targetPortal": "p", "iqn": "x", "lun": 256 } });
    assert_eq!(
        of_pod(source.clone()),
        [
            "v.iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa",
            "v.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
        ]
    );
    assert_eq!(
        told(validate(&source, "spec", Owner::Volume("pv")))[0],
        "spec.iscsi.iqn: Invalid value: \"x\": must be valid format"
    );
    let cinder = json!({ "cinder": { "volumeID": "x", "secretRef": { "name": "s" } } });
    assert_eq!(of_pod(cinder.clone()), Vec::<String>::new());
    assert_eq!(
        told(validate(&cinder, "spec", Owner::Volume("pv"))),
        ["spec.cinder.secretRef.namespace: Required value"]
    );
    let iqn = json!({ "iscsi": { "targetPortal": "p", "iqn": "iqn.2001-04.com.example:storage" } });
    assert_eq!(of_pod(iqn), Vec::<String>::new());
}
