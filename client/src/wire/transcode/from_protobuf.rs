//! Protobuf → value.

use serde_json::map::Entry;
use serde_json::{Map, Number, Value as Json};

use super::object::nested_object;
use super::time::Time;
use super::{base64, begin, duration, zero};
use crate::wire::envelope::MAGIC;
use crate::wire::message::Depth;
use crate::wire::quantity;
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::{Reader, Value, WireError};

/// Reads one message.
pub(super) fn message(schema: &MessageSchema, bytes: &[u8], depth: Depth) -> Result<Json, WireError> {
    if schema.special.is_some() {
        return special(schema, bytes, depth);
    }
    let mut members = Map::new();
    fields(schema, bytes, &mut members, depth)?;
    zero::complete(schema, &mut members);
    Ok(Json::Object(members))
}

/// Adds the fields of a message to the members; unknown ones are dropped.
fn fields(
    schema: &MessageSchema,
    bytes: &[u8],
    members: &mut Map<String, Json>,
    depth: Depth,
) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    let mut start = 0;
    while let Some(read) = reader.next_field()? {
        let begins = std::mem::replace(&mut start, reader.offset());
        let Some(field) = schema.numbered(read.number) else {
            continue;
        };
        let content = match read.value {
            Value::Bytes(content) => reader.offset() - content.len(),
            _ => begins,
        };
        match (field.message(), read.value) {
            (Some(inner), Value::Bytes(bytes)) if field.inlined => {
                let read = fields(inner, bytes, members, deeper(depth)?);
                read.map_err(|error| error.after(content))?;
            }
            _ if field.json.is_empty() => {}
            _ => add(field, read.value, members, depth).map_err(|error| error.in_field(field.json, content))?,
        }
    }
    Ok(())
}

/// Sets a field, adds an element or an entry.
fn add(field: &FieldSchema, value: Value<'_>, members: &mut Map<String, Json>, depth: Depth) -> Result<(), WireError> {
    match field.container {
        Container::One => match members.entry(field.json) {
            Entry::Vacant(place) => {
                place.insert(single(field.ty, value, depth)?);
            }
            Entry::Occupied(mut place) => {
                let before = place.get_mut().take();
                place.insert(merged(field.ty, value, before, depth)?);
            }
        },
        // No element packed is no list, as in Go.
        Container::List if is_packed(field.ty) && matches!(value, Value::Bytes([])) => {}
        Container::List => {
            let list = members.entry(field.json).or_insert_with(|| Json::Array(Vec::new()));
            if let Json::Array(elements) = list {
                match (field.ty, value) {
                    (ty, Value::Bytes(packed)) if is_packed(ty) => {
                        let mut reader = Reader::new(packed);
                        while let Some(number) = reader.next_packed()? {
                            elements.push(single(field.ty, Value::Varint(number), depth)?);
                        }
                    }
                    _ => {
                        let element = single(field.ty, value, depth);
                        elements.push(element.map_err(|error| error.in_field(&format!("[{}]", elements.len()), 0))?);
                    }
                }
            }
        }
        Container::Map => {
            let (key, value) = entry(field.ty, value, depth)?;
            let map = members.entry(field.json).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(entries) = map {
                entries.insert(key, value);
            }
        }
    }
    Ok(())
}

/// True for types whose lists may stand in one field.
fn is_packed(ty: Type) -> bool {
    matches!(ty, Type::Bool | Type::Int32 | Type::Int64)
}

/// A message that occurs again is merged into what was read before.
fn merged(ty: Type, value: Value<'_>, before: Json, depth: Depth) -> Result<Json, WireError> {
    match (ty, before, value) {
        (Type::Message(schema), Json::Object(mut members), Value::Bytes(bytes)) if schema.special.is_none() => {
            fields(schema, bytes, &mut members, deeper(depth)?)?;
            zero::complete(schema, &mut members);
            Ok(Json::Object(members))
        }
        _ => single(ty, value, depth),
    }
}

/// An entry of a map: key=1, value=2.
fn entry(ty: Type, value: Value<'_>, depth: Depth) -> Result<(String, Json), WireError> {
    let Value::Bytes(bytes) = value else {
        return Err(wrong_wire_type());
    };
    let (mut key, mut content) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(text)) => key = text_of(text),
            (2, value) => {
                let content_length = if let Value::Bytes(bytes) = value {
                    bytes.len()
                } else {
                    0
                };
                let start = reader.offset() - content_length;
                content = Some(single(ty, value, depth).map_err(|error| error.in_field(&key, start))?);
            }
            _ => {}
        }
    }
    let content = match content {
        Some(content) => content,
        None => match ty {
            Type::Message(_) => single(ty, Value::Bytes(&[]), depth)?,
            _ => zero::of_type(ty),
        },
    };
    Ok((key, content))
}

fn single(ty: Type, value: Value<'_>, depth: Depth) -> Result<Json, WireError> {
    Ok(match (ty, value) {
        (Type::String, Value::Bytes(text)) => Json::String(text_of(text)),
        (Type::Bool, Value::Varint(number)) => Json::Bool(number != 0),
        (Type::Int32, Value::Varint(number)) => Json::from(number as i32), // the upper half is sign extension
        (Type::Int64, Value::Varint(number)) => Json::from(number.cast_signed()),
        (Type::Double, Value::Fixed64(bits)) => double(f64::from_bits(bits))?,
        (Type::Bytes, Value::Bytes(bytes)) => Json::String(base64::encode(bytes)),
        (Type::Message(schema), Value::Bytes(bytes)) => message(schema, bytes, deeper(depth)?)?,
        _ => return Err(wrong_wire_type()),
    })
}

/// A number with whole values as integers, so that every way to write it is the same.
pub(super) fn double(value: f64) -> Result<Json, WireError> {
    /// Whole numbers below this are exact as integers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative()) {
        return Ok(Json::from(value as i64));
    }
    let number = Number::from_f64(value).ok_or_else(|| WireError::value(format!("{value} has no JSON form")))?;
    Ok(Json::Number(number))
}

fn special(schema: &MessageSchema, bytes: &[u8], depth: Depth) -> Result<Json, WireError> {
    let Some(special) = schema.special else {
        return Ok(Json::Null);
    };
    match special {
        Special::Quantity => {
            let text = Parts::read(bytes)?.text(1);
            match text {
                None => Ok("0".into()),
                Some(text) => quantity::canonical(&text)
                    .map(Json::from)
                    .ok_or_else(|| WireError::value(quantity::SYNTAX)),
            }
        }
        Special::Time => time(bytes, false),
        Special::MicroTime => time(bytes, true),
        Special::Duration => Ok(duration::format(Parts::read(bytes)?.int(1)).into()),
        Special::IntOrString => {
            let parts = Parts::read(bytes)?;
            match parts.int(1) {
                0 => Ok(Json::from(parts.int(2) as i32)),
                1 => Ok(parts.text(3).unwrap_or_default().into()),
                other => Err(WireError::value(format!("IntOrString of type {other}"))),
            }
        }
        Special::Raw => raw(bytes, 1, depth),
        Special::Unknown => raw(bytes, 2, depth),
        Special::List => {
            let parts = Parts::read(bytes)?;
            Ok(parts.all(1).map(text_of).map(Json::from).collect())
        }
        Special::GroupVersion => {
            let parts = Parts::read(bytes)?;
            let (group, version) = (parts.text(1).unwrap_or_default(), parts.text(2).unwrap_or_default());
            Ok(if group.is_empty() {
                version.into()
            } else {
                format!("{group}/{version}").into()
            })
        }
        Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings => {
            union(schema, special, bytes, depth)
        }
    }
}

/// A JSON schema in one field, or what is none in the other.
fn union(schema: &MessageSchema, special: Special, bytes: &[u8], depth: Depth) -> Result<Json, WireError> {
    let Some(inner) = schema.fields.iter().find_map(FieldSchema::message) else {
        return Ok(Json::Null);
    };
    let parts = Parts::read(bytes)?;
    let one = |part: &[u8]| message(inner, part, deeper(depth)?).map_err(|error| error.after(begin(bytes, part)));
    if special == Special::SchemaOrBool {
        return match parts.bytes(2) {
            Some(schema) => one(schema),
            None => Ok(Json::Bool(parts.int(1) != 0)),
        };
    }
    let list: Vec<Json> = match special {
        Special::SchemaOrArray => parts.all(2).map(one).collect::<Result<_, _>>()?,
        _ => parts.all(2).map(text_of).map(Json::from).collect(),
    };
    match parts.bytes(1) {
        _ if !list.is_empty() => Ok(Json::Array(list)),
        Some(schema) => one(schema),
        None => Ok(Json::Null),
    }
}

/// `Timestamp`: seconds=1, nanos=2; an empty message is the zero time.
fn time(bytes: &[u8], micros: bool) -> Result<Json, WireError> {
    if bytes.is_empty() {
        return Ok(Json::Null);
    }
    let parts = Parts::read(bytes)?;
    let nanos = if micros { parts.int(2) / 1000 * 1000 } else { 0 };
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(WireError::value("time out of range"));
    }
    let time = Time {
        seconds: parts.int(1),
        nanos: nanos as i32,
    };
    if time == Time::ZERO {
        return Ok(Json::Null);
    }
    time.format(micros)
        .map(Json::from)
        .ok_or_else(|| WireError::value("time out of range"))
}

/// JSON text, or an object in its envelope, as in a watch event.
fn raw(bytes: &[u8], number: usize, depth: Depth) -> Result<Json, WireError> {
    let Some(content) = Parts::read(bytes)?.bytes(number).filter(|content| !content.is_empty()) else {
        return Ok(Json::Null);
    };
    let read = if content.starts_with(MAGIC) {
        nested_object(content, deeper(depth)?)
    } else {
        super::JsonDocument::parse(content).map(|document| document.untyped().0)
    };
    read.map_err(|error| error.after(begin(bytes, content)))
}

/// No small message has a field of this number.
const PARTS: usize = 4;

/// The fields of a small message by number; a later value counts.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    message: &'a [u8],
    ints: [i64; PARTS],
    bytes: [Option<&'a [u8]>; PARTS],
}

impl<'a> Parts<'a> {
    /// Fails where the message is broken.
    #[inline]
    pub(super) fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut parts = Self {
            message,
            ints: [0; PARTS],
            bytes: [None; PARTS],
        };
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field_inlined()? {
            let place = field.number as usize;
            match field.value {
                Value::Varint(int) => parts.ints.get_mut(place).map(|place| *place = int.cast_signed()),
                Value::Bytes(bytes) => parts.bytes.get_mut(place).map(|place| *place = Some(bytes)),
                _ => None,
            };
        }
        Ok(parts)
    }

    /// All values of a field.
    pub(super) fn all(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader::new(self.message);
        let fields = std::iter::from_fn(move || reader.next_field().ok().flatten());
        fields.filter_map(move |field| match field.value {
            Value::Bytes(bytes) if field.number == number => Some(bytes),
            _ => None,
        })
    }

    pub(super) fn bytes(self, number: usize) -> Option<&'a [u8]> {
        self.bytes.get(number).copied().flatten()
    }

    pub(super) fn text(self, number: usize) -> Option<String> {
        self.bytes(number).map(text_of)
    }

    pub(super) fn int(self, number: usize) -> i64 {
        self.ints.get(number).copied().unwrap_or(0)
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wrong_wire_type() -> WireError {
    WireError::value("wire type does not fit the field")
}

pub(super) fn deeper(depth: Depth) -> Result<Depth, WireError> {
    depth
        .deeper()
        .ok_or_else(|| WireError::value("messages nest too deeply"))
}
