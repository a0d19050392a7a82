//! Which failed requests go out again, and when.

use std::time::Duration;

use super::Verb;
use crate::backoff::{Backoff, ExponentialBackoff, ExponentialOptions};
use crate::error::Error;

/// How often a request is sent again because the server asked for it, as in client-go.
const WHEN_ASKED: usize = 10;
/// How often a request is sent again without having been asked to.
const UNASKED: usize = 4;

/// The tries of one request.
pub(crate) struct Retry {
    verb: Verb,
    backoff: ExponentialBackoff,
    unasked: usize,
}

impl Retry {
    pub(super) fn new(verb: Verb, options: ExponentialOptions) -> Self {
        Self {
            verb,
            backoff: ExponentialBackoff::new(options),
            unasked: 0,
        }
    }

    /// How to wait where the user does not say.
    pub(crate) fn default_options() -> ExponentialOptions {
        ExponentialOptions::default()
            .with_initial(Duration::from_millis(100))
            .with_max(Duration::from_secs(5))
            .with_max_tries(Some(WHEN_ASKED))
    }

    /// How long to wait before the next try; `None` where there must be none.
    pub(super) fn after(&mut self, error: &Error) -> Option<Duration> {
        // Behind a watch stands a reflector that knows better when to come back.
        if self.verb == Verb::Watch {
            return None;
        }
        let asked = error.retry_after().is_some() && matches!(error.code(), Some(429 | 503));
        if !asked {
            self.unasked += 1;
            if self.unasked > UNASKED || !self.is_safe(error) {
                return None;
            }
        }
        self.backoff.next_delay_after(error.retry_after())
    }

    /// True where the server cannot have done anything yet, or where doing it twice changes nothing.
    fn is_safe(&self, error: &Error) -> bool {
        let reads = matches!(self.verb, Verb::Get | Verb::List);
        match error.code() {
            Some(code) => reads && matches!(code, 429 | 502 | 503),
            None => {
                let unsent = (error.is_connect() && !error.is_tls()) || error.is_unprocessed();
                unsent || (reads && error.is_broken_connection())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use http::{Response, header};
    use serde_json::json;

    use super::*;
    use crate::rest::{Client, Request};
    use crate::transport::script::{Script, json_answer};
    use crate::transport::{Body, TransportError};

    type Answer = Result<Response<Body>, TransportError>;

    fn refusal(code: u16, retry_after: Option<&'static str>) -> Answer {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code});
        let mut answer = json_answer(code, status);
        if let Some(seconds) = retry_after {
            let seconds = http::HeaderValue::from_static(seconds);
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        Ok(answer)
    }

    fn success() -> Answer {
        Ok(json_answer(200, json!({})))
    }

    fn broken_body() -> Answer {
        let chunks = [Ok(Bytes::from_static(b"{")), Err(TransportError::body("reset"))];
        let body: Body = stream::iter(chunks).boxed();
        Ok(Response::new(body))
    }

    /// How many requests the server saw, and whether one succeeded.
    async fn tries(verb: Verb, answers: Vec<Answer>) -> (usize, bool) {
        let script = Script::new(answers);
        let client = Client::with_transport(script.clone());
        let answer = client.send_whole(Request::new(verb, "/x", "a thing")).await;
        (script.paths().len(), answer.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_asks_for_goes_out_again() {
        for (verb, code) in [(Verb::Create, 429), (Verb::Patch, 503), (Verb::List, 429)] {
            let answers = vec![refusal(code, Some("1")), refusal(code, Some("1")), success()];
            assert_eq!(tries(verb, answers).await, (3, true), "{verb:?} {code}");
        }
        let answers = (0..20).map(|_| refusal(429, Some("1"))).collect();
        assert_eq!(tries(Verb::Create, answers).await, (11, false), "not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn reads_go_out_again_after_what_may_be_over_soon() {
        let failures = || {
            let reset = Err(TransportError::request("reset"));
            [reset, refusal(502, None), refusal(503, None), broken_body()]
        };
        for failure in failures() {
            assert_eq!(tries(Verb::Get, vec![failure, success()]).await, (2, true));
        }
        for failure in failures() {
            assert_eq!(
                tries(Verb::Update, vec![failure]).await,
                (1, false),
                "it may have been done"
            );
        }
        let answers = (0..20).map(|_| refusal(503, None)).collect();
        assert_eq!(tries(Verb::List, answers).await, (5, false), "not for long");
        assert_eq!(tries(Verb::Get, vec![refusal(500, None)]).await, (1, false));
    }

    #[tokio::test(start_paused = true)]
    async fn there_may_be_no_other_try_at_all() {
        let script = Script::new([refusal(429, Some("1")), success()]);
        let never = ExponentialOptions::default().with_max_tries(Some(0));
        let config = crate::Config::new("https://h").with_retries(never);
        let client = Client::over(script, &config);
        let answer = client.send(Request::new(Verb::Get, "/x", "a thing")).await;
        assert!(answer.unwrap_err().is_too_many_requests());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_connection_nothing_was_done() {
        let refused = || Err(TransportError::connect("connection refused"));
        for verb in [Verb::Create, Verb::Delete, Verb::Get] {
            assert_eq!(tries(verb, vec![refused(), success()]).await, (2, true));
        }
        for verb in [Verb::Create, Verb::Get] {
            let turned_away = Err(TransportError::unprocessed("GOAWAY"));
            assert_eq!(tries(verb, vec![turned_away, success()]).await, (2, true));
        }
        let untrusted = Err(TransportError::tls("unknown issuer"));
        assert_eq!(
            tries(Verb::Get, vec![untrusted]).await,
            (1, false),
            "it will not be over soon"
        );
        assert_eq!(
            tries(Verb::Watch, vec![refused()]).await,
            (1, false),
            "a reflector decides"
        );
    }
}
