//! The default roles and bindings, read from `policy.txt`.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

const POLICY: &str = include_str!("policy.txt");

pub(super) const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const API_GROUP: &str = "rbac.authorization.k8s.io";

/// All default roles and bindings.
pub(super) fn default_policy() -> (Vec<ClusterRole>, Vec<ClusterRoleBinding>) {
    let (mut roles, mut bindings) = (Vec::<ClusterRole>::new(), Vec::new());
    for line in POLICY.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["role", name, more @ ..] => roles.push(role(name, more)),
            ["binding", name, subjects @ ..] => bindings.push(binding(name, subjects)),
            ["#", ..] | [] => {}
            columns => {
                let rules = roles.last_mut().and_then(|role| role.rules.as_mut());
                if let (Some(rules), Some(rule)) = (rules, rule(columns)) {
                    rules.push(rule);
                }
            }
        }
    }
    (roles, bindings)
}

fn role(name: &str, more: &[&str]) -> ClusterRole {
    let mut role = ClusterRole {
        metadata: metadata(name),
        rules: Some(Vec::new()),
        aggregation_rule: None,
    };
    for word in more {
        match word.split_once('=') {
            Some(("aggregates", target)) => {
                role.rules = None;
                role.aggregation_rule = Some(AggregationRule {
                    cluster_role_selectors: Some(vec![LabelSelector {
                        match_labels: Some([aggregate_to(target)].into()),
                        ..LabelSelector::default()
                    }]),
                });
            }
            Some((_, target)) => role
                .metadata
                .labels
                .get_or_insert_default()
                .extend([aggregate_to(target)]),
            None => {}
        }
    }
    role
}

fn aggregate_to(target: &str) -> (String, String) {
    (format!("{API_GROUP}/aggregate-to-{target}"), "true".to_owned())
}

fn rule(columns: &[&str]) -> Option<PolicyRule> {
    let split = |column: &str| column.split(',').map(str::to_owned).collect::<Vec<_>>();
    let [verbs, second, third, rest @ ..] = columns else {
        return None;
    };
    let verbs = match *verbs {
        "read" => split("get,list,watch"),
        "write" => split("create,delete,deletecollection,patch,update"),
        verbs => split(verbs),
    };
    if *second == "url" {
        return Some(PolicyRule {
            verbs,
            non_resource_urls: Some(split(third)),
            ..PolicyRule::default()
        });
    }
    let group = |name: &str| if name == "core" { String::new() } else { name.to_owned() };
    Some(PolicyRule {
        verbs,
        api_groups: Some(second.split(',').map(group).collect()),
        resources: Some(split(third)),
        resource_names: rest.first().map(|names| split(names)),
        ..PolicyRule::default()
    })
}

fn binding(name: &str, subjects: &[&str]) -> ClusterRoleBinding {
    let subject = |word: &&str| {
        let (kind, name) = word.split_once('=')?;
        let (namespace, name) = match (kind, name.split_once('/')) {
            ("serviceaccount", Some((namespace, name))) => (Some(namespace.to_owned()), name),
            _ => (None, name),
        };
        Some(Subject {
            kind: match kind {
                "user" => "User",
                "group" => "Group",
                _ => "ServiceAccount",
            }
            .to_owned(),
            api_group: namespace.is_none().then(|| API_GROUP.to_owned()),
            name: name.to_owned(),
            namespace,
        })
    };
    let subjects: Vec<Subject> = subjects.iter().filter_map(subject).collect();
    ClusterRoleBinding {
        metadata: metadata(name),
        role_ref: RoleRef {
            // An option in some versions of the API types, a plain string in others.
            #[allow(clippy::useless_conversion)]
            api_group: API_GROUP.to_owned().into(),
            kind: "ClusterRole".to_owned(),
            name: name.to_owned(),
        },
        subjects: (!subjects.is_empty()).then_some(subjects),
    }
}

fn metadata(name: &str) -> ObjectMeta {
    let pair = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(pair("kubernetes.io/bootstrapping", "rbac-defaults")),
        annotations: Some(pair(AUTO_UPDATE, "true")),
        ..ObjectMeta::default()
    }
}
