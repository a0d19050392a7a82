//! `kubewire-transcode` and input that nobody means well with: it says what is wrong, and soon.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod program;

use std::fs;

use program::{run, succeed_with};
use proptest::prelude::*;
use serde_json::Value;

const POD: &str = r#"{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "labels": {"é": "\ud83d\ude00"}},
    "spec": {"containers": [{"name": "b", "resources": {"limits": {"cpu": 1.5, "memory": "1Gi"}}}], "priority": -7}}"#;

/// The same object in every encoding.
fn encodings() -> Vec<Vec<u8>> {
    let read = |to| succeed_with(&["--to", to], POD.as_bytes());
    vec![POD.into(), read("json"), read("yaml"), read("protobuf"), read("hex")]
}

/// Runs the program over the inputs as files, and says which of them it could read.
fn readable(inputs: &[Vec<u8>], to: &str) -> Vec<bool> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut args = vec![
        "--to".into(),
        to.into(),
        "--out-dir".into(),
        out.clone().into_os_string(),
    ];
    for (index, input) in inputs.iter().enumerate() {
        let file = dir.path().join(index.to_string());
        fs::write(&file, input).unwrap();
        args.push(file.into_os_string());
    }
    run(&args, b"");
    (0..inputs.len())
        .map(|index| out.join(format!("{index}.{to}")).exists())
        .collect()
}

#[test]
fn every_beginning_of_an_object() {
    for whole in encodings() {
        let beginnings: Vec<_> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        readable(&beginnings, "json");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn changed_bytes(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4usize, any::<prop::sample::Index>()), 40), to in "json|yaml|protobuf") {
        let encodings = encodings();
        let changed: Vec<_> = changes.iter().map(|(at, byte, cut, which)| {
            let mut input = which.get(&encodings).clone();
            let at = at.index(input.len());
            let end = input.len().min(at + cut);
            input.splice(at..end, [*byte]);
            input
        }).collect();
        readable(&changed, &to);
    }
}

#[test]
fn bombs() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(50_000), close.repeat(50_000));
    let laughs: String = (1..30)
        .map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1))
        .collect();
    let laughs = format!("apiVersion: example.com/v1\nkind: Laughs\na0: &a0 [x, x, x, x, x, x, x, x, x]\n{laughs}");
    let schema = |depth: usize| {
        let open = r#"{"properties":{"a":"#.repeat(depth);
        let crd = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"versions":[{"schema":{"openAPIV3Schema":"#;
        format!("{crd}{open}{{}}{}}}}}]}}}}", "}}".repeat(depth))
    };
    let inputs: Vec<Vec<u8>> = vec![
        deep("[", "]").into(),
        deep("{\"a\":", "}").into(),
        deep("[", "").into(),
        format!("a: {}", deep("[", "]")).into(),
        format!("a: {}", deep("{a: ", "}")).into(),
        format!("- {}", "- ".repeat(20_000)).into(),
        format!("? {}", "? ".repeat(20_000)).into(),
        (0..3000)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect::<String>()
            .into(),
        laughs.into(),
        "a: &a [*a]".into(),
        "a: &a\n  <<: *a\n".into(),
        schema(5000).into(),
        b"k8s\0".repeat(10_000),
        [b"k8s\0".as_slice(), &b"\x12\xff\xff\xff\xff\x0f".repeat(1000)].concat(),
        deep("&a ", "").into(),
        deep("!a ", "").into(),
        deep("|\n", "").into(),
    ];
    assert_eq!(readable(&inputs, "json"), vec![false; inputs.len()]);
    assert_eq!(
        readable(&[schema(60).into()], "protobuf"),
        [true],
        "what a definition may well need"
    );
}

#[test]
fn numbers_that_nothing_holds() {
    let long = "9".repeat(100_000);
    for number in [
        "1e999999999",
        "-1e999999999",
        "1e-999999999",
        &long,
        &format!("{long}e-99999"),
        &format!("0.{long}"),
    ] {
        let pod = |member: &str| format!(r#"{{"apiVersion":"v1","kind":"Pod","spec":{{{member}:{number}}}}}"#);
        assert!(!run(&["-"], pod("\"priority\"").as_bytes()).ok, "{number:.20}");
        run(&["-"], pod("\"overhead\":{\"cpu\"").replace("}}", "}}}").as_bytes());
        run(&["-"], pod("\"other\"").as_bytes());
        run(
            &["-"],
            format!("apiVersion: example.com/v1\nkind: A\na: {number}").as_bytes(),
        );
        run(
            &["-", "--to", "yaml"],
            format!(r#"{{"apiVersion":"example.com/v1","kind":"A","a":{number}}}"#).as_bytes(),
        );
    }
}

#[test]
fn bytes_that_are_no_text() {
    let json = b"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\xffb\"}}";
    let pod: Value = serde_json::from_slice(&succeed_with(&["-"], json)).unwrap();
    assert_eq!(pod["metadata"]["name"], "a\u{fffd}b", "as Go reads it");
    let refusal = run(&["--from", "yaml"], b"kind: Pod\nname: \xff");
    assert!(
        !refusal.ok && refusal.stderr.contains("byte 16: YAML has to be UTF-8"),
        "{}",
        refusal.stderr
    );
}
