//! Where input that ends too early ends: all lengths on the way to that place promise more than there is.
//!
//! Reading stops at the first such length, which is at the beginning of the object. Only the error looks further.

use prost::encoding::decode_varint;

use super::begin;
use crate::resource::Gvk;
use crate::wire::envelope::{MAGIC, Parts};
use crate::wire::schema::{self, Container, FieldSchema, MessageSchema};
use crate::wire::{Reader, WireError};

/// The innermost field that a message breaks off in, `None` where it does not break off.
pub(super) fn in_message(schema: &MessageSchema, bytes: &[u8]) -> Option<WireError> {
    let cut = Cut::find(bytes)?;
    let end = WireError::Truncated { offset: bytes.len() };
    let Some(field) = field(schema, cut.number) else {
        return Some(end);
    };
    let start = begin(bytes, cut.content);
    let error = match field.message() {
        Some(inner) if field.container != Container::Map => in_message(inner, cut.content),
        _ => None,
    };
    let error = error.unwrap_or(WireError::Truncated {
        offset: cut.content.len(),
    });
    Some(match field.container {
        _ if field.inlined => error.after(start),
        Container::List => error.in_field(&format!("{}[{}]", field.json, cut.before), start),
        _ => error.in_field(field.json, start),
    })
}

/// The same of an object in its envelope.
pub(super) fn in_envelope(bytes: &[u8]) -> Option<WireError> {
    let cut = Cut::find(bytes.get(MAGIC.len()..)?);
    let whole = cut.as_ref().map_or(bytes.len(), |cut| MAGIC.len() + cut.start);
    let envelope = Parts::read(bytes.get(..whole)?).ok()?;
    let object = match &cut {
        Some(cut) if cut.number == 2 => cut.content,
        Some(_) => return None,
        None => envelope.object,
    };
    let kind = schema::kind(&Gvk::from_api_version(&envelope.api_version, &envelope.kind))?;
    Some(in_message(kind.message, object)?.after(begin(bytes, object)))
}

fn field(schema: &MessageSchema, number: u32) -> Option<&'static FieldSchema> {
    schema.fields.iter().find(|field| field.number == number)
}

/// The field that a message breaks off in.
struct Cut<'a> {
    number: u32,
    /// How many fields of this number are before it.
    before: usize,
    /// Where it begins.
    start: usize,
    /// What is there of its content.
    content: &'a [u8],
}

impl<'a> Cut<'a> {
    fn find(bytes: &'a [u8]) -> Option<Self> {
        let mut numbers = Vec::new();
        let mut reader = Reader::new(bytes);
        let mut start = 0;
        loop {
            match reader.next_field() {
                Ok(field) => numbers.push(field?.number),
                Err(WireError::Truncated { .. }) => break,
                Err(_) => return None,
            }
            start = reader.offset();
        }
        let mut content = bytes.get(start..)?;
        let key = decode_varint(&mut content).ok().filter(|key| key & 7 == 2)?;
        decode_varint(&mut content).ok()?;
        let number = u32::try_from(key >> 3).ok()?;
        let before = numbers.iter().filter(|before| **before == number).count();
        Some(Self {
            number,
            before,
            start,
            content,
        })
    }
}
