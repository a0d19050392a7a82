//! The rules for definitions.

use serde_json::Value;

use super::{names, versions};
use crate::registry::validation::metadata::{NameRule, dns1035_name, subdomain_name};
use crate::registry::validation::values::{get, immutable, items, text};
use crate::registry::validation::webhooks::client_config;
use crate::status::FieldError;

const APPROVED: &str = "api-approved.kubernetes.io";

/// The name is checked against the definition's other names, by [`validate`].
pub(crate) const NAME_RULE: NameRule = |_, _| Vec::new();

/// The rules for every definition.
pub(crate) fn validate(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, group) = (text(definition, "/metadata/name"), text(definition, "/spec/group"));
    // Later the name is what it is, and group and plural are fixed.
    let is_new = text(definition, "/metadata/resourceVersion").is_empty();
    let broken = if is_new {
        subdomain_name(name, false)
    } else {
        Vec::new()
    };
    errors.extend(
        broken
            .into_iter()
            .map(|rule| FieldError::invalid("metadata.name", name.into(), rule)),
    );
    if is_new && name != format!("{}.{group}", text(definition, "/spec/names/plural")) {
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
    let mut errors = Vec::new();
    if items(new, "/status/storedVersions").is_empty() {
        errors.extend(stored_versions(new));
    }
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
                for (name, place) in [
                    ("clientConfig", "webhookClientConfig"),
                    ("conversionReviewVersions", "conversionReviewVersions"),
                ] {
                    if !conversion["webhook"][name].is_null() {
                        errors.push(FieldError::forbidden(format!("spec.conversion.{place}"), detail));
                    }
                }
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

/// Errors name the places that webhooks have within kube-apiserver.
fn webhook(webhook: &Value, errors: &mut Vec<FieldError>) {
    const CONFIG: &str = "spec.conversion.webhookClientConfig";
    match &webhook["clientConfig"] {
        config @ Value::Object(_) => errors.extend(client_config(config, CONFIG)),
        _ => errors.push(FieldError::required(CONFIG, "required when strategy is set to Webhook")),
    }
    let versions = items(webhook, "/conversionReviewVersions");
    let field = "spec.conversion.conversionReviewVersions";
    if versions.is_empty() {
        errors.push(FieldError::required(field, ""));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if versions.iter().take(index).any(|other| other == version) {
            errors.push(FieldError::invalid(field, version.clone(), "duplicate version"));
            continue;
        }
        let broken = dns1035_name(version.as_str().unwrap_or_default(), false);
        errors.extend(
            broken
                .into_iter()
                .map(|rule| FieldError::invalid(field.clone(), version.clone(), rule)),
        );
    }
    if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
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
                "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
                "spec.conversion.conversionReviewVersions: Required value",
            ]
        );
    }

    /// What all versions have in common has one place, as in kube-apiserver.
    #[test]
    fn faults_of_versions() {
        let version = |name: &str, more: Value| {
            let schema =
                json!({ "openAPIV3Schema": { "type": "object", "properties": { "a": { "type": "number" } } } });
            let mut version = json!({ "name": name, "served": true, "storage": name == "v1", "schema": schema });
            version
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            version
        };
        let column = json!({ "additionalPrinterColumns": [{ "name": "A", "type": "x", "jsonPath": "a" }] });
        let common = [
            "spec.additionalPrinterColumns[0].type: Invalid value: \"x\": must be one of boolean,date,integer,number,string",
            "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"a\": must be a simple json path starting with .",
        ];
        let one = json!([version("v1", column.clone())]);
        assert_eq!(errors(&["spec", "versions"], one), common);
        let two = json!([version("v1", column), version("v2", json!({}))]);
        assert_eq!(
            errors(&["spec", "versions"], two),
            common.map(|text| text.replacen("spec", "spec.versions[0]", 1))
        );
        for (path, problem) in [
            (".nosuch", "is an invalid path: does not refer to a valid field"),
            (".metadata.name", "is an invalid path: does not refer to a valid field"),
            (".a[0]", "is an invalid path: array notation is not allowed"),
            ("a", "is an invalid path: expected [ or . but got: a"),
            (".", "is an invalid path: unexpected end of JSON path"),
            (
                ".a",
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
            ),
        ] {
            let fields = json!({ "selectableFields": [{ "jsonPath": path }] });
            let expected = format!("spec.selectableFields[0].jsonPath: Invalid value: \"{path}\": {problem}");
            assert_eq!(
                errors(&["spec", "versions"], json!([version("v1", fields)])),
                [expected]
            );
        }
        let deprecated = |warning: &str| {
            json!([version(
                "v1",
                json!({ "deprecated": true, "deprecationWarning": warning })
            )])
        };
        for (warning, problem) in [
            ("", "must not be an empty string"),
            (
                "x\n",
                "must only contain printable UTF-8 characters; non-printable character found at index 1",
            ),
        ] {
            let errors = errors(&["spec", "versions"], deprecated(warning));
            assert_eq!(errors.len(), 1);
            assert!(errors[0].ends_with(problem), "{errors:?}");
        }
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
