//! The rules for label selectors in objects.

use kubewire_client::selector::{LabelRequirement, LabelSelector, Operator, SelectorError};
use kubewire_client::validation::{label_value, qualified_name};
use serde_json::{Value, json};

use super::metadata;
use super::values::{broken, entries, items, ordered, text, texts};
use crate::status::FieldError;

/// The rules for a `metav1.LabelSelector` at a path.
pub(super) fn validate(selector: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = metadata::labels(selector.get("matchLabels"), &format!("{path}.matchLabels"));
    for (index, rule) in items(selector, "/matchExpressions").iter().enumerate() {
        errors.extend(validate_rule(rule, &format!("{path}.matchExpressions[{index}]")));
    }
    errors
}

fn validate_rule(rule: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let values = texts(rule, "/values");
    match text(rule, "/operator") {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(format!("{path}.values"), detail));
        }
        "In" | "NotIn" => {}
        "Exists" | "DoesNotExist" => {
            if !values.is_empty() {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(format!("{path}.values"), detail));
            }
        }
        other => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(format!("{path}.operator"), json!(other), detail));
        }
    }
    let key = text(rule, "/key");
    errors.extend(broken(&format!("{path}.key"), key, qualified_name(key)));
    for (index, value) in values.into_iter().enumerate() {
        errors.extend(broken(&format!("{path}.values[{index}]"), value, label_value(value)));
    }
    errors
}

/// A selector as messages show it.
pub(in crate::registry) fn shown(selector: &Value) -> String {
    match selector {
        Value::Object(_) => ordered(selector, &["matchLabels", "matchExpressions"]),
        other => other.to_string(),
    }
}

/// Whether a selector has no requirement at all.
pub(in crate::registry) fn is_empty(selector: &Value) -> bool {
    entries(selector, "/matchLabels").next().is_none() && items(selector, "/matchExpressions").is_empty()
}

/// The requirements of a selector, sorted by key.
pub(in crate::registry) fn parse(selector: &Value) -> Result<LabelSelector, SelectorError> {
    let equal = entries(selector, "/matchLabels")
        .map(|(key, value)| LabelRequirement::new(key, Operator::Equals, [value.as_str().unwrap_or_default()]));
    let rules = items(selector, "/matchExpressions").iter().map(|rule| {
        let operator = match text(rule, "/operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            _ => Operator::DoesNotExist,
        };
        LabelRequirement::new(text(rule, "/key"), operator, texts(rule, "/values"))
    });
    let mut requirements = equal.chain(rules).collect::<Result<Vec<_>, _>>()?;
    requirements.sort_by(|a, b| a.key().cmp(b.key()));
    Ok(LabelSelector::new(requirements))
}

/// Whether a selector selects these labels. One that is not there selects nothing, an invalid one neither.
pub(in crate::registry) fn matches(selector: &Value, labels: &Value) -> bool {
    if !selector.is_object() {
        return false;
    }
    parse(selector).is_ok_and(|selector| selector.matches(|key| labels.get(key).and_then(Value::as_str)))
}
