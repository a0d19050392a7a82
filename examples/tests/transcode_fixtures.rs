//! `kubewire-transcode` over files made by Go's own encoders, as a user would run it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

#[path = "../../client/tests/support/mod.rs"]
mod fixtures;
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fixtures::{ApiFixture, MessageVector, hex};
use program::{succeed, succeed_with};
use serde_json::Value;

/// An object of every kind, file by file in one run per direction.
#[test]
fn every_kind() {
    let Some(fixtures) = fixtures::api_fixtures() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for fixture in &fixtures {
        fs::write(dir.join(format!("{}.pb", fixture.name)), &fixture.protobuf).unwrap();
        fs::write(dir.join(format!("{}.json", fixture.name)), &fixture.json).unwrap();
    }
    for (from, input, to) in [
        ("protobuf", "pb", "json"),
        ("protobuf", "pb", "protobuf"),
        ("", "pb", "yaml"),
        ("json", "json", "protobuf"),
        ("json", "json", "yaml"),
        ("", "json", "hex"),
        ("yaml", "yaml", "json"),
        ("", "yaml", "protobuf"),
        ("hex", "hex", "json"),
        ("", "hex", "protobuf"),
    ] {
        // What an earlier run wrote is in a folder named after it.
        let inputs = if matches!(input, "pb" | "json") {
            dir.to_owned()
        } else {
            dir.join(input)
        };
        let mut args = vec![
            "--to".into(),
            to.into(),
            "--out-dir".into(),
            dir.join(to).into_os_string(),
        ];
        if !from.is_empty() {
            args.extend(["--from".into(), from.into()]);
        }
        let files = fixtures
            .iter()
            .map(|fixture| inputs.join(format!("{}.{input}", fixture.name)));
        args.extend(files.map(Into::into));
        succeed(&args);
        for fixture in &fixtures {
            check(fixture, &dir.join(to).join(format!("{}.{to}", fixture.name)), to);
        }
    }
    println!("{} kinds", fixtures.len());
}

fn check(fixture: &ApiFixture, file: &Path, to: &str) {
    let got = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    match to {
        "protobuf" => assert_eq!(hex(&got), hex(&fixture.protobuf_after), "{}", file.display()),
        "hex" => assert_eq!(String::from_utf8(got).unwrap(), hex(&fixture.protobuf_after) + "\n"),
        "json" => assert_eq!(value(&got), value(fixture.json_after.as_bytes()), "{}", file.display()),
        _ => {} // read again by the next run
    }
}

fn value(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

/// Every message of the API, one run per message.
#[test]
fn every_message() {
    let vectors = fixtures::message_vectors();
    let mut by_message: BTreeMap<&str, Vec<&MessageVector>> = BTreeMap::new();
    for vector in vectors.iter().filter(|vector| vector.json.is_some()) {
        by_message.entry(&vector.message).or_default().push(vector);
    }
    for (message, vectors) in &by_message {
        let documents: Vec<&str> = vectors.iter().filter_map(|vector| vector.json.as_deref()).collect();
        let args = ["--from", "json", "--to", "hex", "--type", message];
        let encoded = succeed_with(&args, documents.join("\n").as_bytes());
        let lines: Vec<&[u8]> = encoded
            .strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n')
            .collect();
        assert_eq!(lines.len(), vectors.len(), "{message}");
        for (line, vector) in lines.into_iter().zip(vectors) {
            assert_eq!(std::str::from_utf8(line).unwrap(), hex(&vector.protobuf()), "{message}");
        }
    }
    println!("{} messages", by_message.len());
}
