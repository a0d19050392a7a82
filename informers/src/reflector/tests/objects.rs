//! Objects that cannot be read, or only in part, and when they are decoded.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::Object;
use kubewire_client::wire::{EncodedObject, Encoding, WireError};

use super::{run, run_on, run_with};
use crate::cache::CacheFormat;
use crate::fake::{object, short, source, streaming_source};
use crate::reflector::ReflectorOptions;

/// Proves R14 R16.
#[tokio::test(start_paused = true)]
async fn what_is_no_object_is_named_and_passed_over() {
    let mut run = run();
    let garbage = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: vec![0xff; 3].into(),
    };
    run.requests
        .list()
        .await
        .answer("10", [garbage.clone(), object("a", 5), object("", 6)]);
    let events = run.requests.watch().await.accept();
    events.modified(garbage);
    events.added(object("b", 11));
    events.end().await;
    run.requests.watch().await;
    assert_eq!(run.stored(), ["a@5", "b@11"]);
    let errors = run.errors.lock().clone();
    assert_eq!(errors.len(), 3);
    assert!(errors[0].contains("of 3 bytes"), "{}", errors[0]);
    assert!(errors[1].contains("\"shop/\""), "{}", errors[1]);
    assert_eq!(run.reflector.stats().undecodable, 3);
}

#[tokio::test(start_paused = true)]
async fn object_that_its_type_cannot_hold_is_named_and_kept() {
    let json = br#"{"metadata":{"name":"odd","namespace":"shop","resourceVersion":"4"},"data":"no map"}"#;
    let odd = EncodedObject {
        encoding: Encoding::Json,
        bytes: json.as_slice().into(),
    };
    let mut run = run_with(ReflectorOptions::default().with_cache_format(CacheFormat::Decoded));
    run.requests.list().await.answer("10", [odd.clone()]);
    let events = run.requests.watch().await.accept();
    assert_eq!(run.stored(), ["odd@4"]);
    assert!(run.errors.lock()[0].starts_with("decode ConfigMap shop/odd: "));
    events.deleted(odd);
    events.end().await;
    let watch = run.requests.watch().await;
    assert_eq!(watch.version(), "10", "not that of the deletion, which is older");
    assert!(run.stored().is_empty(), "its deletion is understood all the same");
}

#[tokio::test(start_paused = true)]
async fn large_lists_are_decoded_by_when_they_are_in_the_store() {
    let odd = EncodedObject {
        encoding: Encoding::Json,
        bytes: br#"{"metadata":{"name":"odd","namespace":"shop"},"data":"no map"}"#
            .as_slice()
            .into(),
    };
    let decoded = ReflectorOptions::default().with_cache_format(CacheFormat::Decoded);
    for (source, streams) in [(source(), false), (streaming_source(), true)] {
        let mut run = run_on(source, decoded.clone());
        let objects = (0..3_000).map(|number| object(&format!("map-{number}"), number));
        let objects: Vec<_> = objects.chain([odd.clone()]).collect();
        if streams {
            let events = run.requests.watch().await.accept();
            objects.into_iter().for_each(|object| events.added(object));
            events.initial_events_end("3000");
            events.end().await;
        } else {
            run.requests.list().await.answer("3000", objects);
        }
        run.requests.watch().await;
        let stored = run.store.list();
        assert_eq!(stored.len(), 3_001);
        let undecoded = stored.iter().filter(|object| !object.is_decoded());
        assert_eq!(undecoded.map(short).collect::<Vec<_>>(), ["odd@"]);
        let errors = run.errors.lock().clone();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("decode ConfigMap shop/odd: "), "{errors:?}");
    }
}

/// Objects that are no config maps, and what is said of them.
fn odd_maps() -> [(EncodedObject, &'static str); 2] {
    let mut message = object("odd", 14).bytes.to_vec();
    message.extend_from_slice(b"\x12\x04\x0a\x09no"); // data: an entry that ends too soon
    let text = br#"{"metadata":{"name":"odd","namespace":"shop","resourceVersion":"14"},"data":"no map"}"#;
    let encoded = |encoding, bytes: &[u8]| EncodedObject {
        encoding,
        bytes: bytes.to_vec().into(),
    };
    [
        (encoded(Encoding::Protobuf, &message), "data"),
        (encoded(Encoding::Json, text), "no map"),
    ]
}

/// Proves R15 R16.
#[tokio::test(start_paused = true)]
async fn object_that_would_not_decode_is_named_on_arrival_and_kept() {
    let formats = [CacheFormat::Lazy, CacheFormat::Compact];
    for ((odd, reason), format) in odd_maps().into_iter().zip(formats) {
        let mut run = run_with(ReflectorOptions::default().with_cache_format(format));
        run.requests.list().await.answer("10", [odd.clone(), object("a", 5)]);
        let events = run.requests.watch().await.accept();
        assert_eq!(run.stored(), ["a@5", "odd@14"]);
        let errors = run.errors.lock().clone();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("read configmaps: object \"shop/odd\" would not decode: "),
            "{}",
            errors[0]
        );
        assert!(errors[0].contains(reason), "{}", errors[0]);
        events.modified(odd.clone());
        events.deleted(odd);
        events.end().await;
        run.requests.watch().await;
        assert_eq!(run.stored(), ["a@5"], "the stream lives on");
        assert_eq!(run.reflector.stats().undecodable, 3);
    }
}

/// Proves R15.
#[tokio::test(start_paused = true)]
async fn object_that_cannot_be_transformed_is_named_and_kept_as_it_came() {
    for format in [CacheFormat::Lazy, CacheFormat::Decoded] {
        let options = ReflectorOptions::default()
            .with_cache_format(format)
            .with_transform(|map: &mut ConfigMap| map.metadata.labels = None);
        for (odd, _) in odd_maps() {
            let mut run = run_with(options.clone());
            run.requests
                .list()
                .await
                .answer("10", [object("odd", 3), object("a", 5)]);
            let events = run.requests.watch().await.accept();
            events.modified(odd.clone());
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(run.stored(), ["a@5", "odd@14"], "not as it was before");
            assert!(run.store.list().iter().any(|map| map.label("app").is_none()));
            let errors = run.errors.lock().clone();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].contains("shop/odd"), "{}", errors[0]);
            events.deleted(odd);
            events.end().await;
            run.requests.watch().await;
            assert_eq!(run.stored(), ["a@5"], "its deletion is understood all the same");
        }
        let mut options = options;
        options.transform = Some(Arc::new(|object| ConfigMap::decode(object).and(Err(no_wish()))));
        let mut run = run_with(options);
        run.requests.list().await.answer("10", [object("a", 5)]);
        run.requests.watch().await;
        assert_eq!(run.stored(), ["a@5"]);
        let errors = run.errors.lock().clone();
        assert!(errors.len() == 1 && errors[0].ends_with("no wish to"), "{errors:?}");
    }
}

fn no_wish() -> WireError {
    WireError::Value {
        path: "data".to_owned(),
        reason: "no wish to".to_owned(),
    }
}
