//! Writes JSON text as Go's encoder does.

use serde_json::{Map, Number, Value};

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
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let (escape, length): (&[u8], usize) = match byte {
            b'"' => (b"\\\"", 1),
            b'\\' => (b"\\\\", 1),
            b'\n' => (b"\\n", 1),
            b'\r' => (b"\\r", 1),
            b'\t' => (b"\\t", 1),
            0x08 => (b"\\b", 1),
            0x0c => (b"\\f", 1),
            b'<' => (b"\\u003c", 1),
            b'>' => (b"\\u003e", 1),
            b'&' => (b"\\u0026", 1),
            0xe2 if bytes.get(at..at + 3) == Some("\u{2028}".as_bytes()) => (b"\\u2028", 3),
            0xe2 if bytes.get(at..at + 3) == Some("\u{2029}".as_bytes()) => (b"\\u2029", 3),
            0..0x20 => (&[], 1),
            _ => continue,
        };
        out.extend_from_slice(bytes.get(written..at).unwrap_or_default());
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        written = at + length;
    }
    out.extend_from_slice(bytes.get(written..).unwrap_or_default());
    out.push(b'"');
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
