//! Places in JSON text: which byte a field begins at, and which field a byte is in.
//!
//! Only errors need this, so the text is walked again instead of remembering the place of every value.

/// The byte at which the value of a field begins.
pub(crate) fn offset_of(text: &[u8], path: &str) -> Option<usize> {
    let mut found = None;
    walk(text, text.len(), |at, place| {
        if found.is_none() && place == path {
            found = Some(at);
        }
    });
    found
}

/// The innermost field that the byte is in, as `spec.containers[0].image`.
pub(crate) fn path_at(text: &[u8], offset: usize) -> String {
    walk(text, offset, |_, _| {})
}

/// One step of a path: a member by its name, or an element by its index.
enum Step {
    Object(Option<String>),
    Array(usize),
}

/// Walks the tokens up to a byte, shows where each value begins, and returns the path of the last one. The text may
/// be broken anywhere.
fn walk(text: &[u8], end: usize, mut value_at: impl FnMut(usize, &str)) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at).filter(|_| at < end) {
        let start = at;
        at += 1;
        let awaits_name = matches!(steps.last(), Some(Step::Object(None)));
        match byte {
            b'{' | b'[' => {
                value_at(start, &path(&steps));
                steps.push(if *byte == b'{' {
                    Step::Object(None)
                } else {
                    Step::Array(0)
                });
            }
            b'}' | b']' => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Object(name)) => *name = None,
                Some(Step::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                at = end_of_string(text, at);
                let token = text.get(start..at).unwrap_or_default();
                match steps.last_mut() {
                    Some(Step::Object(name @ None)) if at <= end && token.ends_with(b"\"") => {
                        *name = Some(unquoted(token))
                    }
                    _ if awaits_name => {}
                    _ => value_at(start, &path(&steps)),
                }
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                while text.get(at).is_some_and(|byte| !b",]}: \t\r\n\"[{".contains(byte)) {
                    at += 1;
                }
                value_at(start, &path(&steps));
            }
        }
    }
    path(&steps)
}

/// Behind the closing quote.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => at += 1,
            _ => {}
        }
    }
    at.min(text.len())
}

fn unquoted(token: &[u8]) -> String {
    serde_json::from_slice(token).unwrap_or_else(|_| String::from_utf8_lossy(token).trim_matches('"').to_owned())
}

fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Object(Some(name)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Object(None) => {}
            Step::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"a": {"b\"c": [1, {"d": "x,{"}]}, "e" : -2.5}"#;

    #[test]
    fn finds_fields() {
        for (path, value) in [
            ("", "{\"a\""),
            ("a", "{\"b"),
            ("a.b\"c[0]", "1,"),
            ("a.b\"c[1].d", "\"x"),
            ("e", "-2.5"),
        ] {
            let offset = offset_of(TEXT, path).unwrap();
            assert!(TEXT[offset..].starts_with(value.as_bytes()), "{path}");
        }
        assert_eq!(offset_of(TEXT, "a.d"), None);
    }

    #[test]
    fn names_fields() {
        let at = |text: &str| {
            path_at(
                TEXT,
                TEXT.windows(text.len())
                    .position(|window| window == text.as_bytes())
                    .unwrap(),
            )
        };
        assert_eq!(at("x,{"), "a.b\"c[1].d");
        assert_eq!(at("-2.5"), "e");
        assert_eq!(at(", \"e\""), "a");
        assert_eq!(path_at(TEXT, 0), "");
        assert_eq!(path_at(br#"{"spec": {"contai"#, 17), "spec");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\ a1\xff".to_vec()), 0..40), offset in 0..50usize) {
            path_at(&text, offset);
            offset_of(&text, "a[0]");
        }
    }
}
