//! What is left of many deltas.

use std::sync::Arc;

use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{DeltaFifo, DeltaKind};
use crate::fake::{cached, object, reborn, short};
use crate::reflector::ReflectorStore;

fn fifo() -> DeltaFifo<ConfigMap> {
    DeltaFifo::new(Arc::default())
}

fn pending(fifo: &DeltaFifo<ConfigMap>) -> Vec<(DeltaKind, String)> {
    let batch = fifo.pop().now_or_never().expect("something is pending");
    batch
        .into_deltas()
        .map(|delta| (delta.kind, short(&delta.object)))
        .collect()
}

fn delta(kind: DeltaKind, object: &str) -> (DeltaKind, String) {
    (kind, object.to_owned())
}

/// Proves D1 D2.
#[test]
fn the_last_state_of_each_object_is_left_in_order_of_arrival() {
    let fifo = fifo();
    fifo.add(cached(&object("b", 1)));
    fifo.update(cached(&object("a", 2)));
    fifo.update(cached(&object("b", 3)));
    fifo.update(cached(&object("a", 4)));
    assert_eq!(fifo.len(), 2);
    assert_eq!(
        pending(&fifo),
        [delta(DeltaKind::Added, "b@3"), delta(DeltaKind::Updated, "a@4")]
    );
    assert!(fifo.is_empty());
}

/// Proves D3.
#[test]
fn a_deletion_is_kept_before_what_came_after() {
    let fifo = fifo();
    fifo.update(cached(&object("a", 1)));
    fifo.delete(cached(&object("a", 2)));
    for version in 3..100 {
        fifo.add(cached(&reborn("a", &version.to_string(), version)));
        fifo.delete(cached(&reborn("a", &version.to_string(), version)));
    }
    fifo.add(cached(&reborn("a", "last", 100)));
    assert_eq!(
        pending(&fifo),
        [delta(DeltaKind::Deleted, "a@2"), delta(DeltaKind::Added, "a@100")]
    );
}

/// Proves D4 D5.
#[test]
fn a_list_deletes_what_it_lacks_in_its_last_known_state() {
    let fifo = fifo();
    fifo.add(cached(&object("a", 1)));
    fifo.update(cached(&object("b", 2)));
    fifo.delete(cached(&object("c", 3)));
    fifo.replace(vec![cached(&object("a", 4)), cached(&object("d", 5))]);
    fifo.update(cached(&object("d", 6)));
    let batch = fifo.pop().now_or_never().unwrap();
    assert!(batch.is_replacement() && batch.contains(&cached(&object("c", 3))));
    let deltas: Vec<_> = batch
        .into_deltas()
        .map(|delta| (delta.kind, short(&delta.object)))
        .collect();
    let expected = [
        delta(DeltaKind::Replaced, "a@4"),
        delta(DeltaKind::DeletedFinalStateUnknown, "b@2"),
        delta(DeltaKind::Deleted, "c@3"),
        delta(DeltaKind::Replaced, "d@6"),
    ];
    assert_eq!(deltas, expected);
    fifo.add(cached(&object("e", 7)));
    assert!(!fifo.pop().now_or_never().unwrap().is_replacement());
}

#[test]
fn an_empty_list_is_something_to_take() {
    let fifo = fifo();
    assert!(fifo.pop().now_or_never().is_none());
    fifo.replace(Vec::new());
    assert!(fifo.pop().now_or_never().unwrap().is_replacement());
    assert!(fifo.pop().now_or_never().is_none());
}
