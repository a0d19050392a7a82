//! Cuts a list into its items as it arrives.

mod json;
mod protobuf;

use bytes::Bytes;

use self::json::JsonList;
use self::protobuf::ProtobufList;
use super::{EncodedList, EncodedObject, Encoding, WireError};

/// The largest item that is accepted: well above what etcd can store.
const MAX_ITEM: usize = 64 << 20;

/// Cuts the body of a list response into items, however it was cut into chunks, without ever holding all of it.
///
/// ```
/// use kubewire_client::wire::{Encoding, ListDecoder};
/// let mut decoder = ListDecoder::new(Encoding::Json);
/// decoder.push(br#"{"metadata":{"resourceVersion":"7"},"#.as_slice().into());
/// assert!(decoder.next_item()?.is_none());
/// decoder.push(br#""items":[{"metadata":{}},{"meta"#.as_slice().into());
/// assert_eq!(&decoder.next_item()?.expect("a whole item").bytes[..], br#"{"metadata":{}}"#);
/// decoder.push(br#"data":{}}]}"#.as_slice().into());
/// let list = decoder.finish()?;
/// assert_eq!((list.resource_version.as_str(), list.items.len()), ("7", 1));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct ListDecoder(Cutter);

#[derive(Debug)]
enum Cutter {
    Protobuf(ProtobufList),
    Json(JsonList),
}

impl ListDecoder {
    /// A decoder of a body in the given encoding.
    pub fn new(encoding: Encoding) -> Self {
        Self(match encoding {
            Encoding::Protobuf => Cutter::Protobuf(ProtobufList::default()),
            Encoding::Json => Cutter::Json(JsonList::default()),
        })
    }

    /// Adds received bytes.
    pub fn push(&mut self, chunk: Bytes) {
        match &mut self.0 {
            Cutter::Protobuf(list) => list.push(chunk),
            Cutter::Json(list) => list.push(chunk),
        }
    }

    /// The next whole item, or `None` where more bytes are needed.
    pub fn next_item(&mut self) -> Result<Option<EncodedObject>, WireError> {
        match &mut self.0 {
            Cutter::Protobuf(list) => list.next_item(),
            Cutter::Json(list) => list.next_item(),
        }
    }

    /// The body has ended: what the list says of itself, and the items that have not been given out.
    pub fn finish(mut self) -> Result<EncodedList, WireError> {
        let mut items = Vec::new();
        while let Some(item) = self.next_item()? {
            items.push(item);
        }
        let mut list = match self.0 {
            Cutter::Protobuf(list) => list.finish()?,
            Cutter::Json(list) => list.finish()?,
        };
        list.items = items;
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{ReverseWriter, envelope};

    fn list(items: &[Vec<u8>]) -> Bytes {
        let mut writer = ReverseWriter::new();
        for item in items.iter().rev() {
            writer.bytes_field(2, item);
        }
        let before = writer.len();
        writer.bytes_field(3, b"next");
        writer.bytes_field(2, b"7");
        writer.close_message(1, before);
        let object = EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: writer.into_bytes(),
        };
        envelope::encode("v1", "PodList", &object)
    }

    fn json_list(items: &[String]) -> String {
        let metadata = r#"{"resourceVersion":"7","continue":"next","remainingItemCount":3}"#;
        format!(
            " {{\"kind\":\"PodList\",\"metadata\":{metadata}, \"x\": [1, {{}}],\n\"items\" : [ {} ] ,\"y\":-1e3}}\n",
            items.join(" ,\n")
        )
    }

    fn decode(body: &[u8], cuts: &[usize]) -> Result<(Vec<Vec<u8>>, EncodedList), WireError> {
        decode_as(Encoding::Protobuf, body, cuts)
    }

    fn decode_as(encoding: Encoding, body: &[u8], cuts: &[usize]) -> Result<(Vec<Vec<u8>>, EncodedList), WireError> {
        let mut decoder = ListDecoder::new(encoding);
        let (mut rest, mut cuts, mut items) = (body, cuts.iter().cycle(), Vec::new());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            rest = after;
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(item) = decoder.next_item()? {
                items.push(item.bytes.to_vec());
            }
        }
        Ok((items, decoder.finish()?))
    }

    #[test]
    fn an_end_inside_the_list_is_an_error() {
        let body = list(&[vec![0x0a, 0]]);
        assert!(decode(&body, &[100]).is_ok());
        for length in 0..body.len() - 4 {
            assert!(decode(&body[..length], &[100]).is_err(), "{length}");
        }
    }

    #[test]
    fn refuses_other_bytes_and_fields_that_leave_the_list() {
        assert!(decode(b"{\"items\":[]}", &[3]).is_err());
        assert!(decode(b"k8s\0\x12\x02\x12\x7f", &[3]).is_err());
    }

    #[test]
    fn json_lists_that_end_or_break_are_errors() {
        let body = json_list(&[r#"{"a":"\\\"]}"}"#.to_owned(), "{}".to_owned()]);
        assert!(decode_as(Encoding::Json, body.as_bytes(), &[100]).is_ok());
        for length in 0..body.len() - 1 {
            assert!(
                decode_as(Encoding::Json, &body.as_bytes()[..length], &[100]).is_err(),
                "{length}"
            );
        }
        for broken in [
            "",
            "[]",
            "{,}",
            r#"{"items":[{},]}"#,
            r#"{"items":[,{}]}"#,
            r#"{"items":{}}"#,
            r#"{"items":[]]}"#,
            r#"{"items":[{}}]}"#,
            r#"{"items":[] "a":1}"#,
            r#"{"items":[]}x"#,
            r#"{"a":}"#,
            r#"{"items":[{} {}]}"#,
            r#"{"items" []}"#,
            r#"{"a":1,}"#,
            r#"{"items":[{]}"#,
        ] {
            assert!(decode_as(Encoding::Json, broken.as_bytes(), &[3]).is_err(), "{broken}");
        }
        for empty in ["{}", r#"{"items":null}"#, r#"{"metadata":null,"items":[]}"#] {
            assert_eq!(
                decode_as(Encoding::Json, empty.as_bytes(), &[3]).unwrap().1,
                EncodedList::default()
            );
        }
    }

    #[test]
    fn an_item_is_given_out_as_soon_as_it_is_whole() {
        let mut decoder = ListDecoder::new(Encoding::Json);
        decoder.push(Bytes::from_static(br#"{"items":[{"a":[1]}"#));
        assert!(decoder.next_item().unwrap().is_some());
        assert!(decoder.next_item().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10),
            cuts in proptest::collection::vec(1..400usize, 1..60),
        ) {
            let (seen, list) = decode(&list(&items), &cuts).unwrap();
            prop_assert_eq!(seen, items);
            prop_assert_eq!((list.resource_version.as_str(), list.continue_token.as_deref()), ("7", Some("next")));
            prop_assert!(list.items.is_empty());
        }

        #[test]
        fn chunking_changes_nothing_of_json(
            texts in proptest::collection::vec("[a-z{}\\[\\]\",:\\\\ é]{0,30}", 0..10),
            cuts in proptest::collection::vec(1..40usize, 1..60),
        ) {
            let items: Vec<_> = texts.iter().map(|text| serde_json::json!({"a": [text, {"b": 1}]}).to_string()).collect();
            let (seen, list) = decode_as(Encoding::Json, json_list(&items).as_bytes(), &cuts).unwrap();
            let seen: Vec<_> = seen.into_iter().map(|item| String::from_utf8(item).unwrap()).collect();
            prop_assert_eq!(seen, items);
            prop_assert_eq!((list.resource_version.as_str(), list.continue_token.as_deref()), ("7", Some("next")));
            prop_assert_eq!(list.remaining_item_count, Some(3));
        }

        /// What serde takes for a list is one, with the same items.
        #[test]
        fn agrees_with_a_whole_read(input in "[{}\\[\\],:\" 1a]{0,12}") {
            let body = format!("{{\"items\":[{input}");
            let whole = Bytes::from(body.clone());
            if let Ok(whole) = EncodedList::parse(&EncodedObject { encoding: Encoding::Json, bytes: whole }) {
                let (seen, _) = decode_as(Encoding::Json, body.as_bytes(), &[5]).unwrap();
                prop_assert_eq!(seen, whole.items.iter().map(|item| item.bytes.to_vec()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn never_panics_on_json(input in "[{}\\[\\],:\"a-z\\\\ 0-9]{0,60}") {
            let _ = decode_as(Encoding::Json, format!("{{\"items\":[{input}").as_bytes(), &[7]);
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200), list: bool) {
            let head = if list { b"k8s\0\x12\x64".as_slice() } else { b"" };
            let _ = decode(&[head, &input].concat(), &[7]);
        }
    }
}
