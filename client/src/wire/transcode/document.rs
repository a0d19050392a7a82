//! Parsed JSON that keeps what types need: the text of numbers, the order of members, and duplicates.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::problem::{FieldProblem, Place, Problems};
use super::{from_json, parser};
use crate::wire::WireError;
use crate::wire::schema::MessageSchema;

/// JSON that is well-formed, before it is matched with a type.
///
/// ```
/// use kubewire_client::wire::transcode::JsonDocument;
/// let document = JsonDocument::parse(br#"{"apiVersion": "v1", "kind": "Pod"}"#)?;
/// assert_eq!(document.type_meta(), ("v1", "Pod"));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonDocument<'a> {
    pub(super) root: Node<'a>,
}

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    /// The number's text.
    Number(Cow<'a, str>),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> JsonDocument<'a> {
    /// Parses JSON text. Errors are [`WireError::Syntax`], in the words of the API server.
    pub fn parse(text: &'a [u8]) -> Result<Self, WireError> {
        parser::parse(text).map(|root| Self { root })
    }

    /// A document of a value, for example of one that was patched. Fails where it nests too deeply.
    pub fn from_value(value: &'a Value) -> Result<Self, WireError> {
        node(value, 0).map(|root| Self { root })
    }

    /// The document as an object of a message's type: see [`json_to_value`](super::json_to_value).
    pub fn typed(&self, schema: &MessageSchema) -> Result<(Value, Vec<FieldProblem>), WireError> {
        from_json::document(schema, &self.root)
    }

    /// `apiVersion` and `kind`; empty where they are absent or no strings.
    pub fn type_meta(&self) -> (&str, &str) {
        (self.root.text("apiVersion"), self.root.text("kind"))
    }

    /// True for an object that has all these members.
    pub fn has_members(&self, names: &[&str]) -> bool {
        let Node::Object(members) = &self.root else {
            return false;
        };
        names
            .iter()
            .all(|name| members.iter().any(|(member, _)| member == name))
    }

    /// What the document is, in the words of the API server: `object`, `array`, `string`, `number`, `bool` or `null`.
    pub fn description(&self) -> &'static str {
        self.root.description()
    }

    /// The document as a value, without a type: for custom resources. Duplicate members are reported.
    pub fn untyped(&self) -> (Value, Vec<FieldProblem>) {
        let mut problems = Problems::default();
        let value = value(&self.root, &mut problems);
        (value, problems.into_vec())
    }
}

impl<'a> Node<'a> {
    /// The word for the value in messages.
    pub(super) fn description(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "bool",
            Node::Number(_) => "number",
            Node::String(_) => "string",
            Node::Array(_) => "array",
            Node::Object(_) => "object",
        }
    }

    fn text(&self, name: &str) -> &str {
        let Node::Object(members) = self else { return "" };
        match members.iter().rev().find(|(member, _)| member == name) {
            Some((_, Node::String(text))) => text,
            _ => "",
        }
    }
}

fn node(value: &Value, depth: usize) -> Result<Node<'_>, WireError> {
    if depth > parser::MAX_DEPTH {
        return Err(WireError::value("nests too deeply"));
    }
    Ok(match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => Node::Number(number.to_string().into()),
        Value::String(text) => Node::String(text.into()),
        Value::Array(elements) => {
            let elements = elements.iter().map(|element| node(element, depth + 1));
            Node::Array(elements.collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.into(), node(value, depth + 1)?)));
            Node::Object(members.collect::<Result<_, WireError>>()?)
        }
    })
}

/// The value of a node; of duplicate members the last one wins.
pub(super) fn value<'n>(node: &'n Node<'_>, problems: &mut Problems<'n>) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(text) => number(text),
        Node::String(text) => Value::String(text.clone().into_owned()),
        Node::Array(elements) => {
            let elements = elements.iter().enumerate();
            elements
                .map(|(index, element)| problems.at(Place::Index(index), |problems| value(element, problems)))
                .collect()
        }
        Node::Object(members) => {
            let mut object = Map::new();
            for (name, member) in members {
                let member = problems.at(Place::Member(name), |problems| value(member, problems));
                if object.insert(name.clone().into_owned(), member).is_some() {
                    problems.duplicate(name);
                }
            }
            Value::Object(object)
        }
    }
}

/// Integers stay exact, everything else is a double; one that is too large becomes null.
fn number(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<u64>() {
        return number.into();
    }
    text.parse::<f64>().map_or(Value::Null, Value::from)
}
