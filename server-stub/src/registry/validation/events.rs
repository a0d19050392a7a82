//! The rules for events: few for `v1`, more for `events.k8s.io/v1`. Paths are those of `v1` in both.

use kubewire_client::validation::qualified_name;
use serde_json::{Value, json};

use super::values::{broken, get, number, text};
use crate::registry::conversion::events::NAMES;
use crate::status::FieldError;

const SHORT: usize = 128;
const NOTE: usize = 1024;

/// The rules for a `v1` event.
pub(in crate::registry) fn core(event: &Value) -> Vec<FieldError> {
    common(event, "involvedObject", "message", "reportingComponent")
}

/// The rules for an `events.k8s.io/v1` event.
pub(in crate::registry) fn event(event: &Value) -> Vec<FieldError> {
    common(event, "regarding", "note", "reportingController")
}

/// The further rules for a new `events.k8s.io/v1` event.
pub(in crate::registry) fn new_event(event: &Value) -> Vec<FieldError> {
    let mut errors = series(event);
    if text(event, "/eventTime").is_empty() {
        errors.push(FieldError::required("eventTime", ""));
    }
    let kind = text(event, "/type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.push(FieldError::invalid(
            "type",
            json!(""),
            format!("has invalid value: {kind}"),
        ));
    }
    for (field, name) in [
        ("firstTimestamp", "/deprecatedFirstTimestamp"),
        ("lastTimestamp", "/deprecatedLastTimestamp"),
        ("count", "/deprecatedCount"),
        ("source", "/deprecatedSource"),
    ] {
        let unset = match get(event, name) {
            Value::Null => true,
            Value::Number(count) => count.as_i64() == Some(0),
            Value::Object(source) => source.values().all(|part| part.as_str().unwrap_or_default().is_empty()),
            Value::String(time) => time.is_empty(),
            _ => false,
        };
        if !unset {
            errors.push(FieldError::invalid(field, json!(""), "needs to be unset"));
        }
    }
    errors
}

/// The rules for a change of an `events.k8s.io/v1` event: only the series goes on.
pub(in crate::registry) fn event_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if get(new, "/series") != get(old, "/series") {
        errors.extend(series(new));
    }
    for field in [
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingController",
        "reportingInstance",
    ] {
        let served = NAMES
            .iter()
            .find(|(core, _)| *core == field)
            .map_or(field, |(_, served)| served);
        let pointer = format!("/{served}");
        let (new, old) = (get(new, &pointer), get(old, &pointer));
        if filled(field, new) != filled(field, old) {
            let error = FieldError::invalid(field, filled(field, new), "field is immutable");
            errors.push(match new.is_null() && field == "related" {
                false => error.shown_as(go_struct(field, new)),
                true => error,
            });
        }
    }
    errors
}

/// The value of a field, the empty one of its type where it is not there.
fn filled(field: &str, value: &Value) -> Value {
    match (field, value) {
        ("count", Value::Null) => json!(0),
        ("reason" | "message" | "type" | "action" | "reportingController" | "reportingInstance", Value::Null) => {
            json!("")
        }
        ("involvedObject" | "source", Value::Null) => json!({}),
        _ => value.clone(),
    }
}

/// What messages show of a value: the fields of objects have their Go names and are all there.
fn go_struct(field: &str, value: &Value) -> String {
    let fields: &[(&str, &str)] = match field {
        "involvedObject" | "related" => &[
            ("Kind", "kind"),
            ("Namespace", "namespace"),
            ("Name", "name"),
            ("UID", "uid"),
            ("APIVersion", "apiVersion"),
            ("ResourceVersion", "resourceVersion"),
            ("FieldPath", "fieldPath"),
        ],
        "source" => &[("Component", "component"), ("Host", "host")],
        _ => return filled(field, value).to_string(),
    };
    let shown = fields.iter().map(|(shown, name)| {
        let text = value[*name].as_str().unwrap_or_default();
        format!("{:?}:{}", shown, json!(text))
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
}

fn common(event: &Value, about: &str, note: &str, reporter: &str) -> Vec<FieldError> {
    let namespace = text(event, "/metadata/namespace");
    let about = text(event, &format!("/{about}/namespace"));
    let elsewhere = || {
        FieldError::invalid(
            "involvedObject.namespace",
            json!(about),
            "does not match event.namespace",
        )
    };
    if text(event, "/eventTime").is_empty() {
        let fits = match about {
            "" => ["", "default"].contains(&namespace),
            about => about == namespace,
        };
        return (!fits).then(elsewhere).into_iter().collect();
    }
    let mut errors = Vec::new();
    if about.is_empty() && !["default", "kube-system"].contains(&namespace) {
        errors.push(elsewhere());
    }
    let controller = text(event, &format!("/{reporter}"));
    if controller.is_empty() {
        errors.push(FieldError::required(reporter, ""));
    }
    errors.extend(broken(reporter, controller, qualified_name(controller)));
    for (field, value, most) in [
        ("reportingInstance", text(event, "/reportingInstance"), SHORT),
        ("action", text(event, "/action"), SHORT),
        ("reason", text(event, "/reason"), SHORT),
        ("message", text(event, &format!("/{note}")), NOTE),
    ] {
        if value.is_empty() && field != "message" {
            errors.push(FieldError::required(field, ""));
        }
        if value.len() > most {
            let detail = format!("can have at most {most} characters");
            errors.push(FieldError::invalid(field, json!(""), detail));
        }
    }
    errors
}

fn series(event: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if get(event, "/series").is_null() {
        return errors;
    }
    if number(event, "/series/count").unwrap_or_default() < 2 {
        errors.push(FieldError::invalid("series.count", json!(""), "should be at least 2"));
    }
    if text(event, "/series/lastObservedTime").is_empty() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn core_events() {
        let about = |namespace: &str| json!({ "metadata": { "namespace": "ns" }, "involvedObject": { "namespace": namespace } });
        assert!(core(&about("ns")).is_empty());
        assert_eq!(
            told(core(&about("other"))),
            ["involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"]
        );
        let timed = json!({
            "metadata": { "namespace": "default" }, "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingComponent": "example.com/c", "reportingInstance": "i", "action": "a",
        });
        assert_eq!(told(core(&timed)), ["reason: Required value"]);
    }

    #[test]
    fn new_events() {
        let mut object = json!({
            "metadata": { "namespace": "default" }, "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal",
            "reportingController": "example.com/c", "reportingInstance": "i", "action": "a", "reason": "r",
        });
        assert_eq!(
            told([event(&object), new_event(&object)].concat()),
            Vec::<String>::new()
        );
        let old = object.clone();
        object["note"] = json!("other");
        object["series"] = json!({ "count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z" });
        assert_eq!(
            told(event_update(&object, &old)),
            [
                "series.count: Invalid value: \"\": should be at least 2",
                "message: Invalid value: \"other\": field is immutable",
            ]
        );
        let unset = json!({ "reportingController": "", "deprecatedSource": {}, "related": { "kind": "Node" } });
        assert_eq!(
            told(event_update(
                &unset,
                &json!({ "deprecatedCount": 3, "reportingInstance": "" })
            )),
            [
                "count: Invalid value: 0: field is immutable",
                "related: Invalid value: {\"Kind\":\"Node\",\"Namespace\":\"\",\"Name\":\"\",\"UID\":\"\",\
                 \"APIVersion\":\"\",\"ResourceVersion\":\"\",\"FieldPath\":\"\"}: field is immutable",
            ]
        );
        object["deprecatedCount"] = json!(3);
        assert!(told(new_event(&object)).contains(&"count: Invalid value: \"\": needs to be unset".to_owned()));
    }
}
