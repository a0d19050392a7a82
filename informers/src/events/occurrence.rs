//! Something that happened to an object.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kubewire_client::Object;

use crate::random::random_bits;

/// The server refuses longer names.
const LONGEST_NAME: usize = 253;
/// The server refuses longer notes.
const LONGEST_NOTE: usize = 1024;

/// Whether an event is bad news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// It is not.
    Normal,
    /// It is.
    Warning,
}

impl EventType {
    fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Occurrence {
    /// Which object.
    pub regarding: ObjectReference,
    /// Another object that has to do with it.
    pub related: Option<ObjectReference>,
    /// Whether it is bad news.
    pub kind: EventType,
    /// What was done, for machines: `Evict`. At most 128 characters.
    pub action: String,
    /// Why, for machines: `Expensive`. At most 128 characters.
    pub reason: String,
    /// What people are to read; cut after 1024 bytes.
    pub note: String,
}

impl Occurrence {
    /// Something that is as it should be.
    pub fn normal(regarding: ObjectReference, action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            regarding,
            related: None,
            kind: EventType::Normal,
            action: action.into(),
            reason: reason.into(),
            note: String::new(),
        }
    }

    /// Something that is not as it should be.
    pub fn warning(regarding: ObjectReference, action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            kind: EventType::Warning,
            ..Self::normal(regarding, action, reason)
        }
    }

    /// Sets what people are to read.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Sets another object that has to do with it.
    #[must_use]
    pub fn with_related(mut self, related: ObjectReference) -> Self {
        self.related = Some(related);
        self
    }

    /// Two occurrences of the same are parts of one series.
    pub(super) fn same(&self) -> Same {
        Same {
            kind: self.kind,
            action: self.action.clone(),
            reason: self.reason.clone(),
            regarding: About::of(&self.regarding),
            related: self.related.as_ref().map(About::of),
        }
    }

    pub(super) fn into_event(self, controller: &str, instance: &str, now: MicroTime) -> Event {
        let namespace = self
            .regarding
            .namespace
            .clone()
            .filter(|namespace| !namespace.is_empty());
        let name = self.regarding.name.as_deref().unwrap_or_default();
        Event {
            metadata: ObjectMeta {
                name: Some(event_name(name, now.0.as_nanosecond())),
                namespace: Some(namespace.unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(now),
            reporting_controller: Some(controller.to_owned()),
            reporting_instance: Some(instance.to_owned()),
            action: Some(self.action),
            reason: Some(self.reason),
            regarding: Some(self.regarding),
            related: self.related,
            note: Some(shortened(self.note)),
            type_: Some(self.kind.name().to_owned()),
            ..Event::default()
        }
    }
}

/// What makes two occurrences the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Same {
    kind: EventType,
    action: String,
    reason: String,
    pub(super) regarding: About,
    related: Option<About>,
}

/// An object by everything that tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct About([Option<String>; 6]);

impl About {
    fn of(reference: &ObjectReference) -> Self {
        Self([
            reference.api_version.clone(),
            reference.kind.clone(),
            reference.namespace.clone(),
            reference.name.clone(),
            reference.uid.clone(),
            reference.field_path.clone(),
        ])
    }

    /// The whole object, of which this may be a field.
    pub(super) fn whole(&self) -> Self {
        let mut whole = self.clone();
        let [.., field_path] = &mut whole.0;
        *field_path = None;
        whole
    }
}

/// Names an object in an [`Occurrence`].
pub fn reference_to<K: Object>(object: &K) -> ObjectReference {
    let metadata = object.metadata();
    ObjectReference {
        api_version: Some(K::gvk().api_version()),
        kind: Some(K::KIND.to_owned()),
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

/// After the object, where that makes a name that an event can have: those of roles may hold a colon, for one.
fn event_name(object: &str, nanos: i128) -> String {
    let name = format!("{object}.{nanos:x}");
    let is_part = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && part.bytes().all(fits) && !part.starts_with('-') && !part.ends_with('-')
    };
    if name.len() <= LONGEST_NAME && name.split('.').all(is_part) {
        name
    } else {
        format!("event.{nanos:x}.{:x}", random_bits())
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE).rev().find(|end| note.is_char_boundary(*end));
        note.truncate(end.unwrap_or_default());
    }
    note
}
