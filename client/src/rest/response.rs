//! An answer, as it streams in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;

use super::request::{PROTOBUF, Request};
use crate::api::EachObject;
use crate::error::Error;
use crate::transport::{Body, collect};
use crate::wire::{EncodedList, EncodedObject, Encoding, Envelope, ListDecoder, WireError, envelope};

/// A 2xx answer whose body has not been read yet. Dropping it cancels the request.
pub struct Response {
    pub(super) request: Arc<Request>,
    pub(super) head: http::response::Parts,
    pub(super) body: Body,
    /// When the whole answer must be there; `None` for watches.
    pub(super) deadline: Option<(Instant, Duration)>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("about", &self.request.about)
            .field("status", &self.head.status)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// The HTTP code: 2xx, or 304 where the request asked for what is newer.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The response's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// How the body is encoded, by its `Content-Type`.
    pub fn encoding(&self) -> Encoding {
        encoding(&self.head.headers)
    }

    /// The whole body.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let Self {
            request,
            body,
            deadline,
            ..
        } = self;
        let body = match deadline {
            None => collect(body).await,
            Some((deadline, limit)) => match tokio::time::timeout_at(deadline, collect(body)).await {
                Ok(body) => body,
                Err(_) => return Err(Error::timeout(&*request, limit)),
            },
        };
        body.map_err(|error| Error::transport(&*request, error))
    }

    /// The same answer once its body is there.
    pub(super) async fn collected(self) -> Result<Self, Error> {
        let Self {
            request,
            head,
            body,
            deadline,
        } = self;
        let whole = collect(body).await;
        let whole = whole.map_err(|error| Error::transport(&*request, error))?;
        Ok(Self {
            request,
            head,
            body: Box::pin(futures::stream::once(std::future::ready(Ok(whole)))),
            deadline,
        })
    }

    /// A list, item by item as it arrives; what comes back is the list without them.
    pub(crate) async fn list_each(self, each: EachObject<'_>) -> Result<EncodedList, Error> {
        let mut decoder = ListDecoder::new(self.encoding());
        let Self {
            request,
            mut body,
            deadline,
            ..
        } = self;
        loop {
            let chunk = match deadline {
                None => body.next().await,
                Some((deadline, limit)) => match tokio::time::timeout_at(deadline, body.next()).await {
                    Ok(chunk) => chunk,
                    Err(_) => return Err(Error::timeout(&*request, limit)),
                },
            };
            let Some(chunk) = chunk else { break };
            decoder.push(chunk.map_err(|error| Error::transport(&*request, error))?);
            while let Some(item) = decoder.next_item().map_err(|error| Error::wire(&*request, error))? {
                each(item);
            }
        }
        decoder.finish().map_err(|error| Error::wire(&*request, error))
    }

    /// The whole body as one object of the kind that it names.
    pub async fn envelope(self) -> Result<Envelope, Error> {
        let (request, encoding) = (self.request.clone(), self.encoding());
        let bytes = self.bytes().await?;
        read_envelope(encoding, bytes).map_err(|error| Error::wire(&*request, error))
    }

    pub(crate) fn into_body(self) -> (Arc<Request>, Body) {
        (self.request, self.body)
    }
}

pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with(PROTOBUF) {
        Encoding::Protobuf
    } else {
        Encoding::Json
    }
}

pub(super) fn read_envelope(encoding: Encoding, bytes: Bytes) -> Result<Envelope, WireError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TypeMeta {
        #[serde(default)]
        api_version: String,
        #[serde(default)]
        kind: String,
    }
    if encoding == Encoding::Protobuf || bytes.starts_with(envelope::MAGIC) {
        return Envelope::decode(&bytes);
    }
    let TypeMeta { api_version, kind } = serde_json::from_slice(&bytes)?;
    Ok(Envelope {
        api_version,
        kind,
        object: EncodedObject {
            encoding: Encoding::Json,
            bytes,
        },
    })
}
