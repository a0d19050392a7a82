//! Fields of a message that the schema does not know.

use std::collections::BTreeMap;
use std::fmt;

use super::from_protobuf::deeper;
use crate::wire::message::Depth;
use crate::wire::schema::{Container, MessageSchema};
use crate::wire::{Reader, Value, WireError};

/// A field on the wire that the schema does not have: of a newer version, or of something else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownField {
    /// The message that has the field, as `spec.containers[0]`; empty for the outermost.
    pub path: String,
    /// The field's number.
    pub number: u32,
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, number } = self;
        write!(
            f,
            "unknown field {number}{}{path}",
            if path.is_empty() { "" } else { " in " }
        )
    }
}

/// Finds the fields of a message, and of those in it, that reading it by this schema would drop.
///
/// ```
/// use kubewire_client::wire::{schema, transcode};
/// let schema = schema::message("core.v1.Pod").expect("a built-in message");
/// let pod = [0x12, 0x06, 0x12, 0x04, 0xf8, 0x7f, 0x01, 0x0a]; // cut off
/// assert!(transcode::unknown_fields(schema, &pod).is_err());
/// let unknown = transcode::unknown_fields(schema, &[0x12, 0x05, 0x12, 0x03, 0xf8, 0x7f, 0x01])?;
/// assert_eq!(unknown[0].to_string(), "unknown field 2047 in spec.containers[0]");
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn unknown_fields(schema: &MessageSchema, bytes: &[u8]) -> Result<Vec<UnknownField>, WireError> {
    let mut found = Vec::new();
    walk(schema, bytes, "", Depth::outermost(), &mut found)?;
    Ok(found)
}

fn walk(
    schema: &MessageSchema,
    bytes: &[u8],
    path: &str,
    depth: Depth,
    found: &mut Vec<UnknownField>,
) -> Result<(), WireError> {
    let mut elements: BTreeMap<u32, usize> = BTreeMap::new();
    let mut reader = Reader::new(bytes);
    while let Some(read) = reader.next_field()? {
        let Some(field) = schema.fields.iter().find(|field| field.number == read.number) else {
            // What has a form of its own has parts that are no fields of the schema.
            if schema.special.is_none() {
                let path = path.to_owned();
                found.push(UnknownField {
                    path,
                    number: read.number,
                });
            }
            continue;
        };
        let (Some(inner), Value::Bytes(content)) = (field.message(), read.value) else {
            continue;
        };
        let name = if path.is_empty() || field.json.is_empty() {
            ""
        } else {
            "."
        };
        let mut place = format!("{path}{name}{}", field.json);
        let mut content = content;
        match field.container {
            Container::One => {}
            Container::List => {
                let element = elements.entry(read.number).or_default();
                place += &format!("[{element}]");
                *element += 1;
            }
            Container::Map => {
                let mut entry = Reader::new(content);
                content = &[];
                while let Some(part) = entry.next_field()? {
                    match (part.number, part.value) {
                        (1, Value::Bytes(key)) => place += &format!(".{}", String::from_utf8_lossy(key)),
                        (2, Value::Bytes(value)) => content = value,
                        _ => {}
                    }
                }
            }
        }
        walk(inner, content, &place, deeper(depth)?, found)?;
    }
    Ok(())
}
