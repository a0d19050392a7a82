//! Requests for certificates: who asks is written down by the server, and approval is a right of its own.

use serde_json::{Value, json};

use super::rules::{Rules, not_supported};
use crate::registry::store::seconds;
use crate::registry::strategy::{Update, keep};
use crate::registry::validation::certificates;
use crate::registry::validation::values::{get, items, put, text};

pub(super) const SIGNING_REQUEST: Rules = Rules {
    unknown_field: not_supported,
    create: |request, context| {
        let user = &context.user;
        for (field, value) in [("username", &user.name), ("uid", &user.uid)] {
            let value = (!value.is_empty()).then(|| json!(value));
            put(request, &["spec", field], value.unwrap_or_default());
        }
        put(request, &["spec", "groups"], json!(user.groups));
        put(
            request,
            &["spec", "extra"],
            if user.extra.is_empty() {
                Value::Null
            } else {
                json!(user.extra)
            },
        );
    },
    update: |change| {
        keep(change.new, Some(change.old), "spec");
        match change.subresource {
            None => {}
            Some("approval") => {
                let certificate = get(change.old, "/status/certificate").clone();
                set_times(change);
                put(change.new, &["status", "certificate"], certificate);
            }
            Some(_) => {
                keep_decisions(change);
                set_times(change);
            }
        }
    },
    validate: certificates::signing_request,
    validate_status: |new, old| certificates::conditions_update(new, old, false),
    validate_subresource: |_, new, old| certificates::conditions_update(new, old, true),
    ..Rules::PLAIN
};

/// Whoever writes the status does not touch what was decided.
fn keep_decisions(change: &mut Update<'_>) {
    let mut conditions = items(change.new, "/status/conditions").to_vec();
    for decision in ["Approved", "Denied"] {
        let is_it = |condition: &&Value| text(condition, "/type") == decision;
        let old: Vec<Value> = items(change.old, "/status/conditions")
            .iter()
            .filter(is_it)
            .cloned()
            .collect();
        let places = conditions
            .iter_mut()
            .filter(|condition| text(condition, "/type") == decision);
        for (place, old) in places.zip(old) {
            *place = old;
        }
    }
    if !conditions.is_empty() {
        put(change.new, &["status", "conditions"], Value::Array(conditions));
    }
}

/// Conditions without times get the present one, or that of the last change.
fn set_times(change: &mut Update<'_>) {
    let now = json!(seconds(change.now));
    let mut conditions = items(change.new, "/status/conditions").to_vec();
    for condition in &mut conditions {
        if get(condition, "/lastUpdateTime").is_null() {
            put(condition, &["lastUpdateTime"], now.clone());
        }
        if get(condition, "/lastTransitionTime").is_null() {
            let same = |old: &&Value| {
                ["/type", "/status"]
                    .iter()
                    .all(|field| text(old, field) == text(condition, field))
            };
            let old = items(change.old, "/status/conditions").iter().find(same);
            let time = old
                .and_then(|old| old.get("lastTransitionTime"))
                .filter(|time| !time.is_null());
            let time = time.unwrap_or(&now).clone();
            put(condition, &["lastTransitionTime"], time);
        }
    }
    if !conditions.is_empty() {
        put(change.new, &["status", "conditions"], Value::Array(conditions));
    }
}
