//! Takes the path apart once for all filters and handlers behind this one.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;

use crate::field_error::quote;
use crate::generic::delegation::{Handler, text};
use crate::generic::request::{Request, RequestInfo, Response, decoded_path};

struct WithRequestInfo(Arc<dyn Handler>);

pub(super) fn with_request_info(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithRequestInfo(inner))
}

#[async_trait]
impl Handler for WithRequestInfo {
    async fn handle(&self, mut request: Request) -> Response {
        let uri = request.uri();
        match RequestInfo::parse(request.method(), &decoded_path(uri), uri.query()) {
            Ok(info) => {
                request.extensions_mut().insert(Arc::new(info));
                self.0.handle(request).await
            }
            Err(error) => {
                let target = quote(&uri.to_string());
                let message = format!("Internal Server Error: {target}: failed to create RequestInfo: {error}\n");
                text(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}
