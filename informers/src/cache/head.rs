//! The metadata of an entry, which can be read without decoding.

use bytes::Bytes;
use kubewire_client::wire::{EncodedObject, Encoding, ObjectHeader, Reader, ReverseWriter, Value, WireError};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fields of `ObjectMeta`.
const NAME: u32 = 1;
const NAMESPACE: u32 = 3;
const UID: u32 = 5;
const RESOURCE_VERSION: u32 = 6;
const GENERATION: u32 = 7;
const DELETION_TIMESTAMP: u32 = 9;
const LABELS: u32 = 11;
const ANNOTATIONS: u32 = 12;
const MANAGED_FIELDS: u32 = 17;
/// `metadata` in every object.
const METADATA: u32 = 1;

/// An `ObjectMeta` message without managed fields, and where in it the names are.
pub(super) struct Head {
    metadata: Box<[u8]>,
    name: Span,
    namespace: Span,
    uid: Span,
    resource_version: Span,
    deleting: bool,
}

/// A part of the message.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// An object cut in two, each part with memory of its own.
pub(super) struct Parts {
    pub(super) head: Head,
    /// What is not in the head: managed fields where they are kept, and everything but metadata; all of a JSON text.
    pub(super) body: Box<[u8]>,
    /// How much of the body is managed fields.
    pub(super) managed: u32,
}

impl Parts {
    pub(super) fn cut(object: &EncodedObject, keep_managed_fields: bool) -> Result<Self, WireError> {
        match object.encoding {
            Encoding::Protobuf => cut_protobuf(&object.bytes, keep_managed_fields),
            Encoding::Json => Ok(Self {
                head: Head::of_message(message_of(&ObjectHeader::parse(object)?).into())?,
                body: if keep_managed_fields {
                    object.bytes.as_ref().into()
                } else {
                    json_without_managed_fields(&object.bytes)?
                },
                managed: 0,
            }),
        }
    }
}

/// Puts a protobuf object together again.
pub(super) fn join_protobuf(head: &Head, body: &[u8], managed: u32) -> Bytes {
    let (managed, rest) = body.split_at_checked(managed as usize).unwrap_or_default();
    let mut writer = ReverseWriter::with_capacity(head.metadata.len() + body.len() + 8);
    writer.prepend(rest);
    let before = writer.len();
    writer.prepend(managed);
    writer.prepend(&head.metadata);
    writer.close_message(METADATA, before);
    writer.into_bytes()
}

fn cut_protobuf(object: &[u8], keep_managed_fields: bool) -> Result<Parts, WireError> {
    let (mut metadata, mut managed, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = Reader::new(object);
    let mut before = 0;
    while let Some(field) = reader.next_field()? {
        match (field.number, field.value) {
            (METADATA, Value::Bytes(message)) => cut_metadata(message, &mut metadata, &mut managed)?,
            _ => rest.push(object.get(before..reader.offset()).unwrap_or_default()),
        }
        before = reader.offset();
    }
    if !keep_managed_fields {
        managed.clear();
    }
    let length: usize = managed.iter().map(|piece| piece.len()).sum();
    managed.append(&mut rest);
    Ok(Parts {
        head: Head::of_message(metadata.concat().into())?,
        body: managed.concat().into(),
        managed: u32::try_from(length).unwrap_or_default(),
    })
}

/// The pieces of metadata, and those of its managed fields.
fn cut_metadata<'a>(
    message: &'a [u8],
    metadata: &mut Vec<&'a [u8]>,
    managed: &mut Vec<&'a [u8]>,
) -> Result<(), WireError> {
    let piece = |start: usize, end: usize| message.get(start..end).unwrap_or_default();
    let (mut start, mut before) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        if field.number == MANAGED_FIELDS {
            metadata.push(piece(start, before));
            managed.push(piece(before, reader.offset()));
            start = reader.offset();
        }
        before = reader.offset();
    }
    metadata.push(piece(start, before));
    Ok(())
}

/// A JSON text with `null` for its managed fields.
fn json_without_managed_fields(text: &[u8]) -> Result<Box<[u8]>, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(borrow)]
        managed_fields: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: Option<Metadata<'a>>,
    }
    let object: Object<'_> = serde_json::from_slice(text)?;
    let Some(managed) = object.metadata.and_then(|metadata| metadata.managed_fields) else {
        return Ok(text.into());
    };
    let start = managed.get().as_ptr().addr() - text.as_ptr().addr();
    let (before, after) = (text.get(..start), text.get(start + managed.get().len()..));
    Ok([before.unwrap_or_default(), b"null", after.unwrap_or_default()]
        .concat()
        .into())
}

impl Head {
    fn of_message(metadata: Box<[u8]>) -> Result<Self, WireError> {
        let mut head = Self {
            metadata,
            name: Span::default(),
            namespace: Span::default(),
            uid: Span::default(),
            resource_version: Span::default(),
            deleting: false,
        };
        let mut reader = Reader::new(&head.metadata);
        while let Some(field) = reader.next_field()? {
            let Value::Bytes(bytes) = field.value else { continue };
            let end = reader.offset();
            let span = || -> Result<Span, WireError> {
                std::str::from_utf8(bytes).map_err(|error| WireError::Value {
                    path: "metadata".to_owned(),
                    reason: error.to_string(),
                })?;
                let end = u32::try_from(end).unwrap_or(u32::MAX);
                let start = end.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                Ok(Span { start, end })
            };
            match field.number {
                NAME => head.name = span()?,
                NAMESPACE => head.namespace = span()?,
                UID => head.uid = span()?,
                RESOURCE_VERSION => head.resource_version = span()?,
                DELETION_TIMESTAMP => head.deleting = true,
                _ => {}
            }
        }
        if head.name().is_empty() {
            return Err(WireError::Value {
                path: "metadata.name".to_owned(),
                reason: "an object of a collection must have a name".to_owned(),
            });
        }
        Ok(head)
    }

    pub(super) fn name(&self) -> &str {
        self.text(self.name)
    }

    pub(super) fn namespace(&self) -> &str {
        self.text(self.namespace)
    }

    pub(super) fn uid(&self) -> &str {
        self.text(self.uid)
    }

    pub(super) fn resource_version(&self) -> &str {
        self.text(self.resource_version)
    }

    pub(super) fn is_deleting(&self) -> bool {
        self.deleting
    }

    pub(super) fn generation(&self) -> i64 {
        let mut fields = fields(&self.metadata);
        let found = fields.find_map(|(number, value)| match (number, value) {
            (GENERATION, Value::Varint(generation)) => Some(generation.cast_signed()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.map(LABELS)
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.map(ANNOTATIONS)
    }

    /// How many bytes the message has.
    pub(super) fn len(&self) -> usize {
        self.metadata.len()
    }

    fn map(&self, map: u32) -> impl Iterator<Item = (&str, &str)> {
        fields(&self.metadata).filter_map(move |(number, value)| match value {
            Value::Bytes(entry) if number == map => Some(pair(entry)),
            _ => None,
        })
    }

    fn text(&self, span: Span) -> &str {
        text(
            self.metadata
                .get(span.start as usize..span.end as usize)
                .unwrap_or_default(),
        )
    }
}

/// The fields of a message that was read before.
fn fields(message: &[u8]) -> impl Iterator<Item = (u32, Value<'_>)> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        reader
            .next_field()
            .ok()
            .flatten()
            .map(|field| (field.number, field.value))
    })
}

/// An entry of a map with strings for keys and values.
fn pair(entry: &[u8]) -> (&str, &str) {
    let mut pair = ("", "");
    for (number, value) in fields(entry) {
        match (number, value) {
            (1, Value::Bytes(key)) => pair.0 = text(key),
            (2, Value::Bytes(value)) => pair.1 = text(value),
            _ => {}
        }
    }
    pair
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// What is known of an object that came as JSON, in the form of protobuf.
fn message_of(header: &ObjectHeader) -> Vec<u8> {
    let mut writer = ReverseWriter::with_capacity(512);
    let map = |writer: &mut ReverseWriter, field: u32, map: &[(String, String)]| {
        for (key, value) in map.iter().rev() {
            let before = writer.len();
            writer.bytes_field(2, value.as_bytes());
            writer.bytes_field(1, key.as_bytes());
            writer.close_message(field, before);
        }
    };
    map(&mut writer, ANNOTATIONS, &header.annotations);
    map(&mut writer, LABELS, &header.labels);
    if header.deleting {
        writer.bytes_field(DELETION_TIMESTAMP, b"");
    }
    if header.generation != 0 {
        writer.varint_field(GENERATION, header.generation.cast_unsigned());
    }
    writer.bytes_field(RESOURCE_VERSION, header.resource_version.as_str().as_bytes());
    writer.bytes_field(UID, header.uid.as_bytes());
    writer.bytes_field(NAMESPACE, header.namespace.as_bytes());
    writer.bytes_field(NAME, header.name.as_bytes());
    writer.as_slice().to_vec()
}
