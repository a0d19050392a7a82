//! `EquivalentResourceRegistry`: which resources show the same objects, in which kinds.
//!
//! A horizontal pod autoscaler can be written as `autoscaling/v1` and as `v2`, an event in two groups: whoever is to hear
//! of writes (a webhook with the match policy `Equivalent`) has to know that.

use std::collections::BTreeMap;

use kubewire_client::{Gvk, Gvr};

/// Resources that show the same objects, each with the kinds of its subresources (`""` for the resource itself).
///
/// ```
/// use kubewire_client::{Gvk, Gvr};
/// use kubewire_server_stub::generic::equivalent_resources::EquivalentResourceRegistry;
///
/// let mut registry = EquivalentResourceRegistry::default();
/// let old = Gvr::new("example.com", "v1", "widgets");
/// let new = Gvr::new("example.com", "v2", "widgets");
/// registry.register_kind_for("widgets", &old, "", Gvk::new("example.com", "v1", "Widget"));
/// registry.register_kind_for("widgets", &new, "", Gvk::new("example.com", "v2", "Widget"));
/// let all: Vec<_> = registry.equivalent_resources_for(&old, "").collect();
/// assert_eq!(all, [&old, &new]);
/// assert_eq!(registry.kind_for(&new, "").unwrap().version, "v2");
/// ```
#[derive(Debug, Default)]
pub struct EquivalentResourceRegistry {
    /// What the objects of a resource have in common in all versions, such as where they are stored.
    identities: BTreeMap<Gvr, String>,
    kinds: BTreeMap<(Gvr, String), Gvk>,
}

impl EquivalentResourceRegistry {
    /// Takes note of the kind of a resource or of one of its subresources. Resources of one identity are equivalent.
    pub fn register_kind_for(&mut self, identity: &str, resource: &Gvr, subresource: &str, kind: Gvk) {
        self.identities.insert(resource.clone(), identity.to_owned());
        self.kinds.insert((resource.clone(), subresource.to_owned()), kind);
    }

    /// All resources with the same objects that have this subresource, the resource itself among them.
    pub fn equivalent_resources_for<'a>(
        &'a self,
        resource: &Gvr,
        subresource: &'a str,
    ) -> impl Iterator<Item = &'a Gvr> + use<'a> {
        let identity = self.identities.get(resource);
        let same = self
            .identities
            .iter()
            .filter(move |(_, other)| Some(*other) == identity);
        same.map(|(resource, _)| resource)
            .filter(move |resource| self.kind_for(resource, subresource).is_some())
    }

    /// The kind that a resource or one of its subresources reads and writes.
    pub fn kind_for(&self, resource: &Gvr, subresource: &str) -> Option<&Gvk> {
        self.kinds.get(&(resource.clone(), subresource.to_owned()))
    }
}
