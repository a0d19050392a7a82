//! Lets pass what the user may do; the rest is a 403.

use std::sync::Arc;

use async_trait::async_trait;

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
        match self.authorizer.authorize(&user, &info).await {
            Decision::Allow(_) => self.inner.handle(request).await,
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                respond::error(&forbidden(&user, &info, &reason), respond::error_format(&request))
            }
        }
    }
}
