//! The default roles and bindings, read from `policy.txt`.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

const POLICY: &str = include_str!("policy.txt");

pub(super) const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const API_GROUP: &str = "rbac.authorization.k8s.io";

/// The default roles and bindings.
#[derive(Default)]
pub(super) struct Policy {
    pub(super) cluster_roles: Vec<ClusterRole>,
    pub(super) cluster_role_bindings: Vec<ClusterRoleBinding>,
    pub(super) roles: Vec<Role>,
    pub(super) role_bindings: Vec<RoleBinding>,
}

/// All default roles and bindings.
pub(super) fn default_policy() -> Policy {
    let mut policy = Policy::default();
    let mut rules = Vec::new();
    // From the end: the rules of a role are known when its name comes.
    for line in POLICY.lines().rev() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["role", name, more @ ..] => {
                let rules: Vec<PolicyRule> = rules.drain(..).rev().collect();
                match namespaced(name) {
                    Some(metadata) => policy.roles.push(Role {
                        metadata,
                        rules: Some(rules),
                    }),
                    None => policy.cluster_roles.push(cluster_role(name, more, rules)),
                }
            }
            ["binding", name, more @ ..] => {
                let subjects = subjects(more);
                match namespaced(name) {
                    Some(metadata) => policy.role_bindings.push(RoleBinding {
                        role_ref: role_ref("Role", &metadata, more),
                        metadata,
                        subjects,
                    }),
                    None => policy.cluster_role_bindings.push(ClusterRoleBinding {
                        role_ref: role_ref("ClusterRole", &metadata(name), more),
                        metadata: metadata(name),
                        subjects,
                    }),
                }
            }
            ["#", ..] | [] => {}
            columns => rules.extend(rule(columns)),
        }
    }
    policy
}

fn cluster_role(name: &str, more: &[&str], rules: Vec<PolicyRule>) -> ClusterRole {
    let mut role = ClusterRole {
        metadata: metadata(name),
        rules: Some(rules),
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

fn subjects(words: &[&str]) -> Option<Vec<Subject>> {
    let subject = |word: &&str| {
        let (kind, name) = word.split_once('=')?;
        let (namespace, name) = match (kind, name.split_once('/')) {
            ("serviceaccount", Some((namespace, name))) => (Some(namespace.to_owned()), name),
            _ => (None, name),
        };
        let kind = match kind {
            "user" => "User",
            "group" => "Group",
            "serviceaccount" => "ServiceAccount",
            _ => return None,
        };
        Some(Subject {
            kind: kind.to_owned(),
            api_group: namespace.is_none().then(|| API_GROUP.to_owned()),
            name: name.to_owned(),
            namespace,
        })
    };
    let subjects: Vec<Subject> = words.iter().filter_map(subject).collect();
    (!subjects.is_empty()).then_some(subjects)
}

/// A binding binds the role of its own name, unless another one is named.
fn role_ref(kind: &str, binding: &ObjectMeta, words: &[&str]) -> RoleRef {
    let named = words.iter().find_map(|word| word.strip_prefix("role="));
    RoleRef {
        // An option in some versions of the API types, a plain string in others.
        #[allow(clippy::useless_conversion)]
        api_group: API_GROUP.to_owned().into(),
        kind: kind.to_owned(),
        name: named.or(binding.name.as_deref()).unwrap_or_default().to_owned(),
    }
}

/// The metadata of what is in a namespace: `NAMESPACE/NAME`.
fn namespaced(path: &str) -> Option<ObjectMeta> {
    let (namespace, name) = path.split_once('/')?;
    Some(ObjectMeta {
        namespace: Some(namespace.to_owned()),
        ..metadata(name)
    })
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
