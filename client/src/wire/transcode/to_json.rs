//! Value → JSON text.

use serde_json::{Map, Value};

use super::{json_text, zero};
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};

/// Writes one value of a message's type.
pub(super) fn message(schema: &MessageSchema, value: &Value, out: &mut Vec<u8>) {
    match (schema.special, value) {
        (None, Value::Object(members)) => plain(schema, members, out),
        (None, _) => plain(schema, &Map::new(), out),
        (Some(Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings), _) => {
            union(schema, value, out)
        }
        (Some(_), _) => json_text::any(value, out),
    }
}

fn plain(schema: &MessageSchema, members: &Map<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    let start = out.len();
    fields(schema, members, start, out);
    out.push(b'}');
}

/// The members in the order of the schema; `start` is where the first one stands.
fn fields(schema: &MessageSchema, members: &Map<String, Value>, start: usize, out: &mut Vec<u8>) {
    for schema in schema.fields {
        if let Some(inner) = schema.message().filter(|_| schema.inlined) {
            fields(inner, members, start, out);
            continue;
        }
        let value = members.get(schema.json);
        if schema.json.is_empty() || zero::is_omitted(schema, value) {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        json_text::string(schema.json, out);
        out.push(b':');
        match value {
            Some(value) => field(schema, value, out),
            None => field(schema, &zero::of_field(schema), out),
        }
    }
}

fn field(schema: &FieldSchema, value: &Value, out: &mut Vec<u8>) {
    match (schema.container, value) {
        (Container::List, Value::Array(elements)) => {
            json_text::array(elements, out, |value, out| single(schema.ty, value, out))
        }
        (Container::Map, Value::Object(entries)) => {
            json_text::object(entries, out, |value, out| single(schema.ty, value, out))
        }
        (Container::One, Value::Null) if schema.pointer => out.extend_from_slice(b"null"),
        (Container::One, _) => single(schema.ty, value, out),
        _ => json_text::any(value, out),
    }
}

fn single(ty: Type, value: &Value, out: &mut Vec<u8>) {
    match ty {
        Type::Message(schema) => message(schema, value, out),
        _ => json_text::any(value, out),
    }
}

/// A JSON schema, or a list of them, or what is none.
fn union(schema: &MessageSchema, value: &Value, out: &mut Vec<u8>) {
    let inner = schema.fields.iter().find_map(FieldSchema::message);
    match (inner, value) {
        (Some(inner), Value::Object(_)) => message(inner, value, out),
        (Some(inner), Value::Array(elements)) => json_text::array(elements, out, |value, out| match value {
            Value::Object(_) => message(inner, value, out),
            _ => json_text::any(value, out),
        }),
        _ => json_text::any(value, out),
    }
}
