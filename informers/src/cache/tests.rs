//! The store, its indices and its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};
use kubewire_client::wire::{EncodedObject, Encoding, ObjectHeader};
use kubewire_client::{Object, ObjectKey};
use proptest::prelude::*;

use super::{CacheFormat, CachedObject, EntryOptions, IndexError, Indexer, Lister, NAMESPACE_INDEX};
use crate::fake::{cached, object, short};

fn shorts(objects: &[CachedObject<ConfigMap>]) -> Vec<String> {
    let mut shorts: Vec<_> = objects.iter().map(short).collect();
    shorts.sort();
    shorts
}

fn options(format: CacheFormat, managed_fields: bool) -> EntryOptions {
    EntryOptions { format, managed_fields }
}

fn store(objects: &[CachedObject<ConfigMap>]) -> Indexer<ConfigMap> {
    let store = Indexer::new();
    store.replace(objects.to_vec());
    store
}

/// Proves C2 C3.
#[test]
fn modes_differ_in_when_they_decode() {
    let same = |mode| {
        let object = CachedObject::<ConfigMap>::new(&object("a", 1), &(), options(mode, false)).unwrap();
        let (one, other) = (object.decode().unwrap(), object.decode().unwrap());
        assert_eq!(one.metadata.name.as_deref(), Some("a"));
        Arc::ptr_eq(&one, &other)
    };
    assert!(same(CacheFormat::Lazy) && same(CacheFormat::Decoded));
    assert!(same(CacheFormat::Compact), "two who look at the same time share");
    let object = CachedObject::<ConfigMap>::new(&object("a", 1), &(), options(CacheFormat::Compact, false)).unwrap();
    let once = Arc::downgrade(&object.decode().unwrap());
    assert!(once.upgrade().is_none(), "nothing decoded is kept");
}

/// Proves C9.
#[test]
fn an_entry_does_not_hold_on_to_the_response() {
    let page = bytes::Bytes::from(object("a", 1).bytes.repeat(2));
    let half = page.len() / 2;
    let item = EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: page.slice(..half),
    };
    let entry = CachedObject::<ConfigMap>::new(&item, &(), options(CacheFormat::Lazy, false)).unwrap();
    drop(item);
    assert!(page.is_unique(), "the page can be freed");
    assert_eq!(entry.encoded().unwrap(), object("a", 1));
}

/// Proves C5 C8.
#[test]
fn a_lister_reads_by_key_namespace_selector_and_index() {
    let store = Arc::new(store(&[cached(&object("a", 1)), cached(&object("b", 2))]));
    let lister = Lister::new(store.clone());
    assert_eq!(short(&lister.get(&ObjectKey::new("shop", "a")).unwrap()), "a@1");
    assert!(lister.get(&ObjectKey::new("other", "a")).is_none());
    assert_eq!(shorts(&lister.namespace("shop").list()), ["a@1", "b@2"]);
    assert_eq!(short(&lister.namespace("shop").get("b").unwrap()), "b@2");
    assert!(lister.namespace("other").list().is_empty());
    let selector = "app in (b,c)".parse().unwrap();
    assert_eq!(shorts(&lister.select(&selector)), ["b@2"]);
    assert_eq!(shorts(&lister.namespace("shop").select(&selector)), ["b@2"]);

    store
        .add_index("version", |object| vec![object.header().resource_version.to_string()])
        .unwrap();
    assert_eq!(shorts(&lister.by_index("version", "2").unwrap()), ["b@2"]);
    store.insert(cached(&object("b", 3)));
    assert!(lister.by_index("version", "2").unwrap().is_empty());
    assert_eq!(lister.index_values("version").unwrap().len(), 2);
    let unknown = lister.by_index("colour", "red").unwrap_err();
    assert_eq!(unknown, IndexError::Unknown("colour".to_owned()));
    let twice = store.add_index("version", |_| Vec::new()).unwrap_err();
    assert_eq!(twice.to_string(), "there is already an index \"version\"");
}

/// Proves C1.
#[test]
fn an_entry_that_was_replaced_stays_as_it_was() {
    let store = store(&[cached(&object("a", 1))]);
    let held = store.get(&ObjectKey::new("shop", "a")).unwrap();
    store.insert(cached(&object("a", 2)));
    store.remove(&held.key());
    assert_eq!(short(&held), "a@1");
    assert_eq!(held.decode().unwrap().metadata.resource_version.as_deref(), Some("1"));
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

/// Versions that objects get: `None` deletes, and a list replaces everything.
#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u64),
    Remove(u8),
    Replace(BTreeMap<u8, u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, version) = (0..6_u8, 1..5_u64);
    let step = prop_oneof![
        4 => (name.clone(), version.clone()).prop_map(|(name, version)| Step::Insert(name, version)),
        2 => name.clone().prop_map(Step::Remove),
        1 => proptest::collection::btree_map(name, version, 0..6).prop_map(Step::Replace),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Proves C7.
    #[test]
    fn store_and_indices_follow_a_model(steps in steps(), index_at in 0..60_usize) {
        let entry = |name: &u8, version: &u64| cached(&object(&name.to_string(), *version));
        let (store, mut model) = (Indexer::<ConfigMap>::new(), BTreeMap::<u8, u64>::new());
        let add_index = || store.add_index("parity", |object| {
            let version = object.header().resource_version.as_number().unwrap();
            vec![(version % 2).to_string(), "all".to_owned()]
        });
        for (at, step) in steps.iter().enumerate() {
            if at == index_at {
                add_index().unwrap();
            }
            match step {
                Step::Insert(name, version) => {
                    let old = store.insert(entry(name, version)).map(|old| old.header().resource_version.as_number().unwrap());
                    prop_assert_eq!(old, model.insert(*name, *version));
                }
                Step::Remove(name) => {
                    let old = store.remove(&ObjectKey::new("shop", name.to_string()));
                    prop_assert_eq!(old.is_some(), model.remove(name).is_some());
                }
                Step::Replace(content) => {
                    store.replace(content.iter().map(|(name, version)| entry(name, version)).collect());
                    model = content.clone();
                }
            }
        }
        if index_at >= steps.len() {
            add_index().unwrap();
        }
        let names = |objects: Vec<CachedObject<ConfigMap>>| -> BTreeSet<u8> {
            objects.iter().map(|object| object.key().name.parse().unwrap()).collect()
        };
        let model_names = |keep: &dyn Fn(u64) -> bool| -> BTreeSet<u8> {
            model.iter().filter(|(_, version)| keep(**version)).map(|(name, _)| *name).collect()
        };
        prop_assert_eq!(names(store.list()), model_names(&|_| true));
        prop_assert_eq!(names(store.by_index(NAMESPACE_INDEX, "shop").unwrap()), model_names(&|_| true));
        prop_assert_eq!(names(store.by_index("parity", "all").unwrap()), model_names(&|_| true));
        prop_assert_eq!(names(store.by_index("parity", "0").unwrap()), model_names(&|version| version % 2 == 0));
        prop_assert_eq!(names(store.by_index("parity", "1").unwrap()), model_names(&|version| version % 2 == 1));
        let bytes: usize = store.list().iter().map(|object| object.size()).sum();
        prop_assert_eq!(store.bytes(), bytes);
        prop_assert_eq!(store.index_values(NAMESPACE_INDEX).unwrap().is_empty(), model.is_empty());
    }
}

fn with_managers(
    managers: usize,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> ConfigMap {
    let mut map = ConfigMap::decode(&object("a", 7)).unwrap();
    let manager = ManagedFieldsEntry {
        manager: Some("kubectl".to_owned()),
        ..Default::default()
    };
    map.metadata.generation = Some(3);
    map.metadata.deletion_timestamp = Some(Time(Default::default()));
    map.metadata.labels = Some(labels).filter(|labels| !labels.is_empty());
    map.metadata.annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
    map.metadata.managed_fields = (managers > 0).then(|| vec![manager; managers]);
    map.data = Some(BTreeMap::from([("colour".to_owned(), "red".to_owned())]));
    map
}

proptest! {
    /// Whatever an object's metadata is like, an entry shows it without decoding, and loses nothing but managed fields.
    ///
    /// Proves C2 C4.
    #[test]
    fn an_entry_has_everything_that_the_object_has(
        managers in 0..3_usize,
        labels in proptest::collection::btree_map("[a-z]{1,5}", ".{0,5}", 0..4),
        annotations in proptest::collection::btree_map("[a-z]{1,5}", ".{0,5}", 0..4),
        json: bool,
    ) {
        let map = with_managers(managers, labels.clone(), annotations);
        let encoded = map.encode(if json { Encoding::Json } else { Encoding::Protobuf }).unwrap();
        let kept = CachedObject::<ConfigMap>::new(&encoded, &(), options(CacheFormat::Lazy, true)).unwrap();
        prop_assert_eq!(kept.encoded().unwrap(), encoded.clone(), "byte by byte");
        prop_assert_eq!(kept.header(), ObjectHeader::parse(&encoded).unwrap());
        prop_assert_eq!(&*kept.decode().unwrap(), &map);
        prop_assert_eq!(ConfigMap::decode(&kept.encoded().unwrap()).unwrap(), map.clone());
        prop_assert!(kept.labels().eq(labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))));

        let stripped = CachedObject::<ConfigMap>::new(&encoded, &(), options(CacheFormat::Compact, false)).unwrap();
        let mut without = map;
        without.metadata.managed_fields = None;
        prop_assert_eq!(stripped.header(), kept.header());
        prop_assert_eq!(&*stripped.decode().unwrap(), &without);
    }

    #[test]
    fn bytes_that_are_no_object_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80), json: bool) {
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let encoded = EncodedObject { encoding, bytes: bytes.into() };
        if let Ok(object) = CachedObject::<ConfigMap>::new(&encoded, &(), options(CacheFormat::Decoded, false)) {
            prop_assert!(!object.name().is_empty());
        }
    }
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_entries_read_like_others_and_are_small() {
    let packer = super::Packer::new();
    let entry = |number: u64| {
        let mut map = ConfigMap::decode(&object(&format!("name-{number}"), number)).unwrap();
        let text = format!("server.listen = 0.0.0.0:8080, server.name = web-{number}, log.level = info, ").repeat(20);
        map.data = Some(BTreeMap::from([("config".to_owned(), text)]));
        let encoded = map.encode(Encoding::Protobuf).unwrap();
        let entry = CachedObject::<ConfigMap>::new(&encoded, &(), options(CacheFormat::Compressed, false)).unwrap();
        entry.pack(&packer);
        assert_eq!(*entry.decode().unwrap(), map);
        assert_eq!(entry.encoded().unwrap(), encoded);
        entry
    };
    let entries: Vec<_> = (0..300).map(entry).collect();
    assert_eq!(entries[299].name(), "name-299");
    let held = entries[299].decode().unwrap();
    assert!(
        Arc::ptr_eq(&held, &entries[299].decode().unwrap()),
        "two who look at the same time share"
    );
    assert!(entries[299].packed_size().unwrap() < entries[299].size() / 5);
    assert_eq!(entries[0].packed_size(), None, "the samples stay as they are");
}

/// Proves C6.
#[test]
fn no_reader_meets_a_half_filled_store() {
    let state = |version: u64| (0..50).map(move |name| cached(&object(&name.to_string(), version)));
    let store = store(&state(1).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (2..200).for_each(|version| store.replace(state(version).collect())));
        loop {
            let last = writer.is_finished();
            for seen in [store.list(), store.by_index(NAMESPACE_INDEX, "shop").unwrap()] {
                let versions: BTreeSet<_> = seen.iter().map(CachedObject::resource_version).collect();
                assert_eq!((seen.len(), versions.len()), (50, 1));
            }
            if last {
                break;
            }
        }
    });
}
