//! JSON text in the making. What is short is copied in pieces of a fixed length: the surplus is overwritten by what
//! follows.

use crate::wire::scan;
use crate::wire::schema::Member;
use crate::wire::transcode::json_text;

const PIECE: usize = 16;

/// A buffer that is ahead of its content.
#[derive(Debug)]
pub(super) struct Text {
    buffer: Vec<u8>,
    length: usize,
}

impl Text {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            length: 0,
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.buffer.truncate(self.length);
        self.buffer
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// What was written from this place on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.buffer.get(start..self.length).unwrap_or_default()
    }

    /// Takes back what was written from this place on.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = length;
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(first) = self.room(1).first_mut() {
            *first = byte;
        }
        self.length += 1;
    }

    /// Appends words of JSON and what is like them.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let room = self.room(bytes.len());
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.length += bytes.len();
    }

    /// Puts marks around elements or members that were written from a place on, with a comma before each.
    #[inline]
    pub(super) fn enclose(&mut self, start: usize, open: u8, close: u8) {
        if self.length == start {
            self.push(open);
        } else if let Some(comma) = self.buffer.get_mut(start) {
            *comma = open;
        }
        self.push(close);
    }

    /// Writes a comma, a member's name and a colon.
    #[inline]
    pub(super) fn name(&mut self, member: &Member) {
        match member.name() {
            Some((name, length)) => {
                if let Some(room) = self.room(name.len()).first_chunk_mut() {
                    *room = *name;
                }
                self.length += length;
            }
            None => {
                self.push(b',');
                self.string(member.json.as_bytes());
                self.push(b':');
            }
        }
    }

    /// Writes text in quotes; what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub(super) fn string(&mut self, text: &[u8]) {
        let [open, room @ ..] = self.room(text.len() + 2 + PIECE) else {
            return;
        };
        *open = b'"';
        if !copy_plain(text, room) {
            return self.escaped(text);
        }
        if let Some(close) = room.get_mut(text.len()) {
            *close = b'"';
        }
        self.length += text.len() + 2;
    }

    pub(super) fn integer(&mut self, number: i64) {
        if let digit @ 0..10 = number {
            return self.push(b'0' + digit as u8);
        }
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = number.unsigned_abs();
        while rest > 0 {
            first -= 1;
            if let Some(digit) = digits.get_mut(first) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
        }
        if number < 0 {
            self.push(b'-');
        }
        self.extend(digits.get(first..).unwrap_or_default());
    }

    #[inline(never)]
    fn escaped(&mut self, text: &[u8]) {
        let mut quoted = Vec::with_capacity(text.len() + 8);
        json_text::string(&String::from_utf8_lossy(text), &mut quoted);
        self.extend(&quoted);
    }

    /// Room for so many bytes behind the content, or more.
    #[inline]
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.buffer.len() - self.length < length {
            self.grow(length);
        }
        self.buffer.get_mut(self.length..).unwrap_or_default()
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        let wanted = (self.length + length).max(self.buffer.len() * 2);
        self.buffer.resize(wanted, 0);
    }
}

/// Copies text to where there is room for it. False where some of it has to be escaped.
#[inline]
fn copy_plain(text: &[u8], room: &mut [u8]) -> bool {
    if let Some((_, last)) = copy_ends::<PIECE>(text, room) {
        let mut distance = closer([u8::MAX; PIECE], last);
        for (to, from) in room.as_chunks_mut().0.iter_mut().zip(text.as_chunks().0) {
            *to = *from;
            distance = closer(distance, from);
        }
        distance.into_iter().fold(u8::MAX, u8::min) > 0
    } else if let Some((first, last)) = copy_ends(text, room) {
        !(scan::needs_escape(u64::from_le_bytes(*first)) | scan::needs_escape(u64::from_le_bytes(*last)))
    } else if let Some((first, last)) = copy_ends(text, room) {
        let [first, last] = [first, last].map(|end| u64::from(u32::from_le_bytes(*end)));
        !scan::needs_escape(first | last << 32)
    } else {
        room.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        let [first, middle, last] =
            [text.first(), text.get(1), text.last()].map(|byte| byte.map_or(b' ', |byte| *byte));
        !scan::needs_escape(u64::from_le_bytes([first, middle, last, b' ', b' ', b' ', b' ', b' ']))
    }
}

/// Copies the first and the last bytes, which may overlap; `None` for text that is shorter.
#[inline(always)]
fn copy_ends<'a, const N: usize>(text: &'a [u8], room: &mut [u8]) -> Option<(&'a [u8; N], &'a [u8; N])> {
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    *room.first_chunk_mut()? = *first;
    *room.get_mut(text.len() - N..)?.first_chunk_mut()? = *last;
    Some((first, last))
}

/// The lesser of this distance and that of each byte from those that have to be escaped: all but printable ASCII, and
/// what means something to JSON or HTML. Such words become vector instructions.
#[inline(always)]
fn closer(mut distance: [u8; PIECE], piece: &[u8; PIECE]) -> [u8; PIECE] {
    for (distance, byte) in distance.iter_mut().zip(piece) {
        let beyond_ascii = 0x60_u8.saturating_sub(byte.wrapping_sub(0x20));
        let json = (byte ^ b'"').min(byte ^ b'\\');
        let html = (byte ^ b'&').min((byte | 2) ^ b'>');
        *distance = (*distance).min(beyond_ascii).min(json).min(html);
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_those_of_the_thorough_writer(texts in proptest::collection::vec("[ -~]{0,40}|[a-z<>&\"\\\\\\x7fé\n\u{2028}]{0,40}", 0..4)) {
            let (mut text, mut expected) = (Text::with_capacity(0), Vec::new());
            for string in &texts {
                text.string(string.as_bytes());
                json_text::string(string, &mut expected);
            }
            prop_assert_eq!(text.into_bytes(), expected);
        }

        #[test]
        fn bytes_are_escaped_one_by_one(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let (mut text, mut expected) = (Text::with_capacity(0), Vec::new());
            text.string(&bytes);
            json_text::string(&String::from_utf8_lossy(&bytes), &mut expected);
            prop_assert_eq!(text.into_bytes(), expected);
        }

        #[test]
        fn integers(number: i64, small in -11..12i64) {
            let mut text = Text::with_capacity(1);
            text.integer(number);
            text.integer(small);
            prop_assert_eq!(text.into_bytes(), format!("{number}{small}").into_bytes());
        }
    }
}
