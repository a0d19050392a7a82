//! The typed codec against what Go's own encoders made of the same objects.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod generated;
mod limits;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use generated::TYPES;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kubewire_client::wire::schema::{self, MessageSchema, Special};
use kubewire_client::wire::{Envelope, Message, WireError, transcode};
use limits::Met;
use serde::Serialize;
use serde::de::DeserializeOwned;
use support::hex;

/// The ways through one Rust type.
struct Typed {
    message: &'static str,
    from_protobuf: FromProtobuf,
    from_json: FromJson,
}

/// Protobuf → type → protobuf, and the type's JSON.
type FromProtobuf = fn(&[u8]) -> Result<(Vec<u8>, String), WireError>;
/// JSON → type → protobuf.
type FromJson = fn(&str) -> Result<Vec<u8>, serde_json::Error>;

const fn typed<T: Message + Serialize + DeserializeOwned>(message: &'static str) -> Typed {
    Typed {
        message,
        from_protobuf: |bytes| {
            let object = T::from_protobuf(bytes)?;
            Ok((object.to_protobuf().to_vec(), serde_json::to_string(&object)?))
        },
        from_json: |text| {
            let object: T = serde_json::from_str(text)?;
            Ok(object.to_protobuf().to_vec())
        },
    }
}

/// Runs one encoded object through its type: the ways on which it did not come out as it went in.
fn differences(typed: &Typed, schema: &MessageSchema, input: &[u8], met: &mut Met) -> Vec<(&'static str, String)> {
    let mut value = transcode::protobuf_to_value(schema, input).unwrap();
    limits::apply(schema, &mut value, met);
    let expected = hex(&transcode::value_to_protobuf(schema, &value).unwrap());
    let mut wrong = Vec::new();
    let mut check = |way, got: String| {
        if got != expected {
            wrong.push((way, support::difference(&got, &expected)));
        }
    };
    match (typed.from_protobuf)(input) {
        Err(error) => check("read protobuf", error.to_string()),
        Ok((again, json)) => {
            check("write protobuf", hex(&again));
            // The crate writes JSON in another order and leaves out nulls: what it says is compared.
            let read = transcode::json_to_value(schema, json.as_bytes());
            let read = read.and_then(|(value, _)| transcode::value_to_protobuf(schema, &value));
            check(
                "write JSON",
                read.map_or_else(|error| error.to_string(), |bytes| hex(&bytes)),
            );
        }
    }
    match (typed.from_json)(&value.to_string()) {
        Ok(read) => check("read JSON", hex(&read)),
        Err(error) if !met.unreadable => check("read JSON", error.to_string()),
        Err(_) => {}
    }
    wrong
}

/// An older type loses what it does not have, and only that.
#[test]
fn what_a_type_writes_it_reads_again() {
    let vectors = support::message_vectors();
    let pairs = vectors
        .iter()
        .flat_map(|vector| TYPES.iter().map(move |typed| (vector, typed)));
    for (vector, typed) in pairs.filter(|(vector, typed)| typed.message == vector.message) {
        let (first, _) = (typed.from_protobuf)(&vector.protobuf()).unwrap();
        let (second, _) = (typed.from_protobuf)(&first).unwrap();
        assert_eq!(hex(&second), hex(&first), "{}", typed.message);
        let schema = schema::message(typed.message).unwrap();
        assert!(
            transcode::protobuf_to_value(schema, &first).is_ok(),
            "{}",
            typed.message
        );
    }
}

#[test]
fn every_message() {
    if cfg!(not(k8s_openapi_ge = "1.37")) {
        return; // the fixtures are those of the newest version
    }
    let mut failed: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let (mut ran, mut met) = (BTreeSet::new(), Met::default());
    for vector in support::message_vectors() {
        let Some(typed) = TYPES.iter().find(|typed| typed.message == vector.message) else {
            continue;
        };
        ran.insert(typed.message);
        let schema = schema::message(typed.message).unwrap();
        for (way, difference) in differences(typed, schema, &vector.protobuf(), &mut met) {
            failed.entry((typed.message, way)).or_default().push(difference);
        }
    }
    println!("{} messages ran of {} with a Rust type", ran.len(), TYPES.len());
    met.finish_messages();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(ran.len(), TYPES.len());
}

#[test]
fn every_kind() {
    if cfg!(not(k8s_openapi_ge = "1.37")) {
        return;
    }
    let Some(fixtures) = support::api_fixtures() else {
        return;
    };
    let (mut ran, mut without_type, mut met) = (0, Vec::new(), Met::default());
    for fixture in &fixtures {
        let schema = schema::kind(&fixture.gvk()).unwrap().message;
        let Some(typed) = TYPES.iter().find(|typed| typed.message == schema.name) else {
            without_type.push(&*fixture.name);
            continue;
        };
        let object = Envelope::decode(&fixture.protobuf.clone().into()).unwrap().object.bytes;
        let wrong = differences(typed, schema, &object, &mut met);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", fixture.name);
        ran += 1;
    }
    println!("{ran} kinds ran; without a Rust type: {}", without_type.join(", "));
    met.finish_kinds();
    assert!(ran > 0 && without_type.is_empty());
}

/// Messages that no type stands for: parts of others, what is no object's, and JSON without protobuf.
const WITHOUT_TYPE: &[&str] = &[
    "admissionregistration.v1.Rule",
    "core.v1.EphemeralContainerCommon",
    "core.v1.PersistentVolumeSource",
    "core.v1.ProbeHandler",
    "core.v1.VolumeSource",
    "extensions.v1beta1.IngressRuleValue",
    "meta.v1.Duration",
    "meta.v1.GroupVersion",
    "meta.v1.Patch",
    "meta.v1.Timestamp",
    "meta.v1.TypeMeta",
    "networking.v1.IngressRuleValue",
    "networking.v1beta1.IngressRuleValue",
    "quantity.QuantityValue",
    "resource.v1.DeviceConfiguration",
    "resource.v1beta1.DeviceConfiguration",
    "resource.v1beta2.DeviceConfiguration",
    "runtime.TypeMeta",
    "runtime.Unknown",
];

#[test]
fn every_message_has_a_type() {
    if cfg!(not(k8s_openapi_ge = "1.37")) {
        return;
    }
    let typed: BTreeSet<&str> = TYPES.iter().map(|typed| typed.message).collect();
    let untyped = schema::MESSAGES.iter().filter(|schema| !typed.contains(schema.name));
    // A list of strings is a `Vec`, a table has its own test.
    let untyped = untyped.filter(|schema| schema.special != Some(Special::List) && !schema.json_only);
    let untyped: Vec<&str> = untyped.map(|schema| schema.name).collect();
    assert_eq!(untyped, WITHOUT_TYPE);
}

#[test]
fn quantities_are_canonical_after_reading() {
    let rows = support::rows("quantity.tsv");
    for row in &rows {
        let mut protobuf = vec![0x0a, u8::try_from(row[0].len()).unwrap()];
        protobuf.extend_from_slice(row[0].as_bytes());
        let Quantity(read) = Quantity::from_protobuf(&protobuf).unwrap();
        // What is no quantity is left as it is: one bad field does not make the object unreadable.
        let expected = if row[1] == "ERR" { &row[0] } else { &row[1] };
        assert_eq!(read, *expected, "{}", row[0]);
    }
}
