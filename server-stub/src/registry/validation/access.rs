//! The rules for roles and their bindings.

use kubewire_client::validation::{dns1123_subdomain, path_segment};
use serde_json::{Value, json};

use super::selector;
use super::values::{broken, get, immutable, items, one_of, text};
use crate::status::FieldError;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules for a role.
pub(in crate::registry) fn role(object: &Value) -> Vec<FieldError> {
    policy_rules(object, true)
}

/// The rules for a cluster role.
pub(in crate::registry) fn cluster_role(object: &Value) -> Vec<FieldError> {
    let mut errors = policy_rules(object, false);
    if !get(object, "/aggregationRule").is_null() {
        let field = "aggregationRule.clusterRoleSelectors";
        let selectors = items(object, "/aggregationRule/clusterRoleSelectors");
        if selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(field, detail));
        }
        for (index, selector) in selectors.iter().enumerate() {
            let path = format!("{field}[{index}]");
            let wrong = selector::validate(selector, &path);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(&path, Value::Null, "invalid label selector."));
            }
            errors.extend(wrong);
        }
    }
    errors
}

/// The rules for a role binding.
pub(in crate::registry) fn role_binding(object: &Value) -> Vec<FieldError> {
    binding(object, &["Role", "ClusterRole"], true)
}

/// The rules for a cluster role binding.
pub(in crate::registry) fn cluster_role_binding(object: &Value) -> Vec<FieldError> {
    binding(object, &["ClusterRole"], false)
}

/// The rules for a change of either binding.
pub(in crate::registry) fn binding_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let changed = immutable(new, old, "/roleRef");
    let shown = |error: FieldError| {
        let of = |field| json!(text(new, field)).to_string();
        // The type has no JSON names upstream.
        error.shown_as(format!(
            "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
            of("/roleRef/apiGroup"),
            of("/roleRef/kind"),
            of("/roleRef/name")
        ))
    };
    changed.map(shown).into_iter().collect()
}

fn policy_rules(object: &Value, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut verbs = Vec::new();
    for (index, rule) in items(object, "/rules").iter().enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        let empty = |field: &str| items(rule, &format!("/{field}")).is_empty();
        if empty("verbs") {
            verbs.push(FieldError::required(at("verbs"), ""));
        }
        if empty("nonResourceURLs") {
            let needed = [
                ("apiGroups", "resource rules must supply at least one api group"),
                ("resources", "resource rules must supply at least one resource"),
            ];
            let missing = needed.into_iter().filter(|(field, _)| empty(field));
            errors.extend(missing.map(|(field, detail)| FieldError::required(at(field), detail)));
            continue;
        }
        let wrong = |detail| FieldError::invalid(at("nonResourceURLs"), get(rule, "/nonResourceURLs").clone(), detail);
        if namespaced {
            errors.push(wrong("namespaced rules cannot apply to non-resource URLs"));
        }
        if !["apiGroups", "resources", "resourceNames"].into_iter().all(empty) {
            errors.push(wrong(
                "rules cannot apply to both regular resources and non-resource URLs",
            ));
        }
    }
    // Declared rules come after the others.
    errors.extend(verbs);
    errors
}

fn binding(object: &Value, kinds: &[&str], namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut missing = Vec::new();
    errors.extend(one_of("roleRef.apiGroup", text(object, "/roleRef/apiGroup"), &[GROUP]));
    errors.extend(one_of("roleRef.kind", text(object, "/roleRef/kind"), kinds));
    match text(object, "/roleRef/name") {
        "" => missing.push(FieldError::required("roleRef.name", "")),
        name => errors.extend(broken("roleRef.name", name, path_segment(name))),
    }
    for (index, subject) in items(object, "/subjects").iter().enumerate() {
        let at = |field: &str| format!("subjects[{index}].{field}");
        let (name, group) = (text(subject, "/name"), text(subject, "/apiGroup"));
        if name.is_empty() {
            missing.push(FieldError::required(at("name"), ""));
        }
        match text(subject, "/kind") {
            "ServiceAccount" => {
                if !name.is_empty() {
                    errors.extend(broken(&at("name"), name, dns1123_subdomain(name)));
                }
                errors.extend(one_of(&at("apiGroup"), group, &[""]));
                if !namespaced && text(subject, "/namespace").is_empty() {
                    errors.push(FieldError::required(at("namespace"), ""));
                }
            }
            "User" | "Group" => errors.extend(one_of(&at("apiGroup"), group, &[GROUP])),
            kind => errors.extend(one_of(&at("kind"), kind, &["ServiceAccount", "User", "Group"])),
        }
    }
    errors.extend(missing);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn roles() {
        let good = json!({ "rules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] }] });
        assert!(role(&good).is_empty());
        let bad = json!({ "rules": [{ "nonResourceURLs": ["/x"] }, { "verbs": ["get"] }] });
        assert_eq!(
            told(role(&bad)),
            [
                "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
                "rules[1].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[1].resources: Required value: resource rules must supply at least one resource",
                "rules[0].verbs: Required value",
            ]
        );
    }

    #[test]
    fn bindings_stay_with_their_role() {
        let binding = |name: &str| json!({ "roleRef": { "apiGroup": GROUP, "kind": "Role", "name": name } });
        assert!(role_binding(&binding("a")).is_empty());
        assert!(binding_update(&binding("a"), &binding("a")).is_empty());
        assert_eq!(
            told(binding_update(&binding("b"), &binding("a"))),
            [
                "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"Role\",\"Name\":\"b\"}: \
                 field is immutable"
            ]
        );
        let wrong = told(cluster_role_binding(&binding("")));
        assert_eq!(
            wrong,
            [
                "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
                "roleRef.name: Required value"
            ]
        );
    }
}
