//! What containers print.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use k8s_openapi::api::core::v1::Pod;

use crate::api::Api;
use crate::error::Error;
use crate::rest::{Request, Response};
use crate::transport::Body;

/// Longest line that is kept whole; the rest of a longer one comes as lines of their own.
const MAX_LINE: usize = 1 << 20;

/// Which logs of a pod to read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LogOptions {
    /// Container. Default: the only one; the server refuses where there are several.
    pub container: Option<String>,
    /// Goes on with what is printed from now on, until the container ends. Default: off.
    pub follow: bool,
    /// The container before its last restart. Default: the present one.
    pub previous: bool,
    /// What was printed in the time just gone, in whole seconds. Default: everything.
    pub since: Option<Duration>,
    /// What was printed after this moment (RFC 3339). Default: everything; not together with `since`.
    pub since_time: Option<String>,
    /// The last so many lines. Default: all.
    pub tail_lines: Option<i64>,
    /// Stops after so many bytes. Default: no limit.
    pub limit_bytes: Option<i64>,
    /// Begins every line with its time (RFC 3339). Default: off.
    pub timestamps: bool,
}

impl LogOptions {
    /// Reads one of several containers.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Goes on with what is printed from now on.
    #[must_use]
    pub fn with_follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// Reads the container before its last restart.
    #[must_use]
    pub fn with_previous(mut self) -> Self {
        self.previous = true;
        self
    }

    /// Reads what was printed in the time just gone.
    #[must_use]
    pub fn with_since(mut self, since: Duration) -> Self {
        self.since = Some(since);
        self
    }

    /// Reads the last lines.
    #[must_use]
    pub fn with_tail_lines(mut self, lines: i64) -> Self {
        self.tail_lines = Some(lines);
        self
    }

    /// Begins every line with its time.
    #[must_use]
    pub fn with_timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    fn add_to(&self, request: Request) -> Request {
        let flag = |set: bool| set.then_some("true");
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        request
            .maybe("container", self.container.as_ref())
            .maybe("follow", flag(self.follow))
            .maybe("limitBytes", number(self.limit_bytes))
            .maybe("previous", flag(self.previous))
            .maybe(
                "sinceSeconds",
                self.since.map(|since| since.as_secs().max(1).to_string()),
            )
            .maybe("sinceTime", self.since_time.as_ref())
            .maybe("tailLines", number(self.tail_lines))
            .maybe("timestamps", flag(self.timestamps))
    }
}

impl Api<Pod> {
    /// Reads what a pod's container prints. The stream ends with the log, or, following it, with the container.
    ///
    /// ```no_run
    /// # async fn example(pods: kubewire_client::Api<k8s_openapi::api::core::v1::Pod>) -> Result<(), kubewire_client::Error> {
    /// use futures::TryStreamExt;
    /// use kubewire_client::streams::LogOptions;
    ///
    /// let options = LogOptions::default().with_follow().with_tail_lines(10);
    /// let mut lines = pods.logs("web-0", &options).await?.lines();
    /// while let Some(line) = lines.try_next().await? {
    ///     println!("{line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn logs(&self, name: &str, options: &LogOptions) -> Result<LogStream, Error> {
        let request = options.add_to(self.endpoint().subresource_request(name, "log")?);
        let response = self.client().send(request.without_time_limit()).await?;
        Ok(LogStream::new(response))
    }
}

/// The bytes of a log, as they arrive. Dropping it ends the request.
#[must_use = "a log does nothing unless polled"]
pub struct LogStream {
    request: Arc<Request>,
    body: Body,
}

impl std::fmt::Debug for LogStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogStream")
            .field("about", &self.request.about)
            .finish_non_exhaustive()
    }
}

impl LogStream {
    fn new(response: Response) -> Self {
        let (request, body) = response.into_body();
        Self { request, body }
    }

    /// The log line by line, without the line ends. What is no UTF-8 is replaced by U+FFFD.
    pub fn lines(self) -> LogLines {
        LogLines {
            log: Some(self),
            line: BytesMut::new(),
            ready: VecDeque::new(),
        }
    }
}

impl Stream for LogStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.body.as_mut().poll_next(context));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|error| Error::transport(&*self.request, error))))
    }
}

/// The lines of a log; see [`LogStream::lines`].
#[must_use = "a log does nothing unless polled"]
#[derive(Debug)]
pub struct LogLines {
    /// `None` once it has ended.
    log: Option<LogStream>,
    line: BytesMut,
    ready: VecDeque<String>,
}

impl LogLines {
    fn take(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            let end = usize::from(piece.ends_with(b"\n"));
            while self.line.len() - end > MAX_LINE {
                let part = self.line.split_to(MAX_LINE);
                self.ready.push_back(String::from_utf8_lossy(&part).into_owned());
            }
            if end > 0 {
                self.finish_line();
            }
        }
    }

    fn finish_line(&mut self) {
        let line = self.line.split();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.ready.push_back(String::from_utf8_lossy(line).into_owned());
    }
}

impl Stream for LogLines {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(line)));
            }
            let Some(log) = &mut self.log else {
                return Poll::Ready(None);
            };
            match ready!(Pin::new(log).poll_next(context)) {
                Some(Ok(chunk)) => self.take(&chunk),
                Some(Err(error)) => {
                    self.log = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.log = None;
                    if !self.line.is_empty() {
                        self.finish_line();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, TryStreamExt, stream};

    use super::*;
    use crate::rest::Client;
    use crate::transport::TransportError;
    use crate::transport::script::{Script, answer};

    fn pods(answers: Vec<http::Response<Body>>) -> (std::sync::Arc<Script>, Api<Pod>) {
        let script = Script::new(answers.into_iter().map(Ok));
        let api = Api::namespaced(Client::with_transport(script.clone()), "shop");
        (script, api)
    }

    #[tokio::test]
    async fn lines_are_whole_wherever_the_chunks_end() {
        let chunks = ["on", "e\ntw", "o\r\n\nfo", "ur"].map(Bytes::from).to_vec();
        let (script, pods) = pods(vec![answer(200, "text/plain", chunks)]);
        let options = LogOptions::default()
            .with_container("web")
            .with_since(Duration::from_millis(5));
        let log = pods.logs("a", &options).await.unwrap();
        let lines: Vec<String> = log.lines().try_collect().await.unwrap();
        assert_eq!(lines, ["one", "two", "", "four"]);
        assert_eq!(
            script.paths(),
            ["/api/v1/namespaces/shop/pods/a/log?container=web&sinceSeconds=1"]
        );
    }

    #[tokio::test]
    async fn a_line_without_end_does_not_fill_the_memory() {
        let chunk = Bytes::from(vec![b'x'; MAX_LINE]);
        let (_, pods) = pods(vec![answer(
            200,
            "text/plain",
            vec![chunk.clone(), chunk, "yz\n".into()],
        )]);
        let lines: Vec<String> = pods
            .logs("a", &LogOptions::default())
            .await
            .unwrap()
            .lines()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE, MAX_LINE, 2]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn following_has_no_time_limit_and_tells_why_it_ended() {
        let late = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(Bytes::from("late\n"))
        };
        let body: Body = stream::once(late)
            .chain(stream::iter([Err(TransportError::body("reset"))]))
            .boxed();
        let (_, pods) = pods(vec![http::Response::new(body)]);
        let log = pods.logs("a", &LogOptions::default().with_follow()).await.unwrap();
        let mut lines = log.lines();
        assert_eq!(lines.next().await.unwrap().unwrap(), "late");
        assert!(lines.next().await.unwrap().unwrap_err().to_string().contains("reset"));
        assert!(lines.next().await.is_none());
    }
}
