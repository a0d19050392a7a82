//! What is known of the built-in groups and resources: static tables, generated from `client/schema`.

use super::generated::openapi::ENUMS;
use super::generated::resources::{GROUPS, RESOURCES};

/// An API group.
#[derive(Debug)]
#[non_exhaustive]
pub struct GroupFacts {
    /// Name; empty for the core group.
    pub group: &'static str,
    /// The version that discovery names as preferred.
    pub preferred: &'static str,
    /// Minimum priority of the group's APIService; `None` for a group that has none.
    pub priority: Option<i32>,
    /// The versions, the most important first.
    pub versions: &'static [VersionFacts],
}

/// One version of a group.
#[derive(Debug)]
#[non_exhaustive]
pub struct VersionFacts {
    /// Name, such as `v1beta1`.
    pub version: &'static str,
    /// True where the version is served without `--runtime-config`.
    pub served: bool,
    /// Version priority of the APIService.
    pub priority: Option<i32>,
}

/// A resource in one version.
#[derive(Debug)]
#[non_exhaustive]
pub struct ResourceFacts {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Plural name, as in paths.
    pub plural: &'static str,
    /// Kind of an object.
    pub kind: &'static str,
    /// Singular name.
    pub singular: &'static str,
    /// Short names, such as `deploy`.
    pub short_names: &'static [&'static str],
    /// Categories, such as `all`.
    pub categories: &'static [&'static str],
    /// True where objects live in namespaces.
    pub namespaced: bool,
    /// True where the resource is served without `--runtime-config`.
    pub served: bool,
    /// Verbs, sorted as discovery shows them.
    pub verbs: &'static [&'static str],
    /// Kind of a list; `None` where the resource cannot be listed.
    pub list_kind: Option<&'static str>,
    /// Hash of the storage version in discovery; empty for what is not stored.
    pub storage_version_hash: &'static str,
    /// Group and version in which objects are stored; `None` for what is not stored.
    pub storage: Option<(&'static str, &'static str)>,
    /// Subresources, sorted by name.
    pub subresources: &'static [SubresourceFacts],
    /// Fields that a field selector may name.
    pub field_labels: &'static [&'static str],
    /// Other names of those, with the field that each stands for; a trailing `*` stands for any rest.
    pub field_label_aliases: &'static [(&'static str, &'static str)],
    /// Columns of a table.
    pub columns: &'static [ColumnFacts],
}

/// A subresource.
#[derive(Debug)]
#[non_exhaustive]
pub struct SubresourceFacts {
    /// Name, such as `status`.
    pub name: &'static str,
    /// Group of the kind that the subresource reads and writes.
    pub group: &'static str,
    /// Version of that kind.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Verbs, sorted as discovery shows them.
    pub verbs: &'static [&'static str],
}

/// A column of a table.
#[derive(Debug)]
#[non_exhaustive]
pub struct ColumnFacts {
    /// Header.
    pub name: &'static str,
    /// OpenAPI type of the cells.
    pub ty: &'static str,
    /// OpenAPI format; `name` marks the column with the object's name.
    pub format: &'static str,
    /// 0 is always shown, more only in wide output.
    pub priority: i32,
}

/// All groups, in the order of discovery.
pub fn groups() -> &'static [GroupFacts] {
    GROUPS
}

/// All resources in all versions, grouped by group and version.
pub fn resources() -> &'static [ResourceFacts] {
    RESOURCES
}

/// One resource.
///
/// ```
/// use kubewire_server_stub::registry::facts;
/// let pods = facts::resource("", "v1", "pods").expect("a built-in resource");
/// assert_eq!((pods.kind, pods.short_names), ("Pod", &["po"][..]));
/// ```
pub fn resource(group: &str, version: &str, plural: &str) -> Option<&'static ResourceFacts> {
    RESOURCES
        .iter()
        .find(|resource| resource.group == group && resource.version == version && resource.plural == plural)
}

impl ResourceFacts {
    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// A subresource by name.
    pub fn subresource(&self, name: &str) -> Option<&'static SubresourceFacts> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

/// What texts of a type can be, sorted, such as those of `v1.Protocol`; `None` for a type that is no enumeration.
pub(crate) fn enum_values(type_name: &str) -> Option<&'static [&'static str]> {
    let place = ENUMS.binary_search_by(|(name, _)| (*name).cmp(type_name)).ok()?;
    ENUMS.get(place).map(|(_, values)| *values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_its_group_and_version() {
        for resource in resources() {
            let group = groups().iter().find(|group| group.group == resource.group).unwrap();
            assert!(group.versions.iter().any(|version| version.version == resource.version));
        }
    }

    #[test]
    fn every_stored_kind_has_a_schema() {
        for resource in resources() {
            let gvk = kubewire_client::Gvk::from_api_version(&resource.api_version(), resource.kind);
            assert!(kubewire_client::wire::schema::kind(&gvk).is_some(), "{gvk:?}");
        }
    }

    #[test]
    fn knows_subresources() {
        let scale = resource("apps", "v1", "deployments")
            .unwrap()
            .subresource("scale")
            .unwrap();
        assert_eq!((scale.group, scale.version, scale.kind), ("autoscaling", "v1", "Scale"));
    }
}
