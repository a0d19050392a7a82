//! Defaulting: what the API server fills into an object before it is validated and stored.

mod conditional;
mod core;
pub(super) mod disabled;
mod extensions;
#[cfg(test)]
mod tests;
mod workloads;

use std::collections::HashMap;
use std::sync::LazyLock;

use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, Container, FieldSchema, KindSchema, MessageSchema};
use serde_json::{Map, Value};

use super::generated::defaults::DEFAULTS;

/// A default that does not depend on other fields.
#[derive(Debug)]
pub(crate) struct FieldDefault {
    /// JSON name of the field.
    pub(crate) field: &'static str,
    /// The value as JSON text.
    pub(crate) value: &'static str,
    /// Only inside objects of these kinds (group, version, kind), if any.
    pub(crate) only: &'static [(&'static str, &'static str, &'static str)],
}

/// Fills the defaults of a built-in kind into an object; other kinds are left as they are.
///
/// ```
/// use kubewire_client::Gvk;
/// let mut object = serde_json::json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
/// kubewire_server_stub::registry::defaults::apply_defaults(&Gvk::new("apps", "v1", "Deployment"), &mut object);
/// assert_eq!(object["spec"]["replicas"], 1);
/// assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
/// ```
pub fn apply_defaults(gvk: &Gvk, object: &mut Value) {
    if let Some(kind) = schema::kind(gvk) {
        fill_in(gvk, kind, object);
    }
}

/// The same where the kind is known already.
pub(super) fn fill_in(gvk: &Gvk, kind: &KindSchema, object: &mut Value) {
    if let Value::Object(members) = object {
        message_defaults(gvk, kind.message, members);
    }
}

/// The message's own defaults, then those of the messages inside.
fn message_defaults(root: &Gvk, message: &'static MessageSchema, members: &mut Map<String, Value>) {
    if message.special.is_some() {
        return;
    }
    own_defaults(root, message, members);
    for (name, value) in members {
        let is_inside = matches!(value, Value::Object(_) | Value::Array(_));
        let field = if is_inside { message.field(name) } else { None };
        if let Some(field) = field
            && let Some(inner) = field.message()
        {
            inner_defaults(root, field, inner, value);
        }
    }
}

/// What the message and those that are inlined into it set themselves.
fn own_defaults(root: &Gvk, message: &'static MessageSchema, members: &mut Map<String, Value>) {
    let Some(own) = OWN.get(&address(message)) else {
        return;
    };
    if let Some(fill_in) = own.conditional {
        fill_in(root, members);
    }
    for (default, value) in &own.fields {
        if default.applies_in(root) && is_unset(message, default.field, members) {
            members.insert(default.field.to_owned(), value.clone());
        }
    }
    for inlined in &own.inlined {
        own_defaults(root, inlined, members);
    }
    for field in &own.always {
        if members.get(*field).is_none_or(Value::is_null) {
            members.insert((*field).to_owned(), Value::Object(Map::new()));
        }
    }
}

fn inner_defaults(root: &Gvk, field: &FieldSchema, inner: &'static MessageSchema, value: &mut Value) {
    match (field.container, value) {
        (Container::One, Value::Object(members)) => message_defaults(root, inner, members),
        (Container::List, Value::Array(elements)) => {
            for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                message_defaults(root, inner, element);
            }
        }
        (Container::Map, Value::Object(entries)) => {
            for entry in entries.values_mut().filter_map(Value::as_object_mut) {
                message_defaults(root, inner, entry);
            }
        }
        _ => {}
    }
}

/// What a message sets itself.
struct Own {
    conditional: Option<conditional::FillIn>,
    fields: Vec<(&'static FieldDefault, Value)>,
    inlined: Vec<&'static MessageSchema>,
    /// The fields that are always there: messages that are no pointers.
    always: Vec<&'static str>,
}

impl Own {
    fn of(message: &'static MessageSchema) -> Self {
        let found = DEFAULTS.binary_search_by(|(name, _)| (*name).cmp(message.name));
        let fields = found.ok().and_then(|index| DEFAULTS.get(index));
        let parsed = |default: &'static FieldDefault| Some((default, serde_json::from_str(default.value).ok()?));
        let mut own = Self {
            conditional: conditional::of(message.name),
            fields: fields
                .into_iter()
                .flat_map(|(_, defaults)| *defaults)
                .filter_map(parsed)
                .collect(),
            inlined: Vec::new(),
            always: Vec::new(),
        };
        for field in message.fields {
            match field.message() {
                Some(inlined) if field.inlined => own.inlined.push(inlined),
                Some(inner) if field.container == Container::One && !field.pointer && inner.special.is_none() => {
                    own.always.push(field.json);
                }
                _ => {}
            }
        }
        own
    }

    fn is_nothing(&self) -> bool {
        self.conditional.is_none() && self.fields.is_empty() && self.inlined.is_empty() && self.always.is_empty()
    }
}

/// By the place of the message in memory: every object has dozens of messages to look up.
static OWN: LazyLock<HashMap<usize, Own>> = LazyLock::new(|| {
    let all = schema::MESSAGES
        .iter()
        .map(|message| (address(message), Own::of(message)));
    all.filter(|(_, own)| !own.is_nothing()).collect()
});

fn address(message: &'static MessageSchema) -> usize {
    std::ptr::from_ref(message).addr()
}

/// A pointer is unset where it is absent, any other field also where it is zero.
fn is_unset(message: &MessageSchema, field: &str, members: &Map<String, Value>) -> bool {
    match members.get(field) {
        None | Some(Value::Null) => true,
        Some(_) if message.field(field).is_some_and(|field| field.pointer) => false,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(_) => false,
    }
}

impl FieldDefault {
    fn applies_in(&self, root: &Gvk) -> bool {
        let is_root = |kind: &(&str, &str, &str)| *kind == (&*root.group, &*root.version, &*root.kind);
        self.only.is_empty() || self.only.iter().any(is_root)
    }
}
