//! What is special about built-in resources.

use std::borrow::Cow;

use async_trait::async_trait;
use kubewire_client::Gvk;
use serde_json::{Value, json};

use crate::registry::defaults::apply_defaults;
use crate::registry::facts::ResourceFacts;
use crate::registry::query::{DeleteOptions, WriteContext};
use crate::registry::strategy::{Strategy, Update, keep, separate_status};
use crate::registry::validation::metadata::{NameRule, dns1035_name, label_name, path_segment_name, subdomain_name};

/// The behaviour of one built-in resource.
#[derive(Clone, Debug)]
pub struct BuiltInStrategy {
    gvk: Gvk,
    has_status: bool,
}

impl BuiltInStrategy {
    /// The behaviour of a resource.
    pub fn new(facts: &ResourceFacts) -> Self {
        Self {
            gvk: Gvk::new(facts.group, facts.version, facts.kind),
            has_status: facts.subresource("status").is_some(),
        }
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        self.gvk.group == group && self.gvk.kind == kind
    }
}

#[async_trait]
impl Strategy for BuiltInStrategy {
    fn default_object(&self, object: &mut Value) {
        apply_defaults(&self.gvk, object);
    }

    fn prepare_for_create(&self, object: &mut Value, _: &WriteContext) {
        if self.has_status {
            keep(object, None, "status");
        }
        if self.is("", "Namespace") {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        if self.is("", "Pod") {
            object["status"] = json!({"phase": "Pending"});
        }
    }

    fn prepare_for_update(&self, change: &mut Update<'_>) {
        if self.is("", "Namespace") && change.subresource != Some("finalize") {
            keep(change.new, Some(change.old), "spec");
        }
        if self.has_status {
            separate_status(change);
        }
    }

    fn has_generation(&self) -> bool {
        const GENERATIONS: &[&str] = &[
            "apps",
            "batch",
            "networking.k8s.io",
            "policy",
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
        ];
        GENERATIONS.contains(&&*self.gvk.group)
    }

    fn name_rule(&self) -> NameRule {
        match (&*self.gvk.group, &*self.gvk.kind) {
            ("rbac.authorization.k8s.io" | "apiregistration.k8s.io", _) => path_segment_name,
            ("", "Namespace") => label_name,
            ("", "Service") => dns1035_name,
            _ => subdomain_name,
        }
    }

    fn grace_period(&self, object: &Value, options: &DeleteOptions) -> Option<i64> {
        if !self.is("", "Pod") {
            return None;
        }
        let unscheduled = object
            .pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty();
        let ended = matches!(
            object.pointer("/status/phase").and_then(Value::as_str),
            Some("Succeeded" | "Failed")
        );
        let wished = options.grace_period_seconds;
        let own = object
            .pointer("/spec/terminationGracePeriodSeconds")
            .and_then(Value::as_i64);
        Some(if unscheduled || ended {
            0
        } else {
            wished.or(own).unwrap_or(30)
        })
    }

    fn must_stay(&self, object: &Value) -> bool {
        let finalizers = object.pointer("/spec/finalizers").and_then(Value::as_array);
        self.is("", "Namespace") && finalizers.is_some_and(|finalizers| !finalizers.is_empty())
    }

    fn mark_deleted(&self, object: &mut Value) {
        if self.is("", "Namespace") {
            object["status"] = json!({"phase": "Terminating"});
        }
    }

    fn returns_deleted_object(&self) -> bool {
        self.is("", "Namespace") || self.is("", "Pod")
    }

    fn field<'a>(&self, object: &'a Value, field: &str) -> Option<Cow<'a, str>> {
        let value = field.split('.').try_fold(object, |value, name| value.get(name));
        Some(match value {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(other) => Cow::Owned(other.to_string()),
        })
    }
}
