//! What the codec costs beside its peers: CPU time per object, and the ratios that it promises.
//!
//! `cargo bench -p kubewire-client --bench figures`; results are written down in `benches/README.md`. CPU time counts,
//! so a busy machine disturbs the figures little.

#![allow(clippy::unwrap_used, missing_docs)] // a program for developers

mod pods;

use std::hint::black_box;
use std::time::Instant;

use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::wire::{
    EncodedList, EncodedObject, Encoding, Message, ObjectHeader, drop_managed_fields, schema, transcode,
};
use prost::Message as _;

/// How many different pods one round goes through.
const PODS: usize = 100;
/// How long a round computes, in nanoseconds.
const ROUND: u64 = 200_000_000;

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

/// CPU nanoseconds for one object, the best of some rounds.
fn cost<T, R>(what: &str, objects: &[T], mut work: impl FnMut(&T) -> R) -> f64 {
    if std::env::args()
        .nth(1)
        .is_some_and(|only| only != "--bench" && !what.contains(&only))
    {
        return 1.0;
    }
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        // The system counts in ticks of some milliseconds: a round is long against them.
        let (start, mut done) = (cpu_time(), 0u32);
        while cpu_time() - start < ROUND {
            for object in objects.iter().cycle().take(1000) {
                black_box(work(black_box(object)));
            }
            done += 1000;
        }
        best = best.min((cpu_time() - start) as f64 / f64::from(done));
    }
    println!("{what:58} {:8.2} µs", best / 1000.0);
    best
}

fn bar(what: &str, is: f64, at_most: f64) {
    let verdict = if is <= at_most { "" } else { "  MISSED" };
    println!("{what:58} {at_most:8.3} {is:8.3}{verdict}");
}

/// Nanoseconds that this thread has computed; the wall clock where the system does not tell.
fn cpu_time() -> u64 {
    thread_local!(static START: Instant = Instant::now());
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let computed = text.split_whitespace().next().and_then(|first| first.parse().ok());
    computed.unwrap_or_else(|| START.with(|start| start.elapsed().as_nanos() as u64))
}
