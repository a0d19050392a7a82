//! Who may do what.

mod privileged_group;
mod rbac;
pub(crate) mod reviews;
mod selectors;

use std::sync::Arc;

use async_trait::async_trait;

use k8s_openapi::api::rbac::v1::PolicyRule;

pub use privileged_group::PrivilegedGroup;
pub use rbac::RbacAuthorizer;
pub(crate) use rbac::{bootstrap_hook, escalation};

use crate::field_error::quote;
use crate::generic::request::{RequestInfo, UserInfo};
use crate::status::{ApiError, GroupResource};

/// An authorizer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The user may do it; the reason may be empty.
    Allow(String),
    /// The user may not do it, whatever others say; the reason may be empty.
    Deny(String),
    /// Others decide; if none does, the user may not do it. The reason may be empty.
    NoOpinion(String),
}

/// What a user may do, as far as it can be listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllowedActions {
    /// The rules that count for the user.
    pub rules: Vec<PolicyRule>,
    /// Why the rules may not be all.
    pub problems: Vec<String>,
}

/// Decides whether a user may do what a request asks for.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Decides about one request.
    async fn authorize(&self, user: &UserInfo, request: &RequestInfo) -> Decision;

    /// Lists what the user may do in a namespace. Default: nothing.
    async fn allowed_actions(&self, user: &UserInfo, namespace: &str) -> AllowedActions {
        let _ = (user, namespace);
        AllowedActions::default()
    }
}

/// Asks several authorizers in turn; the first with an opinion decides.
#[derive(Default)]
pub struct UnionAuthorizer(pub Vec<Arc<dyn Authorizer>>);

#[async_trait]
impl Authorizer for UnionAuthorizer {
    async fn authorize(&self, user: &UserInfo, request: &RequestInfo) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(user, request).await {
                Decision::NoOpinion(reason) => reasons.push(reason),
                decision => return decision,
            }
        }
        reasons.retain(|reason| !reason.is_empty());
        Decision::NoOpinion(reasons.join("\n"))
    }

    async fn allowed_actions(&self, user: &UserInfo, namespace: &str) -> AllowedActions {
        let mut all = AllowedActions::default();
        for authorizer in &self.0 {
            let AllowedActions { rules, problems } = authorizer.allowed_actions(user, namespace).await;
            all.rules.extend(rules);
            all.problems.extend(problems);
        }
        all
    }
}

/// Lets everybody do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysAllow;

#[async_trait]
impl Authorizer for AlwaysAllow {
    async fn authorize(&self, _: &UserInfo, _: &RequestInfo) -> Decision {
        Decision::Allow(String::new())
    }

    async fn allowed_actions(&self, _: &UserInfo, _: &str) -> AllowedActions {
        let everything = || vec!["*".to_owned()];
        let resources = PolicyRule {
            verbs: everything(),
            api_groups: Some(everything()),
            resources: Some(everything()),
            ..PolicyRule::default()
        };
        let urls = PolicyRule {
            verbs: everything(),
            non_resource_urls: Some(everything()),
            ..PolicyRule::default()
        };
        AllowedActions {
            rules: vec![resources, urls],
            problems: Vec::new(),
        }
    }
}

/// Lets nobody do anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysDeny;

#[async_trait]
impl Authorizer for AlwaysDeny {
    async fn authorize(&self, _: &UserInfo, _: &RequestInfo) -> Decision {
        Decision::NoOpinion("Everything is forbidden.".to_owned())
    }
}

/// The 403 for a request that was not allowed.
pub(crate) fn forbidden(user: &UserInfo, request: &RequestInfo, reason: &str) -> ApiError {
    let (name, verb) = (quote(&user.name), &request.verb);
    let mut message = if request.is_resource_request {
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        let scope = match request.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {}", quote(namespace)),
        };
        let (resource, group) = (quote(&resource), quote(&request.api_group));
        format!("User {name} cannot {verb} resource {resource} in API group {group} {scope}")
    } else {
        format!("User {name} cannot {verb} path {}", quote(&request.path))
    };
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    let resource = GroupResource::new(request.api_group.clone(), request.resource.clone());
    ApiError::forbidden(&resource, &request.name, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn a_refusal_says_what_was_asked_for() {
        let user = UserInfo {
            name: "ann".into(),
            ..UserInfo::default()
        };
        let message = |method, path| {
            let info = RequestInfo::parse(&method, path, None).unwrap();
            forbidden(&user, &info, "").message().to_owned()
        };
        assert_eq!(
            message(Method::GET, "/apis/apps/v1/namespaces/a/deployments/web/scale"),
            "deployments.apps \"web\" is forbidden: User \"ann\" cannot get resource \"deployments/scale\" \
             in API group \"apps\" in the namespace \"a\""
        );
        assert_eq!(
            message(Method::GET, "/api/v1/nodes"),
            "nodes is forbidden: User \"ann\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
        assert_eq!(
            message(Method::GET, "/metrics"),
            "forbidden: User \"ann\" cannot get path \"/metrics\""
        );
    }
}
