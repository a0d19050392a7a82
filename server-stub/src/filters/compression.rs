//! gzip for long answers, where the client says that it reads it.

use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response, full};

/// Shorter answers are not worth the work, as in kube-apiserver.
const THRESHOLD: u64 = 128 * 1024;

/// Compresses answers that are long and of which all is there; watches and streams stay as they are.
pub(super) fn with_compression(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithCompression(inner))
}

struct WithCompression(Arc<dyn Handler>);

#[async_trait]
impl Handler for WithCompression {
    async fn handle(&self, request: Request) -> Response {
        let accepts_gzip = accepts_gzip(request.headers());
        let response = self.0.handle(request).await;
        let long = response
            .body()
            .size_hint()
            .exact()
            .is_some_and(|length| length >= THRESHOLD);
        let plain = response.status() == StatusCode::OK && !response.headers().contains_key(CONTENT_ENCODING);
        if accepts_gzip && long && plain {
            compressed(response).await
        } else {
            response
        }
    }
}

/// The quality of an encoding is for clients with a choice, but one that is written down as zero is none.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|encoding| {
        let (name, parameters) = encoding.split_once(';').unwrap_or((encoding, ""));
        name.trim() == "gzip" && !matches!(parameters.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        // A body that is there whole does not break off.
        return Response::from_parts(head, full(Bytes::new()));
    };
    let plain = body.to_bytes();
    let input = plain.clone();
    let body = match tokio::task::spawn_blocking(move || gzip(&input)).await {
        Ok(Ok(body)) => body,
        _ => return Response::from_parts(head, full(plain)),
    };
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(head, full(body))
}

/// The lowest level: most of the gain for a fraction of the time.
fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    use crate::generic::request::empty;

    struct Says(usize);

    #[async_trait]
    impl Handler for Says {
        async fn handle(&self, _: Request) -> Response {
            Response::new(full(vec![b'x'; self.0]))
        }
    }

    async fn ask(length: usize, accept: &str) -> (Option<String>, Vec<u8>) {
        let handler = with_compression(Arc::new(Says(length)));
        let request = http::Request::get("/")
            .header(ACCEPT_ENCODING, accept)
            .body(empty())
            .unwrap();
        let response = handler.handle(request).await;
        let encoding = response
            .headers()
            .get(CONTENT_ENCODING)
            .map(|value| value.to_str().unwrap().to_owned());
        (
            encoding,
            response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        )
    }

    #[tokio::test]
    async fn long_answers_are_compressed_for_those_who_ask() {
        let (encoding, body) = ask(200_000, "br, gzip").await;
        assert_eq!(encoding.as_deref(), Some("gzip"));
        assert!(body.len() < 2_000);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, vec![b'x'; 200_000]);
        for (length, accept) in [(100_000, "gzip"), (200_000, "identity"), (200_000, "gzip;q=0")] {
            assert_eq!(
                ask(length, accept).await,
                (None, vec![b'x'; length]),
                "{length} {accept}"
            );
        }
    }
}
