//! Built-in kinds: protobuf in storage, in the envelope that kube-apiserver stores, and both forms on the wire.

use bytes::Bytes;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use kubewire_client::wire::{Envelope, ObjectHeader, WireError, transcode, with_resource_version};
use serde_json::Value;

use super::codec::ObjectCodec;
use super::conversion::{Conversion, conversion};
use super::facts::ResourceFacts;

/// Stores the objects of a built-in kind in their storage version.
#[derive(Debug)]
pub struct ProtobufCodec {
    /// The version that is served.
    kind: &'static KindSchema,
    /// Set where storage holds another shape than the version that is served.
    conversion: Option<Conversion>,
}

impl ProtobufCodec {
    /// The codec of a resource; `None` for a kind without a schema.
    pub fn new(facts: &ResourceFacts) -> Option<Self> {
        Some(Self {
            kind: schema::kind(&Gvk::new(facts.group, facts.version, facts.kind))?,
            conversion: conversion(facts.group, facts.version, facts.plural),
        })
    }

    fn api_version(&self) -> String {
        Gvk::new(self.kind.group, self.kind.version, self.kind.kind).api_version()
    }
}

impl ObjectCodec for ProtobufCodec {
    fn encode(&self, document: &Value) -> Result<Bytes, WireError> {
        let mut document = document.clone();
        set_type(&mut document, &self.api_version(), self.kind.kind);
        if let Some(conversion) = &self.conversion {
            document = (conversion.to_storage)(document);
        }
        transcode::encode_object(&document)
    }

    fn decode(&self, stored: &Bytes) -> Result<Value, WireError> {
        let document = transcode::decode_object(stored)?;
        Ok(match &self.conversion {
            Some(conversion) => (conversion.from_storage)(document),
            None => document,
        })
    }

    fn header(&self, stored: &Bytes) -> Result<ObjectHeader, WireError> {
        ObjectHeader::parse(&Envelope::decode(stored)?.object)
    }

    fn protobuf(&self, stored: &Bytes, resource_version: &str) -> Result<Option<Bytes>, WireError> {
        if self.conversion.is_none() {
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
}

fn set_type(document: &mut Value, api_version: &str, kind: &str) {
    if let Value::Object(members) = document {
        members.insert("apiVersion".to_owned(), api_version.into());
        members.insert("kind".to_owned(), kind.into());
    }
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
