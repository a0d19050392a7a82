//! Which webhooks a request is for: rules, scope, namespace and object selectors, other versions of the resource.

use std::borrow::Cow;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kubewire_client::{Gvk, Gvr, ObjectKey};
use serde_json::Value;

use super::call::CallError;
use super::{Attributes, Objects, Sources, Webhook, name_of};
use crate::registry::Operation;
use crate::status::{ApiError, GroupResource};

/// A question to a webhook: the request, in the version that the webhook wants.
pub(super) struct Invocation<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) operation: Operation,
    pub(super) resource: &'a Gvr,
    pub(super) kind: &'a Gvk,
}

/// The objects of a request in another version.
pub(super) struct Converted<'a> {
    new: Option<Cow<'a, Value>>,
    old: Option<Cow<'a, Value>>,
}

impl Converted<'_> {
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects {
            new: self.new.as_deref(),
            old: self.old.as_deref(),
        }
    }
}

impl Invocation<'_> {
    /// The objects in the version that the webhook wants.
    pub(super) async fn converted<'o>(&self, objects: Objects<'o>) -> Result<Converted<'o>, CallError> {
        Ok(Converted {
            new: self.convert(objects.new).await?,
            old: self.convert(objects.old).await?,
        })
    }

    async fn convert<'o>(&self, object: Option<&'o Value>) -> Result<Option<Cow<'o, Value>>, CallError> {
        match object {
            Some(object) if *self.kind != self.attributes.kind => {
                let converted = self.attributes.equivalents.convert(object.clone(), self.kind).await;
                converted
                    .map(|object| Some(Cow::Owned(object)))
                    .map_err(CallError::Refused)
            }
            object => Ok(object.map(Cow::Borrowed)),
        }
    }

    /// What the webhook made of the object, in the version of the request.
    pub(super) async fn restored(&self, object: Value) -> Result<Value, CallError> {
        let own = &self.attributes.kind;
        if self.kind == own {
            return Ok(object);
        }
        let restored = self.attributes.equivalents.convert(object, own).await;
        restored.map_err(CallError::Refused)
    }
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
        let Some((resource, kind)) = resource_for(webhook, attributes, operation) else {
            return Ok(None);
        };
        if !self
            .namespace_matches(webhook.namespace_selector.as_ref(), attributes, objects)
            .await?
        {
            return Ok(None);
        }
        if !webhook.conditions_hold(attributes)? {
            return Ok(None);
        }
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
        if is_namespace(&attributes.resource)
            && attributes.subresource.is_empty()
            && let Some(object) = objects.new
        {
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

/// The resource in the version that a rule names: that of the request, if any rule does, else another one.
fn resource_for<'a>(webhook: &Webhook, attributes: &'a Attributes, operation: Operation) -> Option<(&'a Gvr, &'a Gvk)> {
    let own = &attributes.resource;
    let fits = |rule: &RuleWithOperations, resource| rule_matches(rule, attributes, operation, resource);
    if webhook.rules.iter().any(|rule| fits(rule, own)) {
        return Some((own, &attributes.kind));
    }
    let rules = webhook.rules.iter().filter(|_| webhook.match_equivalent);
    let registry = &attributes.equivalents.registry;
    let mut found = rules.flat_map(|rule| {
        let equivalents = registry.equivalent_resources_for(own, &attributes.subresource);
        equivalents.filter(move |resource| *resource != own && fits(rule, resource))
    });
    let resource = found.next()?;
    Some((resource, registry.kind_for(resource, &attributes.subresource)?))
}

fn is_namespace(resource: &Gvr) -> bool {
    resource.group.is_empty() && resource.resource == "namespaces"
}

fn rule_matches(rule: &RuleWithOperations, attributes: &Attributes, operation: Operation, resource: &Gvr) -> bool {
    let has = |items: &Option<Vec<String>>, wanted: &str| {
        let mut items = items.iter().flatten();
        items.any(|item| item == "*" || item == wanted)
    };
    let in_namespace = !attributes.namespace.is_empty() && !is_namespace(resource);
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
