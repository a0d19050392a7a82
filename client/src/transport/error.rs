//! Why a request got no answer, or only part of one.

use std::error::Error as StdError;
use std::fmt;

/// A request that got no (whole) answer. Messages never show credentials.
#[derive(Debug)]
pub struct TransportError {
    kind: Kind,
    source: Box<dyn StdError + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Tls,
    Timeout,
    Request,
    Unprocessed,
    Body,
    Credentials,
    Unsendable,
}

impl TransportError {
    /// No connection could be made: the server has seen nothing of the request.
    pub fn connect(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Connect, source)
    }

    /// Server and client cannot come to terms over TLS: the server has seen nothing of the request.
    pub fn tls(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Tls, source)
    }

    /// The time allowed ran out; the server may have seen the request.
    pub fn timeout(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Timeout, source)
    }

    /// The connection failed before the response's head arrived; the server may have seen the request.
    pub fn request(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Request, source)
    }

    /// The server said that it did nothing about the request.
    pub fn unprocessed(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Unprocessed, source)
    }

    /// The connection failed within the response's body.
    pub fn body(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Body, source)
    }

    /// The credentials could not be had; nothing was sent.
    pub fn credentials(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Credentials, source)
    }

    /// The request cannot be sent as it is; nothing was sent.
    pub fn unsendable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Unsendable, source)
    }

    /// True where the server has done nothing about the request, so that any request may be tried again.
    pub fn is_unsent(&self) -> bool {
        matches!(
            self.kind,
            Kind::Connect | Kind::Tls | Kind::Credentials | Kind::Unprocessed
        )
    }

    /// True where the server said that it did nothing about the request.
    pub fn is_unprocessed(&self) -> bool {
        self.kind == Kind::Unprocessed
    }

    /// True where no connection could be made.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::Tls)
    }

    /// True where a connection was made and TLS failed: trying again helps only when a certificate is replaced.
    pub fn is_tls(&self) -> bool {
        self.kind == Kind::Tls
    }

    /// True where time ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// True where the response broke off within its body.
    pub fn is_body(&self) -> bool {
        self.kind == Kind::Body
    }

    /// True where the connection broke after the request may have been seen.
    pub fn is_broken(&self) -> bool {
        matches!(self.kind, Kind::Request | Kind::Body)
    }

    /// True where the credentials could not be had.
    pub fn is_credentials(&self) -> bool {
        self.kind == Kind::Credentials
    }

    /// One word for what went wrong.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Connect => "connect",
            Kind::Tls => "tls",
            Kind::Timeout => "timeout",
            Kind::Request => "request",
            Kind::Unprocessed => "unprocessed",
            Kind::Body => "body",
            Kind::Credentials => "credentials",
            Kind::Unsendable => "unsendable",
        }
    }

    fn new(kind: Kind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Connect | Kind::Tls => "connect to the API server",
            Kind::Timeout => "time ran out",
            Kind::Request => "send the request",
            Kind::Unsendable => "build the request",
            Kind::Unprocessed => "the server turned the request away",
            Kind::Body => "read the response",
            Kind::Credentials => "get credentials",
        };
        f.write_str(what)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}
