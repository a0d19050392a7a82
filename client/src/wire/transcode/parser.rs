//! The JSON grammar, with errors in the words of Go's parser.

use std::borrow::Cow;

use super::document::Node;
use crate::wire::WireError;

/// How deep arrays and objects may nest: as deep as fits well into the 2 MiB stack of a thread, also without optimisation.
pub(super) const MAX_DEPTH: usize = 300;

/// Parses a whole document.
pub(super) fn parse(text: &[u8]) -> Result<Node<'_>, WireError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let root = parser.value()?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(root),
        Some(byte) => Err(parser.unexpected(byte, "after top-level value")),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Node<'a>, WireError> {
        self.skip_space();
        match self.peek() {
            None => Err(self.ends_early()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Node::String),
            Some(b't') => self.literal("true", Node::Bool(true)),
            Some(b'f') => self.literal("false", Node::Bool(false)),
            Some(b'n') => self.literal("null", Node::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) => Err(self.unexpected(byte, "looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Node<'a>, WireError>) -> Result<Node<'a>, WireError> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected(self.text.get(self.at).copied().unwrap_or(b'['), "exceeded max depth"));
        }
        self.depth += 1;
        self.at += 1;
        let node = read(self);
        self.depth -= 1;
        node
    }

    fn object(&mut self) -> Result<Node<'a>, WireError> {
        let mut members = Vec::new();
        if self.next_is(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.skip_space();
            let name = match self.peek() {
                Some(b'"') => self.string()?,
                Some(byte) => return Err(self.unexpected(byte, "looking for beginning of object key string")),
                None => return Err(self.ends_early()),
            };
            self.skip_space();
            match self.take() {
                Some(b':') => {}
                Some(byte) => return Err(self.unexpected_before(byte, "after object key")),
                None => return Err(self.ends_early()),
            }
            members.push((name, self.value()?));
            self.skip_space();
            match self.take() {
                Some(b',') => {}
                Some(b'}') => return Ok(Node::Object(members)),
                Some(byte) => return Err(self.unexpected_before(byte, "after object key:value pair")),
                None => return Err(self.ends_early()),
            }
        }
    }

    fn array(&mut self) -> Result<Node<'a>, WireError> {
        let mut elements = Vec::new();
        if self.next_is(b']') {
            return Ok(Node::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            self.skip_space();
            match self.take() {
                Some(b',') => {}
                Some(b']') => return Ok(Node::Array(elements)),
                Some(byte) => return Err(self.unexpected_before(byte, "after array element")),
                None => return Err(self.ends_early()),
            }
        }
    }

    /// Text in quotes; what is not UTF-8, and halves of surrogate pairs, become U+FFFD.
    fn string(&mut self) -> Result<Cow<'a, str>, WireError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.take() {
                None => return Err(self.ends_early()),
                Some(b'"') => {
                    let bytes = self.text.get(start..self.at - 1).unwrap_or_default();
                    return Ok(String::from_utf8_lossy(bytes));
                }
                Some(b'\\') => {
                    self.at -= 1;
                    let bytes = self.text.get(start..self.at).unwrap_or_default();
                    return self.escaped_string(bytes.to_vec()).map(Cow::Owned);
                }
                Some(byte) if byte < 0x20 => return Err(self.unexpected_before(byte, "in string literal")),
                Some(_) => {}
            }
        }
    }

    /// The rest of a string, from its first escape on.
    fn escaped_string(&mut self, mut bytes: Vec<u8>) -> Result<String, WireError> {
        loop {
            match self.take() {
                None => return Err(self.ends_early()),
                Some(b'"') => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Some(b'\\') => {
                    let character = self.escape()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte < 0x20 => return Err(self.unexpected_before(byte, "in string literal")),
                Some(byte) => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, WireError> {
        Ok(match self.take() {
            None => return Err(self.ends_early()),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                let first = self.hexadecimal()?;
                let low_half = |parser: &mut Self| {
                    let before = parser.at;
                    let follows = parser.text.get(before..).is_some_and(|rest| rest.starts_with(b"\\u"));
                    if follows {
                        parser.at += 2;
                        if let Ok(second @ 0xdc00..0xe000) = parser.hexadecimal() {
                            return Some(second);
                        }
                        parser.at = before;
                    }
                    None
                };
                let code = match first {
                    0xd800..0xdc00 => {
                        low_half(self).map_or(first, |second| 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                    }
                    _ => first,
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(byte) => return Err(self.unexpected_before(byte, "in string escape code")),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, WireError> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.take().ok_or_else(|| self.ends_early())?;
            let digit = char::from(byte).to_digit(16);
            let digit = digit.ok_or_else(|| self.unexpected_before(byte, "in \\u hexadecimal character escape"))?;
            code = code << 4 | digit;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Node<'a>, WireError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.take() {
            Some(b'0') => {}
            Some(b'1'..=b'9') => self.skip_digits(),
            Some(byte) => return Err(self.unexpected_before(byte, "in numeric literal")),
            None => return Err(self.ends_early()),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits("in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Node::Number(String::from_utf8_lossy(text)))
    }

    fn digits(&mut self, place: &'static str) -> Result<(), WireError> {
        match self.take() {
            Some(b'0'..=b'9') => {
                self.skip_digits();
                Ok(())
            }
            Some(byte) => Err(self.unexpected_before(byte, place)),
            None => Err(self.ends_early()),
        }
    }

    fn skip_digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &'static str, node: Node<'a>) -> Result<Node<'a>, WireError> {
        for expected in word.bytes() {
            match self.take() {
                Some(byte) if byte == expected => {}
                Some(byte) => {
                    let place = format!("in literal {word} (expecting '{}')", char::from(expected));
                    return Err(self.unexpected_before(byte, &place));
                }
                None => return Err(self.ends_early()),
            }
        }
        Ok(node)
    }

    /// Takes the closing bracket of what turns out to be empty.
    fn next_is(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(bracket);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn ends_early(&self) -> WireError {
        WireError::Syntax {
            offset: self.text.len(),
            message: "unexpected end of JSON input".to_owned(),
        }
    }

    /// The error for the byte at the parser's place.
    fn unexpected(&self, byte: u8, place: &str) -> WireError {
        WireError::Syntax {
            offset: self.at,
            message: format!("invalid character {} {place}", quoted(byte)),
        }
    }

    /// The error for the byte that was just taken.
    fn unexpected_before(&self, byte: u8, place: &str) -> WireError {
        WireError::Syntax {
            offset: self.at - 1,
            message: format!("invalid character {} {place}", quoted(byte)),
        }
    }
}

/// A byte as a Go character literal.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'\\' => "'\\\\'".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        0x07 => "'\\a'".to_owned(),
        0x08 => "'\\b'".to_owned(),
        0x0b => "'\\v'".to_owned(),
        0x0c => "'\\f'".to_owned(),
        0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        0xa0 => "'\\u00a0'".to_owned(),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn words_of_errors() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("{}{", "invalid character '{' after top-level value"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" 1", "invalid character '1' after object key"),
            ("{\"a\":1 2", "invalid character '2' after object key:value pair"),
            ("[1 2", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("\"\n", "invalid character '\\n' in string literal"),
            ("\"\\x", "invalid character 'x' in string escape code"),
            ("\"\\u00g", "invalid character 'g' in \\u hexadecimal character escape"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("\u{1f}", "invalid character '\\x1f' looking for beginning of value"),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
        assert!(error(&"[".repeat(MAX_DEPTH + 1)).ends_with("exceeded max depth"));
    }

    #[test]
    fn surrogates() {
        fn parsed(text: &str) -> Node<'_> {
            parse(text.as_bytes()).unwrap()
        }
        assert_eq!(parsed(r#""\ud83d\ude00""#), Node::String("😀".into()));
        assert_eq!(parsed(r#""\ud800""#), Node::String("\u{fffd}".into()));
        assert_eq!(parsed(r#""\ud800\u0041""#), Node::String("\u{fffd}A".into()));
    }

    proptest! {
        #[test]
        fn agrees_with_serde(text in r#"[\[\]{}:,"a1.e\- \\u0nultr]{0,12}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let ours = parse(text.as_bytes());
            // Numbers beyond the range of doubles and lone surrogates are the reader's matter here, serde's grammar's there.
            if theirs.is_ok() {
                prop_assert!(ours.is_ok());
            }
        }
    }
}
