//! Built-in kinds: protobuf in storage, in the envelope that kube-apiserver stores, or JSON, and both forms on the wire.

use std::borrow::Cow;

use bytes::Bytes;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use kubewire_client::wire::{
    EncodedObject, Encoding, Envelope, ObjectHeader, WireError, envelope, transcode, with_resource_version,
};
use serde_json::Value;

use super::codec::ObjectCodec;
use super::conversion::{Conversion, conversion};
use super::facts::ResourceFacts;

/// What a protobuf value in storage starts with.
const ENVELOPE: &[u8] = b"k8s\0";

/// The form of stored objects. Either form is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaType {
    /// `application/vnd.kubernetes.protobuf`.
    #[default]
    Protobuf,
    /// `application/json`.
    Json,
}

impl MediaType {
    /// The form by its media type.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "application/vnd.kubernetes.protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Stores the objects of a built-in kind in their storage version.
#[derive(Debug)]
pub struct ProtobufCodec {
    /// The version that is served.
    kind: &'static KindSchema,
    /// The version that is stored.
    stored: &'static KindSchema,
    media_type: MediaType,
    /// Set where storage holds another shape than the version that is served.
    conversion: Option<Conversion>,
}

impl ProtobufCodec {
    /// The codec of a resource; `None` for a kind without a schema.
    pub fn new(facts: &ResourceFacts) -> Option<Self> {
        let kind = schema::kind(&Gvk::new(facts.group, facts.version, facts.kind))?;
        let stored = facts
            .storage
            .and_then(|(group, version)| schema::kind(&Gvk::new(group, version, facts.kind)));
        Some(Self {
            kind,
            stored: stored.unwrap_or(kind),
            media_type: MediaType::default(),
            conversion: conversion(facts.group, facts.version, facts.plural),
        })
    }

    /// Stores in another form.
    #[must_use]
    pub fn with_media_type(mut self, media_type: MediaType) -> Self {
        self.media_type = media_type;
        self
    }
}

impl ObjectCodec for ProtobufCodec {
    fn encode(&self, document: &Value) -> Result<Bytes, WireError> {
        let mut document = Cow::Borrowed(document);
        if let Some(conversion) = &self.conversion {
            let mut served = document.into_owned();
            set_type(&mut served, self.kind);
            document = Cow::Owned((conversion.to_storage)(served));
        }
        if self.media_type == MediaType::Protobuf {
            let message = transcode::value_to_protobuf(self.stored.message, &document)?;
            return Ok(enveloped(self.stored, message));
        }
        let mut document = document.into_owned();
        set_type(&mut document, self.stored);
        let mut text = Vec::with_capacity(1024);
        transcode::write_json(self.stored.message, &document, &mut text);
        text.push(b'\n');
        Ok(text.into())
    }

    fn decode(&self, stored: &Bytes) -> Result<Value, WireError> {
        let mut document = match stored.starts_with(ENVELOPE) {
            true => transcode::decode_object(stored)?,
            false => serde_json::from_slice(stored)?,
        };
        if let Some(conversion) = &self.conversion {
            document = (conversion.from_storage)(document);
        }
        if (self.stored.group, self.stored.version) != (self.kind.group, self.kind.version) {
            set_type(&mut document, self.kind);
        }
        Ok(document)
    }

    fn header(&self, stored: &Bytes) -> Result<ObjectHeader, WireError> {
        if stored.starts_with(ENVELOPE) {
            return ObjectHeader::parse(&Envelope::decode(stored)?.object);
        }
        ObjectHeader::parse(&EncodedObject {
            encoding: Encoding::Json,
            bytes: stored.clone(),
        })
    }

    fn is_as_served(&self, stored: &[u8]) -> bool {
        self.conversion.is_none() && stored.starts_with(ENVELOPE)
    }

    fn protobuf(&self, stored: &Bytes, resource_version: &str) -> Result<Option<Bytes>, WireError> {
        if self.is_as_served(stored) {
            return with_resource_version(&Envelope::decode(stored)?.object.bytes, resource_version).map(Some);
        }
        let document = self.decode(stored)?;
        let message = transcode::value_to_protobuf(self.kind.message, &document)?;
        with_resource_version(&message, resource_version).map(Some)
    }

    fn json(&self, document: &Value) -> Result<Bytes, WireError> {
        let mut text = Vec::with_capacity(1024);
        transcode::write_json(self.kind.message, document, &mut text);
        Ok(text.into())
    }

    fn message_to_json(&self, message: Bytes) -> Result<Bytes, WireError> {
        transcode::object_to_json(&enveloped(self.kind, message)).map(Bytes::from)
    }
}

fn enveloped(kind: &KindSchema, message: Bytes) -> Bytes {
    let object = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: message,
    };
    envelope::encode(&api_version(kind), kind.kind, &object)
}

fn set_type(document: &mut Value, kind: &KindSchema) {
    if let Value::Object(members) = document {
        members.insert("apiVersion".to_owned(), api_version(kind).into());
        members.insert("kind".to_owned(), kind.kind.into());
    }
}

fn api_version(kind: &KindSchema) -> String {
    Gvk::new(kind.group, kind.version, kind.kind).api_version()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::facts;
    use serde_json::json;

    fn codec(group: &str, version: &str, resource: &str) -> ProtobufCodec {
        ProtobufCodec::new(facts::resource(group, version, resource).unwrap()).unwrap()
    }

    #[test]
    fn stores_what_kube_apiserver_stores() {
        let codec = codec("", "v1", "configmaps");
        let document =
            json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "a" }, "data": { "k": "v" } });
        let stored = codec.encode(&document).unwrap();
        assert!(stored.starts_with(b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap"));
        assert_eq!(codec.decode(&stored).unwrap(), document);
        assert_eq!(codec.header(&stored).unwrap().name, "a");
        let message = codec.protobuf(&stored, "17").unwrap().unwrap();
        let read = transcode::protobuf_to_value(codec.kind.message, &message).unwrap();
        assert_eq!(read["metadata"]["resourceVersion"], "17");
        let text = codec.json(&document).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"k":"v"}}"#
        );
    }

    #[test]
    fn json_of_a_message_is_that_of_its_document() {
        let objects = [
            (
                codec("", "v1", "pods"),
                json!({
                    "metadata": {
                        "name": "a", "labels": { "<": "&" }, "annotations": {}, "creationTimestamp": "2026-01-02T03:04:05Z",
                        "managedFields": [{ "manager": "m", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { ".": {} } } }],
                    },
                    "spec": {
                        "containers": [{ "name": "c", "resources": { "limits": { "cpu": "1" } }, "ports": [] }],
                        "terminationGracePeriodSeconds": 0, "nodeSelector": {},
                    },
                    "status": {},
                }),
            ),
            (
                codec("rbac.authorization.k8s.io", "v1", "roles"),
                json!({ "metadata": { "name": "r" }, "rules": [] }),
            ),
            (
                codec("", "v1", "secrets"),
                json!({ "metadata": { "name": "s" }, "data": { "k": "AA==" }, "immutable": false }),
            ),
            (
                codec("apps", "v1", "deployments"),
                json!({ "metadata": { "name": "d" }, "spec": { "template": {} } }),
            ),
        ];
        for (codec, document) in objects {
            let stored = codec.encode(&document).unwrap();
            let document = codec.decode(&stored).unwrap();
            let message = Envelope::decode(&stored).unwrap().object.bytes;
            assert_eq!(codec.message_to_json(message).unwrap(), codec.json(&document).unwrap());
        }
    }

    #[test]
    fn one_stored_event_in_two_versions() {
        let (core, events) = (codec("", "v1", "events"), codec("events.k8s.io", "v1", "events"));
        let stored = core
            .encode(&json!({ "metadata": { "name": "a" }, "message": "hello" }))
            .unwrap();
        let served = events.decode(&stored).unwrap();
        assert_eq!(
            (&served["note"], &served["apiVersion"]),
            (&json!("hello"), &json!("events.k8s.io/v1"))
        );
        assert_eq!(
            core.decode(&events.encode(&served).unwrap()).unwrap()["message"],
            "hello"
        );
        let message = events.protobuf(&stored, "3").unwrap().unwrap();
        let read = transcode::protobuf_to_value(events.kind.message, &message).unwrap();
        assert_eq!(
            (&read["note"], &read["metadata"]["resourceVersion"]),
            (&json!("hello"), &json!("3"))
        );
    }
}
