//! The other versions of a resource, and how its objects look in them.

use std::sync::Arc;

use kubewire_client::{Gvk, Gvr};
use serde_json::Value;

use crate::apiextensions::customresource::Versions;
use crate::generic::equivalent_resources::EquivalentResourceRegistry;
use crate::registry::conversion;
use crate::registry::facts;
use crate::registry::resource_info::built_in_storage_prefix;
use crate::status::ApiError;

/// Under which other names and in which other versions the objects of a resource can be written.
#[derive(Clone)]
pub(crate) struct Equivalents {
    pub(crate) registry: Arc<EquivalentResourceRegistry>,
    convertor: ObjectConvertor,
}

/// How an object of one kind becomes one of another.
#[derive(Clone)]
enum ObjectConvertor {
    BuiltIn,
    Custom(Arc<Versions>),
}

impl Equivalents {
    /// Those of the built-in resources: objects that are stored in the same place are the same.
    pub(crate) fn built_in() -> Self {
        let mut registry = EquivalentResourceRegistry::default();
        for facts in facts::resources().iter().filter(|facts| facts.served) {
            let Some((stored_group, _)) = facts.storage else {
                continue;
            };
            let identity = built_in_storage_prefix(stored_group, facts.plural);
            let resource = Gvr::new(facts.group, facts.version, facts.plural);
            let kind = Gvk::new(facts.group, facts.version, facts.kind);
            registry.register_kind_for(&identity, &resource, "", kind);
            for sub in facts.subresources {
                let kind = Gvk::new(sub.group, sub.version, sub.kind);
                registry.register_kind_for(&identity, &resource, sub.name, kind);
            }
        }
        Self {
            registry: Arc::new(registry),
            convertor: ObjectConvertor::BuiltIn,
        }
    }

    /// Those of a custom resource.
    pub(crate) fn custom(versions: Arc<Versions>) -> Self {
        let mut registry = EquivalentResourceRegistry::default();
        for kind in versions.kinds.values() {
            let resource = Gvr {
                group: kind.group.clone().into(),
                version: kind.version.clone().into(),
                resource: kind.plural.clone().into(),
            };
            let own = Gvk {
                group: kind.group.clone().into(),
                version: kind.version.clone().into(),
                kind: kind.kind.clone().into(),
            };
            let mut register = |subresource, kind| registry.register_kind_for("", &resource, subresource, kind);
            register("", own.clone());
            if kind.has_status {
                register("status", own);
            }
            if kind.scale.is_some() {
                register("scale", Gvk::new("autoscaling", "v1", "Scale"));
            }
        }
        Self {
            registry: Arc::new(registry),
            convertor: ObjectConvertor::Custom(versions),
        }
    }

    /// The object as one of another kind; kinds that are not versions of each other stay as they are.
    ///
    /// # Errors
    /// The webhook that converts custom resources cannot.
    pub(crate) async fn convert(&self, object: Value, to: &Gvk) -> Result<Value, ApiError> {
        match &self.convertor {
            ObjectConvertor::BuiltIn => Ok(conversion::convert(object, to)),
            ObjectConvertor::Custom(versions) => versions.convert(object, &to.version).await,
        }
    }
}

impl std::fmt::Debug for Equivalents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Equivalents")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn others(resource: &Gvr, subresource: &str) -> Vec<String> {
        let equivalents = Equivalents::built_in();
        let all = equivalents.registry.equivalent_resources_for(resource, subresource);
        all.filter(|other| *other != resource)
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_stored_in_one_place_is_equivalent() {
        let autoscalers = Gvr::new("autoscaling", "v1", "horizontalpodautoscalers");
        assert_eq!(
            others(&autoscalers, "status"),
            ["autoscaling/v2, Resource=horizontalpodautoscalers"]
        );
        assert_eq!(
            others(&Gvr::new("", "v1", "events"), ""),
            ["events.k8s.io/v1, Resource=events"]
        );
        assert_eq!(
            others(&Gvr::new("apps", "v1", "deployments"), "scale"),
            Vec::<String>::new()
        );
    }

    #[tokio::test]
    async fn objects_become_those_of_the_other_version() {
        let equivalents = Equivalents::built_in();
        let event = json!({ "apiVersion": "v1", "kind": "Event", "message": "hello" });
        let new = Gvk::new("events.k8s.io", "v1", "Event");
        let converted = equivalents.convert(event.clone(), &new).await.unwrap();
        assert_eq!(
            converted,
            json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "hello" })
        );
        let back = equivalents.convert(converted, &Gvk::new("", "v1", "Event")).await;
        assert_eq!(back.unwrap(), event);
    }
}
