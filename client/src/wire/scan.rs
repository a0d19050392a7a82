//! The lexical part of JSON, for readers that handle the usual text fast and leave the rest to a thorough parser.
//!
//! Every function answers `None` where the text is unusual or broken, without saying what is wrong.

/// How deep JSON and messages may nest for the fast readers.
pub(super) const MAX_DEPTH: u32 = 100;

/// Walks over JSON text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    has_space: bool,
}

/// A stretch of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            has_space: false,
        }
    }

    /// Where the scanner is.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// A stretch of the text.
    #[inline]
    pub(super) fn get(&self, span: Span) -> Option<&'a [u8]> {
        self.text.get(span.start..span.end)
    }

    /// True where the scanner met white space between the tokens.
    pub(super) fn has_space(&self) -> bool {
        self.has_space
    }

    /// The next byte that is no white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        match *self.text.get(self.at)? {
            ..=b' ' => self.peek_behind_space(),
            byte => Some(byte),
        }
    }

    #[inline(never)]
    fn peek_behind_space(&mut self) -> Option<u8> {
        while let b' ' | b'\t' | b'\r' | b'\n' = self.text.get(self.at)? {
            self.at += 1;
            self.has_space = true;
        }
        self.here()
    }

    /// Takes the next byte that is no white space.
    #[inline]
    pub(super) fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Takes a byte that must come next, white space aside.
    #[inline]
    pub(super) fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.take()? == wanted).then_some(())
    }

    /// True at the end of the text, white space aside.
    pub(super) fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes a string, from its opening to its closing quote: what is between, and whether it is without escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Option<(Span, bool)> {
        self.expect(b'"')?;
        let start = self.at;
        let mut plain = true;
        loop {
            self.at += unquoted_length(self.text.get(self.at..)?);
            match self.text.get(self.at)? {
                b'"' => {
                    let end = self.at;
                    self.at += 1;
                    return Some((Span { start, end }, plain));
                }
                b'\\' => {
                    plain = false;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let length = match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    /// Takes a number: its text, and whether it is an integer.
    #[inline]
    pub(super) fn number(&mut self) -> Option<(Span, bool)> {
        self.peek()?;
        let start = self.at;
        self.at += usize::from(self.here() == Some(b'-'));
        match self.here()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        let mut integer = true;
        if self.here() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.here(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.here(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some((Span { start, end: self.at }, integer))
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.peek()?;
        self.text.get(self.at..)?.starts_with(word).then_some(())?;
        self.at += word.len();
        Some(())
    }

    fn here(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.here(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// How many bytes from here on can stand inside a string as they are: no quote, backslash or control character.
#[inline]
pub(super) fn unquoted_length(bytes: &[u8]) -> usize {
    length_until(bytes, |word| below_space(word) | equal(word, b'"') | equal(word, b'\\'))
}

/// How many bytes from here on the API server writes into a string as they are: as [`unquoted_length`], and ASCII, and
/// nothing that matters to HTML.
#[inline]
pub(super) fn unescaped_length(bytes: &[u8]) -> usize {
    length_until(bytes, escaped)
}

/// True where one of the bytes is none that the API server writes into a string as it is.
#[inline]
pub(super) fn needs_escape(word: u64) -> bool {
    escaped(word) & HIGHEST != 0
}

#[inline]
fn escaped(word: u64) -> u64 {
    const BIT_OF_GREATER: u64 = EACH * (b'<' ^ b'>') as u64;
    let html = equal(word | BIT_OF_GREATER, b'>') | equal(word, b'&');
    word | below_space(word) | equal(word, b'"') | equal(word, b'\\') | html
}

/// How many bytes come before the first one that is marked by its highest bit. Eight at a time: the marks are exact up
/// to the first one.
#[inline]
fn length_until(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let mut length = 0;
    loop {
        let rest = bytes.get(length..).unwrap_or_default();
        let (word, valid) = match rest.first_chunk() {
            Some(chunk) => (u64::from_le_bytes(*chunk), 8),
            None => {
                let mut last = [0; 8];
                last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                (u64::from_le_bytes(last), rest.len())
            }
        };
        let found = marks(word) & HIGHEST;
        let here = (found.trailing_zeros() / 8) as usize;
        if found != 0 || valid < 8 {
            return length + here.min(valid);
        }
        length += 8;
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = EACH * 0x80;

#[inline]
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(EACH * 0x20) & !word
}

#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (EACH * u64::from(byte));
    zero.wrapping_sub(EACH) & !zero
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lengths_are_those_of_a_plain_loop(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let ends = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let plain = bytes.iter().position(ends).unwrap_or(bytes.len());
            prop_assert_eq!(unquoted_length(&bytes), plain);
            let ends = |byte: &u8| ends(byte) || !byte.is_ascii() || b"<>&".contains(byte);
            let plain = bytes.iter().position(ends).unwrap_or(bytes.len());
            prop_assert_eq!(unescaped_length(&bytes), plain);
        }

        #[test]
        fn lengths_of_text(text in "[a-z<>&\"\\\\=é]{0,40}") {
            let ends = |byte: &u8| b"\"\\<>&".contains(byte) || !byte.is_ascii();
            let plain = text.bytes().position(|byte| ends(&byte)).unwrap_or(text.len());
            prop_assert_eq!(unescaped_length(text.as_bytes()), plain);
        }
    }
}
