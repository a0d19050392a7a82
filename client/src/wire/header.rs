//! The parts of an object's metadata that caches and handlers need, read without decoding the rest.

use std::collections::BTreeMap;

use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Deserialize;

use super::reader::text;
use super::{EncodedObject, Encoding, Field, Message, Reader, Value, WireError};
use crate::resource::{ObjectKey, ResourceVersion};

/// Who an object is, and which version of it: its `metadata` without what is long and rarely asked for.
///
/// Reading it skips over `spec`, `status` and `managedFields`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHeader {
    /// Name.
    pub name: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The server's identity of this object; two objects of one name have different ones.
    pub uid: String,
    /// Version of the object.
    pub resource_version: ResourceVersion,
    /// How often the wished-for state changed.
    pub generation: i64,
    /// True from the moment when the object's deletion was asked for.
    pub deleting: bool,
    /// Labels, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Annotations, sorted by key.
    pub annotations: Vec<(String, String)>,
}

impl ObjectHeader {
    /// Reads the header of one object; fails where the bytes are no object.
    pub fn parse(object: &EncodedObject) -> Result<Self, WireError> {
        match object.encoding {
            Encoding::Protobuf => parse_protobuf(&object.bytes),
            Encoding::Json => parse_json(&object.bytes),
        }
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace.clone(), self.name.clone())
    }

    /// The value of one label.
    pub fn label(&self, key: &str) -> Option<&str> {
        find(&self.labels, key)
    }

    /// The value of one annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        find(&self.annotations, key)
    }
}

fn find<'a>(sorted: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let at = sorted.binary_search_by(|(name, _)| name.as_str().cmp(key)).ok()?;
    sorted.get(at).map(|(_, value)| value.as_str())
}

/// Every object kind keeps its `ObjectMeta` in field 1.
fn parse_protobuf(object: &Bytes) -> Result<ObjectHeader, WireError> {
    let mut header = ObjectHeader::default();
    let mut reader = Reader::new(object);
    while let Some(field) = reader.next_field_inlined()? {
        if let (1, Value::Bytes(metadata)) = (field.number, field.value) {
            read_metadata(metadata, &mut header)?;
        }
    }
    header.labels.sort();
    header.annotations.sort();
    Ok(header)
}

/// `ObjectMeta`, by the field numbers of the schema.
fn read_metadata(metadata: &[u8], header: &mut ObjectHeader) -> Result<(), WireError> {
    let mut reader = Reader::new(metadata);
    while let Some(field) = reader.next_field_inlined()? {
        match (field.number, field.value) {
            (1, Value::Bytes(name)) => header.name = text(name),
            (3, Value::Bytes(namespace)) => header.namespace = text(namespace),
            (5, Value::Bytes(uid)) => header.uid = text(uid),
            (6, Value::Bytes(version)) => header.resource_version = text(version).into(),
            (7, Value::Varint(generation)) => header.generation = generation.cast_signed(),
            (9, Value::Bytes(_)) => header.deleting = true,
            (11, Value::Bytes(entry)) => add_entry(&mut header.labels, field, entry)?,
            (12, Value::Bytes(entry)) => add_entry(&mut header.annotations, field, entry)?,
            _ => {}
        }
    }
    Ok(())
}

fn add_entry(entries: &mut Vec<(String, String)>, field: Field<'_>, entry: &[u8]) -> Result<(), WireError> {
    if entries.is_empty() {
        entries.reserve_exact(field.run_length());
    }
    let mut pair = (String::new(), String::new());
    let mut reader = Reader::new(entry);
    while let Some(field) = reader.next_field_inlined()? {
        match (field.number, field.value) {
            (1, Value::Bytes(key)) => pair.0 = text(key),
            (2, Value::Bytes(value)) => pair.1 = text(value),
            _ => {}
        }
    }
    entries.push(pair);
    Ok(())
}

/// The owners of an object, which garbage collection and controllers follow; read as [`ObjectHeader`] is.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kubewire_client::wire::{EncodedObject, Encoding, Message, owner_references};
/// let mut object = ConfigMap::default();
/// object.metadata.owner_references = Some(vec![Default::default()]);
/// let object = EncodedObject { encoding: Encoding::Protobuf, bytes: object.to_protobuf() };
/// assert_eq!(owner_references(&object)?.len(), 1);
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn owner_references(object: &EncodedObject) -> Result<Vec<OwnerReference>, WireError> {
    if object.encoding == Encoding::Json {
        #[derive(Default, Deserialize)]
        struct ObjectMeta {
            #[serde(rename = "ownerReferences")]
            owners: Option<Vec<OwnerReference>>,
        }
        #[derive(Deserialize)]
        struct Object {
            metadata: Option<ObjectMeta>,
        }
        let metadata = serde_json::from_slice::<Object>(&object.bytes)?.metadata;
        return Ok(metadata.and_then(|metadata| metadata.owners).unwrap_or_default());
    }
    let mut owners = Vec::new();
    let mut reader = Reader::new(&object.bytes);
    while let Some(field) = reader.next_field()? {
        let (1, Value::Bytes(metadata)) = (field.number, field.value) else {
            continue;
        };
        let mut fields = Reader::new(metadata);
        while let Some(field) = fields.next_field()? {
            if let (13, Value::Bytes(owner)) = (field.number, field.value) {
                owners.push(OwnerReference::from_protobuf(owner)?);
            }
        }
    }
    Ok(owners)
}

fn parse_json(object: &Bytes) -> Result<ObjectHeader, WireError> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct ObjectMeta {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        deletion_timestamp: Option<serde::de::IgnoredAny>,
        labels: Option<BTreeMap<String, Option<String>>>,
        annotations: Option<BTreeMap<String, Option<String>>>,
    }
    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        metadata: Option<ObjectMeta>,
    }
    let metadata = serde_json::from_slice::<Object>(object)?.metadata.unwrap_or_default();
    let pairs = |map: Option<BTreeMap<String, Option<String>>>| {
        map.unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect()
    };
    Ok(ObjectHeader {
        name: metadata.name.unwrap_or_default(),
        namespace: metadata.namespace.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default().into(),
        generation: metadata.generation.unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        labels: pairs(metadata.labels),
        annotations: pairs(metadata.annotations),
    })
}
