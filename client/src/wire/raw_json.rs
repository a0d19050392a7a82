//! JSON inside objects (managed fields, raw extensions) as values: the usual text fast, anything else by `serde_json`.

use serde_json::{Map, Value};

use super::scan::{MAX_DEPTH, Scanner};

/// Reads JSON text; no text at all is null.
pub(super) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match Parser::new(text).and_then(Parser::document) {
        Some(value) => Ok(value),
        None => serde_json::from_slice(text),
    }
}

struct Parser<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8]) -> Option<Self> {
        let scanner = Scanner::new(text);
        std::str::from_utf8(text).ok().map(|text| Self { text, scanner })
    }

    fn document(mut self) -> Option<Value> {
        let value = self.value(MAX_DEPTH)?;
        self.scanner.is_done().then_some(value)
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        match self.scanner.peek()? {
            b'{' => self.object(depth.checked_sub(1)?).map(Value::Object),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(Value::String),
            b't' => self.scanner.word(b"true").map(|()| Value::Bool(true)),
            b'f' => self.scanner.word(b"false").map(|()| Value::Bool(false)),
            b'n' => self.scanner.word(b"null").map(|()| Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        self.scanner.expect(b'{')?;
        if self.scanner.peek()? == b'}' {
            self.scanner.take()?;
            return Some(members);
        }
        loop {
            let name = self.string()?;
            // Managed fields are nothing but objects, most of them empty.
            let value = if self.scanner.word(b":{}").is_some() {
                Value::Object(Map::new())
            } else {
                self.scanner.expect(b':')?;
                match self.scanner.peek()? {
                    b'{' => Value::Object(self.object(depth.checked_sub(1)?)?),
                    _ => self.value(depth)?,
                }
            };
            members.insert(name, value);
            match self.scanner.take()? {
                b',' => {}
                b'}' => return Some(members),
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        let mut elements = Vec::new();
        self.scanner.expect(b'[')?;
        if self.scanner.peek()? == b']' {
            self.scanner.take()?;
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            match self.scanner.take()? {
                b',' => {}
                b']' => return Some(Value::Array(elements)),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let (span, integer) = self.scanner.number()?;
        let digits = self
            .text
            .get(span.start..span.end)
            .filter(|digits| integer && *digits != "-0")?;
        let number: i64 = digits.parse().ok()?;
        Some(number.into())
    }

    /// A string without escapes, or with no others than `\"`, `\\` and `\/`.
    fn string(&mut self) -> Option<String> {
        let (span, plain) = self.scanner.string()?;
        let text = self.text.get(span.start..span.end)?;
        if plain { Some(text.to_owned()) } else { unescaped(text) }
    }
}

/// Managed fields have quotes in their names; other escapes are not known here.
#[inline(never)]
fn unescaped(text: &str) -> Option<String> {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'\\') {
        unescaped.push_str(rest.get(..at)?);
        let escaped = *rest.as_bytes().get(at + 1)?;
        if !matches!(escaped, b'"' | b'\\' | b'/') {
            return None;
        }
        unescaped.push(escaped.into());
        rest = rest.get(at + 2..)?;
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
