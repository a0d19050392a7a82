//! The envelope around every protobuf object: `k8s\0` and a `runtime.Unknown` message.

use bytes::Bytes;

use super::{EncodedObject, Encoding, Reader, ReverseWriter, Value, WireError};

/// The first four bytes of a protobuf body and of an etcd value.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// The media type that an envelope names when it carries JSON.
const JSON: &[u8] = b"application/json";

/// An object with the kind it claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `apiVersion`; empty for a few kinds that have none, such as the legacy discovery kinds.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// The object inside: its protobuf message, or JSON where the envelope says so.
    pub object: EncodedObject,
}

impl Envelope {
    /// Reads an envelope. The object shares the input's memory.
    pub fn decode(input: &Bytes) -> Result<Self, WireError> {
        let Parts {
            api_version,
            kind,
            encoding,
            object,
        } = Parts::read(input)?;
        let bytes = input.slice_ref(object);
        Ok(Self {
            api_version,
            kind,
            object: EncodedObject { encoding, bytes },
        })
    }

    /// Writes the envelope around the object.
    pub fn encode(&self) -> Bytes {
        encode(&self.api_version, &self.kind, &self.object)
    }
}

/// What an envelope holds, in its place.
pub(super) struct Parts<'a> {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) encoding: Encoding,
    pub(super) object: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn read(input: &'a [u8]) -> Result<Self, WireError> {
        let body = input.strip_prefix(MAGIC).ok_or(WireError::Invalid {
            offset: 0,
            reason: "no k8s\\0 prefix",
        })?;
        let mut parts = Self {
            api_version: String::new(),
            kind: String::new(),
            encoding: Encoding::Protobuf,
            object: &[],
        };
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next_field().map_err(|error| error.after(MAGIC.len()))? {
            match (field.number, field.value) {
                (1, Value::Bytes(type_meta)) => {
                    let start = MAGIC.len() + reader.offset() - type_meta.len();
                    parts.read_type_meta(type_meta).map_err(|error| error.after(start))?;
                }
                (2, Value::Bytes(raw)) => parts.object = raw,
                (3, Value::Bytes(encoding)) if !encoding.is_empty() => {
                    let offset = MAGIC.len() + reader.offset();
                    return Err(WireError::Invalid {
                        offset,
                        reason: "the envelope's content is encoded",
                    });
                }
                (4, Value::Bytes(JSON)) => parts.encoding = Encoding::Json,
                _ => {}
            }
        }
        Ok(parts)
    }

    fn read_type_meta(&mut self, type_meta: &[u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(type_meta);
        while let Some(field) = reader.next_field()? {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => self.api_version = String::from_utf8_lossy(text).into_owned(),
                (2, Value::Bytes(text)) => self.kind = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes an envelope of the given kind around an object.
pub fn encode(api_version: &str, kind: &str, object: &EncodedObject) -> Bytes {
    let mut writer = ReverseWriter::with_capacity(object.bytes.len() + api_version.len() + kind.len() + 48);
    writer.bytes_field(4, if object.encoding == Encoding::Json { JSON } else { b"" });
    writer.bytes_field(3, b"");
    writer.bytes_field(2, &object.bytes);
    let before = writer.len();
    writer.bytes_field(2, kind.as_bytes());
    writer.bytes_field(1, api_version.as_bytes());
    writer.close_message(1, before);
    writer.prepend(MAGIC);
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_what_a_server_writes() {
        let object = EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: Bytes::from_static(&[0x0a, 0x00]),
        };
        let expected = [
            b"k8s\0\x0a\x0d\x0a\x02v1\x12\x07PodList".as_slice(),
            &[0x12, 0x02, 0x0a, 0x00, 0x1a, 0x00, 0x22, 0x00],
        ]
        .concat();
        assert_eq!(encode("v1", "PodList", &object), expected);
    }

    #[test]
    fn refuses_other_bytes() {
        assert!(Envelope::decode(&Bytes::from_static(b"{}")).is_err());
        assert!(matches!(
            Envelope::decode(&Bytes::from_static(b"k8s\0\x0a\x20x")),
            Err(WireError::Truncated { .. })
        ));
    }

    proptest! {
        #[test]
        fn round_trips(api_version in ".*", kind in ".*", raw in proptest::collection::vec(any::<u8>(), 0..200), json: bool) {
            let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
            let envelope = Envelope { api_version, kind, object: EncodedObject { encoding, bytes: raw.into() } };
            prop_assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Envelope::decode(&[MAGIC.as_slice(), &input].concat().into());
        }
    }
}
