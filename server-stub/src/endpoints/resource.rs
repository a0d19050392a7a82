//! One resource as the endpoints serve it: built in, or made by a CustomResourceDefinition.

use std::borrow::Cow;
use std::sync::Arc;

use kubewire_client::Gvk;
use kubewire_client::wire::WireError;
use kubewire_client::wire::schema::{self, KindSchema};
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::Value;

use super::equivalents::Equivalents;
use super::event_frames::EventFrames;
use crate::apiextensions::customresource::CustomKind;
use crate::registry::Store;
use crate::registry::facts::ResourceFacts;
use crate::registry::managed_fields::Shape;
use crate::registry::resource_info::ResourceInfo;
use crate::status::{ApiError, GroupResource};

/// One resource in one version: what is known of it, and where its objects are.
pub(crate) struct Resource {
    pub(crate) kind: ObjectKind,
    pub(crate) store: Arc<Store>,
    /// Its other versions.
    pub(crate) equivalents: Equivalents,
    /// Events for its watchers.
    pub(crate) frames: Arc<EventFrames>,
}

/// What the objects of a resource are.
#[derive(Clone)]
pub(crate) enum ObjectKind {
    BuiltIn(&'static ResourceFacts, &'static KindSchema),
    Custom(Arc<CustomKind>),
}

/// A subresource of a resource.
pub(crate) struct Subresource {
    pub(crate) verbs: &'static [&'static str],
    /// The kind that it reads and writes where that is not the resource's own.
    kind: Option<Gvk>,
}

impl Resource {
    pub(crate) fn info(&self) -> &ResourceInfo {
        self.store.info()
    }

    pub(crate) fn gvk(&self) -> Gvk {
        let info = self.info();
        Gvk {
            group: Cow::Owned(info.group.to_string()),
            version: Cow::Owned(info.version.to_string()),
            kind: Cow::Owned(info.kind.to_string()),
        }
    }

    pub(crate) fn group_resource(&self) -> GroupResource {
        self.info().group_resource()
    }

    pub(crate) fn custom(&self) -> Option<&CustomKind> {
        match &self.kind {
            ObjectKind::BuiltIn(..) => None,
            ObjectKind::Custom(custom) => Some(custom),
        }
    }

    /// The kind of a list; `None` where the resource cannot be listed.
    pub(crate) fn list_kind(&self) -> Option<&str> {
        match &self.kind {
            ObjectKind::BuiltIn(facts, _) => facts.list_kind,
            ObjectKind::Custom(custom) => Some(&custom.list_kind),
        }
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match &self.kind {
            ObjectKind::BuiltIn(facts, _) => facts.verbs,
            ObjectKind::Custom(_) => CustomKind::VERBS,
        }
    }

    pub(crate) fn subresource(&self, name: &str) -> Option<Subresource> {
        match &self.kind {
            ObjectKind::BuiltIn(facts, _) => facts.subresource(name).map(|sub| Subresource {
                verbs: sub.verbs,
                kind: Some(Gvk::new(sub.group, sub.version, sub.kind)),
            }),
            ObjectKind::Custom(custom) => custom.has_subresource(name).then(|| Subresource {
                verbs: CustomKind::SUBRESOURCE_VERBS,
                kind: (name == "scale").then(|| Gvk::new("autoscaling", "v1", "Scale")),
            }),
        }
    }

    /// The kind that a request body must be: the subresource's where it has one of its own.
    pub(crate) fn body_kind(&self, subresource: &str) -> Result<BodyKind<'_>, ApiError> {
        if let Some(gvk) = self.subresource(subresource).and_then(|sub| sub.kind) {
            let kind = schema::kind(&gvk);
            return kind
                .map(BodyKind::BuiltIn)
                .ok_or_else(|| ApiError::internal(format!("no schema of {gvk}")));
        }
        Ok(match &self.kind {
            ObjectKind::BuiltIn(_, kind) => BodyKind::BuiltIn(kind),
            ObjectKind::Custom(custom) => BodyKind::Custom(custom),
        })
    }

    /// The type's name in kube-apiserver, which shows in a few messages.
    pub(crate) fn go_type(&self) -> String {
        let info = self.info();
        let package = info.group.split('.').next().filter(|package| !package.is_empty());
        match &self.kind {
            ObjectKind::BuiltIn(..) => format!("*{}.{}", package.unwrap_or("core"), info.kind),
            ObjectKind::Custom(_) => "*unstructured.Unstructured".to_owned(),
        }
    }
}

/// The kind of a request body.
#[derive(Clone, Copy)]
pub(crate) enum BodyKind<'a> {
    BuiltIn(&'static KindSchema),
    Custom(&'a CustomKind),
}

impl<'a> BodyKind<'a> {
    pub(crate) fn gvk(&self) -> Gvk {
        match self {
            Self::BuiltIn(kind) => Gvk::new(kind.group, kind.version, kind.kind),
            Self::Custom(custom) => Gvk {
                group: Cow::Owned(custom.group.clone()),
                version: Cow::Owned(custom.version.clone()),
                kind: Cow::Owned(custom.kind.clone()),
            },
        }
    }

    pub(crate) fn kind(&self) -> &'a str {
        match self {
            Self::BuiltIn(kind) => kind.kind,
            Self::Custom(custom) => &custom.kind,
        }
    }

    /// The message of a kind that is built in.
    pub(crate) fn schema(&self) -> Option<&'static KindSchema> {
        match self {
            Self::BuiltIn(kind) => Some(kind),
            Self::Custom(_) => None,
        }
    }

    /// How the parts of objects belong together.
    pub(crate) fn shape(&self) -> Shape<'a> {
        match self {
            Self::BuiltIn(kind) => Shape::of_message(kind.message),
            Self::Custom(custom) => custom.shape(),
        }
    }

    /// The document as an object of this kind, and what was odd about it, in the words of warnings.
    pub(crate) fn typed(&self, document: &JsonDocument<'_>) -> Result<(Value, Vec<String>), WireError> {
        match self {
            Self::BuiltIn(kind) => {
                let (object, problems) = document.typed(kind.message)?;
                Ok((object, problems.iter().map(ToString::to_string).collect()))
            }
            Self::Custom(custom) => custom.typed(document),
        }
    }
}
