//! `Impersonate-*` headers: acting as somebody else, for those who may `impersonate` that user, group or extra.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::audit::AuditContext;
use crate::authorization::{Authorizer, Decision, forbidden};
use crate::field_error::quote;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::generic::respond;
use crate::status::ApiError;

struct WithImpersonation {
    inner: Arc<dyn Handler>,
    authorizer: Arc<dyn Authorizer>,
}

pub(super) fn with_impersonation(inner: Arc<dyn Handler>, authorizer: Arc<dyn Authorizer>) -> Arc<dyn Handler> {
    Arc::new(WithImpersonation { inner, authorizer })
}

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

#[async_trait]
impl Handler for WithImpersonation {
    async fn handle(&self, mut request: Request) -> Response {
        let wanted = wanted(request.headers());
        if wanted == UserInfo::default() {
            return self.inner.handle(request).await;
        }
        if wanted.name.is_empty() {
            let message = format!("requested {} without impersonating a user name", go_syntax(&wanted));
            return respond::error(&ApiError::bad_request(message), respond::error_format(&request));
        }
        let user = UserInfo::of(&request);
        let error_format = respond::error_format(&request);
        for question in questions(&wanted) {
            if let Decision::Deny(reason) | Decision::NoOpinion(reason) =
                self.authorizer.authorize(&user, &question).await
            {
                return respond::error(&forbidden(&user, &question, &reason), error_format);
            }
        }
        let headers = request.headers_mut();
        let names: Vec<_> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("impersonate-"))
            .cloned()
            .collect();
        for name in names {
            headers.remove(name);
        }
        let user = Arc::new(with_implied_groups(wanted));
        AuditContext::of(request.extensions()).set_impersonated(user.clone());
        request.extensions_mut().insert(user);
        self.inner.handle(request).await
    }
}

/// The user that the headers describe, empty without such headers.
fn wanted(headers: &HeaderMap) -> UserInfo {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut user = UserInfo {
        name: text(USER),
        uid: text(UID),
        ..UserInfo::default()
    };
    user.groups = headers
        .get_all(GROUP)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_owned)
        .collect();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(EXTRA), value.to_str()) {
            let key = percent_decode_str(key).decode_utf8_lossy().to_ascii_lowercase();
            user.extra.entry(key).or_default().push(value.to_owned());
        }
    }
    user
}

/// A user as kube-apiserver's own types are written.
fn go_syntax(user: &UserInfo) -> String {
    let list = |values: &[String]| {
        let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
        if quoted.is_empty() {
            "(nil)".to_owned()
        } else {
            format!("{{{}}}", quoted.join(", "))
        }
    };
    let extra: Vec<String> = user
        .extra
        .iter()
        .map(|(key, values)| format!("{}:[]string{}", quote(key), list(values)))
        .collect();
    let extra = if extra.is_empty() {
        "(nil)".to_owned()
    } else {
        format!("{{{}}}", extra.join(", "))
    };
    let (name, uid, groups) = (quote(&user.name), quote(&user.uid), list(&user.groups));
    format!("&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:[]string{groups}, Extra:map[string][]string{extra}}}")
}

/// What the sender must be allowed to do.
fn questions(wanted: &UserInfo) -> Vec<RequestInfo> {
    let question = |group: &str, namespace: &str, resource: &str, subresource: &str, name: &str| RequestInfo {
        is_resource_request: true,
        verb: "impersonate".to_owned(),
        api_group: group.to_owned(),
        api_version: "v1".to_owned(),
        namespace: namespace.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    };
    let mut questions = vec![match service_account(&wanted.name) {
        Some((namespace, name)) => question("", namespace, "serviceaccounts", "", name),
        None => question("", "", "users", "", &wanted.name),
    }];
    questions.extend(wanted.groups.iter().map(|group| question("", "", "groups", "", group)));
    if !wanted.uid.is_empty() {
        questions.push(question("authentication.k8s.io", "", "uids", "", &wanted.uid));
    }
    for (key, values) in &wanted.extra {
        questions.extend(
            values
                .iter()
                .map(|value| question("authentication.k8s.io", "", "userextras", key, value)),
        );
    }
    questions
}

fn with_implied_groups(mut user: UserInfo) -> UserInfo {
    if user.groups.is_empty()
        && let Some((namespace, _)) = service_account(&user.name)
    {
        user.groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    let everybody = if user.name == "system:anonymous" {
        "system:unauthenticated"
    } else {
        "system:authenticated"
    };
    // Whoever names one of the two groups means it.
    if !user.is_in_group("system:authenticated") && !user.is_in_group("system:unauthenticated") {
        user.groups.push(everybody.to_owned());
    }
    user
}

/// Namespace and name in the user name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}
