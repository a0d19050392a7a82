use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value_of(text: &str) -> String {
    let line = to_string(&json!({ "k": text }));
    line.strip_prefix("k: ").unwrap().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn blocks_nest_as_in_kubectl() {
    let document = json!({
        "kind": "X", "empty": {}, "none": [], "n": null, "yes": true, "count": 3,
        "spec": { "rows": [{ "b": 1, "a": [1, [2, 3]] }, "x", {}], "f:x": { ".": {} } },
    });
    let expected = "\
count: 3
empty: {}
kind: X
\"n\": null
none: []
spec:
  f:x:
    .: {}
  rows:
  - a:
    - 1
    - - 2
      - 3
    b: 1
  - x
  - {}
\"yes\": true
";
    assert_eq!(to_string(&document), expected);
}

#[test]
fn what_looks_like_something_else_is_quoted() {
    for quoted in [
        "",
        "1",
        "-1",
        "+1",
        "0x1f",
        "017",
        "0b1",
        "1_000",
        "1.5",
        ".5",
        "1e3",
        "true",
        "No",
        "on",
        "y",
        "null",
        "~",
        ".inf",
        "-.inf",
        ".nan",
        "2026-11-21",
        "2026-11-21T00:20:08Z",
        "2026-1-2 1:2:3",
        "12:30",
        "08",
    ] {
        assert_eq!(value_of(quoted), format!("\"{quoted}\""), "{quoted}");
    }
    for plain in [
        "1.2.3",
        "v1",
        "a:b",
        "a#b",
        "-a",
        "nope",
        "1Gi",
        "10.0.0.1",
        "2026-13-01",
        "x y",
        "?a",
        "é",
    ] {
        assert_eq!(value_of(plain), plain);
    }
    for single in ["a: b", "a #b", "- a", "*", "'", "{}", "a:", " a", "a ", "@x", "---"] {
        assert_eq!(value_of(single), format!("'{}'", single.replace('\'', "''")));
    }
    assert_eq!(value_of("tab\tbell\u{7}"), r#""tab\tbell\a""#);
    assert_eq!(value_of("😀\u{85}"), r#""\U0001F600\N""#);
}

#[test]
fn lines_of_text_are_a_block() {
    assert_eq!(value_of("a\nb\n"), "|\n  a\n  b");
    assert_eq!(value_of("a\nb"), "|-\n  a\n  b");
    assert_eq!(value_of("a\n\n"), "|+\n  a\n");
    assert_eq!(value_of("\n"), "|2+\n");
    assert_eq!(value_of(" a\nb"), "|2-\n   a\n  b");
    assert_eq!(value_of("a\n\n b"), "|-\n  a\n\n   b");
    assert_eq!(value_of("a \nb"), r#""a \nb""#);
}

#[test]
fn long_lines_break_after_column_80() {
    let message = "only the following media types are accepted: application/json;stream=watch, application/x";
    let expected = "'only the following media types are accepted: application/json;stream=watch,\n  application/x'";
    let line = to_string(&json!({ "message": message }));
    assert_eq!(line, format!("message: {expected}\n"));
    let words = "word ".repeat(40);
    for line in to_string(&json!([{ "description": words.trim() }])).lines().skip(1) {
        assert!(line.starts_with("    word") && line.len() < 86, "{line}");
    }
}

#[test]
fn keys_are_in_natural_order() {
    let mut keys = ["b", "a10", "a9", "a", ".", "f:a", "1", "a09", "A", "k:{}"];
    keys.sort_by(|a, b| natural_order(a, b));
    assert_eq!(keys, [".", "1", "A", "a", "a9", "a09", "a10", "b", "f:a", "k:{}"]);
    let key = "k".repeat(129);
    assert_eq!(to_string(&json!({ &key: 1 })), format!("? {key}\n: 1\n"));
}

#[test]
fn numbers_as_go_writes_them() {
    let number = |value: Value| value_of_number(&value);
    assert_eq!(number(json!(0.5)), "0.5");
    assert_eq!(number(json!(1_500_000.0)), "1.5e+06");
    assert_eq!(number(json!(1.5e-7)), "1.5e-07");
    assert_eq!(number(json!(-12)), "-12");
}

fn value_of_number(value: &Value) -> String {
    to_string(value).trim_end().to_owned()
}

fn documents() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[ -~\n]{0,40}", "[a-z:#' ]{60,140}", ".{0,12}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let key = prop_oneof!["[ -~]{1,12}", "[a-z\n]{1,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_reader_gets_back_what_was_written(document in documents()) {
        let text = to_string(&document);
        let read: Value = serde_saphyr::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(read, document, "{}", text);
    }
}
