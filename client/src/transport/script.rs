//! A transport that answers by a script and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response, header};
use parking_lot::Mutex;

use super::{Body, Transport, TransportError};

type Answer = Result<Response<Body>, TransportError>;

/// Gives the answers in turn, and none at all once they are used up.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    pub(crate) requests: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let script = Self::default();
        script.answers.lock().extend(answers);
        Arc::new(script)
    }

    /// The paths and queries that were asked for.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests
            .lock()
            .iter()
            .map(|request| request.uri().to_string())
            .collect()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Answer {
        self.requests.lock().push(request);
        let answer = self.answers.lock().pop_front();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

pub(crate) fn answer(code: u16, content_type: &str, chunks: Vec<Bytes>) -> Response<Body> {
    let body: Body = stream::iter(chunks.into_iter().map(Ok)).boxed();
    let answer = Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, content_type);
    answer.body(body).unwrap()
}

pub(crate) fn json_answer(code: u16, body: serde_json::Value) -> Response<Body> {
    answer(code, "application/json", vec![body.to_string().into()])
}
