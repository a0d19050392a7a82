//! The rules for admission webhooks.

use std::collections::HashSet;

use kubewire_client::validation::{dns1035_label, dns1123_subdomain, port_number, qualified_name};
use serde_json::{Value, json};

use super::selector;
use super::values::{broken, get, items, number, one_of, text, texts};
use crate::status::FieldError;

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];
const MOST_CONDITIONS: usize = 64;
/// What webhooks are never asked about.
const REVIEWS: [(&str, &str); 6] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];
/// What an address of a webhook has to look like.
const FORM: &str = "; desired format: https://host[/path]";

/// The rules for a configuration of validating or mutating webhooks.
pub(in crate::registry) fn configuration(object: &Value) -> Vec<FieldError> {
    let (mut errors, mut names) = (Vec::new(), HashSet::new());
    for (index, webhook) in items(object, "/webhooks").iter().enumerate() {
        let path = format!("webhooks[{index}]");
        errors.extend(validate(webhook, &path));
        errors.extend(review_versions(webhook, &format!("{path}.admissionReviewVersions")));
        let name = text(webhook, "/name");
        if !name.is_empty() && !names.insert(name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), json!(name)));
        }
    }
    errors
}

fn validate(webhook: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = fully_qualified_name(text(webhook, "/name"), &format!("{path}.name"));
    for (index, rule) in items(webhook, "/rules").iter().enumerate() {
        errors.extend(validate_rule(rule, &format!("{path}.rules[{index}]")));
    }
    let choice = |field: &str, choices: &[&str]| {
        let value = webhook.get(field).and_then(Value::as_str)?;
        one_of(&format!("{path}.{field}"), value, choices)
    };
    errors.extend(choice("failurePolicy", &["Fail", "Ignore"]));
    errors.extend(choice("matchPolicy", &["Equivalent", "Exact"]));
    if get(webhook, "/sideEffects").is_null() {
        let detail = format!("must specify one of {}", SIDE_EFFECTS.join(", "));
        errors.push(FieldError::required(format!("{path}.sideEffects"), detail));
    }
    errors.extend(choice("sideEffects", &SIDE_EFFECTS));
    if let Some(seconds) = number(webhook, "/timeoutSeconds").filter(|seconds| !(1..=30).contains(seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid(
            format!("{path}.timeoutSeconds"),
            json!(seconds),
            detail,
        ));
    }
    for field in ["namespaceSelector", "objectSelector"] {
        errors.extend(selector::validate(
            get(webhook, &format!("/{field}")),
            &format!("{path}.{field}"),
        ));
    }
    errors.extend(choice("reinvocationPolicy", &["IfNeeded", "Never"]));
    errors.extend(match_conditions(
        items(webhook, "/matchConditions"),
        &format!("{path}.matchConditions"),
    ));
    errors.extend(client_config(
        get(webhook, "/clientConfig"),
        &format!("{path}.clientConfig"),
    ));
    errors
}

/// The rules for conditions, as far as their expressions need not be understood for it.
fn match_conditions(conditions: &[Value], path: &str) -> Vec<FieldError> {
    let (mut errors, mut names) = (Vec::new(), HashSet::new());
    if conditions.len() > MOST_CONDITIONS {
        errors.push(FieldError::too_many(path, conditions.len(), MOST_CONDITIONS));
    }
    for (index, condition) in conditions.iter().enumerate() {
        let (name, field) = (text(condition, "/name"), format!("{path}[{index}].name"));
        if text(condition, "/expression").trim().is_empty() {
            errors.push(FieldError::required(format!("{path}[{index}].expression"), ""));
        }
        if name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if !names.insert(name) {
            errors.push(FieldError::duplicate(field, json!(name)));
        } else {
            errors.extend(broken(&field, name, qualified_name(name)));
        }
    }
    errors
}

/// What whoever writes a configuration should know: what of it has no effect.
pub(in crate::registry) fn warnings(configuration: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, webhook) in items(configuration, "/webhooks").iter().enumerate() {
        for (rule_index, rule) in items(webhook, "/rules").iter().enumerate() {
            let named = |field: &str, wanted: &str| texts(rule, field).contains(&wanted);
            let excluded = REVIEWS
                .iter()
                .filter(|(group, resource)| named("/apiGroups", group) && named("/resources", resource));
            warnings.extend(excluded.map(|(group, resource)| {
                format!(
                    "webhooks[{index}].rules[{rule_index}]: {resource}.{group} is excluded from admission webhooks; this \
                     rule will have no effect"
                )
            }));
        }
        if !items(webhook, "/matchConditions").is_empty() {
            warnings.push(format!(
                "webhooks[{index}].matchConditions: this server evaluates no CEL: the conditions count as failing, so that \
                 failurePolicy decides what becomes of requests"
            ));
        }
    }
    warnings
}

/// A domain of at least three segments.
fn fully_qualified_name(name: &str, path: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let rules = dns1123_subdomain(name);
    if !rules.is_empty() {
        return vec![FieldError::invalid(path, json!(name), rules.join(","))];
    }
    let too_short = (name.split('.').count() < 3).then(|| {
        FieldError::invalid(
            path,
            json!(name),
            "should be a domain with at least three segments separated by dots",
        )
    });
    Vec::from_iter(too_short)
}

fn validate_rule(rule: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let required = |field: &str| FieldError::required(format!("{path}.{field}"), "");
    let alone = |field: &str, what: &str| {
        let values = texts(rule, &format!("/{field}"));
        let detail = format!("if '*' is present, must not specify other {what}");
        let mixed = values.len() > 1 && values.contains(&"*");
        mixed.then(|| FieldError::invalid(format!("{path}.{field}"), json!(values), detail))
    };
    let operations = texts(rule, "/operations");
    errors.extend(operations.is_empty().then(|| required("operations")));
    errors.extend(alone("operations", "operations"));
    for (index, operation) in operations.iter().enumerate() {
        errors.extend(one_of(&format!("{path}.operations[{index}]"), operation, &OPERATIONS));
    }
    errors.extend(texts(rule, "/apiGroups").is_empty().then(|| required("apiGroups")));
    errors.extend(alone("apiGroups", "API groups"));
    let versions = texts(rule, "/apiVersions");
    errors.extend(versions.is_empty().then(|| required("apiVersions")));
    errors.extend(alone("apiVersions", "API versions"));
    let empty = versions.iter().enumerate().filter(|(_, version)| version.is_empty());
    errors.extend(empty.map(|(index, _)| required(&format!("apiVersions[{index}]"))));
    errors.extend(resources(&texts(rule, "/resources"), &format!("{path}.resources")));
    if let Some(scope) = get(rule, "/scope").as_str() {
        errors.extend(one_of(&format!("{path}.scope"), scope, &SCOPES));
    }
    errors
}

/// Resources and subresources, none of which may be named where a wildcard stands for it already.
fn resources(resources: &[&str], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    errors.extend(resources.is_empty().then(|| FieldError::required(path, "")));
    let (mut all_below, mut everywhere) = (HashSet::new(), HashSet::new());
    let mut has_plain_resource = false;
    for (index, text) in resources.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if text.is_empty() {
            errors.push(FieldError::required(path, ""));
            continue;
        }
        let Some((resource, subresource)) = text.split_once('/') else {
            has_plain_resource = *text != "*";
            continue;
        };
        let covered = |wildcard: String| {
            let detail = format!("if '{wildcard}' is present, must not specify {text}");
            FieldError::invalid(path.clone(), json!(text), detail)
        };
        errors.extend(all_below.contains(resource).then(|| covered(format!("{resource}/*"))));
        errors.extend(
            everywhere
                .contains(subresource)
                .then(|| covered(format!("*/{subresource}"))),
        );
        if subresource == "*" {
            all_below.insert(resource);
        }
        if resource == "*" {
            everywhere.insert(subresource);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        errors.push(FieldError::invalid(path, json!(resources), detail));
    }
    if resources.contains(&"*") && has_plain_resource {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.push(FieldError::invalid(path, json!(resources), detail));
    }
    errors
}

fn review_versions(webhook: &Value, path: &str) -> Vec<FieldError> {
    let versions = texts(webhook, "/admissionReviewVersions");
    let known = REVIEW_VERSIONS.join(", ");
    if versions.is_empty() {
        return vec![FieldError::required(path, format!("must specify one of {known}"))];
    }
    let (mut errors, mut seen) = (Vec::new(), HashSet::new());
    for (index, version) in versions.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if seen.insert(version) {
            errors.extend(broken(&path, version, dns1035_label(version)));
        } else {
            errors.push(FieldError::invalid(path, json!(version), "duplicate version"));
        }
    }
    if !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        let detail = format!("must include at least one of {known}");
        errors.push(FieldError::invalid(path, json!(versions), detail));
    }
    errors
}

/// The rules for where a webhook is.
pub(crate) fn client_config(config: &Value, path: &str) -> Vec<FieldError> {
    match (get(config, "/url").as_str(), get(config, "/service")) {
        (Some(address), Value::Null) => url(address, &format!("{path}.url")),
        (None, service @ Value::Object(_)) => webhook_service(service, &format!("{path}.service")),
        _ => vec![FieldError::required(path, "exactly one of url or service is required")],
    }
}

fn url(url: &str, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |value: &str, detail: String| errors.push(FieldError::invalid(path, json!(value), detail));
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if !scheme.eq_ignore_ascii_case("https") {
        wrong(
            &scheme.to_ascii_lowercase(),
            format!("'https' is the only allowed URL scheme{FORM}"),
        );
    }
    if host.is_empty() {
        wrong("", format!("host must be specified{FORM}"));
    }
    if !user.is_empty() {
        wrong(user, "user information is not permitted in the URL".to_owned());
    }
    if !fragment.is_empty() {
        wrong(fragment, "fragments are not permitted in the URL".to_owned());
    }
    if !query.is_empty() {
        wrong(query, "query parameters are not permitted in the URL".to_owned());
    }
    errors
}

fn webhook_service(service: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    // Upstream mistakes one for the other.
    for (field, told) in [("namespace", "name"), ("name", "namespace")] {
        if text(service, &format!("/{field}")).is_empty() {
            errors.push(FieldError::required(format!("{path}.{told}"), ""));
        }
    }
    errors.extend(port_problem(service, path));
    if let Some(url_path) = get(service, "/path").as_str() {
        errors.extend(service_path(url_path, &format!("{path}.path")));
    }
    errors
}

/// The rule for the port of a service that somebody refers to.
pub(crate) fn port_problem(service: &Value, path: &str) -> Option<FieldError> {
    let port = number(service, "/port").unwrap_or(443);
    let rules = port_number(port);
    let detail = format!("port is not valid: {}", rules.join(", "));
    (!rules.is_empty()).then(|| FieldError::invalid(format!("{path}.port"), json!(port), detail))
}

fn service_path(url_path: &str, path: &str) -> Vec<FieldError> {
    let wrong = |detail: String| FieldError::invalid(path, json!(url_path), detail);
    match url_path {
        "" | "/" => return Vec::new(),
        "//" => return vec![wrong("segment[0] may not be empty".to_owned())],
        _ => {}
    }
    let mut errors = Vec::new();
    if !url_path.starts_with('/') {
        errors.push(wrong("must start with a '/'".to_owned()));
    }
    let mut rest = url_path.chars();
    rest.next();
    let rest = rest.as_str();
    for (index, segment) in rest.strip_suffix('/').unwrap_or(rest).split('/').enumerate() {
        if segment.is_empty() {
            errors.push(wrong(format!("segment[{index}] may not be empty")));
            continue;
        }
        let rules = dns1123_subdomain(segment).into_iter();
        errors.extend(rules.map(|rule| wrong(format!("segment[{index}]: {rule}"))));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    fn good() -> Value {
        json!({
            "name": "pods.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"url": "https://127.0.0.1:9443/pods"},
            "rules": [{
                "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods", "pods/*"]
            }]
        })
    }

    /// What is said about a webhook in which one field is another.
    fn with(pointer: &str, value: Value) -> Vec<String> {
        let mut webhook = good();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        webhook.pointer_mut(parent).unwrap()[field] = value;
        told(configuration(&json!({ "webhooks": [webhook] })))
    }

    #[test]
    fn a_webhook_without_faults() {
        assert_eq!(with("/sideEffects", json!("NoneOnDryRun")), Vec::<String>::new());
        let service = json!({"service": {"name": "a", "namespace": "b", "path": "/c/d/", "port": 8443}});
        assert_eq!(with("/clientConfig", service), Vec::<String>::new());
    }

    #[test]
    fn every_rule_has_its_words() {
        let rows: [(&str, Value, &[&str]); 14] = [
            (
                "/name",
                json!("pods"),
                &[
                    "webhooks[0].name: Invalid value: \"pods\": should be a domain with at least three segments separated by dots",
                ],
            ),
            ("/name", json!(""), &["webhooks[0].name: Required value"]),
            (
                "/sideEffects",
                Value::Null,
                &["webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"],
            ),
            (
                "/sideEffects",
                json!("Some"),
                &["webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\""],
            ),
            (
                "/timeoutSeconds",
                json!(31),
                &["webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"],
            ),
            (
                "/admissionReviewVersions",
                json!([]),
                &["webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
            ),
            (
                "/admissionReviewVersions",
                json!(["v2", "v2"]),
                &[
                    "webhooks[0].admissionReviewVersions[1]: Invalid value: \"v2\": duplicate version",
                    "webhooks[0].admissionReviewVersions: Invalid value: [\"v2\",\"v2\"]: must include at least one of v1, v1beta1",
                ],
            ),
            (
                "/rules/0/operations",
                json!(["*", "DROP"]),
                &[
                    "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"DROP\"]: if '*' is present, must not specify other operations",
                    "webhooks[0].rules[0].operations[1]: Unsupported value: \"DROP\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
                ],
            ),
            (
                "/rules/0/resources",
                json!(["pods/*", "pods/status", "*"]),
                &[
                    "webhooks[0].rules[0].resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status",
                ],
            ),
            (
                "/rules/0/scope",
                json!("All"),
                &[
                    "webhooks[0].rules[0].scope: Unsupported value: \"All\": supported values: \"*\", \"Cluster\", \"Namespaced\"",
                ],
            ),
            (
                "/clientConfig",
                json!({}),
                &["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
            ),
            (
                "/clientConfig/url",
                json!("http://a@b?c#d"),
                &[
                    "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
                    "webhooks[0].clientConfig.url: Invalid value: \"a\": user information is not permitted in the URL",
                    "webhooks[0].clientConfig.url: Invalid value: \"d\": fragments are not permitted in the URL",
                    "webhooks[0].clientConfig.url: Invalid value: \"c\": query parameters are not permitted in the URL",
                ],
            ),
            (
                "/clientConfig",
                json!({"service": {"name": "a", "port": 0, "path": "//x"}}),
                &[
                    "webhooks[0].clientConfig.service.name: Required value",
                    "webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                    "webhooks[0].clientConfig.service.path: Invalid value: \"//x\": segment[0] may not be empty",
                ],
            ),
            (
                "/failurePolicy",
                json!("Retry"),
                &["webhooks[0].failurePolicy: Unsupported value: \"Retry\": supported values: \"Fail\", \"Ignore\""],
            ),
        ];
        for (pointer, value, expected) in rows {
            assert_eq!(with(pointer, value.clone()), expected, "{pointer} {value}");
        }
    }

    #[test]
    fn conditions_have_names_of_their_own() {
        let conditions = json!([
            { "name": "a", "expression": "true" },
            { "name": "a", "expression": " " },
            { "name": "", "expression": "true" },
        ]);
        let wanted = [
            "webhooks[0].matchConditions[1].expression: Required value",
            "webhooks[0].matchConditions[1].name: Duplicate value: \"a\"",
            "webhooks[0].matchConditions[2].name: Required value",
        ];
        assert_eq!(with("/matchConditions", conditions), wanted);
    }

    #[test]
    fn who_writes_what_has_no_effect_is_warned() {
        let mut webhook = good();
        webhook["rules"] = json!([
            { "apiGroups": ["*"], "resources": ["*"] },
            { "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews", "x"] },
        ]);
        webhook["matchConditions"] = json!([{ "name": "a", "expression": "true" }]);
        let warnings = warnings(&json!({ "webhooks": [good(), webhook] }));
        assert_eq!(
            warnings[0],
            "webhooks[1].rules[1]: tokenreviews.authentication.k8s.io is excluded from admission webhooks; this rule will \
             have no effect"
        );
        assert!(warnings[1].starts_with("webhooks[1].matchConditions: this server evaluates no CEL"));
        assert_eq!(warnings.len(), 2);
    }

    #[test]
    fn names_are_there_once() {
        let errors = told(configuration(&json!({ "webhooks": [good(), good()] })));
        assert_eq!(errors, ["webhooks[1].name: Duplicate value: \"pods.example.com\""]);
    }
}
