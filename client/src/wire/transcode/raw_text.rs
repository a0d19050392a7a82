//! JSON text inside an object: written as it is, without white space between its tokens, safe inside HTML.

use super::json_text;
use crate::wire::scan::{Scanner, Span};

/// How deep the text may nest.
const MAX_DEPTH: u32 = 100;

/// Appends the text; `None` where it is not JSON, or nests too deeply.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut scanner = Scanner::new(text);
    value(&mut scanner, out, MAX_DEPTH)?;
    scanner.is_done().then_some(())
}

fn value(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, depth: u32) -> Option<()> {
    match scanner.peek()? {
        b'{' => nested(scanner, out, b'{', b'}', depth.checked_sub(1)?),
        b'[' => nested(scanner, out, b'[', b']', depth.checked_sub(1)?),
        b'"' => string(scanner, out),
        b't' => word(scanner, b"true", out),
        b'f' => word(scanner, b"false", out),
        b'n' => word(scanner, b"null", out),
        _ => {
            let (span, _) = scanner.number()?;
            out.extend_from_slice(scanner.get(span)?);
            Some(())
        }
    }
}

fn nested(scanner: &mut Scanner<'_>, out: &mut Vec<u8>, open: u8, close: u8, depth: u32) -> Option<()> {
    scanner.expect(open)?;
    out.push(open);
    if scanner.peek()? == close {
        scanner.take()?;
        out.push(close);
        return Some(());
    }
    loop {
        if open == b'{' {
            string(scanner, out)?;
            scanner.expect(b':')?;
            out.push(b':');
        }
        value(scanner, out, depth)?;
        let mark = scanner.take()?;
        out.push(mark);
        match mark {
            b',' => {}
            mark if mark == close => return Some(()),
            _ => return None,
        }
    }
}

/// Escapes stay as they are spelled.
fn string(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (Span { start, end }, _) = scanner.string()?;
    let text = std::str::from_utf8(scanner.get(Span { start, end })?).ok()?;
    out.push(b'"');
    json_text::escape_html(text, out);
    out.push(b'"');
    Some(())
}

fn word(scanner: &mut Scanner<'_>, word: &[u8], out: &mut Vec<u8>) -> Option<()> {
    scanner.word(word)?;
    out.extend_from_slice(word);
    Some(())
}
