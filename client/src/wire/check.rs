//! Whether an object would decode, found out without decoding it.

use std::ops::RangeInclusive;

use super::message::Depth;
use super::schema::{Container, FieldSchema, MessageSchema, Type};
use super::{Reader, Value, WireError};

/// Walks a protobuf object by its schema: every message must be whole, and every value of the kind that its field has.
/// About a tenth of the work of decoding. What is inside of texts, times and raw JSON is not looked at.
///
/// ```
/// use kubewire_client::wire::{check_structure, schema};
/// let pod = schema::message("core.v1.Pod").expect("a built-in message");
/// check_structure(pod, &[0x0a, 0x03, 0x0a, 0x01, b'a'])?; // metadata.name
/// let error = check_structure(pod, &[0x0a, 0x02, 0x0a, 0x05]).unwrap_err();
/// assert!(error.to_string().contains("metadata"), "{error}");
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn check_structure(schema: &'static MessageSchema, object: &[u8]) -> Result<(), WireError> {
    StructureChecker::new(schema).check(object)
}

/// Checks many objects of one kind, as [`check_structure`] does. Objects of a collection have much in common, and what
/// is byte for byte like a part that was found sound is not walked again.
#[derive(Debug)]
pub struct StructureChecker {
    schema: &'static MessageSchema,
    /// Parts that are sound, each at the place that [`place`] says.
    sound: Vec<Option<Part>>,
}

#[derive(Debug)]
struct Part {
    schema: &'static MessageSchema,
    depth: Depth,
    bytes: Box<[u8]>,
}

/// How many parts are remembered.
const PARTS: usize = 64;
/// How long parts are that are worth it: neither as soon walked as looked up, nor different in each object.
const WORTH: RangeInclusive<usize> = 48..=2048;

/// Where a part is remembered, by some of its bytes.
fn place(bytes: &[u8]) -> usize {
    let sample = |at: usize| {
        let eight = bytes.get(at..).and_then(|rest| rest.first_chunk());
        eight.copied().map_or(0, u64::from_le_bytes)
    };
    let length = bytes.len();
    let mixed = [4, length / 3, length / 2, length - length / 4, length.saturating_sub(8)]
        .iter()
        .fold(length as u64, |mixed, at| {
            (mixed ^ sample(*at))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        });
    (mixed % PARTS as u64) as usize
}

impl StructureChecker {
    /// A checker of objects of this message.
    pub fn new(schema: &'static MessageSchema) -> Self {
        Self {
            schema,
            sound: Vec::new(),
        }
    }

    /// Checks an object.
    pub fn check(&mut self, object: &[u8]) -> Result<(), WireError> {
        if self.is_sound(self.schema, object, Depth::outermost()) {
            return Ok(());
        }
        // Now it may take its time: what is wrong, and where.
        message(self.schema, object, Depth::outermost())
    }

    /// False for everything in which [`message`] finds a fault, and perhaps for some oddities in which it finds none.
    fn is_sound(&mut self, schema: &'static MessageSchema, bytes: &[u8], depth: Depth) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(key) = varint(&mut rest) else { return false };
            let number = key >> 3;
            if number == 0 || key >> 32 != 0 {
                return false;
            }
            let known = schema.special.is_none();
            let field = if known { schema.numbered(number as u32) } else { None };
            if key & 7 == 2 {
                let Some(value) = delimited(&mut rest) else {
                    return false;
                };
                if field.is_some_and(|field| !self.is_sound_value(field, value, depth)) {
                    return false;
                }
            } else if !is_sound_scalar(field, key & 7, &mut rest) {
                return false;
            }
        }
        true
    }

    fn is_sound_value(&mut self, field: &'static FieldSchema, value: &[u8], depth: Depth) -> bool {
        if field.container == Container::Map {
            return self.is_sound_entry(field.ty, value, depth);
        }
        match field.ty {
            Type::String | Type::Bytes | Type::Any => true,
            Type::Message(schema) => depth
                .deeper()
                .is_some_and(|depth| self.is_sound_part(schema, value, depth)),
            // Numbers of a list may come packed.
            Type::Bool | Type::Int32 | Type::Int64 => field.container == Container::List,
            Type::Double => false,
        }
    }

    fn is_sound_part(&mut self, schema: &'static MessageSchema, bytes: &[u8], depth: Depth) -> bool {
        if !WORTH.contains(&bytes.len()) {
            return self.is_sound(schema, bytes, depth);
        }
        let place = place(bytes);
        if let Some(Some(part)) = self.sound.get(place)
            && std::ptr::eq(part.schema, schema)
            && part.depth == depth
            && *part.bytes == *bytes
        {
            return true;
        }
        if !self.is_sound(schema, bytes, depth) {
            return false;
        }
        self.sound.resize_with(PARTS, || None);
        if let Some(part) = self.sound.get_mut(place) {
            let bytes = bytes.into();
            *part = Some(Part { schema, depth, bytes });
        }
        true
    }

    /// An entry of a map, whose value is field 2.
    fn is_sound_entry(&mut self, ty: Type, entry: &[u8], depth: Depth) -> bool {
        let mut rest = entry;
        while let Some(key) = varint(&mut rest) {
            let Some(value) = delimited(&mut rest).filter(|_| key & 7 == 2 && 8 < key && key < 1 << 32) else {
                return false;
            };
            let is_sound = match ty {
                _ if key >> 3 != 2 => true,
                Type::String | Type::Bytes | Type::Any => true,
                Type::Message(schema) => depth.deeper().is_some_and(|depth| self.is_sound(schema, value, depth)),
                Type::Bool | Type::Int32 | Type::Int64 | Type::Double => false,
            };
            if !is_sound {
                return false;
            }
        }
        rest.is_empty()
    }
}

fn is_sound_scalar(field: Option<&'static FieldSchema>, wire_type: u64, rest: &mut &[u8]) -> bool {
    let (read, fits) = match wire_type {
        0 => (
            varint(rest).is_some(),
            matches!(
                field.map(|field| field.ty),
                None | Some(Type::Bool | Type::Int32 | Type::Int64)
            ),
        ),
        1 => (
            rest.split_off(..8).is_some(),
            matches!(field.map(|field| field.ty), None | Some(Type::Double)),
        ),
        5 => (rest.split_off(..4).is_some(), field.is_none()),
        _ => (false, false),
    };
    read && fits && field.is_none_or(|field| field.container != Container::Map)
}

#[inline(always)]
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = match **rest {
        [byte @ 0..0x80, ref after @ ..] => (u64::from(byte), after),
        [low, high @ 0..0x80, ref after @ ..] => (u64::from(low & 0x7f) | u64::from(high) << 7, after),
        _ => return prost::encoding::decode_varint(rest).ok(),
    };
    *rest = after;
    Some(number)
}

#[inline(always)]
fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(rest)?).ok()?;
    rest.split_off(..length)
}

fn message(schema: &'static MessageSchema, bytes: &[u8], depth: Depth) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    while let Some(read) = reader.next_field()? {
        let Some(field) = schema.numbered(read.number) else {
            continue;
        };
        if schema.special.is_none() {
            value(field, read.value, depth).map_err(|error| error.in_field(field.json, 0))?;
        }
    }
    Ok(())
}

fn value(field: &'static FieldSchema, value: Value<'_>, depth: Depth) -> Result<(), WireError> {
    match (field.container, value) {
        (Container::Map, Value::Bytes(entry)) => {
            let mut reader = Reader::new(entry);
            while let Some(part) = reader.next_field()? {
                if part.number == 2 {
                    single(field.ty, part.value, depth)?;
                }
            }
            Ok(())
        }
        // Numbers of a list may come packed.
        (Container::List, Value::Bytes(_)) if matches!(field.ty, Type::Bool | Type::Int32 | Type::Int64) => Ok(()),
        (_, value) => single(field.ty, value, depth),
    }
}

fn single(ty: Type, value: Value<'_>, depth: Depth) -> Result<(), WireError> {
    match (ty, value) {
        (Type::Message(schema), Value::Bytes(bytes)) => match depth.deeper() {
            Some(depth) => message(schema, bytes, depth),
            None => Err(WireError::value("messages nest too deeply")),
        },
        (Type::String | Type::Bytes | Type::Any, Value::Bytes(_))
        | (Type::Bool | Type::Int32 | Type::Int64, Value::Varint(_))
        | (Type::Double, Value::Fixed64(_)) => Ok(()),
        _ => Err(WireError::value("wire type does not fit the field")),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Message, schema};

    fn pod() -> Vec<u8> {
        let mut pod = Pod::default();
        pod.metadata.name = Some("a".to_owned());
        pod.metadata.labels = Some([("app".to_owned(), "web".to_owned())].into());
        pod.spec = Some(PodSpec {
            containers: vec![Container {
                name: "web".to_owned(),
                ..Container::default()
            }],
            ..PodSpec::default()
        });
        pod.to_protobuf().to_vec()
    }

    #[test]
    fn passes_what_decodes() {
        let schema = schema::message("core.v1.Pod").unwrap();
        check_structure(schema, &pod()).unwrap();
        assert!(
            StructureChecker::new(schema).is_sound(schema, &pod(), Depth::outermost()),
            "at first sight"
        );
    }

    proptest! {
        /// Where one byte is wrong, the check finds what the decoder finds, or lets through what decodes.
        #[test]
        fn agrees_with_the_decoder(at in 0..200_usize, byte: u8) {
            let mut bytes = pod();
            let at = at % bytes.len();
            bytes[at] = byte;
            let checked = check_structure(schema::message("core.v1.Pod").unwrap(), &bytes);
            if Pod::from_protobuf(&bytes).is_ok() {
                prop_assert!(checked.is_ok(), "{checked:?}");
            }
            let mut checker = StructureChecker::new(schema::message("core.v1.Pod").unwrap());
            checker.check(&pod()).unwrap();
            prop_assert_eq!(checked.is_ok(), checker.check(&bytes).is_ok(), "also by one that knows similar objects");
            let in_words = message(schema::message("core.v1.Pod").unwrap(), &bytes, Depth::outermost());
            prop_assert_eq!(checked.is_ok(), in_words.is_ok());
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = check_structure(schema::message("core.v1.Pod").unwrap(), &bytes);
        }
    }
}
