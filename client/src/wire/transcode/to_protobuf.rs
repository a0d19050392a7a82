//! Value → protobuf, written from the last byte to the first.

use serde_json::{Map, Value};

use super::from_protobuf::deeper;
use super::time::Time;
use super::{base64, duration};
use crate::wire::message::Depth;
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::{ReverseWriter, WireError};

/// Writes one message.
pub(super) fn message(
    schema: &MessageSchema,
    value: &Value,
    writer: &mut ReverseWriter,
    depth: Depth,
) -> Result<(), WireError> {
    match (schema.special, value) {
        (Some(special), value) => self::special(schema, special, value, writer, depth),
        (None, Value::Object(members)) => fields(schema, members, writer, depth),
        (None, Value::Null) => fields(schema, &Map::new(), writer, depth),
        (None, _) => Err(expected("an object")),
    }
}

fn fields(
    schema: &MessageSchema,
    members: &Map<String, Value>,
    writer: &mut ReverseWriter,
    depth: Depth,
) -> Result<(), WireError> {
    for field in schema.fields_on_wire().rev() {
        match field.message() {
            Some(inner) if field.inlined => {
                let depth = deeper(depth)?;
                nested(field.number, writer, |writer| fields(inner, members, writer, depth))?;
            }
            _ => {
                let value = members.get(field.json).unwrap_or(&Value::Null);
                self::field(field, value, writer, depth).map_err(|error| error.within(field.json))?;
            }
        }
    }
    Ok(())
}

/// A plain field is written also when it is zero, anything else when it is set.
fn field(field: &FieldSchema, value: &Value, writer: &mut ReverseWriter, depth: Depth) -> Result<(), WireError> {
    match (field.container, value) {
        (Container::One, Value::Null) if field.pointer || is_nilable(field.ty) => Ok(()),
        (Container::One, _) => single(field.ty, field.number, value, writer, depth),
        (_, Value::Null) => Ok(()),
        (Container::List, Value::Array(elements)) => {
            for (index, element) in elements.iter().enumerate().rev() {
                let written = single(field.ty, field.number, element, writer, depth);
                written.map_err(|error| error.within(&format!("[{index}]")))?;
            }
            Ok(())
        }
        (Container::List, _) => Err(expected("a list")),
        (Container::Map, Value::Object(entries)) => {
            for (key, entry) in entries.iter().rev() {
                nested(field.number, writer, |writer| {
                    if !(entry.is_null() && matches!(field.ty, Type::Bytes)) {
                        single(field.ty, 2, entry, writer, depth).map_err(|error| error.within(key))?;
                    }
                    writer.bytes_field(1, key.as_bytes());
                    Ok(())
                })?;
            }
            Ok(())
        }
        (Container::Map, _) => Err(expected("a map")),
    }
}

/// Bytes and lists in a message of their own can be nil without being pointers.
pub(super) fn is_nilable(ty: Type) -> bool {
    match ty {
        Type::Bytes => true,
        Type::Message(message) => message.special == Some(Special::List),
        _ => false,
    }
}

fn single(ty: Type, number: u32, value: &Value, writer: &mut ReverseWriter, depth: Depth) -> Result<(), WireError> {
    match ty {
        Type::String => writer.bytes_field(number, text(value)?.as_bytes()),
        Type::Bool => writer.varint_field(number, u64::from(boolean(value)?)),
        Type::Int32 => writer.varint_field(number, i64::from(int32(value)?).cast_unsigned()),
        Type::Int64 => writer.varint_field(number, int64(value)?.cast_unsigned()),
        Type::Double => match value {
            Value::Null => writer.double_field(number, 0.0),
            value => writer.double_field(number, value.as_f64().ok_or_else(|| expected("a number"))?),
        },
        Type::Bytes => writer.bytes_field(number, &base64::decode(text(value)?).map_err(WireError::value)?),
        Type::Message(schema) => {
            let depth = deeper(depth)?;
            nested(number, writer, |writer| message(schema, value, writer, depth))?;
        }
        Type::Any => return Err(WireError::value("has no protobuf form")),
    }
    Ok(())
}

fn special(
    schema: &MessageSchema,
    special: Special,
    value: &Value,
    writer: &mut ReverseWriter,
    depth: Depth,
) -> Result<(), WireError> {
    match special {
        Special::Quantity => writer.bytes_field(1, or_zero(text(value)?, "0").as_bytes()),
        Special::Time => time(value, false, writer)?,
        Special::MicroTime => time(value, true, writer)?,
        Special::Duration => {
            let nanos = duration::parse(or_zero(text(value)?, "0")).ok_or_else(|| expected("a duration"))?;
            writer.varint_field(1, nanos.cast_unsigned());
        }
        Special::IntOrString => {
            let (kind, int, text) = match value {
                Value::String(text) => (1, 0, text.as_str()),
                value => (0, int32(value)?, ""),
            };
            write_int_or_string(kind, int.into(), text, writer);
        }
        Special::Raw => {
            if !value.is_null() {
                writer.bytes_field(1, &raw(value));
            }
        }
        Special::Unknown => {
            writer.bytes_field(4, b"application/json");
            writer.bytes_field(3, b"");
            writer.bytes_field(2, &raw(value));
            nested(1, writer, |writer| {
                writer.bytes_field(2, b"");
                writer.bytes_field(1, b"");
                Ok(())
            })?;
        }
        Special::List => match value {
            Value::Null => {}
            Value::Array(elements) => elements
                .iter()
                .rev()
                .try_for_each(|element| single(Type::String, 1, element, writer, depth))?,
            _ => return Err(expected("a list")),
        },
        Special::GroupVersion => {
            let text = text(value)?;
            let (group, version) = text.split_once('/').unwrap_or(("", text));
            writer.bytes_field(2, version.as_bytes());
            writer.bytes_field(1, group.as_bytes());
        }
        Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings => {
            union(schema, special, value, writer, depth)?
        }
    }
    Ok(())
}

/// A JSON schema in one field, or what is none in the other.
fn union(
    schema: &MessageSchema,
    special: Special,
    value: &Value,
    writer: &mut ReverseWriter,
    depth: Depth,
) -> Result<(), WireError> {
    let Some(inner) = schema.fields.iter().find_map(FieldSchema::message) else {
        return Ok(());
    };
    let ty = Type::Message(inner);
    match (special, value) {
        (Special::SchemaOrBool, Value::Object(_)) => {
            single(ty, 2, value, writer, depth)?;
            writer.varint_field(1, 1);
        }
        (Special::SchemaOrBool, value) => writer.varint_field(1, u64::from(boolean(value)?)),
        (_, Value::Object(_)) => single(ty, 1, value, writer, depth)?,
        (_, Value::Array(elements)) => {
            let ty = if special == Special::SchemaOrArray {
                ty
            } else {
                Type::String
            };
            elements
                .iter()
                .rev()
                .try_for_each(|element| single(ty, 2, element, writer, depth))?;
        }
        (_, Value::Null) => {}
        _ => return Err(expected("a schema or a list")),
    }
    Ok(())
}

/// `Timestamp`: seconds=1, nanos=2; the zero time is an empty message.
fn time(value: &Value, micros: bool, writer: &mut ReverseWriter) -> Result<(), WireError> {
    if value.is_null() {
        return Ok(());
    }
    write_time(Time::parse(text(value)?, micros).map_err(WireError::value)?, writer);
    Ok(())
}

pub(super) fn write_time(time: Time, writer: &mut ReverseWriter) {
    if time != Time::ZERO {
        writer.varint_field(2, u64::from(time.nanos.unsigned_abs()));
        writer.varint_field(1, time.seconds.cast_unsigned());
    }
}

/// type=1 (0 a number, 1 a string), intVal=2, strVal=3.
pub(super) fn write_int_or_string(kind: u64, int: i64, text: &str, writer: &mut ReverseWriter) {
    writer.bytes_field(3, text.as_bytes());
    writer.varint_field(2, int.cast_unsigned());
    writer.varint_field(1, kind);
}

fn nested(
    number: u32,
    writer: &mut ReverseWriter,
    write: impl FnOnce(&mut ReverseWriter) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let before = writer.len();
    write(writer)?;
    writer.close_message(number, before);
    Ok(())
}

fn raw(value: &Value) -> Vec<u8> {
    // A value can always be written.
    serde_json::to_vec(value).unwrap_or_default()
}

fn text(value: &Value) -> Result<&str, WireError> {
    match value {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        _ => Err(expected("a string")),
    }
}

fn boolean(value: &Value) -> Result<bool, WireError> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(*value),
        _ => Err(expected("a bool")),
    }
}

fn int64(value: &Value) -> Result<i64, WireError> {
    match value {
        Value::Null => Ok(0),
        value => value.as_i64().ok_or_else(|| expected("an integer")),
    }
}

fn int32(value: &Value) -> Result<i32, WireError> {
    int64(value).and_then(|number| i32::try_from(number).map_err(|_| expected("a 32-bit integer")))
}

fn or_zero<'a>(text: &'a str, zero: &'a str) -> &'a str {
    if text.is_empty() { zero } else { text }
}

fn expected(what: &str) -> WireError {
    WireError::value(format!("expected {what}"))
}
