//! JSON document → value of a message's type, as Go's decoder would read it.
//!
//! A value of the wrong type does not end the reading, only the first such error is reported; what a special form
//! refuses (a time, a quantity) goes before it. Unknown members are dropped, of duplicate ones the last counts.

use serde_json::{Map, Value};

use super::document::{Node, value as untyped};
use super::from_protobuf::double;
use super::problem::{FieldProblem, Place, Problems};
use super::time::Time;
use super::{base64, duration, zero};
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::{WireError, quantity};

/// Reads a whole document.
pub(super) fn document(schema: &MessageSchema, root: &Node<'_>) -> Result<(Value, Vec<FieldProblem>), WireError> {
    let mut reader = Reader {
        problems: Problems::default(),
        silent: 0,
        path: Vec::new(),
        parent: "",
        mismatch: None,
        refused: None,
    };
    let value = reader.message(schema, root, None);
    match reader.refused.or(reader.mismatch) {
        Some((path, message)) => Err(WireError::Mismatch { path, message }),
        None => Ok((value, reader.problems.into_vec())),
    }
}

/// The state of reading one document.
struct Reader<'n> {
    problems: Problems<'n>,
    /// Inside forms that the API server reads without field validation.
    silent: u32,
    /// JSON names of the fields on the way, as Go's messages show them.
    path: Vec<&'static str>,
    /// The innermost message on the way.
    parent: &'static str,
    /// The first value of a wrong type: its path and what is said of it.
    mismatch: Option<(String, String)>,
    /// The first value that a special form refused, likewise.
    refused: Option<(String, String)>,
}

/// A field and the inlined messages in which it stands.
struct Found {
    field: &'static FieldSchema,
    inlined_in: Vec<&'static str>,
}

impl<'n> Reader<'n> {
    /// Reads a message; `before` is what an earlier duplicate of the member held.
    fn message(&mut self, schema: &MessageSchema, node: &'n Node<'_>, before: Option<Value>) -> Value {
        if let Some(special) = schema.special {
            return self.special(schema, special, node);
        }
        let mut members = match before {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        match node {
            Node::Object(nodes) => {
                let parent = std::mem::replace(&mut self.parent, schema.short_name());
                self.members(schema, nodes, &mut members);
                self.parent = parent;
            }
            Node::Null => {}
            node => self.wrong_type(node.description(), schema.type_name()),
        }
        zero::complete(schema, &mut members);
        Value::Object(members)
    }

    fn members(
        &mut self,
        schema: &MessageSchema,
        nodes: &'n [(std::borrow::Cow<'_, str>, Node<'_>)],
        members: &mut Map<String, Value>,
    ) {
        let mut seen: Vec<&'static str> = Vec::new();
        for (name, node) in nodes {
            let Some(found) = find(schema, name) else {
                self.report(|problems| problems.unknown(name));
                continue;
            };
            let field = found.field;
            if seen.contains(&field.json) {
                self.report(|problems| problems.duplicate(name));
            } else {
                seen.push(field.json);
            }
            let depth = self.path.len();
            self.path.extend(found.inlined_in);
            self.path.push(field.json);
            self.problems.push(Place::Member(name));
            let before = members.remove(field.json);
            if let Some(value) = self.field(field, node, before) {
                members.insert(field.json.to_owned(), value);
            }
            self.problems.pop();
            self.path.truncate(depth);
        }
    }

    /// The value of a field, `None` where it stays unset.
    fn field(&mut self, field: &FieldSchema, node: &'n Node<'_>, before: Option<Value>) -> Option<Value> {
        match (field.container, node) {
            (Container::One, Node::Null) if field.pointer || matches!(field.ty, Type::Bytes) => None,
            (Container::One, Node::Null) if !is_special(field.ty) => before,
            (Container::One, node) => Some(self.single(field.ty, field.type_name, node, before)),
            (_, Node::Null) => None,
            (Container::List, Node::Array(nodes)) => {
                let mut elements = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.iter().enumerate() {
                    self.problems.push(Place::Index(index));
                    elements.push(self.single(field.ty, field.type_name, node, None));
                    self.problems.pop();
                }
                Some(Value::Array(elements))
            }
            (Container::Map, Node::Object(nodes)) => {
                let mut entries = match before {
                    Some(Value::Object(entries)) => entries,
                    _ => Map::new(),
                };
                let mut seen = std::collections::BTreeSet::new();
                for (name, node) in nodes {
                    if !seen.insert(name) {
                        self.report(|problems| problems.duplicate(name));
                    }
                    self.problems.push(Place::Member(name));
                    let entry = self.single(field.ty, field.type_name, node, None);
                    entries.insert(name.clone().into_owned(), entry);
                    self.problems.pop();
                }
                Some(Value::Object(entries))
            }
            (_, node) => {
                self.wrong_type(node.description(), &container_name(field));
                None
            }
        }
    }

    fn single(&mut self, ty: Type, type_name: &'static str, node: &'n Node<'_>, before: Option<Value>) -> Value {
        let wanted = if type_name.is_empty() {
            plain_name(ty)
        } else {
            type_name
        };
        match (ty, node) {
            (Type::Message(schema), node) => return self.message(schema, node, before),
            (Type::Any, node) => return untyped(node, &mut Problems::default()),
            (_, Node::Null) => {}
            (Type::String, Node::String(text)) => return Value::String(text.clone().into_owned()),
            (Type::Bool, Node::Bool(value)) => return Value::Bool(*value),
            (Type::Int32 | Type::Int64, Node::Number(text)) => match integer(ty, text) {
                Some(number) => return Value::from(number),
                None => self.wrong_type(&format!("number {text}"), wanted),
            },
            (Type::Double, Node::Number(text)) => match text.parse().ok().filter(|number: &f64| number.is_finite()) {
                Some(number) => return double(number).unwrap_or_default(),
                None => self.wrong_type(&format!("number {text}"), wanted),
            },
            (Type::Bytes, Node::String(text)) => match base64::decode(text) {
                Ok(bytes) => return Value::String(base64::encode(&bytes)),
                Err(message) => {
                    let path = self.problems.path();
                    self.mismatch.get_or_insert((path, message));
                }
            },
            (_, node) => self.wrong_type(node.description(), wanted),
        }
        zero::of_type(ty)
    }

    fn special(&mut self, schema: &MessageSchema, special: Special, node: &'n Node<'_>) -> Value {
        let read = match (special, node) {
            (Special::Raw | Special::Unknown, node) => Ok(untyped(node, &mut Problems::default())),
            (Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings, node) => {
                self.silent += 1;
                let read = self.union(schema, special, node);
                self.silent -= 1;
                read
            }
            (_, Node::Null) => Ok(zero::of_message(schema)),
            (Special::Quantity, Node::String(text)) => canonical(text.trim_matches(' ')),
            (Special::Quantity, Node::Number(text)) => canonical(text),
            (Special::Quantity, _) => Err(quantity::SYNTAX.to_owned()),
            (Special::Time, Node::String(text)) => time(text, false),
            (Special::MicroTime, Node::String(text)) => time(text, true),
            (Special::Duration, Node::String(text)) => match duration::parse(text) {
                Some(nanos) => Ok(duration::format(nanos).into()),
                None => Err(format!("time: invalid duration \"{text}\"")),
            },
            (Special::IntOrString, Node::String(text)) => Ok(Value::String(text.clone().into_owned())),
            (Special::IntOrString, node) => Ok(self.single(Type::Int32, "", node, None)),
            (Special::List, Node::Array(nodes)) => Ok(nodes
                .iter()
                .map(|node| self.single(Type::String, "", node, None))
                .collect()),
            (Special::List, node) => {
                self.wrong_type(node.description(), schema.type_name());
                Ok(Value::Null)
            }
            (Special::GroupVersion, Node::String(text)) => group_version(text),
            (_, node) => {
                self.wrong_type(node.description(), "string");
                Ok(zero::of_message(schema))
            }
        };
        read.unwrap_or_else(|message| {
            let path = self.problems.path();
            self.refused.get_or_insert((path, message));
            zero::of_message(schema)
        })
    }

    /// A JSON schema, or what is none.
    fn union(&mut self, schema: &MessageSchema, special: Special, node: &'n Node<'_>) -> Result<Value, String> {
        let Some(inner) = schema.fields.iter().find_map(FieldSchema::message) else {
            return Ok(Value::Null);
        };
        Ok(match (special, node) {
            (_, node @ Node::Object(_)) => self.message(inner, node, None),
            (Special::SchemaOrBool, Node::Bool(value)) => Value::Bool(*value),
            (Special::SchemaOrBool, _) => return Err("boolean or JSON schema expected".to_owned()),
            (_, Node::Array(nodes)) if nodes.is_empty() => Value::Null,
            (Special::SchemaOrArray, Node::Array(nodes)) => {
                nodes.iter().map(|node| self.message(inner, node, None)).collect()
            }
            (_, Node::Array(nodes)) => nodes
                .iter()
                .map(|node| self.single(Type::String, "", node, None))
                .collect(),
            _ => Value::Null,
        })
    }

    fn report(&mut self, report: impl FnOnce(&mut Problems<'n>)) {
        if self.silent == 0 {
            report(&mut self.problems);
        }
    }

    fn wrong_type(&mut self, found: &str, wanted: &str) {
        if self.mismatch.is_some() {
            return;
        }
        let message = if self.path.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {wanted}")
        } else {
            let path = self.path.join(".");
            format!(
                "json: cannot unmarshal {found} into Go struct field {}.{path} of type {wanted}",
                self.parent
            )
        };
        self.mismatch = Some((self.problems.path(), message));
    }
}

/// Looks a member up, also in inlined messages.
fn find(schema: &MessageSchema, name: &str) -> Option<Found> {
    let field = schema.field(name)?;
    match schema.fields.as_ptr_range().contains(&std::ptr::from_ref(field)) {
        true => Some(Found {
            field,
            inlined_in: Vec::new(),
        }),
        false => find_inlined(schema, name),
    }
}

fn find_inlined(schema: &MessageSchema, name: &str) -> Option<Found> {
    for field in schema.fields {
        match field.message() {
            Some(inner) if field.inlined => {
                if let Some(mut found) = find_inlined(inner, name) {
                    found.inlined_in.insert(0, inner.short_name());
                    return Some(found);
                }
            }
            _ if field.json == name && !name.is_empty() => {
                return Some(Found {
                    field,
                    inlined_in: Vec::new(),
                });
            }
            _ => {}
        }
    }
    None
}

fn is_special(ty: Type) -> bool {
    matches!(ty, Type::Message(message) if message.special.is_some()) || matches!(ty, Type::Any)
}

/// Digits and a sign only; fractions, exponents and what does not fit are refused.
fn integer(ty: Type, text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    match ty {
        Type::Int32 => i32::try_from(number).ok().map(i64::from),
        _ => Some(number),
    }
}

fn canonical(text: &str) -> Result<Value, String> {
    quantity::canonical(text)
        .map(Value::from)
        .ok_or_else(|| quantity::SYNTAX.to_owned())
}

/// `group/version`, or a version of the core group.
fn group_version(text: &str) -> Result<Value, String> {
    match text.strip_prefix('/').unwrap_or(text) {
        version if version.contains('/') && text.matches('/').count() > 1 => {
            Err(format!("unexpected GroupVersion string: {text}"))
        }
        text => Ok(text.into()),
    }
}

fn time(text: &str, micros: bool) -> Result<Value, String> {
    let time = Time::parse(text, micros)?;
    if time == Time::ZERO {
        return Ok(Value::Null);
    }
    let text = time.format(micros).map(Value::String);
    text.ok_or_else(|| "Time.MarshalJSON: year outside of range [0,9999]".to_owned())
}

/// The name of a container's type in messages: `[]v1.Container`, `map[string]string`.
fn container_name(field: &FieldSchema) -> String {
    if !field.container_name.is_empty() {
        return field.container_name.to_owned();
    }
    let element = if field.type_name.is_empty() {
        plain_name(field.ty)
    } else {
        field.type_name
    };
    match field.container {
        Container::Map => format!("map[string]{element}"),
        _ => format!("[]{element}"),
    }
}

fn plain_name(ty: Type) -> &'static str {
    match ty {
        Type::String => "string",
        Type::Bool => "bool",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Double => "float64",
        Type::Bytes => "[]uint8",
        Type::Any => "interface {}",
        Type::Message(message) => message.type_name(),
    }
}
