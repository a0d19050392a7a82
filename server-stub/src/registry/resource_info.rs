//! What a store knows of its resource.

use std::borrow::Cow;

use crate::status::GroupResource;

/// A resource in the version in which it is stored.
///
/// Built-in resources borrow from static tables, custom resources own their strings.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// The API group, empty for the core group.
    pub group: Cow<'static, str>,
    /// The version in which objects are stored and documents are given.
    pub version: Cow<'static, str>,
    /// The plural name.
    pub resource: Cow<'static, str>,
    /// The kind of an object.
    pub kind: Cow<'static, str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What the storage keys of all objects start with, with a slash at the end.
    pub storage_prefix: Cow<'static, str>,
    /// The fields that a field selector may name, sorted.
    pub field_labels: Cow<'static, [&'static str]>,
}

impl ResourceInfo {
    /// A custom resource without status whose objects can be selected by name and namespace.
    pub fn custom(
        group: impl Into<Cow<'static, str>>,
        version: impl Into<Cow<'static, str>>,
        resource: impl Into<Cow<'static, str>>,
        kind: impl Into<Cow<'static, str>>,
        namespaced: bool,
    ) -> Self {
        let (group, resource) = (group.into(), resource.into());
        Self {
            storage_prefix: format!("/registry/{group}/{resource}/").into(),
            group,
            version: version.into(),
            resource,
            kind: kind.into(),
            namespaced,
            field_labels: match namespaced {
                true => Cow::Borrowed(&["metadata.name", "metadata.namespace"]),
                false => Cow::Borrowed(&["metadata.name"]),
            },
        }
    }

    /// Group and plural name, as errors name the resource.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.group.clone(), self.resource.clone())
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        match self.group.is_empty() {
            true => self.version.to_string(),
            false => format!("{}/{}", self.group, self.version),
        }
    }

    /// True for events, which kube-apiserver treats in ways of its own: it has no watch cache of them.
    pub(crate) fn is_event(&self) -> bool {
        self.resource == "events" && matches!(&*self.group, "" | "events.k8s.io")
    }

    /// The storage key of an object.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        format!("{}{name}", self.keys_in(namespace))
    }

    /// What the storage keys in a namespace (`""` for all) start with.
    pub fn keys_in(&self, namespace: &str) -> String {
        match self.namespaced && !namespace.is_empty() {
            true => format!("{}{namespace}/", self.storage_prefix),
            false => self.storage_prefix.to_string(),
        }
    }
}

/// Where kube-apiserver keeps a built-in resource: mostly under its plural name, whatever the group.
pub(crate) fn built_in_storage_prefix(group: &str, resource: &str) -> String {
    let path = match (group, resource) {
        ("", "services") => "services/specs",
        ("", "endpoints") => "services/endpoints",
        ("", "nodes") => "minions",
        ("", "replicationcontrollers") => "controllers",
        ("networking.k8s.io", "ingresses") => "ingress",
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", _) => return format!("/registry/{group}/{resource}/"),
        (_, resource) => resource,
    };
    format!("/registry/{path}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_kube_apiserver() {
        assert_eq!(built_in_storage_prefix("apps", "deployments"), "/registry/deployments/");
        assert_eq!(built_in_storage_prefix("", "services"), "/registry/services/specs/");
        let widgets = ResourceInfo::custom("gold.example.com", "v1", "widgets", "Widget", true);
        assert_eq!(
            widgets.key("shop", "one"),
            "/registry/gold.example.com/widgets/shop/one"
        );
        assert_eq!(widgets.keys_in(""), "/registry/gold.example.com/widgets/");
    }
}
