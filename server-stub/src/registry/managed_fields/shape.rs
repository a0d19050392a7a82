//! How the parts of an object belong together: what is owned as a whole, what field by field, what element by element.

use std::borrow::Cow;
use std::fmt::Write as _;

use kubewire_client::wire::schema::{self, Container, FieldSchema, ListType, MessageSchema, Special, Type};
use serde_json::{Map, Value, json};

use super::set::{Element, member};
use crate::apiextensions::schema::Schema;

/// The shape of a value (KEP-555).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape<'a> {
    /// Owned as a whole: scalars and what is declared atomic.
    Leaf,
    /// Declared fields.
    Struct(&'static MessageSchema),
    /// Any keys, values of one shape.
    Map(&'static FieldSchema),
    /// Elements that are told apart by their value.
    Set,
    /// Elements that are told apart by some of their members.
    Keyed(&'static FieldSchema),
    /// What nobody declared: objects member by member, lists and scalars as a whole.
    Any,
    /// Fields that a custom resource declares.
    Declared(&'a Schema),
    /// Any keys, values as a custom resource declares them.
    Values(&'a Schema),
    /// Elements that a custom resource tells apart by these members.
    KeyedBy(&'a [String], &'a Schema),
}

impl<'a> Shape<'a> {
    /// The shape of a part of a custom resource.
    pub(crate) fn of_schema(schema: &'a Schema) -> Self {
        let is_atomic = |kind: &Option<String>| kind.as_deref() == Some("atomic");
        if schema.int_or_string || is_atomic(&schema.map_type) {
            return Self::Leaf;
        }
        match schema.ty.as_deref() {
            Some("array") => match (schema.list_type.as_deref(), &schema.items) {
                (Some("set"), _) => Self::Set,
                (Some("map"), Some(items)) => Self::KeyedBy(&schema.list_map_keys, items),
                _ => Self::Leaf,
            },
            Some("object") | None if schema.embedded_resource || !schema.properties.is_empty() => {
                Self::Declared(schema)
            }
            Some("object") | None => match schema.additional_schema() {
                Some(values) => Self::Values(values),
                None => Self::Any,
            },
            _ => Self::Leaf,
        }
    }

    /// The shape for a value: what nobody declared is as its value is.
    pub(super) fn of_value(self, value: &Value) -> Self {
        match self {
            Self::Any if !value.is_object() => Self::Leaf,
            shape => shape,
        }
    }

    pub(super) fn is_object(self) -> bool {
        matches!(
            self,
            Self::Struct(_) | Self::Map(_) | Self::Any | Self::Declared(_) | Self::Values(_)
        )
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Set | Self::Keyed(_) | Self::KeyedBy(..))
    }

    /// Whether the object has no fields but those that are declared.
    pub(super) fn is_closed(self) -> bool {
        match self {
            Self::Struct(_) => true,
            Self::Declared(schema) => !schema.preserves_unknown_fields(),
            _ => false,
        }
    }

    pub(crate) fn of_message(message: &'static MessageSchema) -> Self {
        match message.special {
            None if !message.atomic => Self::Struct(message),
            _ => Self::Leaf,
        }
    }

    pub(super) fn of_field(field: &'static FieldSchema) -> Self {
        match (field.container, field.list_type) {
            (Container::One, _) if field.atomic => Self::Leaf,
            // The one field that is owned more finely than others of its type.
            (Container::One, _) if field.json == "claimRef" => field.message().map_or(Self::Leaf, Self::Struct),
            (Container::One, _) => Self::of_element(field),
            (Container::Map, _) if field.atomic => Self::Leaf,
            (Container::Map, _) => Self::Map(field),
            (Container::List, Some(ListType::Set)) => Self::Set,
            (Container::List, Some(ListType::Map)) => Self::Keyed(field),
            (Container::List, _) => Self::Leaf,
        }
    }

    /// The shape of a list's elements or a map's values.
    pub(super) fn of_element(field: &'static FieldSchema) -> Self {
        field.message().map_or(Self::Leaf, Self::of_message)
    }

    /// The shape below a step, and whether the step is a declared field.
    pub(super) fn below(self, element: &str) -> (Self, bool) {
        match self {
            Self::Struct(message) => {
                let field = element.strip_prefix("f:").and_then(|name| message.field(name));
                field.map_or((Self::Leaf, false), |field| (Self::of_field(field), true))
            }
            Self::Map(field) | Self::Keyed(field) => (Self::of_element(field), false),
            Self::Leaf | Self::Set => (Self::Leaf, false),
            Self::Any => (Self::Any, false),
            Self::Values(values) | Self::KeyedBy(_, values) => (Self::of_schema(values), false),
            Self::Declared(schema) => match element.strip_prefix("f:") {
                Some("metadata") if schema.embedded_resource => (object_meta(), true),
                Some("apiVersion" | "kind") if schema.embedded_resource => (Self::Leaf, true),
                Some(name) => match (schema.properties.get(name), schema.additional_schema()) {
                    (Some(property), _) => (Self::of_schema(property), true),
                    (None, Some(values)) => (Self::of_schema(values), false),
                    (None, None) => (Self::Any, false),
                },
                None => (Self::Leaf, false),
            },
        }
    }

    /// The parts of a value, as Go would write it: fields that always show are there, and empty ones that may be left
    /// out are not.
    pub(super) fn parts<'v>(self, value: Option<&'v Value>) -> Vec<Part<'v>>
    where
        'a: 'v,
    {
        let mut parts = Vec::new();
        match self {
            Self::Struct(message) => {
                if let Some(value) = value.and_then(Value::as_object) {
                    struct_parts(message, value, &mut parts);
                }
            }
            Self::Map(_) | Self::Any | Self::Declared(_) | Self::Values(_) => {
                let entries = value.and_then(Value::as_object).into_iter().flatten();
                parts.extend(entries.map(|(key, value)| self.part(member(key), value)));
            }
            Self::Set | Self::Keyed(_) | Self::KeyedBy(..) => {
                let items = value.and_then(Value::as_array).into_iter().flatten();
                parts.extend(items.map(|item| self.part(self.element(item), item)));
            }
            Self::Leaf => {}
        }
        parts
    }

    fn part<'v>(self, element: Element, value: &'v Value) -> Part<'v>
    where
        'a: 'v,
    {
        Part {
            shape: self.below(&element).0,
            element,
            value: Cow::Borrowed(value),
        }
    }

    /// The step to an element of a list.
    pub(super) fn element(self, item: &Value) -> Element {
        match self {
            Self::Keyed(field) => key_of(field, item),
            Self::KeyedBy(keys, items) => declared_key(keys, items, item),
            _ => format!("v:{item}"),
        }
    }
}

/// A part of a value: the step to it, and how its own parts belong together.
pub(super) struct Part<'v> {
    pub(super) element: Element,
    pub(super) shape: Shape<'v>,
    pub(super) value: Cow<'v, Value>,
}

fn object_meta() -> Shape<'static> {
    schema::message("meta.v1.ObjectMeta").map_or(Shape::Any, Shape::of_message)
}

/// The step to an element of a custom resource's keyed list.
fn declared_key(keys: &[String], items: &Schema, item: &Value) -> Element {
    let default = |key: &str| items.properties.get(key)?.default.clone();
    key_element(keys.iter().map(String::as_str), item, default)
}

/// The step to an element of a keyed list; a key that is missing has its default.
fn key_of(field: &FieldSchema, item: &Value) -> Element {
    let default = |key: &str| serde_json::from_str(field.message()?.field(key)?.default?).ok();
    key_element(field.list_map_keys.iter().copied(), item, default)
}

fn key_element<'k>(
    keys: impl Iterator<Item = &'k str>,
    item: &Value,
    default: impl Fn(&str) -> Option<Value>,
) -> Element {
    let value = |key: &'k str| {
        let given = item.get(key).filter(|value| !value.is_null()).map(Cow::Borrowed);
        Some((key, given.or_else(|| default(key).map(Cow::Owned))?))
    };
    let mut values: Vec<(&str, Cow<'_, Value>)> = keys.filter_map(value).collect();
    values.sort_by_key(|(key, _)| *key);
    let mut element = String::from("k:");
    for (index, (key, value)) in values.iter().enumerate() {
        element.push(if index == 0 { '{' } else { ',' });
        // Names of fields need no escapes, and writing to a text does not fail.
        let _ = write!(element, "\"{key}\":{value}");
    }
    element.push_str(if values.is_empty() { "{}" } else { "}" });
    element
}

fn struct_parts<'a>(message: &'static MessageSchema, value: &'a Map<String, Value>, parts: &mut Vec<Part<'a>>) {
    parts.reserve(value.len() + 1);
    let mut given = value.iter().peekable();
    for field in message.by_name() {
        while given.next_if(|(name, _)| name.as_str() < field.json).is_some() {}
        let value = given.next_if(|(name, _)| *name == field.json).map(|(_, value)| value);
        // Kind and version are nobody's.
        let is_type = message.has_type_meta() && matches!(field.json, "apiVersion" | "kind");
        if let Some(shown) = shown(field, value).filter(|_| !is_type) {
            parts.push(Part {
                element: member(field.json),
                shape: Shape::of_field(field),
                value: shown,
            });
        }
    }
}

/// A field's value as Go's types have it, `None` where it is left out.
fn shown<'a>(field: &FieldSchema, value: Option<&'a Value>) -> Option<Cow<'a, Value>> {
    let is_struct = field.container == Container::One && field.message().is_some();
    let value = value.filter(|value| !value.is_null());
    if let Some(value) = value {
        let left_out = field.omitempty && !field.pointer && !is_struct && is_zero(value);
        return (!left_out).then_some(Cow::Borrowed(value));
    }
    if field.omitzero || (field.omitempty && (field.pointer || !is_struct)) {
        return None;
    }
    if field.pointer || field.container != Container::One {
        return Some(Cow::Owned(Value::Null));
    }
    Some(Cow::Owned(match field.ty {
        Type::Message(message) => match message.special {
            None => json!({}),
            Some(Special::Quantity) => "0".into(),
            Some(Special::IntOrString) => json!(0),
            Some(_) => Value::Null,
        },
        Type::String => "".into(),
        Type::Bool => false.into(),
        Type::Int32 | Type::Int64 | Type::Double => json!(0),
        _ => Value::Null,
    }))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
