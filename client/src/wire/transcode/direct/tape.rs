//! A JSON document as a flat list of tokens, each of which knows where the next value begins.

use crate::wire::scan::{MAX_DEPTH, Scanner, Span};

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Place of the token behind this value, its children included.
    pub(super) next: u32,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    /// Without escapes; the span is what stands between the quotes.
    String,
    /// With escapes.
    EscapedString,
    Array,
    /// Followed by its members: name, value, name, value …
    Object,
}

/// The text and its tokens.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    text: &'a [u8],
    tokens: Vec<Token>,
}

impl<'a> Tape<'a> {
    /// Reads a whole document of UTF-8 text; the token of the outermost value is the first.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(text).ok()?;
        u32::try_from(text.len()).ok()?;
        let mut tape = Self {
            text,
            tokens: Vec::with_capacity(text.len() / 12),
        };
        let mut scanner = Scanner::new(text);
        tape.value(&mut scanner, MAX_DEPTH)?;
        scanner.is_done().then_some(tape)
    }

    #[inline]
    pub(super) fn token(&self, place: u32) -> Option<Token> {
        self.tokens.get(place as usize).copied()
    }

    /// The text of a token; strings without their quotes, and with their escapes.
    #[inline]
    pub(super) fn text(&self, token: Token) -> Option<&'a [u8]> {
        self.text.get(token.start as usize..token.end as usize)
    }

    /// A string with its quotes.
    pub(super) fn quoted(&self, token: Token) -> Option<&'a [u8]> {
        self.text.get(token.start as usize - 1..token.end as usize + 1)
    }

    fn value(&mut self, scanner: &mut Scanner<'a>, depth: u32) -> Option<()> {
        match scanner.peek()? {
            b'"' => self.string(scanner),
            b'{' => self.nested(scanner, Kind::Object, b'}', depth.checked_sub(1)?),
            b'[' => self.nested(scanner, Kind::Array, b']', depth.checked_sub(1)?),
            b't' => self.word(scanner, b"true", Kind::Bool(true)),
            b'f' => self.word(scanner, b"false", Kind::Bool(false)),
            b'n' => self.word(scanner, b"null", Kind::Null),
            _ => {
                let (span, _) = scanner.number()?;
                self.push(Kind::Number, span);
                Some(())
            }
        }
    }

    fn string(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        let (span, plain) = scanner.string()?;
        self.push(if plain { Kind::String } else { Kind::EscapedString }, span);
        Some(())
    }

    fn word(&mut self, scanner: &mut Scanner<'a>, word: &[u8], kind: Kind) -> Option<()> {
        scanner.word(word)?;
        let end = scanner.at();
        self.push(
            kind,
            Span {
                start: end - word.len(),
                end,
            },
        );
        Some(())
    }

    fn nested(&mut self, scanner: &mut Scanner<'a>, kind: Kind, close: u8, depth: u32) -> Option<()> {
        let (place, start) = (self.tokens.len(), scanner.at());
        self.push(kind, Span { start, end: start });
        scanner.take()?;
        if scanner.peek()? == close {
            scanner.take()?;
        } else {
            loop {
                if kind == Kind::Object {
                    self.string(scanner)?;
                    scanner.expect(b':')?;
                }
                self.value(scanner, depth)?;
                match scanner.take()? {
                    b',' => {}
                    byte if byte == close => break,
                    _ => return None,
                }
            }
        }
        let next = self.tokens.len() as u32;
        let token = self.tokens.get_mut(place)?;
        token.next = next;
        token.end = scanner.at() as u32;
        Some(())
    }

    /// Adds a token without children.
    #[inline]
    fn push(&mut self, kind: Kind, span: Span) {
        self.tokens.push(Token {
            kind,
            next: self.tokens.len() as u32 + 1,
            start: span.start as u32,
            end: span.end as u32,
        });
    }
}
