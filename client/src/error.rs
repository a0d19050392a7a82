//! What a request can fail with.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use crate::config::ConfigError;
use crate::rest::{Request, Verb};
use crate::transport::TransportError;
use crate::wire::WireError;

/// A request that failed: what was being done, to what, and why.
///
/// A non-2xx answer always carries the API server's [`Status`]; where the answer held none (a proxy in between), one
/// is made from the HTTP code.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let clientset = server.clientset();
/// # let namespaces = clientset.core_v1().namespaces();
/// let error = namespaces.get("nowhere").await.unwrap_err();
/// assert!(error.is_not_found() && !error.is_conflict());
/// assert_eq!(error.status().and_then(|status| status.code), Some(404));
/// assert_eq!(error.url(), Some("/api/v1/namespaces/nowhere"));
/// assert_eq!(error.to_string(), r#"get namespaces "nowhere": namespaces "nowhere" not found"#);
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    doing: Doing,
    cause: Cause,
}

/// What was being done: in words, and by which request.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    words: String,
    request: Option<(Verb, String)>,
}

impl From<&Request> for Doing {
    fn from(request: &Request) -> Self {
        Self {
            words: format!("{} {}", request.verb.word(), request.about),
            request: Some((request.verb, request.shown_url())),
        }
    }
}

impl From<&Doing> for Doing {
    fn from(doing: &Doing) -> Self {
        doing.clone()
    }
}

impl From<String> for Doing {
    fn from(words: String) -> Self {
        Self { words, request: None }
    }
}

impl From<&str> for Doing {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

enum Cause {
    Status {
        status: Box<Status>,
        retry_after: Option<Duration>,
    },
    Transport(TransportError),
    Timeout(Duration),
    Wire(WireError),
    Config(ConfigError),
    Io(std::io::Error),
    Invalid(String),
}

impl Error {
    /// The API server refused; `doing` names verb and object.
    pub fn from_status(doing: impl Into<String>, status: Status, retry_after: Option<Duration>) -> Self {
        Self::refused(doing.into(), status, retry_after)
    }

    pub(crate) fn refused(doing: impl Into<Doing>, status: Status, retry_after: Option<Duration>) -> Self {
        let status = Box::new(status);
        Self::new(doing, Cause::Status { status, retry_after })
    }

    pub(crate) fn transport(doing: impl Into<Doing>, source: TransportError) -> Self {
        Self::new(doing, Cause::Transport(source))
    }

    pub(crate) fn timeout(doing: impl Into<Doing>, after: Duration) -> Self {
        Self::new(doing, Cause::Timeout(after))
    }

    pub(crate) fn wire(doing: impl Into<Doing>, source: WireError) -> Self {
        Self::new(doing, Cause::Wire(source))
    }

    pub(crate) fn config(source: ConfigError) -> Self {
        Self::new("set up the client", Cause::Config(source))
    }

    /// Something on this machine, such as a file, cannot be read or written.
    pub(crate) fn io(doing: impl Into<Doing>, source: std::io::Error) -> Self {
        Self::new(doing, Cause::Io(source))
    }

    pub(crate) fn invalid(doing: impl Into<Doing>, reason: impl Into<String>) -> Self {
        Self::new(doing, Cause::Invalid(reason.into()))
    }

    fn new(doing: impl Into<Doing>, cause: Cause) -> Self {
        Self(Box::new(Inner {
            doing: doing.into(),
            cause,
        }))
    }

    /// What was asked for; `None` where no request was made.
    pub fn verb(&self) -> Option<Verb> {
        self.0.doing.request.as_ref().map(|(verb, _)| *verb)
    }

    /// Path and query of the request, the values of parameters that may be secret left out; `None` where none was made.
    pub fn url(&self) -> Option<&str> {
        self.0.doing.request.as_ref().map(|(_, url)| url.as_str())
    }

    /// The API server's answer, where there was one.
    pub fn status(&self) -> Option<&Status> {
        match &self.0.cause {
            Cause::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// The HTTP code of the answer.
    pub fn code(&self) -> Option<u16> {
        self.status().and_then(|status| u16::try_from(status.code?).ok())
    }

    /// The machine-readable reason of the answer, such as `NotFound`; empty where there is none.
    pub fn reason(&self) -> &str {
        self.status()
            .and_then(|status| status.reason.as_deref())
            .unwrap_or_default()
    }

    /// How long the server asks to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.cause {
            Cause::Status { status, retry_after } => retry_after.or_else(|| {
                let seconds = status.details.as_ref()?.retry_after_seconds?;
                u64::try_from(seconds)
                    .ok()
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs)
            }),
            _ => None,
        }
    }

    /// 404: the object, or the resource itself, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.is(404, "NotFound")
    }

    /// 409: an object of that name exists.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// 409: the object changed in between.
    pub fn is_conflict(&self) -> bool {
        self.reason() == "Conflict" || (self.code() == Some(409) && self.reason().is_empty())
    }

    /// 410: the resourceVersion or the continue token is too old.
    pub fn is_expired(&self) -> bool {
        matches!(self.reason(), "Expired" | "Gone") || self.code() == Some(410)
    }

    /// 504: the server has not reached the resourceVersion that was asked for.
    pub fn is_too_large_resource_version(&self) -> bool {
        let causes = self
            .status()
            .and_then(|status| status.details.as_ref()?.causes.as_deref());
        causes
            .unwrap_or_default()
            .iter()
            .any(|cause| cause.reason.as_deref() == Some("ResourceVersionTooLarge"))
    }

    /// 429: too many requests.
    pub fn is_too_many_requests(&self) -> bool {
        self.is(429, "TooManyRequests")
    }

    /// 401: the credentials are missing or wrong.
    pub fn is_unauthorized(&self) -> bool {
        self.is(401, "Unauthorized")
    }

    /// 403: this user may not do that.
    pub fn is_forbidden(&self) -> bool {
        self.is(403, "Forbidden")
    }

    /// 422: the object breaks a rule.
    pub fn is_invalid(&self) -> bool {
        self.is(422, "Invalid")
    }

    /// The client, the connection or the server ran out of time.
    pub fn is_timeout(&self) -> bool {
        match &self.0.cause {
            Cause::Timeout(_) => true,
            Cause::Transport(error) => error.is_timeout(),
            _ => self.is(504, "Timeout"),
        }
    }

    /// No whole answer came: the connection could not be made or broke.
    pub fn is_transport(&self) -> bool {
        matches!(self.0.cause, Cause::Transport(_))
    }

    /// No connection could be made: the server has seen nothing of the request.
    pub fn is_connect(&self) -> bool {
        matches!(&self.0.cause, Cause::Transport(error) if error.is_connect())
    }

    /// A connection was made and TLS failed: the server is not who it should be, or does not like our certificate.
    pub fn is_tls(&self) -> bool {
        matches!(&self.0.cause, Cause::Transport(error) if error.is_tls())
    }

    /// The connection broke before the whole answer was there: the server may have done what was asked.
    pub(crate) fn is_broken_connection(&self) -> bool {
        matches!(&self.0.cause, Cause::Transport(error) if error.is_broken())
    }

    /// The server said that it did nothing about the request.
    pub(crate) fn is_unprocessed(&self) -> bool {
        matches!(&self.0.cause, Cause::Transport(error) if error.is_unprocessed())
    }

    /// An answer came and could not be read.
    pub fn is_decode(&self) -> bool {
        matches!(self.0.cause, Cause::Wire(_))
    }

    /// By reason where the server gave one, else by code.
    fn is(&self, code: u16, reason: &str) -> bool {
        if self.reason().is_empty() {
            self.code() == Some(code)
        } else {
            self.reason() == reason
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.doing.words)?;
        match &self.0.cause {
            Cause::Status { status, .. } => match status.message.as_deref() {
                Some(message) if !message.is_empty() => f.write_str(message),
                _ => write!(f, "{} (code {})", self.reason(), status.code.unwrap_or_default()),
            },
            Cause::Transport(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Cause::Timeout(after) => write!(f, "no answer within {after:?}"),
            Cause::Wire(error) => write!(f, "{error}"),
            Cause::Config(error) => write!(f, "{error}"),
            Cause::Io(error) => write!(f, "{error}"),
            Cause::Invalid(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code())
            .field("reason", &self.reason())
            .field("error", &self.to_string())
            .field("url", &self.url())
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            Cause::Transport(error) => Some(error),
            Cause::Wire(error) => Some(error),
            Cause::Config(error) => Some(error),
            Cause::Io(error) => Some(error),
            Cause::Status { .. } | Cause::Timeout(_) | Cause::Invalid(_) => None,
        }
    }
}
