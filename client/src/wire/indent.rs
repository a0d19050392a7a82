//! JSON for people.

/// Compact JSON on many lines as Go indents it, by two spaces; members keep their order and numbers their spelling.
pub fn indent_json(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let new_line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + depth * 2, b' ');
    };
    let mut bytes = compact.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            _ if in_string => {
                out.push(byte);
                in_string = escaped || byte != b'"';
                escaped = byte == b'\\' && !escaped;
            }
            b'{' | b'[' => {
                out.push(byte);
                match bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn indents_as_go_does() {
        let compact = br#"{"a":[1,{}],"b":"x:{,\"\\","c":[]}"#;
        let expected = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x:{,\\\"\\\\\",\n  \"c\": []\n}";
        assert_eq!(indent_json(compact), expected.as_bytes());
    }

    proptest! {
        #[test]
        fn indenting_changes_no_value(text in ".*", list in proptest::collection::vec(".*", 0..4)) {
            let value = json!({ "t": text, "l": list, "n": { "x": null } });
            prop_assert_eq!(serde_json::from_slice::<Value>(&indent_json(value.to_string().as_bytes())).unwrap(), value);
        }
    }
}
