//! Defaults against objects that a real kube-apiserver created.
//!
//! The recordings stand beside the repository (`../shared`, or where `KUBEWIRE_SHARED` points); without them the test
//! is skipped.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubewire_client::Gvk;
use kubewire_client::wire::{schema, transcode};
use kubewire_server_stub::registry::defaults::apply_defaults;
use serde_json::Value;

/// Fields that admission, allocation or the strategy of a resource sets, not defaulting.
const SET_LATER: [&str; 16] = [
    ".metadata.",
    ".status.",
    ".data.",
    ".stringData",
    ".spec.clusterIP",
    ".spec.clusterIPs",
    ".spec.ipFamilies",
    ".spec.ipFamilyPolicy",
    ".spec.preemptionPolicy",
    ".spec.priority",
    ".spec.selector",
    ".spec.taints",
    ".spec.template.metadata.labels",
    ".spec.tolerations",
    ".spec.containers[0].resources.limits",
    ".spec.containers[0].resources.requests",
];

#[test]
fn created_objects_have_our_defaults() {
    let Some(recordings) = recordings() else { return };
    let mut ran = 0;
    for file in std::fs::read_dir(recordings).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for record in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            ran += usize::from(check(&record));
        }
    }
    println!("{ran} created objects");
    assert!(ran > 0);
}

/// Looks at the record of one creation; false where it is something else.
fn check(record: &Value) -> bool {
    if record["request"]["method"] != "POST" || record["response"]["status"] != 201 {
        return false;
    }
    let (Some(sent), Some(created)) = (body(&record["request"]), body(&record["response"])) else {
        return false;
    };
    let Ok(document) = transcode::JsonDocument::parse(&sent) else {
        return false;
    };
    let (api_version, kind) = document.type_meta();
    let gvk = Gvk::from_api_version(api_version, kind);
    let Some(kind) = schema::kind(&gvk) else { return false };
    let Ok(answer) = transcode::JsonDocument::parse(&created) else {
        return false;
    };
    if answer.type_meta() != document.type_meta() {
        return false; // a table, or an object without its kind
    }

    let mut object = document.typed(kind.message).unwrap().0;
    apply_defaults(&gvk, &mut object);
    let mut differences = Vec::new();
    compare("", &object, &answer.typed(kind.message).unwrap().0, &mut differences);
    assert!(differences.is_empty(), "{}: {differences:#?}", record["id"]);
    true
}

fn compare(path: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    if SET_LATER
        .iter()
        .any(|later| path == *later || later.ends_with('.') && path.starts_with(later))
    {
        return;
    }
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            for name in names {
                let (left, right) = (left.get(name), right.get(name));
                let null = Value::Null;
                compare(
                    &format!("{path}.{name}"),
                    left.unwrap_or(&null),
                    right.unwrap_or(&null),
                    differences,
                );
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}[{index}]"), left, right, differences);
            }
        }
        _ if ours == theirs => {}
        _ => differences.push(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

fn body(part: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(part["body"].as_str()?).ok()
}

fn recordings() -> Option<PathBuf> {
    let shared = match std::env::var_os("KUBEWIRE_SHARED") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let recordings = shared.join("goldens/kube-apiserver");
    if !recordings.is_dir() {
        eprintln!("skipped: no folder {}", recordings.display());
        return None;
    }
    Some(recordings)
}
