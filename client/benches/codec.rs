//! What the codec costs on a pod as it is in production, beside its peers.
//!
//! `cargo bench -p kubewire-client --bench codec`

#![allow(clippy::unwrap_used, missing_docs)] // a program for developers

mod pods;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::wire::{
    EncodedList, EncodedObject, Encoding, Message, ObjectHeader, drop_managed_fields, schema, transcode,
};
use prost::Message as _;

fn codec(criterion: &mut Criterion) {
    let schema = schema::message("core.v1.Pod").unwrap();
    let (value, _) = transcode::json_to_value(schema, pods::pod(0).to_string().as_bytes()).unwrap();
    let protobuf = transcode::value_to_protobuf(schema, &value).unwrap();
    let mut json = Vec::new();
    transcode::write_json(schema, &value, &mut json);
    let typed = Pod::from_protobuf(&protobuf).unwrap();
    println!("protobuf {} bytes, JSON {} bytes", protobuf.len(), json.len());

    let mut group = criterion.benchmark_group("typed");
    group.throughput(Throughput::Bytes(protobuf.len() as u64));
    group.bench_function("protobuf decode", |b| {
        b.iter(|| Pod::from_protobuf(black_box(&protobuf)).unwrap())
    });
    group.bench_function("protobuf encode", |b| b.iter(|| black_box(&typed).to_protobuf()));
    let dropped = drop_managed_fields(&protobuf).unwrap();
    group.bench_function("protobuf decode without managed fields", |b| {
        b.iter(|| Pod::from_protobuf(black_box(&dropped)).unwrap())
    });
    group.bench_function("protobuf decode without managed fields (prost)", |b| {
        b.iter(|| k8s_pb::api::core::v1::Pod::decode(black_box(&dropped[..])).unwrap())
    });
    let prost = k8s_pb::api::core::v1::Pod::decode(&protobuf[..]).unwrap();
    group.bench_function("protobuf encode (prost)", |b| {
        b.iter(|| black_box(&prost).encode_to_vec())
    });
    group.bench_function("JSON decode (serde_json)", |b| {
        b.iter(|| serde_json::from_slice::<Pod>(black_box(&json)).unwrap())
    });
    group.bench_function("JSON encode (serde_json)", |b| {
        b.iter(|| serde_json::to_vec(black_box(&typed)).unwrap())
    });
    group.finish();

    let mut group = criterion.benchmark_group("transcoder");
    group.throughput(Throughput::Bytes(protobuf.len() as u64));
    group.bench_function("protobuf to value", |b| {
        b.iter(|| transcode::protobuf_to_value(schema, black_box(&protobuf)).unwrap())
    });
    group.bench_function("value to protobuf", |b| {
        b.iter(|| transcode::value_to_protobuf(schema, black_box(&value)).unwrap())
    });
    group.bench_function("JSON to value", |b| {
        b.iter(|| transcode::json_to_value(schema, black_box(&json)).unwrap())
    });
    group.bench_function("value to JSON", |b| {
        b.iter(|| {
            let mut text = Vec::with_capacity(json.len());
            transcode::write_json(schema, black_box(&value), &mut text);
            text
        });
    });
    group.bench_function("protobuf to JSON", |b| {
        b.iter(|| transcode::protobuf_to_json(schema, black_box(&protobuf)).unwrap())
    });
    group.bench_function("JSON to protobuf", |b| {
        b.iter(|| transcode::json_to_protobuf(schema, black_box(&json)).unwrap())
    });
    group.finish();

    let encoded = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: protobuf.clone(),
    };
    let mut group = criterion.benchmark_group("bytes");
    group.bench_function("header", |b| {
        b.iter(|| ObjectHeader::parse(black_box(&encoded)).unwrap())
    });
    group.bench_function("drop managed fields", |b| {
        b.iter(|| drop_managed_fields(black_box(&protobuf)).unwrap())
    });
    let list = List {
        items: vec![typed; 1000],
        ..Default::default()
    };
    let list = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: list.to_protobuf(),
    };
    group.throughput(Throughput::Elements(1000));
    group.bench_function("split a list of 1000", |b| {
        b.iter(|| EncodedList::parse(black_box(&list)).unwrap())
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
