//! Writes an audit event when an answer is complete; for watches and streams another one when it begins.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;

use super::audit_id::AuditId;
use super::body::guarded;
use super::timeout::is_long_running;
use crate::audit::{AuditContext, AuditLog, Outcome, Received, Stage, event};
use crate::generic::clock::Clock;
use crate::generic::delegation::Handler;
use crate::generic::request::{Request, RequestInfo, Response};
use crate::generic::respond::{self, Refusal};
use crate::status::ApiError;

struct WithAudit {
    inner: Arc<dyn Handler>,
    log: Arc<AuditLog>,
    clock: Clock,
}

/// Writes events to the log, if there is one.
pub(super) fn with_audit(inner: Arc<dyn Handler>, log: Option<Arc<AuditLog>>, clock: Clock) -> Arc<dyn Handler> {
    match log {
        Some(log) => Arc::new(WithAudit { inner, log, clock }),
        None => inner,
    }
}

#[async_trait]
impl Handler for WithAudit {
    async fn handle(&self, request: Request) -> Response {
        let info = RequestInfo::of(&request);
        let (mut head, body) = request.into_parts();
        let id = head
            .extensions
            .get::<AuditId>()
            .map(|id| id.0.clone())
            .unwrap_or_default();
        let record = Record {
            received: Received::new(&head, &info, &id, self.clock.now()),
            context: AuditContext::default(),
            log: self.log.clone(),
            clock: self.clock.clone(),
        };
        head.extensions.insert(record.context.clone());
        let request = Request::from_parts(head, body);
        if self.log.is_strict() && !record.write(Stage::RequestReceived, &Outcome::default()) {
            let error = ApiError::internal("audit: the request cannot be noted");
            return respond::error(&error, respond::error_format(&request));
        }
        let answered = AssertUnwindSafe(self.inner.handle(request)).catch_unwind().await;
        let response = match answered {
            Ok(response) => response,
            Err(panic) => {
                let outcome = Outcome {
                    code: 500,
                    message: "APIServer panic'd".to_owned(),
                    reason: "InternalError".to_owned(),
                };
                record.write(Stage::Panic, &outcome);
                resume_unwind(panic)
            }
        };
        let outcome = outcome(&response);
        if is_long_running(&info) {
            record.write(Stage::ResponseStarted, &outcome);
            return guarded(response, WriteWhenDone(record, outcome));
        }
        record.write(Stage::ResponseComplete, &outcome);
        response
    }
}

struct Record {
    received: Received,
    context: AuditContext,
    log: Arc<AuditLog>,
    clock: Clock,
}

impl Record {
    fn write(&self, stage: Stage, outcome: &Outcome) -> bool {
        let event = event(&self.received, &self.context.notes(), stage, outcome, self.clock.now());
        self.log.write(&event)
    }
}

struct WriteWhenDone(Record, Outcome);

impl Drop for WriteWhenDone {
    fn drop(&mut self) {
        self.0.write(Stage::ResponseComplete, &self.1);
    }
}

fn outcome(response: &Response) -> Outcome {
    let refusal = response.extensions().get::<Refusal>().cloned().unwrap_or_default();
    Outcome {
        code: response.status().as_u16(),
        message: refusal.message,
        reason: refusal.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditFormat, AuditMode};
    use crate::filters::{audit_id, request_info};
    use crate::generic::clock::Ids;
    use crate::generic::delegation::NotFound;
    use crate::generic::request::{UserInfo, empty};
    use parking_lot::Mutex;
    use serde_json::{Value, json};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn take(&self) -> Vec<Value> {
            let text = String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn chain(lines: &Lines, api: Arc<dyn Handler>) -> Arc<dyn Handler> {
        let clock = Clock::fixed("2026-01-02T03:04:05.678Z".parse().unwrap());
        let handler = with_audit(
            api,
            Some(Arc::new(AuditLog::to(
                lines.clone(),
                AuditFormat::Json,
                AuditMode::Blocking,
            ))),
            clock,
        );
        audit_id::with_audit_id(request_info::with_request_info(handler), Ids::random())
    }

    struct Authenticated(NotFound);

    #[async_trait]
    impl Handler for Authenticated {
        async fn handle(&self, request: Request) -> Response {
            let audit = AuditContext::of(request.extensions());
            audit.set_user(Arc::new(UserInfo::anonymous()));
            audit.annotate("authorization.k8s.io/decision", "allow");
            self.0.handle(request).await
        }
    }

    struct Panics;

    #[async_trait]
    impl Handler for Panics {
        async fn handle(&self, _: Request) -> Response {
            panic!("by accident")
        }
    }

    fn get(target: &str) -> Request {
        let request = http::Request::get(target)
            .header("audit-id", "a-1")
            .header("user-agent", "test/1");
        request.header("x-forwarded-for", "192.0.2.7").body(empty()).unwrap()
    }

    #[tokio::test]
    async fn an_event_says_who_did_what() {
        let lines = Lines::default();
        chain(&lines, Arc::new(Authenticated(NotFound)))
            .handle(get("/apis/apps/v1/namespaces/ns/deployments/web/scale?pretty=1"))
            .await;
        let time = "2026-01-02T03:04:05.678000Z";
        let expected = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a-1",
            "stage": "ResponseComplete", "verb": "get",
            "requestURI": "/apis/apps/v1/namespaces/ns/deployments/web/scale?pretty=1",
            "user": { "username": "system:anonymous", "groups": ["system:unauthenticated"] },
            "sourceIPs": ["192.0.2.7"], "userAgent": "test/1",
            "objectRef": {
                "resource": "deployments", "namespace": "ns", "name": "web", "apiGroup": "apps", "apiVersion": "v1",
                "subresource": "scale",
            },
            "responseStatus": {
                "metadata": {}, "status": "Failure", "reason": "NotFound", "code": 404,
                "message": "the server could not find the requested resource",
            },
            "requestReceivedTimestamp": time, "stageTimestamp": time,
            "annotations": { "authorization.k8s.io/decision": "allow" },
        });
        assert_eq!(lines.take(), [expected]);
    }

    #[tokio::test]
    async fn watches_have_two_events_and_panics_one() {
        let lines = Lines::default();
        let stages = || {
            lines
                .take()
                .iter()
                .map(|event| event["stage"].clone())
                .collect::<Vec<_>>()
        };
        let response = chain(&lines, Arc::new(NotFound))
            .handle(get("/api/v1/pods?watch=1"))
            .await;
        assert_eq!(stages(), ["ResponseStarted"]);
        drop(response);
        assert_eq!(stages(), ["ResponseComplete"]);
        let handler = chain(&lines, Arc::new(Panics));
        let panicked = AssertUnwindSafe(handler.handle(get("/"))).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(stages(), ["Panic"]);
    }
}
