//! Long lists in protobuf, put together piece by piece while the client takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use kubewire_client::wire::ReverseWriter;

use super::answer::{ListMeta, enveloped, no_protobuf};
use super::negotiation::Format;
use crate::generic::request::{BodyError, Response};
use crate::registry::StoredObject;
use crate::registry::versioned::{put_varint, varint_length};
use crate::status::ApiError;

/// About how much is put together at a time: it stays in the processor's cache until it is sent.
const PIECE: usize = 128 * 1024;
/// `items` of every list: field number 2, with a length.
const ITEM_KEY: u8 = 0x12;
/// Behind the content, an envelope has two empty fields: encoding and type of the content.
const BEHIND_CONTENT: usize = 4;

/// A list as the body of an answer; its length is known in advance.
struct ProtobufList {
    /// What goes before the items, until it is sent.
    head: Bytes,
    items: std::vec::IntoIter<Arc<StoredObject>>,
    /// What goes behind them.
    tail: Bytes,
    left: u64,
}

/// Answers with a list of this kind.
pub(super) fn answer(
    items: Vec<Arc<StoredObject>>,
    meta: &ListMeta,
    (api_version, list_kind): (&str, &str),
) -> Result<Response, ApiError> {
    let mut length = 0;
    for item in &items {
        let item = item_length(item).ok_or_else(no_protobuf)?;
        length += 1 + varint_length(item) + item;
    }
    let meta = list_meta(meta);
    let (head, tail) = around(api_version, list_kind, &meta, length);
    let body = ProtobufList {
        left: (head.len() + length + tail.len()) as u64,
        head,
        items: items.into_iter(),
        tail,
    };
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    let content_type = HeaderValue::from_static(Format::Protobuf.media_type());
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// The list's metadata as a field of the list.
fn list_meta(meta: &ListMeta) -> Bytes {
    let mut writer = ReverseWriter::with_capacity(64);
    if let Some(remaining) = meta.remaining {
        writer.varint_field(4, remaining.cast_unsigned());
    }
    writer.bytes_field(3, meta.continue_token.as_deref().unwrap_or_default().as_bytes());
    writer.bytes_field(2, meta.resource_version.as_bytes());
    writer.bytes_field(1, b"");
    writer.close_message(1, 0);
    writer.into_bytes()
}

/// What goes before and behind the items: an envelope without content, and the content's length put in.
fn around(api_version: &str, kind: &str, meta: &Bytes, items: usize) -> (Bytes, Bytes) {
    let empty = enveloped(api_version, kind, Bytes::new());
    let (before, behind) = empty.split_at(empty.len().saturating_sub(BEHIND_CONTENT));
    let mut head = BytesMut::with_capacity(empty.len() + meta.len() + 8);
    // The length of nothing is the last byte.
    head.put_slice(before.split_last().map_or(before, |(_, before)| before));
    put_varint(&mut head, meta.len() + items);
    head.put_slice(meta);
    (head.freeze(), Bytes::copy_from_slice(behind))
}

fn item_length(item: &StoredObject) -> Option<usize> {
    match item.message() {
        Some(message) => Some(message.length()),
        None => item.protobuf().map(|message| message.len()),
    }
}

fn put_item(piece: &mut BytesMut, item: &StoredObject) -> Option<()> {
    piece.put_u8(ITEM_KEY);
    match item.message() {
        Some(message) => {
            put_varint(piece, message.length());
            message.put(piece);
        }
        None => {
            let message = item.protobuf()?;
            put_varint(piece, message.len());
            piece.put_slice(&message);
        }
    }
    Some(())
}

impl Body for ProtobufList {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let mut piece = BytesMut::with_capacity(most.min(PIECE + PIECE / 8));
        piece.put_slice(&std::mem::take(&mut self.head));
        while piece.len() < PIECE {
            let Some(item) = self.items.next() else {
                piece.put_slice(&std::mem::take(&mut self.tail));
                break;
            };
            if put_item(&mut piece, &item).is_none() {
                return Poll::Ready(Some(Err(no_protobuf().into())));
            }
        }
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::protobuf_codec::ProtobufCodec;
    use crate::registry::{codec::ObjectCodec, facts};
    use kubewire_client::wire::{EncodedList, EncodedObject, Encoding, Envelope};
    use serde_json::json;

    #[tokio::test]
    async fn a_list_in_pieces_is_a_list() {
        let codec: Arc<dyn ObjectCodec> =
            Arc::new(ProtobufCodec::new(facts::resource("", "v1", "configmaps").unwrap()).unwrap());
        let object = |number: usize| {
            let data = "x".repeat(number);
            let document = json!({ "metadata": { "name": number.to_string() }, "data": { "k": data } });
            let stored = codec.encode(&document).unwrap();
            Arc::new(StoredObject::decode("/a".into(), stored, 7, codec.clone()).unwrap())
        };
        for count in [0, 1, 700] {
            let items: Vec<_> = (0..count).map(object).collect();
            let meta = ListMeta {
                resource_version: "9".to_owned(),
                continue_token: Some("token".to_owned()),
                remaining: Some(3),
            };
            let response = answer(items.clone(), &meta, ("v1", "ConfigMapList")).unwrap();
            let announced = response.body().size_hint().exact().unwrap();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len() as u64, announced);
            let envelope = Envelope::decode(&body).unwrap();
            assert_eq!((&*envelope.api_version, &*envelope.kind), ("v1", "ConfigMapList"));
            let list = EncodedList::parse(&envelope.object).unwrap();
            assert_eq!(list.continue_token.as_deref(), Some("token"));
            assert_eq!((list.remaining_item_count, list.items.len()), (Some(3), count));
            let plain = |item: &Arc<StoredObject>| EncodedObject {
                encoding: Encoding::Protobuf,
                bytes: item.protobuf().unwrap(),
            };
            assert_eq!(list.items, items.iter().map(plain).collect::<Vec<_>>());
        }
    }
}
