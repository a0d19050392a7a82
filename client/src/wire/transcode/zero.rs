//! What a message without fields looks like, and which fields JSON leaves out.

use serde_json::{Map, Value};

use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};

/// Adds what JSON always shows, and removes what it leaves out.
pub(super) fn complete(schema: &MessageSchema, members: &mut Map<String, Value>) {
    let (mut shown, mut left_out) = (Vec::new(), Vec::new());
    let mut given = members.iter().peekable();
    for field in schema.by_name() {
        while given.next_if(|(name, _)| name.as_str() < field.json).is_some() {}
        match given.next_if(|(name, _)| *name == field.json) {
            None if !is_omitted(field, None) => shown.push(field),
            Some((_, value)) if is_omitted(field, Some(value)) => left_out.push(field),
            _ => {}
        }
    }
    for field in left_out {
        members.remove(field.json);
    }
    for field in shown {
        members.insert(field.json.to_owned(), of_field(field));
    }
}

/// True where JSON leaves out a field with this value, or without one.
pub(super) fn is_omitted(field: &FieldSchema, value: Option<&Value>) -> bool {
    let empty = match value {
        None | Some(Value::Null) => {
            field.pointer
                || field.container != Container::One
                || !matches!(field.ty, Type::Message(_))
                || is_list(field)
        }
        Some(Value::Array(elements)) => elements.is_empty() && (field.container == Container::List || is_list(field)),
        Some(Value::Object(entries)) => entries.is_empty() && field.container == Container::Map,
        Some(_) if field.pointer => false,
        Some(Value::Bool(value)) => !value && matches!(field.ty, Type::Bool),
        Some(Value::String(text)) => text.is_empty() && matches!(field.ty, Type::String | Type::Bytes),
        Some(Value::Number(number)) => {
            number.as_f64() == Some(0.0) && matches!(field.ty, Type::Int32 | Type::Int64 | Type::Double)
        }
    };
    field.omitempty && empty || field.omitzero && value.is_none_or(Value::is_null)
}

/// The value of a field that is not set.
pub(super) fn of_field(field: &FieldSchema) -> Value {
    if field.pointer || field.container != Container::One {
        Value::Null
    } else {
        of_type(field.ty)
    }
}

/// The zero value of a type.
pub(super) fn of_type(ty: Type) -> Value {
    match ty {
        Type::String => Value::String(String::new()),
        Type::Bool => Value::Bool(false),
        Type::Int32 | Type::Int64 | Type::Double => Value::from(0),
        Type::Bytes | Type::Any => Value::Null,
        Type::Message(message) => of_message(message),
    }
}

/// The zero value of a message.
pub(super) fn of_message(schema: &MessageSchema) -> Value {
    match schema.special {
        None => {
            let mut members = Map::new();
            complete(schema, &mut members);
            Value::Object(members)
        }
        Some(Special::Quantity) => "0".into(),
        Some(Special::Duration) => "0s".into(),
        Some(Special::IntOrString) => 0.into(),
        Some(Special::SchemaOrBool) => false.into(),
        Some(Special::GroupVersion) => "".into(),
        Some(_) => Value::Null,
    }
}

fn is_list(field: &FieldSchema) -> bool {
    field
        .message()
        .is_some_and(|message| message.special == Some(Special::List))
}
