//! What was written, and whether what was seen fits.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

/// The writes of one key, in order: only one writer has it, and it waits for each answer.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) key: String,
    pub(crate) writes: Vec<Write>,
}

#[derive(Debug)]
pub(crate) struct Write {
    /// The new value; `None` for a deletion.
    pub(crate) value: Option<String>,
    /// Whether the server said that it is done, or the writer found it done; `None` if it was not done.
    pub(crate) done: Option<Done>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Done {
    /// At this version, where the answer tells it.
    Acknowledged(Option<u64>),
    /// The answer did not arrive, but the write is there.
    Found,
}

/// One event of a watch: the version, and the value unless it was a deletion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) value: Option<String>,
}

impl History {
    /// Every write that was done has its one event, in the same order, and there are no others.
    pub(crate) fn check_every_event(&self, seen: &BTreeMap<String, Vec<Event>>) {
        let events = seen.get(&self.key).map(Vec::as_slice).unwrap_or_default();
        let done: Vec<&Write> = self.writes.iter().filter(|write| write.done.is_some()).collect();
        let values = |number: usize| (done.get(number).map(|w| &w.value), events.get(number).map(|e| &e.value));
        for number in 0..done.len().max(events.len()) {
            let (written, told) = values(number);
            assert_eq!(
                written, told,
                "{}: write and event {number} differ: {done:?} {events:?}",
                self.key
            );
        }
        for (write, event) in done.iter().zip(events) {
            if let Some(Done::Acknowledged(Some(version))) = write.done {
                assert_eq!(event.version, version, "{}: the event has another version", self.key);
            }
        }
        check_order(&self.key, events);
    }

    fn last(&self) -> Option<&String> {
        let done = self.writes.iter().rfind(|write| write.done.is_some());
        done.and_then(|write| write.value.as_ref())
    }
}

/// The versions of one key's events grow.
pub(crate) fn check_order(key: &str, events: &[Event]) {
    for pair in events.windows(2) {
        let grows = pair[0].version < pair[1].version;
        assert!(grows, "{key}: doubled or out of order: {pair:?}");
    }
}

/// What the writes leave.
pub(crate) fn final_state(histories: &[History]) -> BTreeMap<String, String> {
    let there = histories
        .iter()
        .filter_map(|history| Some((history.key.clone(), history.last()?.clone())));
    there.collect()
}

/// The values of the objects that writers write.
pub(crate) fn contents(objects: impl IntoIterator<Item = ConfigMap>) -> BTreeMap<String, String> {
    objects
        .into_iter()
        .filter_map(|object| key_and_value(&object))
        .collect()
}

/// The key and value of an object that a writer wrote.
pub(crate) fn key_and_value(object: &ConfigMap) -> Option<(String, String)> {
    let value = object.data.as_ref()?.get("value")?.clone();
    Some((object.metadata.name.clone()?, value))
}

pub(crate) fn version(object: &ConfigMap) -> u64 {
    let version = object.metadata.resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .expect("every object has a version")
}

#[test]
fn finds_what_is_wrong() {
    let write = |value: &str, version| Write {
        value: Some(value.to_owned()),
        done: Some(Done::Acknowledged(Some(version))),
    };
    let event = |value: &str, version| Event {
        version,
        value: Some(value.to_owned()),
    };
    let fits = |events: Vec<Event>| {
        let history = History {
            key: "a".to_owned(),
            writes: vec![write("1", 5), write("2", 7)],
        };
        let seen = BTreeMap::from([("a".to_owned(), events)]);
        std::panic::catch_unwind(|| history.check_every_event(&seen)).is_ok()
    };
    assert!(fits(vec![event("1", 5), event("2", 7)]));
    assert!(!fits(vec![event("1", 5)]), "a lost event");
    assert!(
        !fits(vec![event("1", 5), event("1", 5), event("2", 7)]),
        "a doubled event"
    );
    assert!(!fits(vec![event("2", 7), event("1", 5)]), "another order");
    assert!(!fits(vec![event("1", 5), event("2", 8)]), "another version");
}
