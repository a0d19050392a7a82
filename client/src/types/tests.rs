use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{List, ListableResource, Resource};
use serde_json::json;

use super::admission::v1::AdmissionReview;
use super::core::v1::PodExecOptions;
use super::meta::v1::{PartialObjectMetadata, Table, WatchEvent};
use crate::wire::{Message, transcode};

#[test]
fn a_kind_says_so_and_is_no_other() {
    let options: PodExecOptions = serde_json::from_value(json!({"command": null, "tty": null, "other": [1]})).unwrap();
    assert_eq!(options, PodExecOptions::default());
    assert_eq!(
        serde_json::to_value(&options).unwrap(),
        json!({"apiVersion": "v1", "kind": "PodExecOptions", "command": []})
    );
    for (member, value) in [("apiVersion", "v2"), ("kind", "Pod")] {
        let other = serde_json::from_value::<PodExecOptions>(json!({member: value}));
        let error = other.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("invalid value: string \"{value}\"")),
            "{error}"
        );
    }
    assert!(serde_json::from_value::<PodExecOptions>(json!({"apiVersion": null, "kind": "PodExecOptions"})).is_ok());
    assert_eq!(PodExecOptions::URL_PATH_SEGMENT, "exec");
}

#[test]
fn lists_are_those_of_k8s_openapi() {
    assert_eq!(PartialObjectMetadata::LIST_KIND, "PartialObjectMetadataList");
    let metadata = ObjectMeta {
        name: Some("a".to_owned()),
        ..Default::default()
    };
    let list = List {
        items: vec![PartialObjectMetadata { metadata }],
        ..Default::default()
    };
    let json = serde_json::to_string(&list).unwrap();
    assert_eq!(
        serde_json::from_str::<List<PartialObjectMetadata>>(&json).unwrap(),
        list
    );
    assert_eq!(List::from_protobuf(&list.to_protobuf()).unwrap(), list);
}

/// Tables have no protobuf form, so the fixtures of the codec leave them out.
#[test]
fn a_table() {
    let table = json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
        "rows": [{"cells": ["x", 1, true, null, 1.5], "object": {"kind": "PartialObjectMetadata"}}],
    });
    let read: Table = serde_json::from_value(table.clone()).unwrap();
    assert_eq!(read.rows[0].cells[3], serde_json::Value::Null);
    assert_eq!(serde_json::to_value(&read).unwrap(), table);
}

#[test]
fn a_watch_event_holds_an_object_in_its_envelope() {
    let object = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}});
    let envelope = transcode::encode_object(&object).unwrap();
    let mut frame = b"\x0a\x05ADDED\x12".to_vec();
    for length in [envelope.len() + 2, envelope.len()] {
        frame.push(u8::try_from(length).unwrap());
        frame.push(0x0a);
    }
    frame.pop();
    frame.extend_from_slice(&envelope);
    let event = WatchEvent::from_protobuf(&frame).unwrap();
    assert_eq!((event.type_.as_str(), &event.object.0), ("ADDED", &object));
    let schema = crate::wire::schema::message("meta.v1.WatchEvent").unwrap();
    let value = transcode::protobuf_to_value(schema, &frame).unwrap();
    assert_eq!(value, json!({"type": "ADDED", "object": object}));
    let text = transcode::protobuf_to_json(schema, &frame).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), value);
}

#[test]
fn envelopes_in_envelopes_end() {
    let mut object = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []});
    let mut envelope = transcode::encode_object(&object).unwrap();
    for _ in 0..300 {
        let mut writer = crate::wire::ReverseWriter::new();
        writer.bytes_field(1, &envelope);
        writer.close_message(2, 0);
        let bytes = writer.into_bytes();
        let encoding = crate::wire::Encoding::Protobuf;
        envelope = crate::wire::envelope::encode("v1", "List", &crate::wire::EncodedObject { encoding, bytes });
    }
    let error = transcode::decode_object(&envelope).unwrap_err().to_string();
    assert!(
        error.contains("messages nest too deeply"),
        "{}",
        &error[error.len() - 80..]
    );
    object["items"] = json!([{"kind": "Status"}]);
    assert!(transcode::decode_object(&transcode::encode_object(&object).unwrap()).is_ok());
}

#[test]
fn a_review_in_protobuf() {
    let json = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"7","kind":{"group":"","version":"v1","kind":"Pod"},"object":{"kind":"Pod"},"dryRun":false}}"#;
    let review: AdmissionReview = serde_json::from_str(json).unwrap();
    let again = AdmissionReview::from_protobuf(&review.to_protobuf()).unwrap();
    let request = again.request.unwrap();
    assert_eq!((request.uid.as_str(), request.dry_run), ("7", Some(false)));
    assert_eq!(request.object.unwrap().0, json!({"kind": "Pod"}));
}
