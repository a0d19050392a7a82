//! `Impersonate-*` headers: acting as somebody else, for those who may.

mod modes;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use self::modes::Mode;
use crate::audit::AuditContext;
use crate::authorization::Authorizer;
use crate::field_error::quote;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::generic::respond;
use crate::status::ApiError;

struct WithImpersonation {
    inner: Arc<dyn Handler>,
    authorizer: Arc<dyn Authorizer>,
    /// The users that last impersonated others in the old way.
    went_the_old_way: Mutex<HashSet<String>>,
}

/// So many users are remembered.
const MOST_USERS: usize = 10_000;

pub(super) fn with_impersonation(inner: Arc<dyn Handler>, authorizer: Arc<dyn Authorizer>) -> Arc<dyn Handler> {
    Arc::new(WithImpersonation {
        inner,
        authorizer,
        went_the_old_way: Mutex::default(),
    })
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
        let (user, info) = (UserInfo::of(&request), RequestInfo::of(&request));
        let mode = match self.mode(&user, &wanted, &info).await {
            Ok(mode) => mode,
            Err(error) => return respond::error(&error, respond::error_format(&request)),
        };
        let headers = request.headers_mut();
        let names: Vec<_> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("impersonate-"))
            .cloned()
            .collect();
        for name in names {
            headers.remove(name);
        }
        let user = Arc::new(mode.user(wanted));
        AuditContext::of(request.extensions()).set_impersonated(user.clone());
        request.extensions_mut().insert(user);
        self.inner.handle(request).await
    }
}

impl WithImpersonation {
    /// How the sender may send this request as the other: the first way that is open to him.
    ///
    /// # Errors
    /// Why the first one is not.
    async fn mode(&self, user: &UserInfo, wanted: &UserInfo, request: &RequestInfo) -> Result<Mode, ApiError> {
        let mut modes = Mode::all(user, wanted);
        // Whoever went the old way before goes it first.
        if self.went_the_old_way.lock().contains(&user.name) {
            modes.rotate_right(1);
        }
        let mut refused = None;
        for mode in modes {
            match mode.check(&*self.authorizer, user, wanted, request).await {
                Ok(()) => {
                    self.note(&user.name, mode);
                    return Ok(mode);
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        Err(refused.unwrap_or_else(|| ApiError::internal("there is no way to act as another user")))
    }

    fn note(&self, user: &str, mode: Mode) {
        let mut old_way = self.went_the_old_way.lock();
        if mode != Mode::Legacy {
            old_way.remove(user);
        } else if !old_way.contains(user) {
            if old_way.len() >= MOST_USERS {
                old_way.clear();
            }
            old_way.insert(user.to_owned());
        }
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
