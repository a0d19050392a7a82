//! The rules for the volumes of a pod.

use std::collections::HashSet;

use kubewire_client::validation::dns1123_label;
use serde_json::{Value, json};

use crate::registry::validation::values::{broken, items, text};
use crate::registry::validation::volumes::{self, Owner};
use crate::status::FieldError;

/// The rules for the volumes of a pod's spec, and those volumes that break none. Templates have no pod.
pub(super) fn validate<'a>(spec: &'a Value, path: &str, pod: Option<&Value>) -> (Vec<&'a Value>, Vec<FieldError>) {
    let (mut good, mut errors) = (Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for (index, volume) in items(spec, "/volumes").iter().enumerate() {
        let at = format!("{path}[{index}]");
        let (name, field) = (text(volume, "/name"), format!("{at}.name"));
        let mut wrong = volumes::validate(volume, &at, Owner::Pod { volume: name, pod });
        let rules = dns1123_label(name);
        if name.is_empty() {
            wrong.push(FieldError::required(field, ""));
        } else if !rules.is_empty() {
            wrong.extend(broken(&field, name, rules));
        } else if names.contains(name) {
            wrong.push(FieldError::duplicate(field, json!(name)));
        }
        if wrong.is_empty() {
            names.insert(name);
            good.push(volume);
        }
        errors.extend(wrong);
    }
    (good, errors)
}
