//! Which webhooks a request is for: rules, scope, namespace and object selectors, other versions of the resource.

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kubewire_client::{Gvk, ObjectKey};
use serde_json::Value;

use super::{Attributes, Objects, Resource, Sources, Webhook, name_of};
use crate::registry::Operation;
use crate::status::{ApiError, GroupResource};

/// A question to a webhook: the request, in the version that the webhook wants.
pub(super) struct Invocation<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) operation: Operation,
    pub(super) resource: &'a Resource,
    pub(super) kind: &'a Gvk,
}

impl Sources {
    /// The question, where the webhook is to be asked.
    ///
    /// # Errors
    /// The object's namespace does not exist, so that its labels cannot be looked at.
    pub(super) async fn invocation<'a>(
        &self,
        webhook: &Webhook,
        attributes: &'a Attributes,
        operation: Operation,
        objects: Objects<'_>,
    ) -> Result<Option<Invocation<'a>>, ApiError> {
        if !object_matches(webhook.object_selector.as_ref(), objects) {
            return Ok(None);
        }
        let own = (&attributes.resource, &attributes.kind);
        let others = attributes.equivalents.iter().map(|(resource, kind)| (resource, kind));
        let others = others.filter(|_| webhook.match_equivalent);
        let found = std::iter::once(own).chain(others).find(|(resource, _)| {
            let mut rules = webhook.rules.iter();
            rules.any(|rule| rule_matches(rule, attributes, operation, resource))
        });
        let Some((resource, kind)) = found else { return Ok(None) };
        if !self
            .namespace_matches(webhook.namespace_selector.as_ref(), attributes, objects)
            .await?
        {
            return Ok(None);
        }
        webhook.warn_of_conditions();
        Ok(Some(Invocation {
            attributes,
            operation,
            resource,
            kind,
        }))
    }

    /// The namespace's labels count; those of a namespace itself where the request is about one. What is in no
    /// namespace always fits.
    async fn namespace_matches(
        &self,
        selector: Option<&LabelSelector>,
        attributes: &Attributes,
        objects: Objects<'_>,
    ) -> Result<bool, ApiError> {
        let Some(selector) = selector.filter(|selector| !is_empty(selector)) else {
            return Ok(true);
        };
        let about_namespace = attributes.resource.group.is_empty() && attributes.resource.resource == "namespaces";
        if about_namespace && let Some(object) = objects.new {
            return Ok(selects(selector, |label| label_of(object, label)));
        }
        if attributes.namespace.is_empty() {
            return Ok(true);
        }
        let name = attributes.namespace.as_str();
        if let Some(namespace) = self.namespaces.get(&ObjectKey::new("", name)) {
            return Ok(selects(selector, |label| namespace.label(label)));
        }
        // It may be too new for the informer.
        let namespace = self.clientset.core_v1().namespaces().get(name).await;
        let missing = |_| ApiError::not_found(&GroupResource::new("", "namespaces"), name);
        let labels = namespace.map_err(missing)?.metadata.labels.unwrap_or_default();
        Ok(selects(selector, |label| labels.get(label).map(String::as_str)))
    }
}

fn rule_matches(rule: &RuleWithOperations, attributes: &Attributes, operation: Operation, resource: &Resource) -> bool {
    let has = |items: &Option<Vec<String>>, wanted: &str| {
        let mut items = items.iter().flatten();
        items.any(|item| item == "*" || item == wanted)
    };
    let in_namespace =
        !(attributes.namespace.is_empty() || resource.group.is_empty() && resource.resource == "namespaces");
    let scope = match rule.scope.as_deref() {
        None | Some("*") => true,
        Some("Namespaced") => in_namespace,
        Some("Cluster") => !in_namespace,
        Some(_) => false,
    };
    let names = rule.resources.iter().flatten().any(|pattern| {
        let (name, subresource) = pattern.split_once('/').unwrap_or((pattern, ""));
        (name == "*" || name == resource.resource) && (subresource == "*" || subresource == attributes.subresource)
    });
    scope
        && names
        && has(&rule.operations, name_of(operation))
        && has(&rule.api_groups, &resource.group)
        && has(&rule.api_versions, &resource.version)
}

/// Either of the objects is enough.
fn object_matches(selector: Option<&LabelSelector>, objects: Objects<'_>) -> bool {
    let Some(selector) = selector.filter(|selector| !is_empty(selector)) else {
        return true;
    };
    let mut objects = [objects.new, objects.old].into_iter().flatten();
    objects.any(|object| selects(selector, |label| label_of(object, label)))
}

fn label_of<'a>(object: &'a Value, label: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(label)?.as_str()
}

fn is_empty(selector: &LabelSelector) -> bool {
    let LabelSelector {
        match_labels,
        match_expressions,
    } = selector;
    match_labels.iter().flatten().next().is_none() && match_expressions.iter().flatten().next().is_none()
}

fn selects<'a>(selector: &LabelSelector, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    let equal = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    equal.into_iter().all(|(key, value)| label(key) == Some(value))
        && expressions.all(|rule| {
            let among = |value: &str| rule.values.iter().flatten().any(|one| one == value);
            match (rule.operator.as_str(), label(&rule.key)) {
                ("In", Some(value)) => among(value),
                ("NotIn", value) => value.is_none_or(|value| !among(value)),
                ("Exists", value) => value.is_some(),
                ("DoesNotExist", value) => value.is_none(),
                _ => false,
            }
        })
}
