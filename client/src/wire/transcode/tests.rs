use serde_json::json;

use super::*;
use crate::wire::{EncodedObject, Encoding, envelope, schema};

fn pod() -> &'static MessageSchema {
    schema::message("core.v1.Pod").unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let (_, problems) = json_to_value(pod(), text.as_bytes()).unwrap();
    problems.iter().map(ToString::to_string).collect()
}

fn error(text: &str) -> String {
    json_to_value(pod(), text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn reports_what_is_ignored() {
    let text = r#"{"spec": {"containers": [{"name": "a", "imagePullPolice": "x"}], "restartPolicies": 1},
                   "metadata": {"labels": {"a": "1", "a": "2"}}, "bogus": {"a": 1, "a": 2}, "bogus": 1, "spec": null}"#;
    let expected = [
        "unknown field \"spec.containers[0].imagePullPolice\"",
        "unknown field \"spec.restartPolicies\"",
        "duplicate field \"metadata.labels.a\"",
        "unknown field \"bogus\"",
        "duplicate field \"spec\"",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn duplicates_are_merged_as_go_does() {
    let text = r#"{"metadata": {"labels": {"a": "1", "b": "1"}, "name": "x"}, "metadata": {"labels": {"b": "2"}, "uid": "u"}}"#;
    let (pod, _) = json_to_value(pod(), text.as_bytes()).unwrap();
    assert_eq!(
        pod["metadata"],
        json!({"labels": {"a": "1", "b": "2"}, "name": "x", "uid": "u"})
    );
}

#[test]
fn names_types_in_errors() {
    for (text, expected) in [
        ("[]", "array into Go value of type v1.Pod"),
        (
            r#"{"spec": 1}"#,
            "number into Go struct field Pod.spec of type v1.PodSpec",
        ),
        (
            r#"{"spec": {"containers": {}}}"#,
            "object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            r#"{"spec": {"restartPolicy": 1}}"#,
            "number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            r#"{"spec": {"overhead": 1}}"#,
            "number into Go struct field PodSpec.spec.overhead of type v1.ResourceList",
        ),
        (
            r#"{"metadata": {"labels": []}}"#,
            "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            r#"{"spec": {"volumes": [{"emptyDir": 1}]}}"#,
            "number into Go struct field Volume.spec.volumes.VolumeSource.emptyDir of type v1.EmptyDirVolumeSource",
        ),
        (
            r#"{"kind": 1}"#,
            "number into Go struct field Pod.TypeMeta.kind of type string",
        ),
    ] {
        assert_eq!(error(text), format!("json: cannot unmarshal {expected}"));
    }
}

#[test]
fn the_gravest_error_is_told() {
    assert!(error(r#"{"spec": 1, "metadata": {"creationTimestamp": "x"}}"#).starts_with("parsing time"));
    assert!(error(r#"{"spec": 1, "metadata": 2}"#).contains("Pod.spec"));
    assert_eq!(error(r#"{"spec": 1"#), "unexpected end of JSON input");
}

#[test]
fn partial_values_are_written_completely() {
    let mut text = Vec::new();
    write_json(
        pod(),
        &json!({"metadata": {"name": "a"}, "kind": "Pod", "apiVersion": "v1"}),
        &mut text,
    );
    let expected = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":null},"status":{}}"#;
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn errors_name_the_field() {
    let value = json!({"spec": {"containers": [{"name": "a"}, {"name": 1}]}});
    let error = value_to_protobuf(pod(), &value).unwrap_err();
    assert_eq!(error.to_string(), "spec.containers[1].name: expected a string");
    // spec = { containers = { name, cut off } }
    let cut_off = [0x12, 4, 0x12, 2, 0x0a, 5];
    let error = protobuf_to_value(pod(), &cut_off).unwrap_err();
    assert_eq!(error.to_string(), "spec.containers[0]: truncated protobuf at byte 5");
    // { metadata = { name is a number } }
    let error = protobuf_to_value(pod(), &[0x0a, 4, 0x12, 0, 0x08, 5]).unwrap_err();
    assert_eq!((error.path(), error.offset()), ("metadata.name", Some(4)));
}

#[test]
fn offsets_count_from_the_first_byte() {
    // limits = { "a": { string = "x" } }, behind an empty claim
    let resources = [0x1a, 0, 0x0a, 8, 0x0a, 1, b'a', 0x12, 3, 0x0a, 1, b'x'];
    let error = protobuf_to_value(schema::message("core.v1.ResourceRequirements").unwrap(), &resources).unwrap_err();
    assert_eq!((error.path(), error.offset()), ("limits.a", Some(9)));
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: Bytes::from_static(&[0x12, 4, 0x12, 2, 0x0a, 5]),
    };
    let envelope = envelope::encode("v1", "Pod", &object);
    let begin = envelope.len() - 4 - object.bytes.len();
    let error = decode_object(&envelope).unwrap_err();
    assert_eq!((error.path(), error.offset()), ("spec.containers[0]", Some(begin + 5)));
    let error = decode_object(&envelope.slice(..envelope.len() - 5)).unwrap_err();
    assert_eq!(error.offset(), Some(begin + 5), "where the object ends");
}

#[test]
fn objects_that_break_off_say_where() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {
        "containers": [{"name": "a"}, {"name": "b", "image": "some/image", "livenessProbe": {"exec": {"command": ["x"]}}}],
        "nodeSelector": {"c": "d"},
    }});
    let envelope = encode_object(&object).unwrap();
    for (part, path) in [
        ("me/image", "spec.containers[1].image"),
        ("\u{1}x", "spec.containers[1].livenessProbe.exec.command[0]"),
        ("\u{1}d", "spec.nodeSelector"),
    ] {
        let cut = envelope
            .windows(part.len())
            .position(|window| window == part.as_bytes())
            .unwrap();
        let error = decode_object(&envelope.slice(..cut + 1)).unwrap_err();
        assert_eq!((error.path(), error.offset()), (path, Some(cut + 1)));
    }
    for cut in 5..envelope.len() {
        if let Err(error) = decode_object(&envelope.slice(..cut)) {
            assert!(error.offset().is_some_and(|offset| offset <= cut), "{cut}: {error}");
        }
    }
}

#[test]
fn json_errors_have_a_path() {
    for (text, path) in [
        (
            r#"{"spec": {"containers": [{"name": "a"}, {"name": 1}]}}"#,
            "spec.containers[1].name",
        ),
        (r#"{"spec": {"overhead": {"cpu": "x"}}}"#, "spec.overhead.cpu"),
        ("[]", ""),
    ] {
        assert_eq!(
            json_to_value(pod(), text.as_bytes()).unwrap_err().path(),
            path,
            "{text}"
        );
    }
}

#[test]
fn both_ways_refuse_the_same() {
    let schema = schema::message("core.v1.ConfigMap").unwrap();
    // data = { "a": a number, then "b" }
    let protobuf = [0x12, 8, 0x0a, 1, b'a', 0x10, 7, 0x12, 1, b'b'];
    let error = protobuf_to_value(schema, &protobuf).unwrap_err();
    assert_eq!(
        protobuf_to_json(schema, &protobuf).unwrap_err().to_string(),
        error.to_string()
    );
}

#[test]
fn an_empty_packed_list_is_none() {
    let schema = schema::message("core.v1.PodSecurityContext").unwrap();
    let value = |protobuf: &[u8]| protobuf_to_value(schema, protobuf).unwrap();
    assert_eq!(value(&[0x22, 0]), json!({}));
    assert_eq!(
        value(&[0x22, 0, 0x22, 2, 1, 2, 0x20, 3]),
        json!({"supplementalGroups": [1, 2, 3]})
    );
}

#[test]
fn group_versions() {
    let schema = schema::message("meta.v1.GroupVersion").unwrap();
    let read = |text: &str| json_to_value(schema, json!(text).to_string().as_bytes());
    for (text, expected) in [("apps/v1", "apps/v1"), ("v1", "v1"), ("/v1", "v1"), ("/", ""), ("", "")] {
        let value = read(text).unwrap().0;
        assert_eq!(value, expected);
        let protobuf = value_to_protobuf(schema, &value).unwrap();
        assert_eq!(protobuf_to_value(schema, &protobuf).unwrap(), expected);
    }
    assert_eq!(
        read("//1").unwrap_err().to_string(),
        "unexpected GroupVersion string: //1"
    );
}

/// Tests run on threads with the usual 2 MiB of stack, as servers do.
#[test]
fn the_deepest_input_fits_on_the_stack() {
    let schema = schema::message("apiextensions.v1.JSONSchemaProps").unwrap();
    for depth in [90, 149, 5000] {
        let text = format!("{}{{}}{}", r#"{"properties":{"a":"#.repeat(depth), "}}".repeat(depth));
        let Ok((value, _)) = json_to_value(schema, text.as_bytes()) else {
            assert_eq!(depth, 5000);
            continue;
        };
        let mut json = Vec::new();
        write_json(schema, &value, &mut json);
        assert_eq!(json, text.as_bytes());
        let protobuf = value_to_protobuf(schema, &value).unwrap();
        assert_eq!(protobuf_to_value(schema, &protobuf).unwrap(), value);
        assert_eq!(protobuf_to_json(schema, &protobuf).unwrap(), text.as_bytes());
    }
}

#[test]
fn deep_values_are_refused() {
    let mut value = json!({});
    for _ in 0..600 {
        value = json!([value]);
    }
    assert!(JsonDocument::from_value(&value).is_err());
}
