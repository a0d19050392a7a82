//! What an input is, and which objects are in it.

use bytes::Bytes;
use kubewire_client::wire::envelope::MAGIC;
use kubewire_client::wire::transcode::JsonDocument;
use kubewire_client::wire::{Envelope, WireError};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::Source;
use crate::built_in::in_json;
use crate::error::Error;
use crate::object::Object;
use crate::types::ObjectType;
use crate::{printed, yaml};

/// How the values begin that an API server encrypted before it stored them: `k8s:enc:<provider>:<version>:<key>:`.
const ENCRYPTED: &[u8] = b"k8s:enc:";

/// Reads all objects of an input.
pub(crate) fn objects(input: &Bytes, from: Option<Source>, hint: Option<&ObjectType>) -> Result<Vec<Object>, Error> {
    let input = &without_key(input);
    if let Some(encrypted) = input.strip_prefix(ENCRYPTED) {
        let provider = encrypted.split(|byte| *byte == b':').next().unwrap_or_default();
        let provider = String::from_utf8_lossy(provider).into_owned();
        return Err(Error::Encrypted { provider });
    }
    let source = match from {
        Some(source) => source,
        None => detect(input, hint)?,
    };
    match source {
        Source::Protobuf => Ok(vec![protobuf(input, hint)?]),
        Source::Hex => Ok(vec![protobuf(&printed::decode(input)?.into(), hint)?]),
        Source::Json => json(input, hint),
        Source::Yaml => yaml::documents(input)?
            .into_iter()
            .enumerate()
            .map(|(index, document)| Object::from_yaml(document, input, index, hint))
            .collect(),
    }
}

/// `etcdctl get` prints the key on a line before the value.
fn without_key(input: &Bytes) -> Bytes {
    let end = input.iter().position(|byte| *byte == b'\n');
    match (input.first(), end) {
        (Some(b'/'), Some(end)) => input.slice(end + 1..),
        _ => input.clone(),
    }
}

fn detect(input: &[u8], hint: Option<&ObjectType>) -> Result<Source, Error> {
    if input.starts_with(MAGIC) {
        return Ok(Source::Protobuf);
    }
    let is_text = std::str::from_utf8(input).is_ok_and(|text| !text.chars().any(is_binary));
    match input.trim_ascii() {
        [] => Err(Error::Empty),
        [b'{' | b'[', ..] => Ok(Source::Json),
        text if is_text && printed::is_envelope(text) => Ok(Source::Hex),
        _ if is_text => Ok(Source::Yaml),
        _ if hint.is_some() => Ok(Source::Protobuf),
        _ => Err(Error::Unrecognized {
            hint: ": a message without its envelope needs --type",
        }),
    }
}

/// Characters that no text has.
fn is_binary(character: char) -> bool {
    character < ' ' && !matches!(character, '\t' | '\n' | '\r')
}

/// One object: in its envelope, or bare where the command line names its type.
fn protobuf(input: &Bytes, hint: Option<&ObjectType>) -> Result<Object, Error> {
    if input.starts_with(MAGIC) {
        // `etcdctl get` ends a value with a new line, which cannot be the end of an envelope.
        let trimmed = match input.strip_suffix(b"\n") {
            Some(envelope) if Envelope::decode(input).is_err() => input.slice_ref(envelope),
            _ => input.clone(),
        };
        return Object::from_envelope(&trimmed, hint);
    }
    match hint {
        Some(hint) => Ok(Object::from_message(input.clone(), hint)),
        None => Err(Error::NoType {
            what: "protobuf",
            missing: "the k8s\\0 envelope",
        }),
    }
}

/// One document after the other.
fn json(input: &Bytes, hint: Option<&ObjectType>) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    let mut start = 0;
    loop {
        let rest = input.get(start..).unwrap_or_default();
        let text = rest.trim_ascii_start();
        start += rest.len() - text.len();
        if text.is_empty() && start > 0 {
            return if objects.is_empty() {
                Err(Error::Empty)
            } else {
                Ok(objects)
            };
        }
        let (document, length) = first_document(text).map_err(|error| in_json(error, text, start))?;
        let text = text.get(..length).unwrap_or_default();
        match etcd_values(&document, text) {
            Some(values) => {
                for value in values {
                    objects.extend(value.objects(hint)?);
                }
            }
            None => objects.push(Object::from_json(&document, input.slice_ref(text), start, hint)?),
        }
        start += length;
    }
}

/// The document with which a text begins, and where it ends.
fn first_document(text: &[u8]) -> Result<(JsonDocument<'_>, usize), WireError> {
    let error = match JsonDocument::parse(text) {
        Ok(document) => return Ok((document, text.len())),
        Err(error) => error,
    };
    let end = error.offset().unwrap_or(0);
    let first = text.get(..end).unwrap_or_default();
    match JsonDocument::parse(first) {
        Ok(document) => Ok((document, end)),
        Err(_) => Err(error),
    }
}

/// A key and its value, as `etcdctl get -w json` prints them.
#[derive(Deserialize)]
struct EtcdValue {
    key: String,
    #[serde(default)]
    value: String,
}

impl EtcdValue {
    fn objects(&self, hint: Option<&ObjectType>) -> Result<Vec<Object>, Error> {
        let objects =
            printed::decode_base64(self.value.as_bytes()).and_then(|value| self::objects(&value.into(), None, hint));
        objects.map_err(|error| Error::Key {
            key: printed::decode_base64(self.key.as_bytes())
                .map_or_else(|_| self.key.clone(), |key| String::from_utf8_lossy(&key).into_owned()),
            source: Box::new(error),
        })
    }
}

/// The values in an answer of etcd, `None` where the document is something else.
fn etcd_values(document: &JsonDocument<'_>, text: &[u8]) -> Option<Vec<EtcdValue>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "header")]
        _header: IgnoredAny,
        kvs: Vec<EtcdValue>,
    }
    if document.type_meta() != ("", "") {
        return None;
    }
    serde_json::from_slice(text).ok().map(|answer: Answer| answer.kvs)
}
