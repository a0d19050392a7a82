//! JSON text → protobuf, written from the last byte to the first.

use std::borrow::Cow;

use bytes::Bytes;

use super::tape::{Kind, Tape, Token};
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::transcode::document::Node;
use crate::wire::transcode::time::Time;
use crate::wire::transcode::{base64, duration, parser, to_protobuf};
use crate::wire::{ReverseWriter, quantity};

/// Where no token is.
const NONE: u32 = u32::MAX;

/// Writes JSON text as a protobuf message.
pub(in crate::wire::transcode) fn to_protobuf(schema: &MessageSchema, text: &[u8]) -> Option<Bytes> {
    let tape = Tape::parse(text)?;
    let mut encoder = Encoder {
        tape: &tape,
        places: Vec::with_capacity(256),
        writer: ReverseWriter::with_capacity(text.len()),
    };
    encoder.message(schema, 0)?;
    Some(encoder.writer.into_bytes())
}

struct Encoder<'t, 'a> {
    tape: &'t Tape<'a>,
    /// A stack of places on the tape: the values of a message's fields, the elements of a list.
    places: Vec<u32>,
    writer: ReverseWriter,
}

impl<'a> Encoder<'_, 'a> {
    /// Writes the value at a place as a message; nowhere and null are a message without fields.
    fn message(&mut self, schema: &MessageSchema, place: u32) -> Option<()> {
        match (schema.special, self.kind(place)) {
            (Some(special), _) => self.special(schema, special, place),
            (None, Kind::Object) => self.fields(schema, place, false),
            (None, Kind::Null) => self.fields(schema, NONE, false),
            _ => None,
        }
    }

    /// Writes the fields of a message from the members of an object. Those of an inlined one stand among others.
    fn fields(&mut self, schema: &MessageSchema, object: u32, inlined: bool) -> Option<()> {
        let base = self.places.len();
        self.places.resize(base + schema.fields.len(), NONE);
        if object != NONE {
            self.find_members(schema, object, inlined, base)?;
        }
        for index in schema.places_on_wire().rev() {
            let field = schema.fields.get(index)?;
            match field.message() {
                Some(inner) if field.inlined => {
                    let before = self.writer.len();
                    self.fields(inner, object, true)?;
                    self.writer.close_message(field.number, before);
                }
                _ => {
                    let place = *self.places.get(base + index)?;
                    self.field(field, place)?;
                }
            }
        }
        self.places.truncate(base);
        Some(())
    }

    /// Notes where the value of each field is.
    fn find_members(&mut self, schema: &MessageSchema, object: u32, inlined: bool, base: usize) -> Option<()> {
        let end = self.tape.token(object)?.next;
        let (mut place, mut expected) = (object + 1, 0);
        while place < end {
            let name = self.tape.token(place)?;
            let value = place + 1;
            place = self.tape.token(value)?.next;
            let name = self.tape.text(name).filter(|_| name.kind == Kind::String)?;
            let is_name = |field: &FieldSchema| field.json.as_bytes() == name && !field.json.is_empty();
            let (before, behind) = schema.fields.split_at_checked(expected)?;
            let found = match behind.iter().position(is_name) {
                Some(index) => Some(expected + index),
                None => before.iter().position(is_name),
            };
            match found {
                Some(index) => {
                    let slot = self.places.get_mut(base + index)?;
                    if *slot != NONE {
                        return None; // a duplicate
                    }
                    *slot = value;
                    expected = index + 1;
                }
                None if inlined => {}
                None => self.inlined_member(schema, name, value)?,
            }
        }
        Some(())
    }

    /// A member must be in an inlined message; `kind` and `apiVersion` are nowhere on the wire.
    fn inlined_member(&self, schema: &MessageSchema, name: &[u8], value: u32) -> Option<()> {
        let name = std::str::from_utf8(name).ok()?;
        schema.field(name)?;
        let type_meta = schema.fields.first().filter(|first| first.is_type_meta());
        match type_meta.and_then(|first| first.message()?.field(name)) {
            Some(_) if !matches!(self.kind(value), Kind::String | Kind::Null) => None,
            _ => Some(()),
        }
    }

    /// A plain field is written also when it is zero, anything else when it is set.
    fn field(&mut self, field: &FieldSchema, place: u32) -> Option<()> {
        match (field.container, self.kind(place)) {
            (Container::One, Kind::Null) if field.pointer || to_protobuf::is_nilable(field.ty) => Some(()),
            (Container::One, _) => self.single(field.ty, field.number, place),
            (_, Kind::Null) => Some(()),
            (Container::List, Kind::Array) => self.elements(place, |encoder, element| {
                encoder.single(field.ty, field.number, element)
            }),
            (Container::Map, Kind::Object) => self.entries(field, place),
            _ => None,
        }
    }

    /// The elements of an array, the last one first.
    fn elements(&mut self, array: u32, mut write: impl FnMut(&mut Self, u32) -> Option<()>) -> Option<()> {
        let base = self.places.len();
        let end = self.tape.token(array)?.next;
        let mut place = array + 1;
        while place < end {
            self.places.push(place);
            place = self.tape.token(place)?.next;
        }
        while self.places.len() > base {
            let element = self.places.pop()?;
            write(self, element)?;
        }
        Some(())
    }

    /// The entries of a map, sorted by name, the last one first.
    fn entries(&mut self, field: &FieldSchema, object: u32) -> Option<()> {
        let mut entries = Vec::new();
        let end = self.tape.token(object)?.next;
        let mut place = object + 1;
        while place < end {
            entries.push((self.string(place)?, place + 1));
            place = self.tape.token(place + 1)?.next;
        }
        if !entries.is_sorted() {
            entries.sort();
        }
        let mut behind: Option<&str> = None;
        for (name, value) in entries.iter().rev() {
            if behind == Some(name) {
                return None; // a duplicate
            }
            behind = Some(name);
            let before = self.writer.len();
            if !(self.kind(*value) == Kind::Null && matches!(field.ty, Type::Bytes)) {
                self.single(field.ty, 2, *value)?;
            }
            self.writer.bytes_field(1, name.as_bytes());
            self.writer.close_message(field.number, before);
        }
        Some(())
    }

    fn single(&mut self, ty: Type, number: u32, place: u32) -> Option<()> {
        let kind = self.kind(place);
        match (ty, kind) {
            (Type::Message(schema), _) => {
                let before = self.writer.len();
                self.message(schema, place)?;
                self.writer.close_message(number, before);
            }
            (Type::String, Kind::String | Kind::EscapedString | Kind::Null) => {
                let text = self.string(place)?;
                self.writer.bytes_field(number, text.as_bytes());
            }
            (Type::Bool, Kind::Bool(value)) => self.writer.varint_field(number, u64::from(value)),
            (Type::Int32, Kind::Number) => {
                let value = i64::from(i32::try_from(self.integer(place)?).ok()?);
                self.writer.varint_field(number, value.cast_unsigned());
            }
            (Type::Int64, Kind::Number) => {
                let value = self.integer(place)?;
                self.writer.varint_field(number, value.cast_unsigned());
            }
            (Type::Double, Kind::Number) => {
                let value: f64 = self
                    .number(place)?
                    .parse()
                    .ok()
                    .filter(|value: &f64| value.is_finite())?;
                self.writer.double_field(number, value);
            }
            (Type::Bool | Type::Int32 | Type::Int64, Kind::Null) => self.writer.varint_field(number, 0),
            (Type::Double, Kind::Null) => self.writer.double_field(number, 0.0),
            (Type::Bytes, Kind::String | Kind::EscapedString | Kind::Null) => {
                let bytes = base64::decode(&self.string(place)?).ok()?;
                self.writer.bytes_field(number, &bytes);
            }
            _ => return None,
        }
        Some(())
    }

    fn special(&mut self, schema: &MessageSchema, special: Special, place: u32) -> Option<()> {
        let kind = self.kind(place);
        match (special, kind) {
            (Special::Quantity, Kind::Null) => self.writer.bytes_field(1, b"0"),
            (Special::Quantity, Kind::String | Kind::EscapedString) => {
                let text = self.string(place)?;
                let canonical = quantity::canonical(text.trim_matches(' '))?;
                self.writer.bytes_field(1, canonical.as_bytes());
            }
            (Special::Quantity, Kind::Number) => {
                let canonical = quantity::canonical(self.number(place)?)?;
                self.writer.bytes_field(1, canonical.as_bytes());
            }
            (Special::Time | Special::MicroTime | Special::Raw, Kind::Null) => {}
            (Special::Time | Special::MicroTime, Kind::String) => {
                let time = Time::parse(&self.string(place)?, special == Special::MicroTime).ok()?;
                if !time.is_writable() {
                    return None;
                }
                to_protobuf::write_time(time, &mut self.writer);
            }
            (Special::Duration, Kind::Null) => self.writer.varint_field(1, 0),
            (Special::Duration, Kind::String) => {
                let nanos = duration::parse(&self.string(place)?)?;
                self.writer.varint_field(1, nanos.cast_unsigned());
            }
            (Special::IntOrString, Kind::Null | Kind::Number) => {
                let int = match kind {
                    Kind::Null => 0,
                    _ => i64::from(i32::try_from(self.integer(place)?).ok()?),
                };
                to_protobuf::write_int_or_string(0, int, "", &mut self.writer);
            }
            (Special::IntOrString, Kind::String | Kind::EscapedString) => {
                let text = self.string(place)?;
                to_protobuf::write_int_or_string(1, 0, &text, &mut self.writer);
            }
            // The text as it stands in the document, spelling and white space included.
            (Special::Raw, Kind::String | Kind::EscapedString) => {
                let text = self.tape.quoted(self.tape.token(place)?)?;
                self.writer.bytes_field(1, text);
            }
            (Special::Raw, _) => {
                let text = self.tape.text(self.tape.token(place)?)?;
                self.writer.bytes_field(1, text);
            }
            (Special::List, Kind::Null) => {}
            (Special::List, Kind::Array) => {
                self.elements(place, |encoder, element| encoder.single(Type::String, 1, element))?;
            }
            (Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings, _) => {
                self.union(schema, special, place)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A JSON schema in one field, or what is none in the other.
    fn union(&mut self, schema: &MessageSchema, special: Special, place: u32) -> Option<()> {
        let ty = Type::Message(schema.fields.iter().find_map(FieldSchema::message)?);
        match (special, self.kind(place)) {
            (Special::SchemaOrBool, Kind::Object) => {
                self.single(ty, 2, place)?;
                self.writer.varint_field(1, 1);
            }
            (Special::SchemaOrBool, Kind::Bool(value)) => self.writer.varint_field(1, u64::from(value)),
            // Nowhere: a field of this type that is not a pointer.
            (Special::SchemaOrBool, Kind::Null) if place == NONE => self.writer.varint_field(1, 0),
            (Special::SchemaOrBool, _) => return None,
            (_, Kind::Object) => self.single(ty, 1, place)?,
            (Special::SchemaOrArray, Kind::Array) => {
                self.elements(place, |encoder, element| encoder.single(ty, 2, element))?;
            }
            (_, Kind::Array) => self.elements(place, |encoder, element| encoder.single(Type::String, 2, element))?,
            (_, Kind::Null) => {}
            _ => return None,
        }
        Some(())
    }

    /// The kind of the value at a place; null where there is none.
    #[inline]
    fn kind(&self, place: u32) -> Kind {
        self.tape.token(place).map_or(Kind::Null, |token| token.kind)
    }

    /// The content of a string; empty for null.
    #[inline]
    fn string(&self, place: u32) -> Option<Cow<'a, str>> {
        match self.tape.token(place) {
            Some(token @ Token { kind: Kind::String, .. }) => {
                let text = std::str::from_utf8(self.tape.text(token)?).ok()?;
                Some(text.into())
            }
            Some(
                token @ Token {
                    kind: Kind::EscapedString,
                    ..
                },
            ) => match parser::parse(self.tape.quoted(token)?).ok()? {
                Node::String(text) => Some(text),
                _ => None,
            },
            _ => Some("".into()),
        }
    }

    fn number(&self, place: u32) -> Option<&'a str> {
        let text = self.tape.text(self.tape.token(place)?)?;
        std::str::from_utf8(text).ok()
    }

    /// Digits and a sign only.
    fn integer(&self, place: u32) -> Option<i64> {
        self.number(place)?.parse().ok()
    }
}
