//! JSON inside objects (managed fields, raw extensions) as values: the usual text fast, anything else by `serde_json`.

use serde_json::{Map, Value};

use super::scan::Scanner;

/// How deep the fast way goes.
const MAX_DEPTH: u32 = 100;

/// Reads JSON text; no text at all is null.
pub(super) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let mut scanner = Scanner::new(text);
    match value(&mut scanner, MAX_DEPTH) {
        Some(value) if scanner.is_done() => Ok(value),
        _ => serde_json::from_slice(text),
    }
}

fn value(scanner: &mut Scanner<'_>, depth: u32) -> Option<Value> {
    match scanner.peek()? {
        b'{' => object(scanner, depth.checked_sub(1)?),
        b'[' => array(scanner, depth.checked_sub(1)?),
        b'"' => string(scanner).map(Value::String),
        b't' => scanner.word(b"true").map(|()| Value::Bool(true)),
        b'f' => scanner.word(b"false").map(|()| Value::Bool(false)),
        b'n' => scanner.word(b"null").map(|()| Value::Null),
        _ => {
            let (span, integer) = scanner.number()?;
            let digits = scanner.get(span).filter(|digits| integer && *digits != b"-0")?;
            let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            Some(number.into())
        }
    }
}

fn object(scanner: &mut Scanner<'_>, depth: u32) -> Option<Value> {
    let mut members = Map::new();
    scanner.expect(b'{')?;
    if scanner.peek()? == b'}' {
        scanner.take()?;
        return Some(Value::Object(members));
    }
    loop {
        let name = string(scanner)?;
        scanner.expect(b':')?;
        members.insert(name, value(scanner, depth)?);
        match scanner.take()? {
            b',' => {}
            b'}' => return Some(Value::Object(members)),
            _ => return None,
        }
    }
}

fn array(scanner: &mut Scanner<'_>, depth: u32) -> Option<Value> {
    let mut elements = Vec::new();
    scanner.expect(b'[')?;
    if scanner.peek()? == b']' {
        scanner.take()?;
        return Some(Value::Array(elements));
    }
    loop {
        elements.push(value(scanner, depth)?);
        match scanner.take()? {
            b',' => {}
            b']' => return Some(Value::Array(elements)),
            _ => return None,
        }
    }
}

/// A string without escapes, or with no others than `\"`, `\\` and `\/`: managed fields have quotes in their names.
fn string(scanner: &mut Scanner<'_>) -> Option<String> {
    let (span, plain) = scanner.string()?;
    let text = std::str::from_utf8(scanner.get(span)?).ok()?;
    if plain {
        return Some(text.to_owned());
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        unescaped.push_str(before);
        let escaped = after
            .chars()
            .next()
            .filter(|escaped| matches!(escaped, '"' | '\\' | '/'))?;
        unescaped.push(escaped);
        rest = after.get(1..)?;
    }
    unescaped.push_str(rest);
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_what_serde_json_reads(text in r#"([{}\[\],:"\\/0-9eE.+ntruefalsu \-]|"[a-z\\"é]{0,3}"|-?[0-9]{1,20}){0,12}"#) {
            let ours = parse(text.as_bytes()).ok();
            let theirs = if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() };
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn reads_managed_fields() {
        let text = r#"{"f:spec":{"k:{\"name\":\"a\"}":{".":{},"v:-1":[1,-0,1.5,"\u00e9"]}},"f:a":null}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }
}
