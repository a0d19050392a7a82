//! `PodSecurity`: labels of a namespace say what its pods may do, and what their users are warned of (KEP 2579).

mod levels;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use self::levels::{Level, Violation, violations};
use super::request::PluginAdmission;
use crate::registry::validation::values::{entries, get, text};
use crate::registry::{ListQuery, Operation, StoredObject};
use crate::status::{ApiError, FieldError, GroupResource};

const PREFIX: &str = "pod-security.kubernetes.io/";
/// So many pods are looked at when the labels of their namespace change.
const MOST_PODS: usize = 3000;

/// A level and the version of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    level: Level,
    version: String,
}

/// What of a request is looked at.
pub(super) fn concerns(resource: &GroupResource) -> bool {
    resource.group.is_empty() && resource.resource == "namespaces" || template_of(resource).is_some()
}

/// Where the pod is in an object of a resource.
fn template_of(resource: &GroupResource) -> Option<&'static str> {
    Some(match (&*resource.group, &*resource.resource) {
        ("", "pods") => "",
        ("", "podtemplates") => "/template",
        ("", "replicationcontrollers") | ("batch", "jobs") => "/spec/template",
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => "/spec/template",
        ("batch", "cronjobs") => "/spec/jobTemplate/spec/template",
        _ => return None,
    })
}

impl PluginAdmission {
    /// Refuses pods that may not be, and warns of others.
    pub(super) async fn check_pod_security(
        &self,
        operation: Operation,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let attributes = &self.attributes;
        let resource = &self.resource;
        if resource.group.is_empty() && resource.resource == "namespaces" {
            return self.check_namespace(operation, new, old).await;
        }
        let is_pod = self.is_for_pods();
        if !matches!(attributes.subresource.as_str(), "" | "ephemeralcontainers" | "resize")
            || is_pod && old.is_some_and(|old| !is_significant(&attributes.subresource, new, old))
        {
            return Ok(());
        }
        let Some(pod) = template_of(resource)
            .map(|pointer| get(new, pointer))
            .filter(|pod| !pod["spec"].is_null())
        else {
            return Ok(());
        };
        let Ok(namespace) = self.namespace().await else {
            return Ok(());
        };
        let namespace = namespace.header();
        let of = |mode: &str| policy_of(|label| namespace.label(label), mode);
        let enforce = of("enforce");
        let enforced = violations(enforce.level, pod);
        if is_pod && !enforced.is_empty() {
            let message = format!("violates PodSecurity {}", shown(&enforce, &enforced));
            return Err(ApiError::forbidden(resource, text(new, "/metadata/name"), message));
        }
        let audit = of("audit");
        let audited = violations(audit.level, pod);
        if !audited.is_empty() {
            let note = format!("would violate PodSecurity {}", shown(&audit, &audited));
            attributes
                .audit
                .annotate("pod-security.kubernetes.io/audit-violations", note);
        }
        let warn = match is_pod {
            true => of("warn"),
            // What makes pods later is warned of what will be refused then.
            false => [of("warn"), enforce]
                .into_iter()
                .max_by_key(|policy| policy.level)
                .unwrap_or_else(Policy::none),
        };
        let warned = violations(warn.level, pod);
        if !warned.is_empty() {
            let warning = format!("would violate PodSecurity {}", shown(&warn, &warned));
            attributes.warnings.extend([warning]);
        }
        Ok(())
    }

    async fn namespace(&self) -> Result<Arc<StoredObject>, ApiError> {
        let store = self.stores.get("", "namespaces");
        let store = store.ok_or_else(|| ApiError::internal("namespaces are not stored"))?;
        store
            .get("", &self.attributes.namespace, Some(store.written_version()))
            .await
    }

    /// The labels must make sense; who makes them stricter is told about pods that are there already.
    async fn check_namespace(&self, operation: Operation, new: &Value, old: Option<&Value>) -> Result<(), ApiError> {
        if !self.attributes.subresource.is_empty() {
            return Ok(());
        }
        let errors = label_errors(new);
        let known = old.map(label_errors).unwrap_or_default();
        if !errors.is_empty() && (operation == Operation::Create || known.is_empty()) {
            return Err(ApiError::invalid("", "Namespace", text(new, "/metadata/name"), errors));
        }
        let Some(old) = old else { return Ok(()) };
        let (before, now) = (policy(old, "enforce"), policy(new, "enforce"));
        let same_version = before.version == now.version;
        if now.level == Level::Privileged || before == now || (same_version && now.level < before.level) {
            return Ok(());
        }
        self.warn_of_pods(text(new, "/metadata/name"), &now).await
    }

    async fn warn_of_pods(&self, namespace: &str, policy: &Policy) -> Result<(), ApiError> {
        let store = self
            .stores
            .get("", "pods")
            .ok_or_else(|| ApiError::internal("pods are not stored"))?;
        let query = ListQuery {
            resource_version: Some(store.written_version()),
            ..ListQuery::default()
        };
        let pods = store.list(namespace, &query).await?.items;
        // Pods with the same faults by the names of these.
        let mut faulty: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in pods.iter().take(MOST_PODS) {
            let document = pod.document();
            let found = violations(policy.level, &document);
            if !found.is_empty() {
                let reasons: Vec<&str> = found.iter().map(|one| one.reason.as_str()).collect();
                faulty
                    .entry(reasons.join(", "))
                    .or_default()
                    .push(pod.header().name.clone());
            }
        }
        if faulty.is_empty() {
            return Ok(());
        }
        let head = format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{}\"",
            policy.name()
        );
        let mut lines: Vec<String> = faulty
            .iter()
            .filter_map(|(reasons, names)| {
                let first = names.iter().min()?;
                Some(match names.len() {
                    1 => format!("{first}: {reasons}"),
                    2 => format!("{first} (and 1 other pod): {reasons}"),
                    many => format!("{first} (and {} other pods): {reasons}", many - 1),
                })
            })
            .collect();
        lines.sort();
        self.attributes.warnings.extend(std::iter::once(head).chain(lines));
        Ok(())
    }
}

/// An update is looked at again where it changes what counts: images, or containers that are added.
fn is_significant(subresource: &str, new: &Value, old: &Value) -> bool {
    if subresource == "ephemeralcontainers" {
        return new["spec"]["ephemeralContainers"] != old["spec"]["ephemeralContainers"];
    }
    new["spec"] != old["spec"]
}

impl Policy {
    fn none() -> Self {
        Self {
            level: Level::Privileged,
            version: "latest".to_owned(),
        }
    }

    fn name(&self) -> String {
        format!("{}:{}", level_name(self.level), self.version)
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Privileged => "privileged",
        Level::Baseline => "baseline",
        Level::Restricted => "restricted",
    }
}

/// What a namespace says for `enforce`, `audit` or `warn`. What makes no sense counts as the strictest.
fn policy(namespace: &Value, mode: &str) -> Policy {
    policy_of(|label| namespace["metadata"]["labels"][label].as_str(), mode)
}

/// The same out of its labels.
fn policy_of<'a>(label: impl Fn(&str) -> Option<&'a str>, mode: &str) -> Policy {
    let level = match label(&format!("{PREFIX}{mode}")).unwrap_or_default() {
        "" | "privileged" => Level::Privileged,
        "baseline" => Level::Baseline,
        _ => Level::Restricted,
    };
    let version = label(&format!("{PREFIX}{mode}-version")).unwrap_or_default();
    let version = if is_version(version) { version } else { "latest" };
    Policy {
        level,
        version: version.to_owned(),
    }
}

fn is_version(text: &str) -> bool {
    text == "latest"
        || text
            .strip_prefix("v1.")
            .is_some_and(|minor| minor.parse::<u32>().is_ok())
}

fn label_errors(namespace: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in entries(namespace, "/metadata/labels") {
        let Some(name) = key.strip_prefix(PREFIX) else { continue };
        let text = value.as_str().unwrap_or_default();
        let detail = match name {
            "enforce" | "audit" | "warn" if !matches!(text, "privileged" | "baseline" | "restricted") => {
                "must be one of privileged, baseline, restricted"
            }
            "enforce-version" | "audit-version" | "warn-version" if !is_version(text) => {
                "must be \"latest\" or \"v1.x\""
            }
            _ => continue,
        };
        errors.push(FieldError::invalid(
            format!("metadata.labels[{key}]"),
            json!(text),
            detail,
        ));
    }
    errors
}

fn shown(policy: &Policy, found: &[Violation]) -> String {
    let found: Vec<String> = found
        .iter()
        .map(|one| format!("{} ({})", one.reason, one.detail))
        .collect();
    format!("\"{}\": {}", policy.name(), found.join(", "))
}
