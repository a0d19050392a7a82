//! Nobody grants more than he may do himself: the check of roles and bindings on their way into storage.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;

use super::RbacAuthorizer;
use super::rules::cover_rule;
use crate::authorization::{Authorizer, Decision};
use crate::field_error::quote;
use crate::generic::request::{RequestInfo, UserInfo};
use crate::registry::stores::Stores;
use crate::registry::validation::values::{get, text};
use crate::status::{ApiError, GroupResource};

pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// Knows what users may grant: the verb `escalate` lets them write any rule, `bind` bind any role.
pub(crate) struct EscalationCheck {
    authorizer: Arc<dyn Authorizer>,
    rbac: Option<Arc<RbacAuthorizer>>,
}

/// Who writes which role or binding.
pub(crate) struct Grant<'a> {
    pub(crate) user: &'a UserInfo,
    /// One of the resources of [`GROUP`].
    pub(crate) resource: &'a str,
    pub(crate) namespace: &'a str,
    /// The name in the path, empty for a new object.
    pub(crate) name: &'a str,
    pub(crate) object: &'a Value,
}

impl EscalationCheck {
    /// `rbac` knows the rules that count for users; without it nobody has any.
    pub(crate) fn new(authorizer: Arc<dyn Authorizer>, rbac: Option<Arc<RbacAuthorizer>>) -> Self {
        Self { authorizer, rbac }
    }

    /// Refuses what grants more than the user has.
    ///
    /// # Errors
    /// 403 with what is missing, or 404 for a binding to a role that does not exist.
    pub(crate) async fn check(&self, grant: &Grant<'_>, stores: &Stores) -> Result<(), ApiError> {
        if grant.user.is_in_group("system:masters") {
            return Ok(());
        }
        if matches!(grant.resource, "roles" | "clusterroles") {
            self.check_role(grant).await
        } else {
            self.check_binding(grant, stores).await
        }
    }

    async fn check_role(&self, grant: &Grant<'_>) -> Result<(), ApiError> {
        if self.may(grant, "escalate", grant.resource, grant.name).await {
            return Ok(());
        }
        let aggregates = !get(grant.object, "/aggregationRule").is_null();
        if aggregates && self.missing(grant, &everything()).await.is_some() {
            let message = "must have cluster-admin privileges to use the aggregationRule";
            return Err(forbidden(grant, message));
        }
        self.confirm(grant, &rules_of(grant.object)).await
    }

    async fn check_binding(&self, grant: &Grant<'_>, stores: &Stores) -> Result<(), ApiError> {
        let name = text(grant.object, "/roleRef/name");
        let (resource, namespace) = match text(grant.object, "/roleRef/kind") {
            "Role" => ("roles", grant.namespace),
            _ => ("clusterroles", ""),
        };
        if self.may(grant, "bind", resource, name).await {
            return Ok(());
        }
        let missing = || ApiError::not_found(&group_resource(grant.resource), name);
        let store = stores.get(GROUP, resource).ok_or_else(missing)?;
        let role = store
            .get(namespace, name, Some(store.written_version()))
            .await
            .map_err(|_| missing())?;
        self.confirm(grant, &rules_of(&role.document())).await
    }

    async fn may(&self, grant: &Grant<'_>, verb: &str, resource: &str, name: &str) -> bool {
        let question = RequestInfo {
            is_resource_request: true,
            verb: verb.to_owned(),
            api_group: GROUP.to_owned(),
            api_version: "*".to_owned(),
            resource: resource.to_owned(),
            namespace: grant.namespace.to_owned(),
            name: name.to_owned(),
            ..RequestInfo::default()
        };
        matches!(
            self.authorizer.authorize(grant.user, &question).await,
            Decision::Allow(_)
        )
    }

    async fn confirm(&self, grant: &Grant<'_>, rules: &[PolicyRule]) -> Result<(), ApiError> {
        match self.missing(grant, rules).await {
            None => Ok(()),
            Some(missing) => {
                let (user, groups) = (quote(&grant.user.name), quoted(&grant.user.groups));
                Err(forbidden(
                    grant,
                    &format!(
                        "user {user} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{missing}"
                    ),
                ))
            }
        }
    }

    /// What of the rules the user does not have, as text; `None` if nothing is missing.
    async fn missing(&self, grant: &Grant<'_>, rules: &[PolicyRule]) -> Option<String> {
        let (own, unresolved) = match &self.rbac {
            Some(rbac) => rbac.rules_of(grant.user, grant.namespace),
            None => Default::default(),
        };
        let parts = rules.iter().flat_map(broken_down);
        let missing: Vec<PolicyRule> = parts.filter(|part| !cover_rule(&own, part)).collect();
        if missing.is_empty() {
            return None;
        }
        let lines: BTreeSet<String> = compact(missing).iter().map(shown).collect();
        let mut text = lines.into_iter().collect::<Vec<_>>().join("\n");
        if !unresolved.is_empty() {
            let resource = group_resource(grant.resource);
            let errors = unresolved
                .iter()
                .map(|role| ApiError::not_found(&resource, role).message().to_owned());
            let errors: Vec<String> = errors.collect();
            let errors = match errors.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            // Writing to a string cannot fail.
            let _ = write!(text, "; resolution errors: [{errors}]");
        }
        Some(text)
    }
}

fn everything() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule {
            verbs: all(),
            api_groups: Some(all()),
            resources: Some(all()),
            ..PolicyRule::default()
        },
        PolicyRule {
            verbs: all(),
            non_resource_urls: Some(all()),
            ..PolicyRule::default()
        },
    ]
}

fn rules_of(role: &Value) -> Vec<PolicyRule> {
    serde_json::from_value(get(role, "/rules").clone()).unwrap_or_default()
}

/// A rule as many that allow one thing each.
fn broken_down(rule: &PolicyRule) -> Vec<PolicyRule> {
    let one = |text: &String| Some(vec![text.clone()]);
    let mut parts = Vec::new();
    for verb in &rule.verbs {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let mut part = PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: one(group),
                    resources: one(resource),
                    ..PolicyRule::default()
                };
                let names = rule.resource_names.as_deref().unwrap_or_default();
                if names.is_empty() {
                    parts.push(part);
                    continue;
                }
                for name in names {
                    part.resource_names = one(name);
                    parts.push(part.clone());
                }
            }
        }
        parts.extend(rule.non_resource_urls.iter().flatten().map(|url| PolicyRule {
            verbs: vec![verb.clone()],
            non_resource_urls: one(url),
            ..PolicyRule::default()
        }));
    }
    parts
}

/// Puts the verbs for one resource together. URLs stay apart.
fn compact(parts: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut compact: Vec<PolicyRule> = Vec::new();
    for part in parts {
        let same = |other: &&mut PolicyRule| {
            part.resources.is_some()
                && (&other.api_groups, &other.resources, &other.resource_names)
                    == (&part.api_groups, &part.resources, &part.resource_names)
        };
        match compact.iter_mut().find(same) {
            Some(other) => other.verbs.extend(part.verbs),
            None => compact.push(part),
        }
    }
    compact
}

fn shown(rule: &PolicyRule) -> String {
    let verbs = Some(rule.verbs.clone());
    let fields = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &verbs),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(name, list)| Some(format!("{name}:{}", quoted(list.as_ref()?))));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|one| quote(one)).collect();
    format!("[{}]", quoted.join(" "))
}

fn group_resource(resource: &str) -> GroupResource {
    GroupResource::new(GROUP, resource.to_owned())
}

fn forbidden(grant: &Grant<'_>, message: &str) -> ApiError {
    let name = text(grant.object, "/metadata/name");
    ApiError::forbidden(&group_resource(grant.resource), name, message)
}
