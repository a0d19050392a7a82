//! OpenAPI documents as protobuf: the messages of gnostic, by tables of their field numbers.
//!
//! Extensions, defaults and values of enumerations have no fields of their own: they are YAML text in `Any` messages.

mod v2;
mod v3;

use bytes::Bytes;
use kubewire_client::wire::ReverseWriter;
use serde_json::{Map, Value};

use crate::generic::yaml;

/// An OpenAPI 2 document.
pub(super) fn v2(document: &Value) -> Bytes {
    encode(&v2::DOCUMENT, document)
}

/// An OpenAPI 3 document.
pub(super) fn v3(document: &Value) -> Bytes {
    encode(&v3::DOCUMENT, document)
}

fn encode(message: &Message, document: &Value) -> Bytes {
    let mut writer = ReverseWriter::with_capacity(1 << 16);
    message.write(document, &mut writer);
    writer.into_bytes()
}

/// How an object of a document becomes a message.
struct Message {
    fields: &'static [Field],
    /// Members that have no field: extensions, and other names of the document, such as paths.
    rest: Rest,
}

/// A member with a field: its name, the field's number, and how its value is written.
type Field = (&'static str, u32, Form);

/// What becomes of members that have no field.
enum Rest {
    /// Those that begin with `x-` are extensions in the field of this number; there are no others.
    Extensions(u32),
    /// Each is an entry: a message of a name and a value, in the field of this number.
    Entries(u32, &'static Form),
    /// There are none to look at: the whole value is in the field of this number.
    Value(u32, &'static Form),
    Nothing,
}

/// How a value is written.
enum Form {
    /// Text, or a list of it.
    Text,
    /// A number or a bool.
    Varint,
    Double,
    Message(&'static Message),
    /// What several forms share a field for: the function says which message it is.
    Choice(fn(&Value) -> &'static Message),
    /// The value alone in a message, in the field of this number.
    Wrapped(u32, &'static Form),
    /// YAML text in an `Any`.
    Any,
}

impl Message {
    /// A message around a value.
    const fn of(number: u32, form: &'static Form) -> Self {
        Self {
            fields: &[],
            rest: Rest::Value(number, form),
        }
    }

    /// Fields are written backwards: a reader finds them by ascending number.
    fn write(&self, value: &Value, writer: &mut ReverseWriter) {
        let empty = Map::new();
        let members = value.as_object().unwrap_or(&empty);
        let known = |name: &str| self.fields.iter().any(|(field, ..)| *field == name);
        let others = members.iter().rev().filter(|(name, _)| !known(name));
        match self.rest {
            Rest::Extensions(number) => {
                for (name, value) in others.filter(|(name, _)| name.starts_with("x-")) {
                    write_entry(number, name, &Form::Any, value, writer);
                }
            }
            Rest::Entries(number, form) => {
                for (name, value) in others {
                    write_entry(number, name, form, value, writer);
                }
            }
            Rest::Value(number, form) => form.write(number, value, writer),
            Rest::Nothing => {}
        }
        for (name, number, form) in self.fields.iter().rev() {
            match members.get(*name) {
                Some(Value::Array(values)) => {
                    for value in values.iter().rev() {
                        form.write(*number, value, writer);
                    }
                }
                Some(value) => form.write(*number, value, writer),
                None => {}
            }
        }
    }
}

fn write_entry(number: u32, name: &str, form: &Form, value: &Value, writer: &mut ReverseWriter) {
    let before = writer.len();
    form.write(2, value, writer);
    writer.bytes_field(1, name.as_bytes());
    writer.close_message(number, before);
}

impl Form {
    fn write(&self, number: u32, value: &Value, writer: &mut ReverseWriter) {
        match self {
            Self::Text => writer.bytes_field(number, value.as_str().unwrap_or_default().as_bytes()),
            Self::Varint => match value {
                Value::Bool(value) => writer.varint_field(number, u64::from(*value)),
                value => writer.varint_field(number, value.as_i64().unwrap_or_default() as u64),
            },
            Self::Double => writer.double_field(number, value.as_f64().unwrap_or_default()),
            Self::Message(message) => nested(number, writer, |writer| message.write(value, writer)),
            Self::Choice(choose) => nested(number, writer, |writer| choose(value).write(value, writer)),
            Self::Wrapped(inner, form) => nested(number, writer, |writer| form.write_each(*inner, value, writer)),
            Self::Any => {
                let text = yaml::to_string(value);
                nested(number, writer, |writer| writer.bytes_field(2, text.as_bytes()));
            }
        }
    }

    fn write_each(&self, number: u32, value: &Value, writer: &mut ReverseWriter) {
        match value {
            Value::Array(values) => values.iter().rev().for_each(|value| self.write(number, value, writer)),
            value => self.write(number, value, writer),
        }
    }
}

fn nested(number: u32, writer: &mut ReverseWriter, write: impl FnOnce(&mut ReverseWriter)) {
    let before = writer.len();
    write(writer);
    writer.close_message(number, before);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As kube-apiserver 1.37 writes it.
    #[test]
    fn a_path_of_version_3() {
        let document = json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "1.37"}, "paths": {
            "/api/": {"get": {"tags": ["core"], "responses": {"401": {"description": "Unauthorized"}}}},
        }});
        let expected: &[u8] = b"\x0a\x053.0.0\x12\x12\x0a\x0aKubernetes2\x041.37\x22.\x0a,\x0a\x05/api/\x12#\x22!\x0a\x04coreB\x19\x12\x17\x0a\x03401\x12\x10\x0a\x0e\x0a\x0cUnauthorized";
        assert_eq!(v3(&document), expected);
    }

    #[test]
    fn extensions_and_enumerations_are_yaml() {
        let document = json!({"definitions": {"A": {"type": "string", "enum": ["x"], "x-b": {"c": 1}}}});
        let expected: &[u8] = b"J*\x0a(\x0a\x01A\x12#\xa2\x01\x04\x12\x02x\x0a\xb2\x01\x08\x0a\x06string\xfa\x01\x0e\x0a\x03x-b\x12\x07\x12\x05c:\x201\x0a";
        assert_eq!(v2(&document), expected);
    }
}
