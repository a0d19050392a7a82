//! What the codec costs beside its peers: time per object on one core, and the ratios that it promises.
//!
//! `cargo bench -p kubewire-client --bench figures`; results are written down in `benches/README.md`.

#![allow(clippy::unwrap_used, missing_docs)] // a program for developers

mod pods;

use std::hint::black_box;
use std::time::Instant;

use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::Object;
use kubewire_client::wire::{
    EncodedList, EncodedObject, Encoding, Message, ObjectHeader, WireError, decode_parallel, drop_managed_fields,
    schema, transcode,
};
use prost::Message as _;

/// How many different pods one round goes through.
const PODS: usize = 20;
const ROUNDS: usize = 2000;

fn main() {
    let schema = schema::message("core.v1.Pod").unwrap();
    let protobuf: Vec<bytes::Bytes> = (0..PODS)
        .map(|number| {
            let (value, problems) = transcode::json_to_value(schema, pods::pod(number).to_string().as_bytes()).unwrap();
            assert!(problems.is_empty());
            transcode::value_to_protobuf(schema, &value).unwrap()
        })
        .collect();
    let json: Vec<Vec<u8>> = protobuf
        .iter()
        .map(|bytes| transcode::protobuf_to_json(schema, bytes).unwrap())
        .collect();
    let dropped: Vec<bytes::Bytes> = protobuf
        .iter()
        .map(|bytes| drop_managed_fields(bytes).unwrap())
        .collect();
    let typed: Vec<Pod> = protobuf
        .iter()
        .map(|bytes| Pod::from_protobuf(bytes).unwrap())
        .collect();
    let encoded: Vec<EncodedObject> = protobuf
        .iter()
        .map(|bytes| EncodedObject {
            encoding: Encoding::Protobuf,
            bytes: bytes.clone(),
        })
        .collect();
    let list = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: List {
            items: typed.clone(),
            ..Default::default()
        }
        .to_protobuf(),
    };
    println!(
        "one pod: protobuf {} bytes, without managed fields {}, JSON {}",
        protobuf[0].len(),
        dropped[0].len(),
        json[0].len()
    );

    let serde_decode = cost("serde_json: JSON → Pod", &json, |text| {
        serde_json::from_slice::<Pod>(text).unwrap()
    });
    let serde_encode = cost("serde_json: Pod → JSON", &typed, |pod| {
        serde_json::to_vec(pod).unwrap()
    });
    let prost = cost("prost: protobuf without managed fields → k8s-pb", &dropped, |bytes| {
        k8s_pb::api::core::v1::Pod::decode(&bytes[..]).unwrap()
    });
    let decode = cost("protobuf → Pod", &protobuf, |bytes| {
        Pod::from_protobuf(bytes).unwrap()
    });
    let decode_dropped = cost("protobuf without managed fields → Pod", &dropped, |bytes| {
        Pod::from_protobuf(bytes).unwrap()
    });
    let encode = cost("Pod → protobuf", &typed, Message::to_protobuf);
    let header = cost("header", &encoded, |object| ObjectHeader::parse(object).unwrap());
    let drop = cost("managed fields dropped while copying", &protobuf, |bytes| {
        drop_managed_fields(bytes).unwrap()
    });
    let split = cost("split of a list", std::slice::from_ref(&list), |list| {
        EncodedList::parse(list).unwrap()
    }) / PODS as f64;
    let to_json = cost("protobuf → JSON", &protobuf, |bytes| {
        transcode::protobuf_to_json(schema, bytes).unwrap()
    });
    let to_protobuf = cost("JSON → protobuf", &json, |text| {
        transcode::json_to_protobuf(schema, text).unwrap()
    });

    let many: Vec<EncodedObject> = encoded.iter().cycle().take(10_000).cloned().collect();
    let (one_core, all_cores) = (
        wall(|| many.iter().map(Pod::decode).collect()),
        wall(|| decode_parallel::<Pod>(&many)),
    );
    println!("10,000 pods decoded on one core in {one_core:.3} s, on all in {all_cores:.3} s");

    println!("\n{:58} {:>8} {:>8}", "bar", "at most", "is");
    bar(
        "typed decode, managed fields dropped / serde_json",
        decode_dropped / serde_decode,
        1.0 / 3.0,
    );
    bar("typed decode / serde_json", decode / serde_decode, 0.5);
    bar(
        "typed decode, managed fields dropped / prost",
        decode_dropped / prost,
        1.1,
    );
    bar("typed encode / typed decode", encode / decode, 0.5);
    bar("header / typed decode", header / decode_dropped, 1.0 / 25.0);
    bar("managed fields dropped while copying, µs", drop / 1000.0, 1.5);
    bar("list split, ns an item", split, 60.0);
    bar(
        "protobuf → JSON / serde_json of the typed object",
        to_json / serde_encode,
        1.0,
    );
    bar(
        "JSON → protobuf / serde_json into the typed object",
        to_protobuf / serde_decode,
        1.0,
    );
}

/// Seconds by the clock, the best of some rounds.
fn wall(mut decode: impl FnMut() -> Vec<Result<Pod, WireError>>) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let decoded = decode();
        best = best.min(start.elapsed().as_secs_f64());
        assert!(decoded.iter().all(Result::is_ok));
    }
    best
}

fn bar(what: &str, is: f64, at_most: f64) {
    let verdict = if is <= at_most { "" } else { "  MISSED" };
    println!("{what:58} {at_most:8.3} {is:8.3}{verdict}");
}

/// Nanoseconds for one object, dropping it included: the best of many rounds, each so short that the system seldom
/// interrupts it.
fn cost<T, R>(what: &str, objects: &[T], mut work: impl FnMut(&T) -> R) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for object in objects {
            black_box(work(black_box(object)));
        }
        best = best.min(start.elapsed().as_nanos() as f64 / objects.len() as f64);
    }
    println!("{what:58} {:8.2} µs", best / 1000.0);
    best
}
