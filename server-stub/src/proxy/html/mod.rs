//! Answers of proxied servers: what they link to is to be found through the proxy, too.

mod links;

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder, GzDecoder, GzEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use http::{HeaderValue, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use self::links::LinkRewriter;
use crate::generic::request::{BodyError, Response, ResponseBody};

/// How much is worked on at once: a few bytes may stand for many.
const PIECE: usize = 4096;

/// What stands for something else in a link or in HTML.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\'').add(b'<').add(b'>').add(b'`');

/// Leads links back through the proxied path `own` that mean the server of `url`: those in the `Location` of a redirect,
/// or those in a page, which is rewritten while it arrives. Pages in an encoding other than gzip and deflate stay as
/// they are.
pub(crate) fn lead_back(answer: Response, url: &Uri, own: &str) -> Response {
    let (mut head, body) = answer.into_parts();
    if let Some(location) = head.headers.get(LOCATION).filter(|location| !location.is_empty()) {
        let link = location.to_str().ok().and_then(|location| led_back(location, url, own));
        if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
            head.headers.insert(LOCATION, link);
        }
        return Response::from_parts(head, body);
    }
    let (url, own) = (url.clone(), own.to_owned());
    let links = LinkRewriter::new(Box::new(move |link: &str| led_back(link, &url, &own)) as Rewrite);
    let pipeline = match Pipeline::new(&head.headers, links).filter(|_| is_html(&head.headers)) {
        Some(pipeline) if !body.is_end_stream() => pipeline,
        _ => return Response::from_parts(head, body),
    };
    head.headers.remove(CONTENT_LENGTH);
    let page = Page {
        body,
        pipeline: Some(pipeline),
    };
    Response::from_parts(head, page.boxed_unsync())
}

/// The same place by way of the proxy; `None` if it is elsewhere, or relative.
fn led_back(link: &str, url: &Uri, own: &str) -> Option<String> {
    let path = match link.split_once("//") {
        Some((scheme, rest))
            if ["", "http:", "https:"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            rest.strip_prefix(url.authority()?.as_str())?
        }
        _ => link,
    };
    let starts_well = path.starts_with('/') || (path.is_empty() && path.len() < link.len());
    let already = path
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !starts_well || already || has_wrong_escape(path) {
        return None;
    }
    let slash = if path.is_empty() { "/" } else { "" };
    let encoded = |text| utf8_percent_encode(text, UNSAFE).to_string();
    Some(format!("{}{slash}{}", encoded(own), encoded(path)))
}

/// Whether a percent sign does not stand before two hexadecimal digits.
fn has_wrong_escape(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split('%').skip(1);
    parts.any(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() < 2)
}

fn is_html(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.split(';').next().unwrap_or_default().trim() == "text/html")
}

type Rewrite = Box<dyn Fn(&str) -> Option<String> + Send>;

/// From the bytes of the other side to those for the client.
struct Pipeline {
    links: LinkRewriter<Rewrite>,
    coding: Coding,
}

type Gzip = (GzDecoder<Vec<u8>>, GzEncoder<Vec<u8>>);
type Deflate = (DeflateDecoder<Vec<u8>>, DeflateEncoder<Vec<u8>>);

/// How the bytes are encoded, on both sides.
enum Coding {
    Plain,
    Gzip(Box<Gzip>),
    Deflate(Box<Deflate>),
}

impl Pipeline {
    fn new(headers: &HeaderMap, links: LinkRewriter<Rewrite>) -> Option<Self> {
        let (level, out) = (Compression::fast(), Vec::new);
        let coding = match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"") => Coding::Plain,
            Some(b"gzip") => Coding::Gzip(Box::new((GzDecoder::new(out()), GzEncoder::new(out(), level)))),
            Some(b"deflate") => {
                let both = (DeflateDecoder::new(out()), DeflateEncoder::new(out(), level));
                Coding::Deflate(Box::new(both))
            }
            Some(_) => return None,
        };
        Some(Self { links, coding })
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        for piece in bytes.chunks(PIECE) {
            let mut plain = Vec::new();
            match &mut self.coding {
                Coding::Plain => self.links.push(piece, &mut out),
                Coding::Gzip(both) => {
                    both.0.write_all(piece)?;
                    self.links.push(&std::mem::take(both.0.get_mut()), &mut plain);
                    both.1.write_all(&plain)?;
                    out.append(both.1.get_mut());
                }
                Coding::Deflate(both) => {
                    both.0.write_all(piece)?;
                    self.links.push(&std::mem::take(both.0.get_mut()), &mut plain);
                    both.1.write_all(&plain)?;
                    out.append(both.1.get_mut());
                }
            }
        }
        Ok(out)
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        let mut rest = |bytes: &[u8]| {
            self.links.push(bytes, &mut plain);
            self.links.finish(&mut plain);
            std::mem::take(&mut plain)
        };
        match self.coding {
            Coding::Plain => Ok(rest(&[])),
            Coding::Gzip(both) => {
                let (decoder, mut encoder) = *both;
                encoder.write_all(&rest(&decoder.finish()?))?;
                encoder.finish()
            }
            Coding::Deflate(both) => {
                let (decoder, mut encoder) = *both;
                encoder.write_all(&rest(&decoder.finish()?))?;
                encoder.finish()
            }
        }
    }
}

/// A page whose links are rewritten as it arrives.
struct Page {
    body: ResponseBody,
    pipeline: Option<Pipeline>,
}

impl Body for Page {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?;
            let bytes = match (frame.map(Frame::into_data), &mut self.pipeline) {
                (_, None) => return Poll::Ready(None),
                (Some(Ok(mut data)), Some(pipeline)) => pipeline.push(&data.copy_to_bytes(data.remaining()))?,
                // Nothing of a page follows its trailers, which no browser reads.
                (Some(Err(_)), Some(_)) => continue,
                (None, pipeline) => match pipeline.take() {
                    Some(pipeline) => pipeline.finish()?,
                    None => return Poll::Ready(None),
                },
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use crate::generic::request::full;

    use super::*;

    const OWN: &str = "/api/v1/namespaces/default/pods/web:80/proxy";

    fn url() -> Uri {
        "http://192.0.2.2:80/a".parse().unwrap()
    }

    #[test]
    fn links_to_the_proxied_server_lead_through_the_proxy() {
        for (link, expected) in [
            ("/x?y=z#f", Some("/x?y=z#f")),
            ("//192.0.2.2:80/x", Some("/x")),
            ("http://192.0.2.2:80/x", Some("/x")),
            ("HTTPS://192.0.2.2:80", Some("/")),
            ("/a b\"", Some("/a%20b%22")),
            ("/caf\u{e9}", Some("/caf%C3%A9")),
            ("/?next=http://example.com/", Some("/?next=http://example.com/")),
            ("http://192.0.2.2:8080/x", None),
            ("http://example.com/x", None),
            ("/%zz", None),
            ("x/y", None),
            ("?q=1", None),
            ("#f", None),
            ("", None),
            ("mailto:a@b", None),
            ("/api/v1/namespaces/default/pods/web:80/proxy/x", None),
        ] {
            let expected = expected.map(|path| format!("{OWN}{path}"));
            assert_eq!(led_back(link, &url(), OWN), expected, "{link}");
        }
    }

    async fn answered(headers: &[(&str, &str)], body: Vec<u8>) -> (HeaderMap, Vec<u8>) {
        let mut answer = http::Response::builder().header(CONTENT_LENGTH, body.len());
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = lead_back(answer.body(full(body)).unwrap(), &url(), OWN);
        let (head, body) = answer.into_parts();
        (head.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn only_pages_are_rewritten() {
        let page = "<a href=\"/x\">x</a>";
        let rewritten = format!("<a href=\"{OWN}/x\">x</a>");
        let html = ("content-type", "text/html; charset=utf-8");
        let (headers, body) = answered(&[html], page.into()).await;
        assert_eq!(String::from_utf8(body).unwrap(), rewritten);
        assert!(!headers.contains_key(CONTENT_LENGTH));
        for headers in [
            vec![("content-type", "text/plain")],
            vec![html, ("content-encoding", "br")],
            vec![html, ("location", "elsewhere")],
        ] {
            let (headers, body) = answered(&headers, page.into()).await;
            assert_eq!(
                (headers.contains_key(CONTENT_LENGTH), &body[..]),
                (true, page.as_bytes())
            );
        }
        let (headers, _) = answered(&[("location", "/x")], Vec::new()).await;
        assert_eq!(headers[LOCATION], format!("{OWN}/x"));

        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(page.as_bytes()).unwrap();
        let (_, body) = answered(&[html, ("content-encoding", "gzip")], encoder.finish().unwrap()).await;
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_string(&mut plain)
            .unwrap();
        assert_eq!(plain, rewritten);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(page.as_bytes()).unwrap();
        let (_, body) = answered(&[html, ("content-encoding", "deflate")], encoder.finish().unwrap()).await;
        let mut plain = String::new();
        flate2::read::DeflateDecoder::new(&body[..])
            .read_to_string(&mut plain)
            .unwrap();
        assert_eq!(plain, rewritten);
    }

    #[tokio::test]
    async fn a_page_that_is_not_what_it_says_breaks_off() {
        let answer = http::Response::builder()
            .header(CONTENT_TYPE, "text/html")
            .header(CONTENT_ENCODING, "gzip")
            .body(full("not compressed"));
        assert!(
            lead_back(answer.unwrap(), &url(), OWN)
                .into_body()
                .collect()
                .await
                .is_err()
        );
    }
}
