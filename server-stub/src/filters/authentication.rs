//! Finds out who sends a request; wrong credentials are a 401, none at all make the user anonymous.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use tokio::time::Instant;

use crate::audit::AuditContext;
use crate::authentication::{Authenticator, Connection};
use crate::generic::delegation::Handler;
use crate::generic::metrics::Metrics;
use crate::generic::request::{Request, Response, UserInfo};
use crate::generic::respond;
use crate::status::ApiError;

struct WithAuthentication {
    inner: Arc<dyn Handler>,
    authenticator: Arc<dyn Authenticator>,
    anonymous: bool,
    metrics: Arc<Metrics>,
}

pub(super) fn with_authentication(
    inner: Arc<dyn Handler>,
    authenticator: Arc<dyn Authenticator>,
    anonymous: bool,
    metrics: Arc<Metrics>,
) -> Arc<dyn Handler> {
    Arc::new(WithAuthentication {
        inner,
        authenticator,
        anonymous,
        metrics,
    })
}

#[async_trait]
impl Handler for WithAuthentication {
    async fn handle(&self, request: Request) -> Response {
        let error_format = respond::error_format(&request);
        let (mut parts, body) = request.into_parts();
        let connection = parts.extensions.get::<Arc<Connection>>().map(Arc::as_ref);
        let start = Instant::now();
        let user = self.authenticator.authenticate(&parts.headers, connection).await;
        let user = user.map(|user| user.or_else(|| self.anonymous.then(UserInfo::anonymous)));
        let (result, name) = match &user {
            Ok(Some(user)) => ("success", Some(&*user.name)),
            Ok(None) => ("failure", None),
            Err(_) => ("error", None),
        };
        self.metrics.authenticated(result, name, start.elapsed());
        match user {
            Ok(Some(user)) => {
                // Nobody behind this filter has a use for the secret.
                parts.headers.remove(AUTHORIZATION);
                let user = Arc::new(user);
                AuditContext::of(&parts.extensions).set_user(user.clone());
                parts.extensions.insert(user);
                self.inner.handle(Request::from_parts(parts, body)).await
            }
            Ok(None) => respond::error(&ApiError::unauthorized(), error_format),
            Err(error) => {
                tracing::warn!(uri = %parts.uri, %error, "unable to authenticate the request");
                respond::error(&ApiError::unauthorized(), error_format)
            }
        }
    }
}
