//! The rules for flow schemas.

use kubewire_client::validation::{dns1123_label, dns1123_subdomain};
use serde_json::{Value, json};

use super::fixed_spec;
use crate::registry::validation::values::{broken, flag, get, items, number, one_of, text, texts};
use crate::status::FieldError;

const MOST_PRECEDENCE: i64 = 10_000;
const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];
/// Kinds of subjects, and the fields that belong to them.
const SUBJECTS: [(&str, &str); 3] = [
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
    ("Group", "group"),
];

/// The rules for a flow schema.
pub(crate) fn flow_schema(schema: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, spec) = (text(schema, "/metadata/name"), get(schema, "/spec"));
    if fixed_spec("flowschemas", name).is_some_and(|fixed| fixed != spec) {
        let detail = format!("spec of '{name}' must equal the fixed value");
        errors.push(FieldError::invalid("spec", Value::Null, detail).shown_as(shown(spec)));
    }
    let precedence = number(spec, "/matchingPrecedence").unwrap_or_default();
    let wrong = if precedence <= 0 {
        Some("must be a positive value".to_owned())
    } else if precedence > MOST_PRECEDENCE {
        Some(format!("must not be greater than {MOST_PRECEDENCE}"))
    } else if precedence == 1 && name != "exempt" {
        Some("only the schema named 'exempt' may have matchingPrecedence 1".to_owned())
    } else {
        None
    };
    errors.extend(wrong.map(|detail| FieldError::invalid("spec.matchingPrecedence", json!(precedence), detail)));
    let method = get(spec, "/distinguisherMethod");
    let kind = text(method, "/type");
    if !method.is_null() && !matches!(kind, "ByNamespace" | "ByUser") {
        let supported = ["ByNamespace", "ByUser"];
        let error = FieldError::not_supported("spec.distinguisherMethod.type", Value::Null, &supported);
        errors.push(error.shown_as(format!("{{\"Type\":{}}}", json!(kind))));
    }
    let field = "spec.priorityLevelConfiguration.name";
    match text(spec, "/priorityLevelConfiguration/name") {
        "" => errors.push(FieldError::required(field, "must reference a priority level")),
        level => errors.extend(broken(field, level, dns1123_subdomain(level))),
    }
    for (index, rule) in items(spec, "/rules").iter().enumerate() {
        errors.extend(check_rule(rule, &format!("spec.rules[{index}]")));
    }
    errors
}

fn check_rule(rule: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let subjects = items(rule, "/subjects");
    if subjects.is_empty() {
        let detail = "subjects must contain at least one value";
        errors.push(FieldError::required(format!("{field}.subjects"), detail));
    }
    for (index, subject) in subjects.iter().enumerate() {
        errors.extend(check_subject(subject, &format!("{field}.subjects[{index}]")));
    }
    let (resources, urls) = (items(rule, "/resourceRules"), items(rule, "/nonResourceRules"));
    if resources.is_empty() && urls.is_empty() {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.push(FieldError::required(field, detail));
    }
    for (index, rule) in resources.iter().enumerate() {
        errors.extend(check_resources(rule, &format!("{field}.resourceRules[{index}]")));
    }
    for (index, rule) in urls.iter().enumerate() {
        errors.extend(check_urls(rule, &format!("{field}.nonResourceRules[{index}]")));
    }
    errors
}

fn check_subject(subject: &Value, field: &str) -> Vec<FieldError> {
    let kind = text(subject, "/kind");
    let Some((_, own)) = SUBJECTS.iter().find(|(known, _)| *known == kind) else {
        return one_of(&format!("{field}.kind"), kind, &["Group", "ServiceAccount", "User"])
            .into_iter()
            .collect();
    };
    let mut errors = Vec::new();
    let part = get(subject, &format!("/{own}"));
    let field_of = |name: &str| format!("{field}.{name}");
    if part.is_null() {
        let detail = format!("{own} is required when subject kind is '{kind}'");
        errors.push(FieldError::required(field_of(own), detail));
    } else {
        let (name, field) = (text(part, "/name"), field_of(own));
        match (*own, name) {
            (_, "") => errors.push(FieldError::required(format!("{field}.name"), "")),
            ("serviceAccount", "*") => {}
            ("serviceAccount", name) => errors.extend(broken(&format!("{field}.name"), name, dns1123_subdomain(name))),
            _ => {}
        }
        if *own == "serviceAccount" {
            let field = format!("{field}.namespace");
            match text(part, "/namespace") {
                "" => errors.push(FieldError::required(
                    field,
                    "must specify namespace for service account",
                )),
                namespace => errors.extend(broken(&field, namespace, dns1123_label(namespace))),
            }
        }
    }
    for (other, name) in SUBJECTS.iter().filter(|(other, _)| *other != kind) {
        if !get(subject, &format!("/{name}")).is_null() {
            let detail = format!("{name} is forbidden when subject kind is not '{other}'");
            errors.push(FieldError::forbidden(field_of(name), detail));
        }
    }
    errors
}

fn check_resources(rule: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::from_iter(check_verbs(rule, field));
    let lists = [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
            "api groups",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
            "resources",
        ),
    ];
    for (list, required, what) in lists {
        errors.extend(check_star(rule, field, list, required, what));
    }
    let namespaces = texts(rule, "/namespaces");
    if namespaces.is_empty() {
        if !flag(rule, "/clusterScope") {
            let detail = "resource rules that are not cluster scoped must supply at least one namespace";
            errors.push(FieldError::required(format!("{field}.namespaces"), detail));
        }
    } else if namespaces.contains(&"*") {
        errors.extend(check_star(rule, field, "namespaces", "", "namespaces"));
    } else {
        for (index, namespace) in namespaces.iter().enumerate() {
            for rule in dns1123_label(namespace) {
                let detail = format!("each member of this list must be '*' or a DNS-1123 label; {rule}");
                let field = format!("{field}.namespaces[{index}]");
                errors.push(FieldError::invalid(field, json!(namespace), detail));
            }
        }
    }
    errors
}

fn check_urls(rule: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::from_iter(check_verbs(rule, field));
    let urls = texts(rule, "/nonResourceURLs");
    if urls.is_empty() || urls.contains(&"*") {
        let required = "nonResourceURLs must contain at least one value";
        errors.extend(check_star(
            rule,
            field,
            "nonResourceURLs",
            required,
            "non-resource URLs",
        ));
        return errors;
    }
    for (index, url) in urls.iter().enumerate() {
        let field = format!("{field}.nonResourceURLs[{index}]");
        errors.extend(url_rule(url).map(|detail| FieldError::invalid(field, json!(url), detail)));
    }
    errors
}

fn url_rule(url: &str) -> Option<&'static str> {
    match url {
        "" => Some("nonResourceURL must not be empty"),
        "/" => None,
        url if !url.starts_with('/') => Some("nonResourceURL must start with slash"),
        url if url.contains(' ') => Some("nonResourceURL must not contain white-space"),
        url if url.contains("//") => Some("nonResourceURL must not contain double slash"),
        url if url.strip_suffix("/*").unwrap_or(url).contains('*') => Some("wildcard can only do suffix matching"),
        _ => None,
    }
}

fn check_verbs(rule: &Value, field: &str) -> Option<FieldError> {
    let verbs = texts(rule, "/verbs");
    let unknown = verbs.iter().any(|verb| *verb != "*" && !VERBS.contains(verb));
    if unknown && !verbs.contains(&"*") {
        let shown = json!(verbs).to_string();
        return Some(FieldError::not_supported(format!("{field}.verbs"), Value::Null, &VERBS).shown_as(shown));
    }
    check_star(rule, field, "verbs", "verbs must contain at least one value", "verbs")
}

/// A list must not be empty, and everything stands alone.
fn check_star(rule: &Value, field: &str, list: &str, required: &str, what: &str) -> Option<FieldError> {
    let values = texts(rule, &format!("/{list}"));
    let field = format!("{field}.{list}");
    if values.is_empty() {
        return Some(FieldError::required(field, required));
    }
    (values.contains(&"*") && values.len() > 1).then(|| {
        let detail = format!("if '*' is present, must not specify other {what}");
        FieldError::invalid(field, json!(values), detail)
    })
}

/// A spec as kube-apiserver shows it.
fn shown(spec: &Value) -> String {
    let list = |value: &Value, show: fn(&Value) -> String| match value.as_array() {
        None => "null".to_owned(),
        Some(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
    };
    fn fields(value: &Value, fields: &[(&str, &str)]) -> String {
        let shown = fields
            .iter()
            .map(|(name, field)| format!("\"{name}\":{}", get(value, field)));
        format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
    }
    fn named(value: &Value, names: &[(&str, &str)]) -> String {
        if value.is_null() {
            "null".to_owned()
        } else {
            fields(value, names)
        }
    }
    fn subject(value: &Value) -> String {
        let name: &[(&str, &str)] = &[("Name", "/name")];
        let account: &[(&str, &str)] = &[("Namespace", "/namespace"), ("Name", "/name")];
        format!(
            "{{\"Kind\":{},\"User\":{},\"Group\":{},\"ServiceAccount\":{}}}",
            get(value, "/kind"),
            named(get(value, "/user"), name),
            named(get(value, "/group"), name),
            named(get(value, "/serviceAccount"), account),
        )
    }
    fn resources(value: &Value) -> String {
        let names = [
            ("Verbs", "/verbs"),
            ("APIGroups", "/apiGroups"),
            ("Resources", "/resources"),
        ];
        let start = fields(value, &names);
        format!(
            "{},\"ClusterScope\":{},\"Namespaces\":{}}}",
            start.trim_end_matches('}'),
            flag(value, "/clusterScope"),
            get(value, "/namespaces")
        )
    }
    fn urls(value: &Value) -> String {
        fields(value, &[("Verbs", "/verbs"), ("NonResourceURLs", "/nonResourceURLs")])
    }
    let rules = items(spec, "/rules").iter().map(|rule| {
        let (subjects, resources) = (
            list(get(rule, "/subjects"), subject),
            list(get(rule, "/resourceRules"), resources),
        );
        let urls = list(get(rule, "/nonResourceRules"), urls);
        format!("{{\"Subjects\":{subjects},\"ResourceRules\":{resources},\"NonResourceRules\":{urls}}}")
    });
    let rules = format!("[{}]", rules.collect::<Vec<_>>().join(","));
    format!(
        "{{\"PriorityLevelConfiguration\":{},\"MatchingPrecedence\":{},\"DistinguisherMethod\":{},\"Rules\":{rules}}}",
        fields(get(spec, "/priorityLevelConfiguration"), &[("Name", "/name")]),
        get(spec, "/matchingPrecedence"),
        named(get(spec, "/distinguisherMethod"), &[("Type", "/type")]),
    )
}
