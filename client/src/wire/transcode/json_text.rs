//! Writes JSON text as Go's encoder does.

use serde_json::{Map, Number, Value};

use crate::wire::scan;

/// Writes any value, members sorted by name.
pub(super) fn any(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(value) => number(value, out),
        Value::String(text) => string(text, out),
        Value::Array(elements) => array(elements, out, any),
        Value::Object(members) => object(members, out, any),
    }
}

/// Writes a list, its elements by the given function.
pub(super) fn array(elements: &[Value], out: &mut Vec<u8>, mut element: impl FnMut(&Value, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, value) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        element(value, out);
    }
    out.push(b']');
}

/// Writes a map, its values by the given function.
pub(super) fn object(members: &Map<String, Value>, out: &mut Vec<u8>, mut entry: impl FnMut(&Value, &mut Vec<u8>)) {
    out.push(b'{');
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(name, out);
        out.push(b':');
        entry(value, out);
    }
    out.push(b'}');
}

/// Writes text in quotes. `<`, `>`, `&` and the two line separators are escaped, so that the text is safe inside HTML
/// and JavaScript.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out, |byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    out.push(b'"');
}

/// Writes what stands between the quotes of a string, its own escapes as they are.
pub(super) fn escape_html(text: &str, out: &mut Vec<u8>) {
    escape(text, out, |_| false);
}

/// Escapes what matters to HTML and JavaScript, and what is `special`.
fn escape(text: &str, out: &mut Vec<u8>, special: impl Fn(u8) -> bool) {
    let bytes = text.as_bytes();
    let (mut written, mut at) = (0, 0);
    loop {
        at += scan::unescaped_length(bytes.get(at..).unwrap_or_default());
        let Some(&byte) = bytes.get(at) else { break };
        let separator = byte == 0xe2 && matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xa8 | 0xa9]));
        if !(separator || matches!(byte, b'<' | b'>' | b'&') || special(byte)) {
            at += 1;
            continue;
        }
        out.extend_from_slice(bytes.get(written..at).unwrap_or_default());
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ if separator => {
                out.extend_from_slice(if bytes.get(at + 2) == Some(&0xa8) {
                    b"\\u2028"
                } else {
                    b"\\u2029"
                });
                at += 2;
            }
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        at += 1;
        written = at;
    }
    out.extend_from_slice(bytes.get(written..).unwrap_or_default());
}

/// Writes a number: whole ones as they are, others in the shortest form, with an exponent below 1e-6 and from 1e21.
pub(super) fn number(number: &Number, out: &mut Vec<u8>) {
    let text = match number.as_f64() {
        Some(float) if number.is_f64() => double(float),
        _ => number.to_string(),
    };
    out.extend_from_slice(text.as_bytes());
}

/// The shortest text of a floating point number.
pub(crate) fn double(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}
