//! `Impersonate-*` headers: acting as somebody else, for those who may `impersonate` that user, group or extra.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use crate::audit::AuditContext;
use crate::authorization::{Authorizer, Decision, forbidden};
use crate::field_error::quote;
use crate::generic::delegation::{Handler, text};
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::generic::respond;

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
            let target = quote(&request.uri().to_string());
            let message = format!(
                "Internal Server Error: {target}: requested groups, a uid or extras without impersonating a user\n"
            );
            return text(StatusCode::INTERNAL_SERVER_ERROR, message);
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
    if !user.is_in_group(everybody) {
        user.groups.push(everybody.to_owned());
    }
    user
}

/// Namespace and name in the user name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}
