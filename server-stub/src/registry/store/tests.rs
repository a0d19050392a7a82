use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::Store;
use crate::generic::clock::Clock;
use crate::registry::codec::JsonCodec;
use crate::registry::{
    DeleteOptions, DeleteOutcome, ListQuery, PlainStrategy, Preconditions, PropagationPolicy, ResourceInfo,
    StoredObject, UpdateOptions, VersionMatch, WatchEvent, WatchStream, WriteContext,
};
use crate::status::ApiError;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;

fn store() -> Store {
    store_in(MemoryStorage::default())
}

fn store_in(storage: MemoryStorage) -> Store {
    let info = ResourceInfo::custom("example.com", "v1", "widgets", "Widget", true);
    let strategy = PlainStrategy {
        has_status: true,
        has_generation: true,
    };
    Store::new(info, Arc::new(strategy), Arc::new(JsonCodec), Arc::new(storage))
}

fn context() -> WriteContext {
    WriteContext {
        clock: Clock::fixed("2026-01-02T03:04:05.6Z".parse().unwrap()),
        ..WriteContext::default()
    }
}

fn widget(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"size": 1}})
}

async fn create(store: &Store, object: Value) -> Arc<StoredObject> {
    store.create(&context(), "ns", object).await.unwrap()
}

async fn replace(store: &Store, name: &str, object: Value) -> Result<Arc<StoredObject>, ApiError> {
    let replace = |_: &Value| Ok(object.clone());
    let updated = store
        .update(&context(), "ns", name, None, replace, UpdateOptions::default())
        .await;
    updated.map(|(object, _)| object)
}

async fn delete(store: &Store, name: &str, options: DeleteOptions) -> Result<DeleteOutcome, ApiError> {
    store.delete(&context(), "ns", name, options).await
}

fn field(object: &StoredObject, pointer: &str) -> Value {
    object.document().pointer(pointer).cloned().unwrap_or_default()
}

async fn next(watch: &mut WatchStream) -> (&'static str, String, u64) {
    match watch.next().await.unwrap() {
        WatchEvent::Added(o) => ("ADDED", o.header().name.clone(), o.resource_version()),
        WatchEvent::Modified(o) => ("MODIFIED", o.header().name.clone(), o.resource_version()),
        WatchEvent::Deleted(o) => ("DELETED", o.header().name.clone(), o.resource_version()),
        WatchEvent::Bookmark {
            resource_version,
            initial_events_end,
        } => ("BOOKMARK", initial_events_end.to_string(), resource_version),
        WatchEvent::Error(error) => ("ERROR", error.message().to_owned(), u64::from(error.code())),
    }
}

#[tokio::test]
async fn creation_fills_in_metadata() {
    let store = store();
    let object = json!({"metadata": {"generateName": "gen-", "uid": "mine"}, "status": {"forged": true}});
    let created = create(&store, object).await;
    assert_eq!(field(&created, "/kind"), "Widget");
    assert_eq!(field(&created, "/apiVersion"), "example.com/v1");
    assert_eq!(field(&created, "/metadata/namespace"), "ns");
    assert_eq!(field(&created, "/metadata/creationTimestamp"), "2026-01-02T03:04:05Z");
    assert_eq!(field(&created, "/metadata/generation"), 1);
    assert_eq!(
        field(&created, "/metadata/resourceVersion"),
        created.resource_version().to_string()
    );
    assert_eq!(field(&created, "/status"), Value::Null);
    assert_ne!(field(&created, "/metadata/uid"), "mine");
    let name = created.header().name.clone();
    assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
    assert_eq!(store.get("ns", &name, None).await.unwrap().json(), created.json());
}

#[tokio::test]
async fn creation_refuses_what_kube_apiserver_refuses() {
    let store = store();
    create(&store, widget("a")).await;
    let error = |object: Value| {
        let store = &store;
        async move {
            store
                .create(&context(), "ns", object)
                .await
                .unwrap_err()
                .message()
                .to_owned()
        }
    };
    assert_eq!(error(widget("a")).await, "widgets.example.com \"a\" already exists");
    let versioned = json!({"metadata": {"name": "b", "resourceVersion": "5"}});
    assert_eq!(
        error(versioned).await,
        "resourceVersion should not be set on objects to be created"
    );
    let elsewhere = json!({"metadata": {"name": "b", "namespace": "other"}});
    assert!(
        error(elsewhere)
            .await
            .contains("does not match the namespace sent on the request")
    );
    assert!(
        error(json!({}))
            .await
            .ends_with("metadata.name: Required value: name or generateName is required")
    );
    let labels = json!({"metadata": {"name": "A", "labels": {"k": "-"}, "finalizers": ["x y"]}});
    let message = error(labels).await;
    for part in [
        "metadata.name: Invalid value: \"A\"",
        "metadata.labels: Invalid value: \"-\"",
        "metadata.finalizers: Invalid value: \"x y\"",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn dry_runs_leave_no_trace() {
    let store = store();
    let dry = WriteContext {
        dry_run: true,
        ..context()
    };
    let created = store.create(&dry, "ns", widget("a")).await.unwrap();
    assert_eq!(field(&created, "/metadata/resourceVersion"), Value::Null);
    assert!(store.get("ns", "a", None).await.is_err());
    let versioned = json!({"metadata": {"name": "a", "resourceVersion": "5"}});
    assert!(store.create(&dry, "ns", versioned).await.is_ok());
    let real = create(&store, widget("a")).await;
    let mutate = |_: &Value| Ok(json!({"metadata": {"name": "a"}, "spec": {"size": 9}}));
    let (updated, _) = store
        .update(&dry, "ns", "a", None, mutate, UpdateOptions::default())
        .await
        .unwrap();
    assert_eq!(field(&updated, "/spec/size"), 9);
    store.delete(&dry, "ns", "a", DeleteOptions::default()).await.unwrap();
    assert_eq!(store.get("ns", "a", None).await.unwrap().json(), real.json());
}

#[tokio::test]
async fn updates_keep_what_they_may_not_change() {
    let store = store();
    let first = create(&store, widget("a")).await;
    let second = replace(
        &store,
        "a",
        json!({"metadata": {"name": "a", "generation": 7}, "spec": {"size": 2}, "status": 1}),
    )
    .await
    .unwrap();
    assert_eq!(field(&second, "/metadata/generation"), 2);
    assert_eq!(field(&second, "/metadata/uid"), field(&first, "/metadata/uid"));
    assert_eq!(field(&second, "/status"), Value::Null);
    let status = |old: &Value| {
        let mut new = old.clone();
        new["status"] = json!({"ready": true});
        new["spec"] = json!({"size": 99});
        Ok(new)
    };
    let options = UpdateOptions::default();
    let (third, _) = store
        .update(&context(), "ns", "a", Some("status"), status, options)
        .await
        .unwrap();
    assert_eq!(
        (field(&third, "/spec/size"), field(&third, "/status/ready")),
        (json!(2), json!(true))
    );
    assert_eq!(field(&third, "/metadata/generation"), 2);
    let same = replace(&store, "a", (*third.document()).clone()).await.unwrap();
    assert_eq!(same.resource_version(), third.resource_version());
}

#[tokio::test]
async fn updates_are_based_on_the_newest_version() {
    let store = store();
    let first = create(&store, widget("a")).await;
    replace(&store, "a", json!({"metadata": {"name": "a"}, "spec": 2}))
        .await
        .unwrap();
    let stale = replace(&store, "a", (*first.document()).clone()).await.unwrap_err();
    assert_eq!(
        stale.message(),
        "Operation cannot be fulfilled on widgets.example.com \"a\": the object has been modified; please apply your \
         changes to the latest version and try again"
    );
    let wrong = json!({"metadata": {"name": "a", "resourceVersion": "abc"}});
    let wrong = replace(&store, "a", wrong).await.unwrap_err();
    assert_eq!(
        (wrong.code(), wrong.message()),
        (500, "strconv.ParseUint: parsing \"abc\": invalid syntax")
    );
    assert_eq!(
        replace(&store, "nosuch", widget("nosuch")).await.unwrap_err().code(),
        404
    );
    let renamed = replace(&store, "a", widget("b")).await.unwrap_err();
    assert!(
        renamed
            .message()
            .contains("metadata.name: Invalid value: \"b\": field is immutable"),
        "{renamed}"
    );
    let options = UpdateOptions {
        preconditions: Preconditions {
            uid: Some("other".to_owned()),
            resource_version: None,
        },
        ..UpdateOptions::default()
    };
    let mutate = |old: &Value| Ok(old.clone());
    let error = store
        .update(&context(), "ns", "a", None, mutate, options)
        .await
        .unwrap_err();
    let expected = "StorageError: invalid object, Code: 4, Key: /registry/example.com/widgets/ns/a, ResourceVersion: 0, \
                    AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: ";
    assert!(error.message().contains(expected), "{error}");
}

#[tokio::test]
async fn concurrent_updates_lose_nothing() {
    let store = Arc::new(store());
    create(&store, widget("a")).await;
    let writers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                let count = |old: &Value| {
                    let mut new = old.clone();
                    new["spec"]["size"] = json!(old["spec"]["size"].as_i64().unwrap() + 1);
                    new["metadata"].as_object_mut().unwrap().remove("resourceVersion");
                    Ok(new)
                };
                store
                    .update(&context(), "ns", "a", None, count, UpdateOptions::default())
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    futures::future::join_all(writers).await;
    let last = store.get("ns", "a", None).await.unwrap();
    assert_eq!(
        (field(&last, "/spec/size"), field(&last, "/metadata/generation")),
        (json!(81), json!(81))
    );
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let store = store();
    let mut object = widget("a");
    object["metadata"]["finalizers"] = json!(["example.com/x"]);
    create(&store, object).await;
    let outcome = delete(&store, "a", DeleteOptions::default()).await.unwrap();
    let DeleteOutcome::Marked(marked) = outcome else {
        panic!("deleted in spite of its finalizer");
    };
    assert_eq!(field(&marked, "/metadata/deletionTimestamp"), "2026-01-02T03:04:05Z");
    assert_eq!(field(&marked, "/metadata/deletionGracePeriodSeconds"), 0);
    assert_eq!(field(&marked, "/metadata/generation"), 2);
    let again = delete(&store, "a", DeleteOptions::default()).await.unwrap();
    assert_eq!(again.object().resource_version(), marked.resource_version());
    let mut more = (*marked.document()).clone();
    more["metadata"]["finalizers"] = json!(["example.com/x", "example.com/y"]);
    let error = replace(&store, "a", more).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("no new finalizers can be added if the object is being deleted"),
        "{error}"
    );
    let mut freed = (*marked.document()).clone();
    freed["metadata"]["finalizers"] = Value::Null;
    replace(&store, "a", freed).await.unwrap();
    assert_eq!(store.get("ns", "a", None).await.unwrap_err().code(), 404);
}

#[tokio::test]
async fn propagation_sets_finalizers() {
    let store = store();
    for (policy, finalizer) in [
        (PropagationPolicy::Foreground, "foregroundDeletion"),
        (PropagationPolicy::Orphan, "orphan"),
    ] {
        create(&store, widget(finalizer.to_lowercase().as_str())).await;
        let options = DeleteOptions {
            propagation_policy: Some(policy),
            ..DeleteOptions::default()
        };
        let outcome = delete(&store, &finalizer.to_lowercase(), options).await.unwrap();
        assert!(matches!(outcome, DeleteOutcome::Marked(_)));
        assert_eq!(field(outcome.object(), "/metadata/finalizers"), json!([finalizer]));
    }
    let options = DeleteOptions {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteOptions::default()
    };
    let outcome = delete(&store, "orphan", options).await.unwrap();
    assert!(
        matches!(outcome, DeleteOutcome::Deleted(_)),
        "the finalizer of the other policy goes: {outcome:?}"
    );
}

#[tokio::test]
async fn deletion_checks_its_preconditions() {
    let store = store();
    create(&store, widget("a")).await;
    let options = DeleteOptions {
        preconditions: Preconditions {
            uid: Some("other".to_owned()),
            resource_version: None,
        },
        ..DeleteOptions::default()
    };
    let error = delete(&store, "a", options).await.unwrap_err();
    let expected =
        "Operation cannot be fulfilled on Widget.example.com \"a\": the UID in the precondition (other) does";
    assert!(error.message().starts_with(expected), "{error}");
    assert_eq!(
        delete(&store, "b", DeleteOptions::default()).await.unwrap_err().code(),
        404
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let store = store();
    for name in ["a", "b", "c", "d", "e"] {
        create(&store, widget(name)).await;
    }
    let names = |list: &crate::registry::ListResult| -> Vec<String> {
        list.items.iter().map(|object| object.header().name.clone()).collect()
    };
    let mut query = ListQuery {
        limit: 2,
        ..ListQuery::default()
    };
    let first = store.list("ns", &query).await.unwrap();
    assert_eq!(
        (names(&first), first.remaining),
        (vec!["a".to_owned(), "b".to_owned()], Some(3))
    );
    delete(&store, "c", DeleteOptions::default()).await.unwrap();
    query.continue_token = first.continue_token.clone();
    let second = store.list("ns", &query).await.unwrap();
    assert_eq!(
        (names(&second), second.remaining),
        (vec!["c".to_owned(), "d".to_owned()], Some(1))
    );
    assert_eq!(second.resource_version, first.resource_version);
    query.continue_token = second.continue_token;
    let third = store.list("ns", &query).await.unwrap();
    assert_eq!((names(&third), third.continue_token), (vec!["e".to_owned()], None));
    let exact = ListQuery {
        resource_version: Some(first.resource_version),
        resource_version_match: Some(VersionMatch::Exact),
        ..ListQuery::default()
    };
    assert_eq!(store.list("ns", &exact).await.unwrap().items.len(), 5);
    let selected = ListQuery {
        limit: 1,
        field_selector: "metadata.name!=a".parse().unwrap(),
        ..ListQuery::default()
    };
    let selected = store.list("", &selected).await.unwrap();
    assert_eq!((names(&selected), selected.remaining), (vec!["b".to_owned()], None));
    assert!(selected.continue_token.is_some());
    assert!(
        store
            .list("elsewhere", &ListQuery::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn forgotten_versions_are_expired() {
    let storage = MemoryStorage::default();
    let store = store_in(storage.clone());
    for name in ["a", "b", "c"] {
        create(&store, widget(name)).await;
    }
    let mut query = ListQuery {
        limit: 1,
        ..ListQuery::default()
    };
    query.continue_token = store.list("ns", &query).await.unwrap().continue_token;
    let revision = create(&store, widget("d")).await.resource_version();
    storage.compact(revision).await.unwrap();
    let error = store.list("ns", &query).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (410, "Expired"));
    query.continue_token = error.status().metadata.continue_.clone();
    let rest = store.list("ns", &query).await.unwrap();
    assert_eq!(rest.items[0].header().name, "b");
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    let query = ListQuery {
        field_selector: "data.k=v".parse().unwrap(),
        ..ListQuery::default()
    };
    let store = store();
    let expected = "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    assert_eq!(store.list("ns", &query).await.unwrap_err().message(), expected);
    assert_eq!(store.watch("ns", &query).await.unwrap_err().message(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_version_of_the_future_times_out() {
    let query = ListQuery {
        resource_version: Some(1000),
        ..ListQuery::default()
    };
    let store = store();
    let error = store.list("ns", &query).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (504, "Timeout: Too large resource version: 1000, current: 1")
    );
    assert!(store.watch("ns", &query).await.is_ok(), "a watch waits");
}

#[tokio::test]
async fn watches_see_objects_enter_and_leave_the_selection() {
    let store = store();
    let start = create(&store, widget("other")).await.resource_version();
    let labelled =
        |pick: &str, size: i64| json!({"metadata": {"name": "a", "labels": {"pick": pick}}, "spec": {"size": size}});
    create(&store, labelled("yes", 1)).await;
    let query = ListQuery {
        label_selector: "pick=yes".parse().unwrap(),
        resource_version: Some(start),
        ..ListQuery::default()
    };
    let mut watch = store.watch("ns", &query).await.unwrap();
    assert_eq!(next(&mut watch).await, ("ADDED", "a".to_owned(), start + 1));
    replace(&store, "a", labelled("yes", 2)).await.unwrap();
    assert_eq!(next(&mut watch).await, ("MODIFIED", "a".to_owned(), start + 2));
    replace(&store, "a", labelled("no", 3)).await.unwrap();
    let WatchEvent::Deleted(gone) = watch.next().await.unwrap() else {
        panic!("still selected");
    };
    assert_eq!(
        (gone.resource_version(), field(&gone, "/spec/size")),
        (start + 3, json!(2))
    );
    assert_eq!(field(&gone, "/metadata/resourceVersion"), (start + 3).to_string());
    replace(&store, "a", labelled("yes", 4)).await.unwrap();
    assert_eq!(next(&mut watch).await, ("ADDED", "a".to_owned(), start + 4));
    delete(&store, "a", DeleteOptions::default()).await.unwrap();
    assert_eq!(next(&mut watch).await, ("DELETED", "a".to_owned(), start + 5));
}

#[tokio::test(start_paused = true)]
async fn streaming_lists_end_with_a_bookmark() {
    let storage = MemoryStorage::default();
    let store = store_in(storage.clone());
    create(&store, widget("a")).await;
    let last = create(&store, widget("b")).await.resource_version();
    let query = ListQuery {
        allow_watch_bookmarks: true,
        send_initial_events: Some(true),
        timeout: Some(Duration::from_secs(90)),
        ..ListQuery::default()
    };
    let mut watch = store.watch("ns", &query).await.unwrap();
    assert_eq!(next(&mut watch).await.0, "ADDED");
    assert_eq!(next(&mut watch).await.0, "ADDED");
    assert_eq!(next(&mut watch).await, ("BOOKMARK", "true".to_owned(), last));
    let elsewhere = crate::storage::suite::put(&storage, "/elsewhere", "x").await;
    let start = tokio::time::Instant::now();
    assert_eq!(next(&mut watch).await, ("BOOKMARK", "false".to_owned(), elsewhere));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert_eq!(next(&mut watch).await.0, "BOOKMARK");
    assert_eq!(start.elapsed().as_secs(), 88, "once more shortly before the end");
    drop(store);
    assert!(watch.next().await.is_none(), "the watch ends with the store");
}

#[tokio::test]
async fn a_watch_from_too_far_back_is_told_so() {
    let storage = MemoryStorage::default();
    for _ in 0..3 {
        crate::storage::suite::put(&storage, "/elsewhere", "x").await;
    }
    storage.compact(4).await.unwrap();
    let store = store_in(storage);
    let query = ListQuery {
        resource_version: Some(2),
        ..ListQuery::default()
    };
    let mut watch = store.watch("ns", &query).await.unwrap();
    assert_eq!(
        next(&mut watch).await,
        ("ERROR", "too old resource version: 2 (4)".to_owned(), 410)
    );
    assert!(watch.next().await.is_none());
}

/// What a watch tells must add up to what a list shows, whatever is written in between.
#[tokio::test]
async fn list_and_watch_agree() {
    let steps = prop::collection::vec((0..5usize, 0..4u8), 1..80);
    for _ in 0..20 {
        let store = store();
        let query = ListQuery {
            label_selector: "pick!=no".parse().unwrap(),
            ..ListQuery::default()
        };
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        let mut watch = store.watch("", &query).await.unwrap();
        let mut last = 1;
        for (n, (name, what)) in steps
            .new_tree(&mut TestRunner::default())
            .unwrap()
            .current()
            .into_iter()
            .enumerate()
        {
            let name = format!("w{name}");
            let object = json!({"metadata": {"name": name, "labels": {"pick": if what == 1 { "no" } else { "yes" }}}, "spec": n});
            match what {
                0 => drop(delete(&store, &name, DeleteOptions::default()).await),
                _ => match replace(&store, &name, object.clone()).await {
                    Ok(_) => {}
                    Err(_) => drop(create(&store, object).await),
                },
            }
        }
        let list = store.list("", &query).await.unwrap();
        create(&store, widget("end")).await;
        loop {
            let event = watch.next().await.unwrap();
            let (WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) = &event
            else {
                panic!("unexpected {event:?}");
            };
            assert!(object.resource_version() > last, "versions only grow");
            last = object.resource_version();
            let name = object.header().name.clone();
            if name == "end" {
                break;
            }
            let known = match event {
                WatchEvent::Added(ref object) => seen.insert(name, (*object.document()).clone()).is_none(),
                WatchEvent::Modified(ref object) => seen.insert(name, (*object.document()).clone()).is_some(),
                _ => seen.remove(&name).is_some(),
            };
            assert!(known, "{event:?} does not fit what was told before");
        }
        let listed: Vec<Value> = list.items.iter().map(|object| (*object.document()).clone()).collect();
        assert_eq!(seen.into_values().collect::<Vec<_>>(), listed);
    }
}

#[tokio::test]
async fn own_writes_are_read_out_of_the_cache() {
    let store = store();
    for n in 0..50 {
        let name = format!("w{n}");
        create(&store, widget(&name)).await;
        let read = async || store.get("ns", &name, Some(store.written_version())).await;
        assert_eq!(field(&read().await.unwrap(), "/spec/size"), 1);
        delete(&store, &name, DeleteOptions::default()).await.unwrap();
        assert_eq!(read().await.unwrap_err().code(), 404);
    }
}
