//! The runtime schema: every message of the API, field by field, as static tables.
//!
//! What drives the transcoder, and what a server needs to know of a type: merge keys, list types, required fields.
//! The names of messages are `package.version.Name`, such as `core.v1.Pod`.
//!
//! ```
//! use kubewire_client::{Gvk, wire::schema};
//! let pod = schema::kind(&Gvk::new("", "v1", "Pod")).expect("a built-in kind");
//! let spec = pod.message.field("spec").expect("a pod has a spec");
//! let containers = spec.message().and_then(|spec| spec.field("containers")).expect("a spec has containers");
//! assert_eq!(containers.list_map_keys, ["name"]);
//! ```

mod build;
mod generated;
mod members;

pub use generated::{KINDS, MESSAGES};

pub(crate) use members::{Member, Members};

use std::fmt;
use std::sync::OnceLock;

use crate::resource::Gvk;

/// A kind: which message its objects are.
#[derive(Debug)]
#[non_exhaustive]
pub struct KindSchema {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// The message of an object.
    pub message: &'static MessageSchema,
    /// The message of an element, where this is a list kind.
    pub items: Option<&'static MessageSchema>,
}

/// A message: an object or a part of one.
#[non_exhaustive]
pub struct MessageSchema {
    /// `package.version.Name`.
    pub name: &'static str,
    /// How the message is written where that does not follow from its fields.
    pub special: Option<Special>,
    /// True where the message has no protobuf form.
    pub json_only: bool,
    /// True where server-side apply takes the whole message as one value.
    pub atomic: bool,
    /// The fields, in the order in which JSON shows them.
    pub fields: &'static [FieldSchema],
    /// Places in `fields` in the order of the wire, where that is another one.
    wire_order: &'static [u8],
    /// What writing JSON needs of the fields, made on first use.
    members: OnceLock<Members>,
    /// See [`by_name`](Self::by_name), made on first use.
    by_name: OnceLock<Box<[&'static FieldSchema]>>,
    /// For each small field number the place of the field, counted from one; 0 where there is none.
    by_number: [u8; 64],
}

/// Forms that do not follow from the fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Special {
    /// A string such as `500m`, kept in canonical form.
    Quantity,
    /// RFC 3339 with second precision.
    Time,
    /// RFC 3339 with microsecond precision.
    MicroTime,
    /// A Go duration such as `1h30m`.
    Duration,
    /// A number or a string.
    IntOrString,
    /// JSON text inside a bytes field.
    Raw,
    /// A list of strings.
    List,
    /// A JSON schema or a bool.
    SchemaOrBool,
    /// A JSON schema or a list of them.
    SchemaOrArray,
    /// A JSON schema or a list of strings.
    SchemaOrStrings,
    /// The envelope's message.
    Unknown,
    /// `group/version`.
    GroupVersion,
}

/// One field of a message.
#[derive(Debug)]
#[repr(C)] // what reading and writing need lies together
#[non_exhaustive]
pub struct FieldSchema {
    /// JSON name; empty where the field is inlined or is not in JSON.
    pub json: &'static str,
    /// Protobuf field number; 0 where the field is not on the wire.
    pub number: u32,
    /// The type of the value, or of an element or map value.
    pub ty: Type,
    /// One value, a list or a map with string keys.
    pub container: Container,
    /// True where absent and zero differ.
    pub pointer: bool,
    /// True where JSON leaves out an empty value; a plain message is never empty.
    pub omitempty: bool,
    /// True where JSON leaves out the zero value, also of a message.
    pub omitzero: bool,
    /// True where the fields of this message stand in the parent's JSON object.
    pub inlined: bool,
    /// True where the published OpenAPI requires the field.
    pub required: bool,
    /// JSON text of the default that the published OpenAPI names.
    pub default: Option<&'static str>,
    /// Strategic merge: `merge`, `replace`, `retainKeys`, or `merge,retainKeys`; empty where nothing is said.
    pub patch_strategy: &'static str,
    /// Strategic merge: the member that identifies an element of the list; empty where there is none.
    pub patch_merge_key: &'static str,
    /// Server-side apply: how a list merges; `None` is atomic.
    pub list_type: Option<ListType>,
    /// Server-side apply: the members that identify an element of a [`ListType::Map`] list.
    pub list_map_keys: &'static [&'static str],
    /// Server-side apply: true where a map or message field is one value.
    pub atomic: bool,
    /// Name of the scalar's type in messages of the API server, such as `v1.Protocol`; empty for built-in types.
    pub type_name: &'static str,
    /// Name of the container's type in messages of the API server, such as `v1.ResourceList`; mostly empty.
    pub container_name: &'static str,
}

/// The type of a single value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Type {
    /// Text.
    String,
    /// true or false.
    Bool,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// Floating point.
    Double,
    /// Bytes: base64 in JSON.
    Bytes,
    /// Any JSON value.
    Any,
    /// A message.
    Message(&'static MessageSchema),
}

/// How many values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// One.
    One,
    /// A list.
    List,
    /// A map with string keys.
    Map,
}

/// How server-side apply merges a list (KEP-555).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// The list is one value.
    Atomic,
    /// Elements are scalars and unique.
    Set,
    /// Elements are messages, identified by some of their members.
    Map,
}

/// The schema of a kind, `None` where it is not built in. Option kinds such as `DeleteOptions` exist in every group
/// and version. An empty version finds the kinds that are sent without `apiVersion`.
pub fn kind(gvk: &Gvk) -> Option<&'static KindSchema> {
    let wanted = (&*gvk.group, &*gvk.version, &*gvk.kind);
    let found = KINDS.binary_search_by(|entry| (entry.group, entry.version, entry.kind).cmp(&wanted));
    match found {
        Ok(index) => KINDS.get(index),
        Err(_) if gvk.version.is_empty() => kind(&Gvk {
            version: "v1".into(),
            ..gvk.clone()
        }),
        Err(_) => generated::META_KINDS.iter().find(|entry| entry.kind == gvk.kind),
    }
}

/// The schema of a message by its name, such as `core.v1.PodSpec`.
pub fn message(name: &str) -> Option<&'static MessageSchema> {
    let index = MESSAGES.binary_search_by(|message| message.name.cmp(name)).ok()?;
    MESSAGES.get(index).copied()
}

/// The name only: messages refer to each other, and some to themselves.
impl fmt::Debug for MessageSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageSchema").field(&self.name).finish()
    }
}

impl MessageSchema {
    /// The field with a JSON name, also where it stands in an inlined message.
    pub fn field(&self, json: &str) -> Option<&'static FieldSchema> {
        let fields = self.by_name();
        let place = fields.binary_search_by(|field| field.json.cmp(json)).ok()?;
        fields.get(place).copied()
    }

    /// The fields that have a JSON name, those of inlined messages too, in the order of their names.
    pub fn by_name(&self) -> &[&'static FieldSchema] {
        self.by_name.get_or_init(|| {
            let mut fields = self.named_fields();
            // The sort is stable: the outermost field of a name comes first.
            fields.sort_by_key(|field| field.json);
            fields.dedup_by_key(|field| field.json);
            fields.into()
        })
    }

    fn named_fields(&self) -> Vec<&'static FieldSchema> {
        let named = |field: &'static FieldSchema| match field.message() {
            Some(inlined) if field.inlined => inlined.named_fields(),
            _ if field.inlined || field.json.is_empty() => Vec::new(),
            _ => vec![field],
        };
        self.fields.iter().flat_map(named).collect()
    }

    /// The members of the JSON object.
    #[inline]
    pub(crate) fn members(&self) -> &Members {
        self.members.get_or_init(|| Members::of(self))
    }

    /// The field with a number.
    #[inline]
    pub(crate) fn numbered(&self, number: u32) -> Option<&'static FieldSchema> {
        match self.by_number.get(number as usize) {
            Some(place) => self.fields.get(usize::from(*place).wrapping_sub(1)),
            None => self.fields.iter().find(|field| field.number == number),
        }
    }

    /// The fields that protobuf has, by ascending number.
    pub(crate) fn fields_on_wire(&self) -> impl DoubleEndedIterator<Item = &'static FieldSchema> {
        let fields = self.fields;
        self.places_on_wire().filter_map(move |place| fields.get(place))
    }

    /// Places in `fields` of those that protobuf has, by ascending number.
    pub(crate) fn places_on_wire(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (fields, order) = (self.fields, self.wire_order);
        let count = if order.is_empty() { fields.len() } else { order.len() };
        let place = move |index| order.get(index).map_or(index, |place| usize::from(*place));
        let is_on_wire = move |place: &usize| fields.get(*place).is_some_and(|field| field.number > 0);
        (0..count).map(place).filter(is_on_wire)
    }

    /// True where objects of this message carry `kind` and `apiVersion`.
    pub fn has_type_meta(&self) -> bool {
        self.fields.first().is_some_and(FieldSchema::is_type_meta)
    }

    /// The name in messages of the API server: `v1.PodSpec`.
    pub fn type_name(&self) -> &'static str {
        match self.name.split_once('.') {
            Some((_, rest)) if rest.contains('.') => rest,
            _ if self.special == Some(Special::Quantity) => "resource.Quantity",
            _ => self.name,
        }
    }

    /// The name without package and version: `PodSpec`.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, name)| name)
    }
}

impl FieldSchema {
    /// The message of the value, of an element or of a map value.
    pub fn message(&self) -> Option<&'static MessageSchema> {
        match self.ty {
            Type::Message(message) => Some(message),
            _ => None,
        }
    }

    /// True where a single value can be absent: a pointer, and a list in a message of its own.
    pub(crate) fn is_nilable(&self) -> bool {
        match self.ty {
            Type::Message(message) => self.pointer || matches!(message.special, Some(Special::List)),
            _ => self.pointer,
        }
    }

    /// True where JSON leaves out the field when it is not on the wire.
    pub(crate) fn is_omitted_when_absent(&self) -> bool {
        let has_zero = match self.ty {
            Type::Message(_) => !matches!(self.container, Container::One) || self.is_nilable(),
            _ => true,
        };
        !self.inlined && (self.omitzero || self.omitempty && has_zero)
    }

    /// True for the place where `kind` and `apiVersion` stand.
    pub(crate) fn is_type_meta(&self) -> bool {
        self.inlined && self.number == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(MESSAGES.windows(2).all(|pair| pair[0].name < pair[1].name));
        let key = |kind: &KindSchema| (kind.group, kind.version, kind.kind);
        assert!(KINDS.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
    }

    #[test]
    fn finds_kinds() {
        let list = kind(&Gvk::new("apps", "v1", "DeploymentList")).unwrap();
        assert_eq!(list.items.unwrap().name, "apps.v1.Deployment");
        assert_eq!(
            kind(&Gvk::new("apps", "v1", "DeleteOptions")).unwrap().message.name,
            "meta.v1.DeleteOptions"
        );
        assert_eq!(
            kind(&Gvk::new("", "", "APIVersions")).unwrap().message.name,
            "meta.v1.APIVersions"
        );
        assert!(kind(&Gvk::new("example.com", "v1", "Widget")).is_none());
    }

    #[test]
    fn finds_inlined_fields() {
        let volume = message("core.v1.Volume").unwrap();
        assert!(volume.field("emptyDir").unwrap().pointer);
        assert!(volume.field("").is_none());
        assert_eq!(volume.type_name(), "v1.Volume");
    }
}
