//! Lets pass what the user may do; the rest is a 403.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::audit::AuditContext;
use crate::authorization::{Authorizer, Decision, forbidden};
use crate::generic::delegation::Handler;
use crate::generic::metrics::Metrics;
use crate::generic::request::{Request, RequestInfo, Response, UserInfo};
use crate::generic::respond;

struct WithAuthorization {
    inner: Arc<dyn Handler>,
    authorizer: Arc<dyn Authorizer>,
    metrics: Arc<Metrics>,
}

pub(super) fn with_authorization(
    inner: Arc<dyn Handler>,
    authorizer: Arc<dyn Authorizer>,
    metrics: Arc<Metrics>,
) -> Arc<dyn Handler> {
    Arc::new(WithAuthorization {
        inner,
        authorizer,
        metrics,
    })
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
        let start = Instant::now();
        let decision = self.authorizer.authorize(&user, &info).await;
        let result = match &decision {
            Decision::Allow(_) => "allowed",
            Decision::Deny(_) => "denied",
            Decision::NoOpinion(_) => "no-opinion",
        };
        self.metrics.authorized(result, start.elapsed());
        match decision {
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
