//! The reviews of `authorization.k8s.io`: may somebody do something, and what may I do?

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

use super::{Authorizer, Decision, selectors};
use crate::endpoints::{Question, VirtualResource};
use crate::generic::request::{RequestInfo, UserInfo};
use crate::registry::validation::values::{items, ordered};
use crate::status::{ApiError, FieldError};

const GROUP: &str = "authorization.k8s.io";

/// Which of the reviews of access this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `subjectaccessreviews`: anybody, anywhere.
    Subject,
    /// `selfsubjectaccessreviews`: whoever asks.
    Own,
    /// `localsubjectaccessreviews`: anybody, in the namespace of the path.
    Local,
}

/// May somebody do something?
pub(crate) struct AccessReview {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) scope: Scope,
}

#[async_trait]
impl VirtualResource for AccessReview {
    async fn create(&self, question: Question<'_>) -> Result<Value, ApiError> {
        let mut review = question.object;
        let spec = &review["spec"];
        let problems = self.problems(&review);
        if !problems.is_empty() {
            return Err(ApiError::invalid(GROUP, "", "", problems));
        }
        let user = match self.scope {
            Scope::Own => (**question.user).clone(),
            Scope::Subject | Scope::Local => user(spec),
        };
        let status = match self.authorizer.authorize(&user, &request(spec)).await {
            Decision::Allow(reason) => json!({ "allowed": true, "reason": reason }),
            Decision::Deny(reason) => json!({ "allowed": false, "denied": true, "reason": reason }),
            Decision::NoOpinion(reason) => json!({ "allowed": false, "reason": reason }),
        };
        review["status"] = status;
        Ok(review)
    }
}

impl AccessReview {
    fn problems(&self, review: &Value) -> Vec<FieldError> {
        let spec = &review["spec"];
        let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
        let mut problems = Vec::new();
        if resource.is_object() == path.is_object() {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            let error = FieldError::invalid("spec", Value::Null, detail);
            problems.push(if path.is_object() {
                error.shown_as(shown_path(path))
            } else {
                error
            });
        }
        if resource.is_object() {
            problems.extend(selectors::check(resource));
        }
        let nobody = text(spec, "user").is_empty() && spec["groups"].as_array().is_none_or(Vec::is_empty);
        if self.scope != Scope::Own && nobody {
            let detail = "at least one of user or group must be specified";
            problems.push(FieldError::invalid("spec.user", "".into(), detail));
        }
        let metadata = &review["metadata"];
        let mut set = metadata.as_object().into_iter().flatten();
        let allowed = |field: &str| field == "managedFields" || self.scope == Scope::Local && field == "namespace";
        if set.any(|(field, _)| !allowed(field)) {
            let detail = match self.scope {
                Scope::Local => "must be empty except for namespace",
                Scope::Subject | Scope::Own => "must be empty",
            };
            problems.push(FieldError::invalid("metadata", Value::Null, detail).shown_as(shown_metadata(metadata)));
        }
        if self.scope == Scope::Local {
            problems.extend(local_problems(review));
        }
        problems
    }
}

/// A local review is about the resources of its namespace.
fn local_problems(review: &Value) -> Option<FieldError> {
    let path = &review["spec"]["nonResourceAttributes"];
    if path.is_object() {
        let error = FieldError::invalid(
            "spec.nonResourceAttributes",
            Value::Null,
            "disallowed on this kind of request",
        );
        return Some(error.shown_as(shown_path(path)));
    }
    let attributes = &review["spec"]["resourceAttributes"];
    let asked = text(attributes, "namespace");
    (attributes.is_object() && review["metadata"]["namespace"] != asked).then(|| {
        let field = "spec.resourceAttributes.namespace";
        FieldError::invalid(field, asked.into(), "must match metadata.namespace")
    })
}

fn shown_path(attributes: &Value) -> String {
    let (path, verb) = (text(attributes, "path"), text(attributes, "verb"));
    format!("{{\"Path\":{},\"Verb\":{}}}", json!(path), json!(verb))
}

fn shown_metadata(metadata: &Value) -> String {
    let fields = [
        "name",
        "generateName",
        "namespace",
        "uid",
        "resourceVersion",
        "labels",
        "annotations",
        "finalizers",
    ];
    let known = ordered(metadata, &fields);
    let fields = [
        "manager",
        "operation",
        "apiVersion",
        "time",
        "fieldsType",
        "fieldsV1",
        "subresource",
    ];
    let managed: Vec<String> = items(metadata, "/managedFields")
        .iter()
        .map(|entry| ordered(entry, &fields))
        .collect();
    match managed.is_empty() {
        true => known,
        false => format!(
            "{},\"managedFields\":[{}]}}",
            known.trim_end_matches('}'),
            managed.join(",")
        ),
    }
}

fn user(spec: &Value) -> UserInfo {
    let mut user = UserInfo {
        name: text(spec, "user"),
        uid: text(spec, "uid"),
        groups: strings(&spec["groups"]),
        ..UserInfo::default()
    };
    for (key, values) in spec["extra"].as_object().into_iter().flatten() {
        user.extra.insert(key.clone(), strings(values));
    }
    user
}

/// The request that the attributes describe.
fn request(spec: &Value) -> RequestInfo {
    let attributes = &spec["resourceAttributes"];
    if !attributes.is_object() {
        let attributes = &spec["nonResourceAttributes"];
        return RequestInfo {
            path: text(attributes, "path"),
            verb: text(attributes, "verb"),
            ..RequestInfo::default()
        };
    }
    RequestInfo {
        is_resource_request: true,
        verb: text(attributes, "verb"),
        api_group: text(attributes, "group"),
        api_version: text(attributes, "version"),
        namespace: text(attributes, "namespace"),
        resource: text(attributes, "resource"),
        subresource: text(attributes, "subresource"),
        name: text(attributes, "name"),
        ..RequestInfo::default()
    }
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// What may I do in a namespace?
pub(crate) struct SelfSubjectRulesReview(pub(crate) Arc<dyn Authorizer>);

#[async_trait]
impl VirtualResource for SelfSubjectRulesReview {
    async fn create(&self, question: Question<'_>) -> Result<Value, ApiError> {
        let namespace = text(&question.object["spec"], "namespace");
        if namespace.is_empty() {
            return Err(ApiError::bad_request("no namespace on request"));
        }
        let actions = self.0.allowed_actions(question.user, &namespace).await;
        let (urls, resources): (Vec<_>, Vec<_>) = actions
            .rules
            .iter()
            .partition(|rule| rule.non_resource_urls.as_ref().is_some_and(|urls| !urls.is_empty()));
        let url_rule = |rule: &PolicyRule| json!({ "verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls });
        let mut status = json!({
            "resourceRules": resources.into_iter().map(resource_rule).collect::<Vec<_>>(),
            "nonResourceRules": urls.into_iter().map(url_rule).collect::<Vec<_>>(),
            "incomplete": false,
        });
        if !actions.problems.is_empty() {
            status["evaluationError"] = actions.problems.join(", ").into();
        }
        Ok(json!({ "metadata": {}, "spec": {}, "status": status }))
    }
}

fn resource_rule(rule: &PolicyRule) -> Value {
    let mut fields = json!({ "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources });
    if let Some(names) = &rule.resource_names {
        fields["resourceNames"] = names.clone().into();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::{AlwaysAllow, PrivilegedGroup};

    async fn ask(review: &dyn VirtualResource, object: Value) -> Result<Value, ApiError> {
        let user = Arc::new(UserInfo::anonymous());
        let namespace = "a";
        review
            .create(Question {
                user: &user,
                namespace,
                object,
            })
            .await
    }

    #[tokio::test]
    async fn answers_for_the_user_that_is_named() {
        let review = AccessReview {
            authorizer: Arc::new(PrivilegedGroup::default()),
            scope: Scope::Subject,
        };
        let attributes = json!({ "verb": "get", "resource": "pods" });
        let spec = json!({ "user": "ann", "groups": ["system:masters"], "resourceAttributes": attributes });
        let answer = ask(&review, json!({ "spec": spec })).await.unwrap();
        assert_eq!(answer["status"]["allowed"], true);
        let spec = json!({ "user": "ann", "resourceAttributes": attributes });
        let answer = ask(&review, json!({ "spec": spec })).await.unwrap();
        assert_eq!(answer["status"], json!({ "allowed": false, "reason": "" }));
        let error = ask(&review, json!({ "spec": {} })).await.unwrap_err();
        assert_eq!(error.code(), 422);
        assert!(
            error
                .message()
                .contains("spec.user: Invalid value: \"\": at least one of user or group")
        );
        let own = AccessReview {
            authorizer: Arc::new(AlwaysAllow),
            scope: Scope::Own,
        };
        let spec = json!({ "nonResourceAttributes": { "verb": "get", "path": "/" } });
        assert_eq!(
            ask(&own, json!({ "spec": spec })).await.unwrap()["status"]["allowed"],
            true
        );
    }

    #[tokio::test]
    async fn a_local_review_stays_in_its_namespace() {
        let review = AccessReview {
            authorizer: Arc::new(AlwaysAllow),
            scope: Scope::Local,
        };
        let about = |namespace: &str| {
            let attributes = json!({ "namespace": namespace });
            let spec = json!({ "user": "ann", "resourceAttributes": attributes });
            json!({ "metadata": { "namespace": "a" }, "spec": spec })
        };
        assert!(ask(&review, about("a")).await.is_ok());
        let error = ask(&review, about("b")).await.unwrap_err();
        let expected = "spec.resourceAttributes.namespace: Invalid value: \"b\": must match metadata.namespace";
        assert!(error.message().ends_with(expected), "{}", error.message());
    }

    #[tokio::test]
    async fn lists_the_rules_of_whoever_asks() {
        let review = SelfSubjectRulesReview(Arc::new(AlwaysAllow));
        let answer = ask(&review, json!({ "spec": { "namespace": "a" } })).await.unwrap();
        let status = &answer["status"];
        assert_eq!(
            status["resourceRules"],
            json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }])
        );
        assert_eq!(status["nonResourceRules"][0]["nonResourceURLs"], json!(["*"]));
        assert!(ask(&review, json!({ "spec": {} })).await.is_err());
    }
}
