//! Fields of a message that the schema does not know: found, and put back into the message's new form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::encode_varint;

use super::from_protobuf::deeper;
use crate::wire::message::Depth;
use crate::wire::schema::{Container, MessageSchema};
use crate::wire::{Field, Reader, Value, WireError};

/// A field on the wire that the schema does not have: of a newer version, or of something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    message: Arc<Place>,
    number: u32,
    bytes: Box<[u8]>,
}

impl UnknownField {
    /// The message that has the field, as `spec.containers[0]`; empty for the outermost.
    pub fn path(&self) -> &str {
        &self.message.path
    }

    /// The field's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The field as it is on the wire, with its tag.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, path) = (self.number, self.path());
        let of = if path.is_empty() { "" } else { " in " };
        write!(f, "unknown field {number}{of}{path}")
    }
}

/// A message within a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    path: String,
    steps: Vec<Step>,
}

impl Place {
    /// The message in a field of this one.
    fn inside(&self, number: u32, element: Element, path: &str) -> Self {
        let dot = if self.path.is_empty() || path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        let mut steps = self.steps.clone();
        steps.push((number, element));
        Self {
            path: format!("{}{dot}{path}", self.path),
            steps,
        }
    }
}

/// The number of a field, and which of its values.
type Step = (u32, Element);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element {
    Only,
    Nth(usize),
    /// The entry of a map, a message of key and value, with its key.
    Entry(Box<[u8]>),
}

/// Finds the fields of a message, and of those in it, that reading it by this schema would drop.
///
/// [`keep_unknown_fields`] puts them back into what becomes of the message.
///
/// ```
/// use kubewire_client::wire::{schema, transcode};
/// let schema = schema::message("core.v1.Pod").expect("a built-in message");
/// let pod = [0x12, 0x06, 0x12, 0x04, 0xf8, 0x7f, 0x01, 0x0a]; // cut off
/// assert!(transcode::unknown_fields(schema, &pod).is_err());
/// let unknown = transcode::unknown_fields(schema, &[0x12, 0x05, 0x12, 0x03, 0xf8, 0x7f, 0x01])?;
/// assert_eq!(unknown[0].to_string(), "unknown field 2047 in spec.containers[0]");
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn unknown_fields(schema: &MessageSchema, bytes: &[u8]) -> Result<Vec<UnknownField>, WireError> {
    let mut found = Vec::new();
    walk(schema, bytes, Place::default(), Depth::outermost(), &mut found)?;
    Ok(found)
}

/// Puts unknown fields into the new form of the message in which they were found, byte for byte as they were, among
/// its own fields by their numbers.
///
/// For who changes an object that a newer server has written, and must not lose what only that server knows. The
/// element of a list is the one in the same place, the entry of a map that with the same key; the fields of a message
/// that is no longer there are left out.
///
/// ```
/// use kubewire_client::wire::{schema, transcode};
/// let schema = schema::message("core.v1.ConfigMap").expect("a built-in message");
/// let newer = b"\x0a\x03\x0a\x01a\xf8\x7f\x01"; // metadata: {name: a}, and field 2047
/// let mut map = transcode::protobuf_to_value(schema, newer)?;
/// map["metadata"]["name"] = "b".into();
/// let known = transcode::value_to_protobuf(schema, &map)?;
/// let changed = transcode::keep_unknown_fields(&known, &transcode::unknown_fields(schema, newer)?)?;
/// assert_eq!(changed.strip_prefix(&known[..]), Some(b"\xf8\x7f\x01".as_slice()));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn keep_unknown_fields(message: &[u8], unknown: &[UnknownField]) -> Result<Bytes, WireError> {
    let mut outermost = Kept::default();
    for field in unknown {
        let steps = field.message.steps.iter();
        let kept = steps.fold(&mut outermost, |kept, step| kept.inside.entry(step).or_default());
        kept.fields.push(field);
    }
    let mut out = Vec::with_capacity(message.len() + unknown.iter().map(|field| field.bytes.len() + 8).sum::<usize>());
    outermost.rewrite(message, &mut out)?;
    Ok(out.into())
}

fn walk(
    schema: &MessageSchema,
    bytes: &[u8],
    place: Place,
    depth: Depth,
    found: &mut Vec<UnknownField>,
) -> Result<(), WireError> {
    let mut unknown = Found::new(bytes, place);
    let mut elements: BTreeMap<u32, usize> = BTreeMap::new();
    while let Some(read) = unknown.reader.next_field()? {
        let Some(field) = schema.fields.iter().find(|field| field.number == read.number) else {
            unknown.add(read, found);
            continue;
        };
        unknown.start = unknown.reader.offset();
        let Value::Bytes(content) = read.value else { continue };
        // A union has no name for what it is.
        let name = if schema.special.is_some() { "" } else { field.json };
        let inside = |element, path: &str| unknown.place.inside(read.number, element, path);
        match (field.container, field.message()) {
            (Container::One, Some(inner)) => {
                let place = inside(Element::Only, name);
                walk(inner, content, place, deeper(depth)?, found)?;
            }
            (Container::List, Some(inner)) => {
                let count = elements.entry(read.number).or_default();
                let place = inside(Element::Nth(*count), &format!("{name}[{count}]"));
                *count += 1;
                walk(inner, content, place, deeper(depth)?, found)?;
            }
            (Container::Map, inner) => {
                let key = key_of(content)?;
                let path = format!("{name}.{}", String::from_utf8_lossy(key));
                let place = inside(Element::Entry(key.into()), &path);
                walk_entry(inner, content, place, deeper(depth)?, found)?;
            }
            (_, None) => {}
        }
    }
    Ok(())
}

/// The entry of a map: key=1, value=2.
fn walk_entry(
    value: Option<&MessageSchema>,
    bytes: &[u8],
    place: Place,
    depth: Depth,
    found: &mut Vec<UnknownField>,
) -> Result<(), WireError> {
    let mut unknown = Found::new(bytes, place);
    while let Some(read) = unknown.reader.next_field()? {
        match (read.number, read.value, value) {
            (2, Value::Bytes(content), Some(value)) => {
                let place = unknown.place.inside(2, Element::Only, "");
                walk(value, content, place, deeper(depth)?, found)?;
            }
            (1 | 2, _, _) => {}
            _ => {
                unknown.add(read, found);
                continue;
            }
        }
        unknown.start = unknown.reader.offset();
    }
    Ok(())
}

/// The walk through one message.
struct Found<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    /// Where the next field begins.
    start: usize,
    place: Arc<Place>,
}

impl<'a> Found<'a> {
    fn new(bytes: &'a [u8], place: Place) -> Self {
        Self {
            bytes,
            reader: Reader::new(bytes),
            start: 0,
            place: Arc::new(place),
        }
    }

    /// Takes the field that was just read.
    fn add(&mut self, read: Field<'_>, found: &mut Vec<UnknownField>) {
        let end = self.reader.offset();
        found.push(UnknownField {
            message: self.place.clone(),
            number: read.number,
            bytes: self.bytes.get(self.start..end).unwrap_or_default().into(),
        });
        self.start = end;
    }
}

/// What a message gets back, and the messages in it.
#[derive(Default)]
struct Kept<'a> {
    fields: Vec<&'a UnknownField>,
    inside: BTreeMap<&'a Step, Kept<'a>>,
}

impl Kept<'_> {
    /// Writes the message with its fields among those that it has.
    fn rewrite(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        let mut fields = self.fields.clone();
        fields.sort_by_key(|field| field.number);
        let mut fields = fields.into_iter().peekable();
        let mut elements: BTreeMap<u32, usize> = BTreeMap::new();
        let mut reader = Reader::new(message);
        let mut start = 0;
        while let Some(read) = reader.next_field()? {
            let whole = message.get(start..reader.offset()).unwrap_or_default();
            start = reader.offset();
            while let Some(field) = fields.next_if(|field| field.number < read.number) {
                out.extend_from_slice(&field.bytes);
            }
            let nth = elements.entry(read.number).or_default();
            match (self.inside(read, *nth), read.value) {
                (Some(kept), Value::Bytes(content)) => {
                    let mut rewritten = Vec::with_capacity(content.len() + 16);
                    kept.rewrite(content, &mut rewritten)?;
                    encode_varint(u64::from(read.number) << 3 | 2, out);
                    encode_varint(rewritten.len() as u64, out);
                    out.extend_from_slice(&rewritten);
                }
                _ => out.extend_from_slice(whole),
            }
            *nth += 1;
        }
        fields.for_each(|field| out.extend_from_slice(&field.bytes));
        Ok(())
    }

    /// What the message in a field gets back.
    fn inside(&self, read: Field<'_>, nth: usize) -> Option<&Self> {
        let Value::Bytes(content) = read.value else { return None };
        let at = |element| self.inside.get(&(read.number, element));
        if self.inside.is_empty() {
            return None;
        }
        at(Element::Only)
            .or_else(|| at(Element::Nth(nth)))
            .or_else(|| at(Element::Entry(key_of(content).ok()?.into())))
    }
}

/// The key of an entry of a map.
fn key_of(entry: &[u8]) -> Result<&[u8], WireError> {
    let mut key: &[u8] = &[];
    let mut reader = Reader::new(entry);
    while let Some(part) = reader.next_field()? {
        if let (1, Value::Bytes(read)) = (part.number, part.value) {
            key = read;
        }
    }
    Ok(key)
}
