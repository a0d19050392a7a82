//! JSON text inside an object: written as it is, without white space between its tokens, safe inside HTML.

use std::borrow::Cow;

use super::json_text;
use crate::wire::scan::{MAX_DEPTH, Scanner, Span};

/// The text in that form; `None` where it is not JSON, or nests too deeply.
pub(super) fn compact(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_compact(text)? {
        return Some(text.into());
    }
    let (mut scanner, mut out) = (Scanner::new(text), Vec::with_capacity(text.len()));
    value(&mut scanner, &mut out, MAX_DEPTH)?;
    scanner.is_done().then_some(out.into())
}

/// True where nothing has to be left out or escaped; `None` where it is not JSON, or nests too deeply.
fn is_compact(text: &[u8]) -> Option<bool> {
    let mut scanner = Scanner::new(text);
    skip(&mut scanner, MAX_DEPTH)?;
    if !scanner.is_done() {
        return None;
    }
    let is_special = |byte: &u8| !byte.is_ascii() | (*byte == b'<') | (*byte == b'>') | (*byte == b'&');
    let specials = text.iter().fold(false, |found, byte| found | is_special(byte));
    Some(!scanner.has_space() && !specials)
}

fn skip(scanner: &mut Scanner<'_>, depth: u32) -> Option<()> {
    let (open, close) = match scanner.peek()? {
        b'{' => (b'{', b'}'),
        b'[' => (b'[', b']'),
        b'"' => return scanner.string().map(|_| ()),
        b't' => return scanner.word(b"true"),
        b'f' => return scanner.word(b"false"),
        b'n' => return scanner.word(b"null"),
        _ => return scanner.number().map(|_| ()),
    };
    let depth = depth.checked_sub(1)?;
    scanner.take()?;
    if scanner.peek()? == close {
        scanner.take()?;
        return Some(());
    }
    loop {
        if open == b'{' {
            scanner.string()?;
            scanner.expect(b':')?;
        }
        skip(scanner, depth)?;
        match scanner.take()? {
            b',' => {}
            mark if mark == close => return Some(()),
            _ => return None,
        }
    }
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
