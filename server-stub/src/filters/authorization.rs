//! Lets pass what the user may do; the rest is a 403.

use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::AuditContext;
use crate::authorization::{Authorizer, Decision, forbidden};
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::generic::respond;

struct WithAuthorization {
    inner: Arc<dyn Handler>,
    authorizer: Arc<dyn Authorizer>,
}

pub(super) fn with_authorization(inner: Arc<dyn Handler>, authorizer: Arc<dyn Authorizer>) -> Arc<dyn Handler> {
    Arc::new(WithAuthorization { inner, authorizer })
}

#[async_trait]
impl Handler for WithAuthorization {
    async fn handle(&self, request: Request) -> Response {
        let (user, info) = (UserInfo::of(&request), RequestInfo::of(&request));
        let audit = AuditContext::of(request.extensions());
        let decided = |decision: &str, reason: &str| {
            audit.annotate("authorization.k8s.io/decision", decision);
            audit.annotate("authorization.k8s.io/reason", reason);
        };
        match self.authorizer.authorize(&user, &info).await {
            Decision::Allow(reason) => {
                decided("allow", &reason);
                self.inner.handle(request).await
            }
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                decided("forbid", &reason);
                respond::error(&forbidden(&user, &info, &reason), respond::error_format(&request))
            }
        }
    }
}
