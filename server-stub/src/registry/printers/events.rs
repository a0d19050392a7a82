//! Events of both groups, which name the same fields differently.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{name, number, text};
use crate::human_duration::age;

/// `v1` events.
pub(super) fn core_event(o: &Value, now: Timestamp) -> Vec<Value> {
    const FIELDS: Fields = Fields {
        object: "/involvedObject",
        first: "/firstTimestamp",
        last: "/lastTimestamp",
        count: "/count",
        source: "/source",
        controller: "/reportingComponent",
        message: "/message",
    };
    FIELDS.cells(o, now)
}

/// `events.k8s.io/v1` events.
pub(super) fn event(o: &Value, now: Timestamp) -> Vec<Value> {
    const FIELDS: Fields = Fields {
        object: "/regarding",
        first: "/deprecatedFirstTimestamp",
        last: "/deprecatedLastTimestamp",
        count: "/deprecatedCount",
        source: "/deprecatedSource",
        controller: "/reportingController",
        message: "/note",
    };
    FIELDS.cells(o, now)
}

struct Fields {
    object: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    source: &'static str,
    controller: &'static str,
    message: &'static str,
}

impl Fields {
    fn cells(&self, o: &Value, now: Timestamp) -> Vec<Value> {
        let ago = |pointer: &str| {
            o.pointer(pointer)
                .filter(|time| !time.is_null())
                .map(|time| age(time, now))
        };
        let first = ago(self.first)
            .or_else(|| ago("/eventTime"))
            .unwrap_or_else(|| "<unknown>".to_owned());
        let series = o.get("series").filter(|series| !series.is_null());
        let last = match series {
            Some(_) => ago("/series/lastObservedTime").unwrap_or_else(|| "<unknown>".to_owned()),
            None => ago(self.last).unwrap_or_else(|| first.clone()),
        };
        let count = series.map_or_else(
            || Some(number(o, self.count)).filter(|count| *count != 0).unwrap_or(1),
            |_| number(o, "/series/count"),
        );
        let object = o.pointer(self.object).unwrap_or(&Value::Null);
        let target = match (text(object, "/kind").to_lowercase(), text(object, "/name")) {
            (kind, "") => kind,
            (kind, name) => format!("{kind}/{name}"),
        };
        vec![
            json!(last),
            json!(text(o, "/type")),
            json!(text(o, "/reason")),
            json!(target),
            json!(text(object, "/fieldPath")),
            json!(self.source(o)),
            json!(text(o, self.message).trim()),
            json!(first),
            json!(count),
            name(o),
        ]
    }

    fn source(&self, o: &Value) -> String {
        let source = o.pointer(self.source).unwrap_or(&Value::Null);
        let or = |a, b| {
            if text(source, a).is_empty() {
                text(o, b)
            } else {
                text(source, a)
            }
        };
        match (or("/component", self.controller), or("/host", "/reportingInstance")) {
            (component, "") => component.to_owned(),
            (component, host) => format!("{component}, {host}"),
        }
    }
}
