//! The rules for definitions.

use serde_json::Value;

use super::{names, versions};
use crate::registry::validation::metadata::{NameRule, subdomain_name};
use crate::registry::validation::values::{get, immutable, items, text};
use crate::status::FieldError;

const APPROVED: &str = "api-approved.kubernetes.io";

/// The name is checked against the definition's other names, by [`validate`].
pub(crate) const NAME_RULE: NameRule = |_, _| Vec::new();

/// The rules for every definition.
pub(crate) fn validate(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, group) = (text(definition, "/metadata/name"), text(definition, "/spec/group"));
    if name != format!("{}.{group}", text(definition, "/spec/names/plural")) {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", name.into(), detail));
    }
    if get(definition, "/spec/preserveUnknownFields") == true {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", true.into(), detail));
    }
    errors.extend(of_group(group));
    match text(definition, "/spec/scope") {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        scope => errors.push(FieldError::not_supported(
            "spec.scope",
            scope.into(),
            &["Cluster", "Namespaced"],
        )),
    }
    errors.extend(versions::validate(definition));
    errors.extend(names::validate(definition, "/spec/names", true));
    errors.extend(conversion(definition));
    errors.extend(of_approval(definition));
    errors.extend(stored_versions(definition));
    errors
}

/// The rules for changes, beyond those for every definition.
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let established = super::super::condition_is_true(old, "Established");
    let mut fixed = vec!["/spec/group", "/spec/names/plural"];
    if established {
        fixed.extend(["/spec/scope", "/spec/names/kind"]);
    }
    fixed
        .into_iter()
        .filter_map(|pointer| immutable(new, old, pointer))
        .collect()
}

/// The rules for a change of the status.
pub(crate) fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = stored_versions(new);
    if !text(new, "/status/acceptedNames/plural").is_empty() {
        errors.extend(names::validate(new, "/status/acceptedNames", false));
    }
    errors
}

fn of_group(group: &str) -> Option<FieldError> {
    if group.is_empty() {
        return Some(FieldError::required("spec.group", ""));
    }
    let broken = subdomain_name(group, false);
    if !broken.is_empty() {
        return Some(FieldError::invalid("spec.group", group.into(), broken.join(",")));
    }
    let detail = "should be a domain with at least one dot";
    (!group.contains('.')).then(|| FieldError::invalid("spec.group", group.into(), detail))
}

/// What the annotation says that definitions in the groups of the Kubernetes project have to have (KEP-1111).
pub(crate) enum Approval<'a> {
    /// The group is another one.
    NotNeeded,
    /// Where it was approved.
    Approved(&'a str),
    /// Why it was not, which is allowed.
    Unapproved(&'a str),
    /// There is no annotation.
    Missing(String),
    /// It says something else.
    Invalid(String),
}

/// Finds out whether a definition has somebody's consent.
pub(crate) fn approval(definition: &Value) -> Approval<'_> {
    let group = text(definition, "/spec/group");
    let is_protected = ["k8s.io", "kubernetes.io"].iter().any(|domain| {
        let rest = group.strip_suffix(domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if !is_protected {
        return Approval::NotNeeded;
    }
    let must = format!("protected groups must have approval annotation \"{APPROVED}\"");
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match definition["metadata"]["annotations"][APPROVED]
        .as_str()
        .unwrap_or_default()
    {
        "" => Approval::Missing(format!("{must}, {see}")),
        why if why.starts_with("unapproved") => Approval::Unapproved(why),
        by if by.contains("://") => Approval::Approved(by),
        _ => Approval::Invalid(format!(
            "{must} with either a URL or a reason starting with \"unapproved\", {see}"
        )),
    }
}

fn of_approval(definition: &Value) -> Option<FieldError> {
    let field = format!("metadata.annotations[{APPROVED}]");
    match approval(definition) {
        Approval::Missing(detail) => Some(FieldError::required(field, detail)),
        Approval::Invalid(detail) => {
            let given = definition["metadata"]["annotations"][APPROVED].clone();
            Some(FieldError::invalid(field, given, detail))
        }
        _ => None,
    }
}

fn conversion(definition: &Value) -> Vec<FieldError> {
    let conversion = get(definition, "/spec/conversion");
    let mut errors = Vec::new();
    match conversion["strategy"].as_str().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        "None" => {
            if !conversion["webhook"].is_null() {
                let detail = "should not be set when strategy is not set to Webhook";
                errors.push(FieldError::forbidden("spec.conversion.webhook", detail));
            }
        }
        "Webhook" => webhook(&conversion["webhook"], &mut errors),
        other => errors.push(FieldError::not_supported(
            "spec.conversion.strategy",
            other.into(),
            &["None", "Webhook"],
        )),
    }
    errors
}

fn webhook(webhook: &Value, errors: &mut Vec<FieldError>) {
    let path = "spec.conversion.webhook";
    let config = &webhook["clientConfig"];
    if !config.is_object() {
        let detail = "required when strategy is set to Webhook";
        errors.push(FieldError::required(format!("{path}.clientConfig"), detail));
    } else if config["url"].is_null() == config["service"].is_null() {
        let detail = "exactly one of url or service is required";
        errors.push(FieldError::required(format!("{path}.clientConfig"), detail));
    } else if let Some(url) = config["url"].as_str().filter(|url| !url.starts_with("https://")) {
        let detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
        errors.push(FieldError::invalid(
            format!("{path}.clientConfig.url"),
            url.into(),
            detail,
        ));
    }
    let versions = items(webhook, "/conversionReviewVersions");
    let field = format!("{path}.conversionReviewVersions");
    if versions.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        let detail = "must include at least one of v1, v1beta1";
        errors.push(FieldError::invalid(field, versions.into(), detail));
    }
}

/// Versions in which objects may be stored cannot go.
fn stored_versions(definition: &Value) -> Vec<FieldError> {
    let stored = items(definition, "/status/storedVersions");
    let field = "status.storedVersions";
    if stored.is_empty() {
        return vec![FieldError::invalid(
            field,
            Value::Null,
            "must have at least one stored version",
        )];
    }
    let mut errors = Vec::new();
    let versions = items(definition, "/spec/versions");
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version["name"] == *name) {
            let field = format!("{field}[{index}]");
            let version = name.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions \
                 until a storage migration ensures no data remains persisted in {version} and removes {version} from \
                 status.storedVersions"
            );
            errors.push(FieldError::invalid(field, name.clone(), detail));
        }
    }
    let storage = versions.iter().rfind(|version| version["storage"] == true);
    if let Some(name) = storage.map(|version| &version["name"])
        && !stored.contains(name)
    {
        let detail = format!("must have the storage version {}", name.as_str().unwrap_or_default());
        errors.push(FieldError::invalid(field, stored.into(), detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::validation::values::put;

    /// A definition without fault.
    fn definition() -> Value {
        let mut definition = json!({
            "metadata": { "name": "widgets.example.com" },
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": { "plural": "widgets", "kind": "Widget" },
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": { "type": "object" } },
                }],
            },
        });
        super::super::default(&mut definition);
        super::super::create(&mut definition);
        definition
    }

    fn errors(path: &[&str], value: Value) -> Vec<String> {
        let mut definition = definition();
        put(&mut definition, path, value);
        validate(&definition).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_definition_without_fault() {
        assert_eq!(validate(&definition()), []);
    }

    #[test]
    fn faults() {
        assert_eq!(
            errors(&["spec", "names", "kind"], json!("WidgetList")),
            ["spec.names.listKind: Invalid value: \"WidgetList\": kind and listKind may not be the same"]
        );
        assert_eq!(
            errors(&["spec", "preserveUnknownFields"], json!(true)),
            [
                "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set \
                 x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
            ]
        );
        assert_eq!(
            errors(&["status", "storedVersions"], json!(["v1", "v0"])),
            [
                "status.storedVersions[1]: Invalid value: \"v0\": missing from spec.versions; v0 was previously a storage \
                 version, and must remain in spec.versions until a storage migration ensures no data remains persisted in \
                 v0 and removes v0 from status.storedVersions"
            ]
        );
        assert_eq!(
            errors(&["spec", "conversion"], json!({ "strategy": "Webhook" })),
            [
                "spec.conversion.webhook.clientConfig: Required value: required when strategy is set to Webhook",
                "spec.conversion.webhook.conversionReviewVersions: Required value",
            ]
        );
    }

    #[test]
    fn what_stays_as_it_is_once_objects_are_served() {
        let mut old = definition();
        let mut new = old.clone();
        put(&mut new, &["spec", "scope"], json!("Cluster"));
        assert_eq!(validate_update(&new, &old), []);
        super::super::set_condition(&mut old, ("Established", "True", "r", "m"), "2026-11-21T00:21:24Z");
        let errors: Vec<String> = validate_update(&new, &old).iter().map(ToString::to_string).collect();
        assert_eq!(errors, ["spec.scope: Invalid value: \"Cluster\": field is immutable"]);
    }
}
