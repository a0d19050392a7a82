//! Whether an object would decode, found out without decoding it.

use super::message::Depth;
use super::schema::{Container, FieldSchema, MessageSchema, Type};
use super::{Reader, Value, WireError};

/// Walks a protobuf object by its schema: every message must be whole, and every value of the kind that its field has.
/// About a tenth of the work of decoding. What is inside of texts, times and raw JSON is not looked at.
///
/// ```
/// use kubewire_client::wire::{check_structure, schema};
/// let pod = schema::message("core.v1.Pod").expect("a built-in message");
/// check_structure(pod, &[0x0a, 0x03, 0x0a, 0x01, b'a'])?; // metadata.name
/// let error = check_structure(pod, &[0x0a, 0x02, 0x0a, 0x05]).unwrap_err();
/// assert!(error.to_string().contains("metadata"), "{error}");
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn check_structure(schema: &'static MessageSchema, object: &[u8]) -> Result<(), WireError> {
    message(schema, object, Depth::outermost())
}

fn message(schema: &'static MessageSchema, bytes: &[u8], depth: Depth) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    // Fields come in the order of the schema, as a rule.
    let mut next = 0;
    while let Some(read) = reader.next_field()? {
        let (before, after) = schema.fields.split_at_checked(next).unwrap_or_default();
        let has_number = |field: &&FieldSchema| field.number == read.number;
        let ahead = after.iter().position(|field| has_number(&field));
        let place = ahead
            .map(|place| next + place)
            .or_else(|| before.iter().position(|field| has_number(&field)));
        let Some((place, field)) = place.and_then(|place| Some((place, schema.fields.get(place)?))) else {
            continue;
        };
        next = place;
        if schema.special.is_none() {
            value(field, read.value, depth).map_err(|error| error.in_field(field.json, 0))?;
        }
    }
    Ok(())
}

fn value(field: &'static FieldSchema, value: Value<'_>, depth: Depth) -> Result<(), WireError> {
    match (field.container, value) {
        (Container::Map, Value::Bytes(entry)) => {
            let mut reader = Reader::new(entry);
            while let Some(part) = reader.next_field()? {
                if part.number == 2 {
                    single(field.ty, part.value, depth)?;
                }
            }
            Ok(())
        }
        // Numbers of a list may come packed.
        (Container::List, Value::Bytes(_)) if matches!(field.ty, Type::Bool | Type::Int32 | Type::Int64) => Ok(()),
        (_, value) => single(field.ty, value, depth),
    }
}

fn single(ty: Type, value: Value<'_>, depth: Depth) -> Result<(), WireError> {
    match (ty, value) {
        (Type::Message(schema), Value::Bytes(bytes)) => match depth.deeper() {
            Some(depth) => message(schema, bytes, depth),
            None => Err(WireError::value("messages nest too deeply")),
        },
        (Type::String | Type::Bytes | Type::Any, Value::Bytes(_))
        | (Type::Bool | Type::Int32 | Type::Int64, Value::Varint(_))
        | (Type::Double, Value::Fixed64(_)) => Ok(()),
        _ => Err(WireError::value("wire type does not fit the field")),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Message, schema};

    fn pod() -> Vec<u8> {
        let mut pod = Pod::default();
        pod.metadata.name = Some("a".to_owned());
        pod.metadata.labels = Some([("app".to_owned(), "web".to_owned())].into());
        pod.spec = Some(PodSpec {
            containers: vec![Container {
                name: "web".to_owned(),
                ..Container::default()
            }],
            ..PodSpec::default()
        });
        pod.to_protobuf().to_vec()
    }

    #[test]
    fn passes_what_decodes() {
        check_structure(schema::message("core.v1.Pod").unwrap(), &pod()).unwrap();
    }

    proptest! {
        /// Where one byte is wrong, the check finds what the decoder finds, or lets through what decodes.
        #[test]
        fn agrees_with_the_decoder(at in 0..200_usize, byte: u8) {
            let mut bytes = pod();
            let at = at % bytes.len();
            bytes[at] = byte;
            let checked = check_structure(schema::message("core.v1.Pod").unwrap(), &bytes);
            if Pod::from_protobuf(&bytes).is_ok() {
                prop_assert!(checked.is_ok(), "{checked:?}");
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = check_structure(schema::message("core.v1.Pod").unwrap(), &bytes);
        }
    }
}
