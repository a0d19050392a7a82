//! What `kubewire-transcode` makes of input of all kinds, and what it says of broken input.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod program;

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use program::{run, succeed, succeed_with};
use serde_json::{Value, json};

const CONFIG_MAP: &str = r#"{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"b": "c"}}"#;

fn envelope() -> Vec<u8> {
    succeed_with(&["--to", "protobuf"], CONFIG_MAP.as_bytes())
}

/// What the program says on standard error, which has to be a failure.
fn refusal(args: &[&str], stdin: &[u8]) -> String {
    let run = run(args, stdin);
    assert!(!run.ok && run.stdout.is_empty(), "{}", run.stderr);
    run.stderr
}

#[test]
fn knows_objects_by_their_looks() {
    let envelope = envelope();
    let etcdctl =
        json!({"header": {}, "kvs": [{"key": STANDARD.encode("/registry/a"), "value": STANDARD.encode(&envelope)}]});
    let inputs: [(&str, Vec<u8>); 9] = [
        ("an envelope", envelope.clone()),
        (
            "etcdctl get",
            [b"/registry/configmaps/default/a\n", &envelope[..], b"\n"].concat(),
        ),
        ("etcdctl get --print-value-only", [&envelope[..], b"\n"].concat()),
        ("etcdctl get -w json", etcdctl.to_string().into()),
        ("hexadecimal", succeed_with(&["--to", "hex"], &envelope)),
        ("base64", STANDARD.encode(&envelope).into()),
        ("JSON", CONFIG_MAP.into()),
        ("JSON behind a key", format!("/registry/a\n{CONFIG_MAP}").into()),
        (
            "YAML",
            "# a\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  b: c\n".into(),
        ),
    ];
    let expected: Value = serde_json::from_str(CONFIG_MAP).unwrap();
    for (what, input) in inputs {
        assert_eq!(
            serde_json::from_slice::<Value>(&succeed_with(&["-"], &input)).unwrap(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn many_documents() {
    let yaml = "---\n---\napiVersion: v1\nkind: Pod\n---\napiVersion: example.com/v1\nkind: Widget\nspec: {a: 0x10, b: \"on\"}\n...\n";
    let json = succeed_with(&["-"], yaml.as_bytes());
    let again = succeed_with(&["--to", "yaml"], &json);
    let expected = "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec:\n  containers: null\nstatus: {}\n---\n\
        apiVersion: example.com/v1\nkind: Widget\nspec:\n  a: 16\n  b: \"on\"\n";
    assert_eq!(String::from_utf8(again).unwrap(), expected);
    let refusal = refusal(&["--to", "protobuf"], &json);
    assert!(
        refusal.contains("2 objects do not fit into one protobuf envelope"),
        "{refusal}"
    );
}

#[test]
fn types_that_the_input_does_not_say() {
    let text = succeed_with(&["--type", "core.v1.Container", "--to", "hex"], br#"{"name": "x"}"#);
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("0a0178"), "{text}");
    let container = succeed_with(&["--type", "core.v1.Container", "--from", "hex"], text.as_bytes());
    assert_eq!(
        serde_json::from_slice::<Value>(&container).unwrap(),
        json!({"name": "x", "resources": {}})
    );
    let pod = succeed_with(&["--type", "v1/Pod", "--from", "protobuf"], b"\x0a\x03\x0a\x01x");
    assert_eq!(serde_json::from_slice::<Value>(&pod).unwrap()["kind"], "Pod");
    assert!(refusal(&["--from", "protobuf"], b"\x0a\x03\x0a\x01x").contains("--type"));
    assert!(refusal(&["--type", "v1/Pot"], b"").contains("Pot"));
}

#[test]
fn what_a_type_does_not_have_is_left_out_with_a_warning() {
    let run = run(
        &["-"],
        br#"{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"nmae": "x"}]}}"#,
    );
    assert!(
        run.ok && run.stderr == "standard input: warning: unknown field \"spec.containers[0].nmae\"\n",
        "{}",
        run.stderr
    );
}

#[test]
fn unknown_fields_are_left_out_or_kept() {
    // metadata: {name: a}, and fields of a newer version before it and in it.
    let newer = b"\x0a\x06\x0a\x01a\xf8\x7f\x01\x98\x06\x01";
    let args = ["--type", "core.v1.ConfigMap", "--from", "protobuf"];
    let warning = "standard input: warning: unknown field 2047 in metadata\n\
                   standard input: warning: unknown field 99\n";
    for to in ["json", "yaml", "protobuf"] {
        let run = run(&[&args[..], &["--to", to]].concat(), newer);
        assert!(run.ok && run.stderr == warning, "{to}: {}", run.stderr);
    }
    let kept = succeed_with(&[&args[..], &["--to", "protobuf", "--keep-unknown"]].concat(), newer);
    assert!(kept.windows(3).any(|bytes| bytes == b"\xf8\x7f\x01") && kept.ends_with(b"\x98\x06\x01"));
    let again = succeed_with(&[&args[..], &["--to", "protobuf", "--keep-unknown"]].concat(), &kept);
    assert_eq!(again, kept);
}

#[test]
fn errors_say_where() {
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": 1}]}}"#;
    for (input, expected) in [
        (pod, "byte 69: spec.containers[0].name: json: cannot unmarshal number"),
        (&pod[..66], "byte 66: spec.containers[0]: unexpected end of JSON input"),
        (
            &pod.replace("1}", "}"),
            "byte 69: spec.containers[0].name: invalid character '}'",
        ),
        (
            &format!("{CONFIG_MAP}\n{pod}"),
            "byte 158: spec.containers[0].name: json: cannot",
        ),
        (
            "apiVersion: v1\nkind: Pod\nspec: {containers: [}",
            "byte 44 (line 3): mismatched bracket",
        ),
        (
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: 1}]}",
            "byte 52 (line 3): spec.containers[0].name: json: cannot unmarshal number",
        ),
        (
            "# é\nkind: A\napiVersion: example.com/v1\n---\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    \
             a: b\n    a.b: [1]\n",
            "byte 116 (line 11): metadata.annotations.a.b: json: cannot unmarshal array",
        ),
        (
            r#"{"apiVersion": "v1", "kind": "Pot"}"#,
            "no kind \"Pot\" is registered for version \"v1\"",
        ),
        ("{}", "object without apiVersion and kind"),
        (
            "k8s:enc:aescbc:v1:key1:\u{1}",
            "encrypted at rest by provider \"aescbc\"",
        ),
        ("", "nothing in it"),
    ] {
        let refusal = refusal(&["-"], input.as_bytes());
        assert!(
            refusal.starts_with("standard input: ") && refusal.contains(expected),
            "{input}: {refusal}"
        );
    }
    let widget = br#"{"apiVersion": "example.com/v1", "kind": "Widget"}"#;
    assert!(refusal(&["--to", "protobuf"], widget).contains("no kind \"Widget\""));
}

#[test]
fn objects_that_break_off_say_where() {
    let envelope = envelope();
    let end = envelope.windows(3).position(|window| window == b"\x12\x01c").unwrap();
    let refusals = [
        (end, "byte 47: data: truncated protobuf"),
        (21, "byte 21: "),
        (20, "byte 5: "),
        (4, "byte 4: "),
    ];
    for (cut, expected) in refusals {
        let refusal = refusal(&["-"], &envelope[..cut]);
        assert!(refusal.contains(expected), "{cut} of {}: {refusal}", envelope.len());
    }
}

/// The names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn one_broken_file_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let file = dir.path().join(name);
        fs::write(&file, content).unwrap();
        file.into_os_string()
    };
    let envelope = envelope();
    let out = dir.path().join("out");
    let args = [
        "--from".into(),
        "protobuf".into(),
        "--to".into(),
        "json".into(),
        "--out-dir".into(),
        out.clone().into_os_string(),
        file("first.v1.pb", &envelope),
        file("broken.pb", &envelope[..envelope.len() - 12]),
        dir.path().join("absent.pb").into_os_string(),
        file("last", &envelope),
        file("last.pb", &envelope),
    ];
    let run = run(&args, b"");
    assert!(!run.ok && run.stdout.is_empty());
    assert_eq!(names(&out), ["first.v1.json", "last.json"]);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].contains("broken.pb: byte "), "{lines:?}");
    assert!(lines[1].contains("absent.pb: cannot read it"), "{lines:?}");
    assert!(
        lines[2].contains("last.json would be overwritten: it is the output of another input"),
        "{lines:?}"
    );
}

#[test]
fn never_overwrites_an_input() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.json");
    fs::write(&file, CONFIG_MAP).unwrap();
    let run = run(&["--out-dir".as_ref(), dir.path().as_os_str(), file.as_os_str()], b"");
    assert!(!run.ok && run.stderr.contains("it is an input"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), CONFIG_MAP);
    succeed(&[
        "--out-dir".as_ref(),
        dir.path().as_os_str(),
        "--to".as_ref(),
        "yaml".as_ref(),
        file.as_os_str(),
    ]);
    assert_eq!(names(dir.path()), ["a.json", "a.yaml"]);
}
