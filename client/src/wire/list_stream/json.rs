//! Lists in JSON: one object with `metadata` and `items`, whatever else it may have.

use bytes::Bytes;

use super::super::list::ListMeta;
use super::super::pending::Pending;
use super::super::scan::unquoted_length;
use super::super::{EncodedList, EncodedObject, Encoding, WireError};
use super::MAX_ITEM;

#[derive(Debug, Default)]
pub(super) struct JsonList {
    pending: Pending,
    place: Place,
    extent: Extent,
    list: EncodedList,
    /// Bytes that have been cut off.
    offset: usize,
}

/// What the pending bytes begin with, white space aside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    /// The bracket that opens the list.
    #[default]
    Start,
    /// A name, or the end of a list without members.
    FirstMember,
    /// A name.
    Member,
    /// The colon and the value of a member.
    Colon(Member),
    Value(Member),
    /// A comma, or the end of the list.
    AfterMember,
    /// An item, or the end of no items.
    FirstItem,
    Item,
    /// A comma, or the end of the items.
    AfterItem,
    /// Nothing.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Member {
    Metadata,
    Items,
    Other,
}

/// How far the value at the beginning of the pending bytes has been looked through.
#[derive(Debug, Default)]
struct Extent {
    length: usize,
    depth: usize,
    in_string: bool,
}

impl JsonList {
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.pending.push(chunk);
    }

    pub(super) fn next_item(&mut self) -> Result<Option<EncodedObject>, WireError> {
        while let Some(byte) = self.peek() {
            self.place = match (self.place, byte) {
                (Place::Start, b'{') => self.pass(Place::FirstMember),
                (Place::FirstMember, b'}') | (Place::AfterMember, b'}') => self.pass(Place::End),
                (Place::FirstMember | Place::Member, b'"') => {
                    let Some(name) = self.value()? else { return Ok(None) };
                    Place::Colon(match &name[..] {
                        b"\"metadata\"" => Member::Metadata,
                        b"\"items\"" => Member::Items,
                        _ => Member::Other,
                    })
                }
                (Place::Colon(member), b':') => self.pass(Place::Value(member)),
                (Place::Value(Member::Items), b'[') => self.pass(Place::FirstItem),
                (Place::Value(member), _) => {
                    let Some(value) = self.value()? else { return Ok(None) };
                    match member {
                        Member::Metadata => ListMeta::read(&value, &mut self.list)?,
                        Member::Items if &value[..] != b"null" => return Err(self.invalid("items that are no list")),
                        Member::Items | Member::Other => {}
                    }
                    Place::AfterMember
                }
                (Place::AfterMember, b',') => self.pass(Place::Member),
                (Place::FirstItem | Place::AfterItem, b']') => self.pass(Place::AfterMember),
                (Place::AfterItem, b',') => self.pass(Place::Item),
                (Place::FirstItem | Place::Item, _) => {
                    let Some(bytes) = self.value()? else { return Ok(None) };
                    self.place = Place::AfterItem;
                    let encoding = Encoding::Json;
                    return Ok(Some(EncodedObject { encoding, bytes }));
                }
                _ => return Err(self.invalid("no list of objects")),
            };
        }
        Ok(None)
    }

    pub(super) fn finish(self) -> Result<EncodedList, WireError> {
        match self.place {
            Place::End => Ok(self.list),
            _ => Err(self.invalid("the list is cut off")),
        }
    }

    /// The next byte that is no white space; what was before it is cut off.
    fn peek(&mut self) -> Option<u8> {
        // Nothing is before a value that was looked into.
        if self.extent.length == 0 {
            let pending = self.pending.as_slice();
            let space = pending.iter().position(|byte| !byte.is_ascii_whitespace());
            self.take(space.unwrap_or(pending.len()));
        }
        self.pending.as_slice().first().copied()
    }

    /// Cuts off a byte.
    fn pass(&mut self, place: Place) -> Place {
        self.take(1);
        place
    }

    /// Cuts off a value; `None` where more bytes are needed. Whether a value is valid inside is for its reader to say.
    fn value(&mut self) -> Result<Option<Bytes>, WireError> {
        let whole = self.extent.look(self.pending.as_slice());
        if self.extent.length > MAX_ITEM {
            return Err(self.invalid("a value larger than 64 MiB"));
        }
        if !whole {
            return Ok(None);
        }
        let length = std::mem::take(&mut self.extent).length;
        match length {
            0 => Err(self.invalid("no value")),
            length => Ok(Some(self.take(length))),
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.offset += length;
        self.pending.take(length)
    }

    fn invalid(&self, message: &str) -> WireError {
        WireError::Syntax {
            offset: self.offset,
            message: format!("list in JSON, at byte {}: {message}", self.offset),
        }
    }
}

impl Extent {
    /// Looks further; true where the value has ended.
    fn look(&mut self, text: &[u8]) -> bool {
        loop {
            let rest = text.get(self.length..).unwrap_or_default();
            if self.in_string {
                let plain = unquoted_length(rest);
                self.length += plain;
                match rest.get(plain..).unwrap_or_default() {
                    [b'"', ..] => {
                        self.length += 1;
                        self.in_string = false;
                        if self.depth == 0 {
                            return true;
                        }
                    }
                    [b'\\', _, ..] => self.length += 2,
                    [] | [b'\\'] => return false,
                    // A control character: for the reader of the value to complain of.
                    _ => self.length += 1,
                }
                continue;
            }
            match rest.first() {
                None => return false,
                Some(b'"') => self.in_string = true,
                Some(b'{' | b'[') => self.depth += 1,
                Some(b'}' | b']') if self.depth > 1 => self.depth -= 1,
                Some(b'}' | b']') => {
                    // The end of this value, or of what a number or a word is in.
                    self.length += self.depth;
                    return true;
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') if self.depth == 0 => return true,
                Some(_) => {}
            }
            self.length += 1;
        }
    }
}
