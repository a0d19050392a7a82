//! The rules for the selectors of a review's resource attributes.

use serde_json::{Value, json};

use crate::registry::validation::values::{get, items, text, texts};
use crate::status::FieldError;

/// The rules for both selectors.
pub(super) fn check(attributes: &Value) -> Vec<FieldError> {
    let check = |name: &str| {
        let (selector, field) = (
            get(attributes, &format!("/{name}")),
            format!("spec.resourceAttributes.{name}"),
        );
        if selector.is_null() {
            Vec::new()
        } else {
            check_selector(selector, &field)
        }
    };
    let mut errors = check("fieldSelector");
    errors.extend(check("labelSelector"));
    errors
}

fn check_selector(selector: &Value, field: &str) -> Vec<FieldError> {
    let (raw, requirements) = (text(selector, "/rawSelector"), items(selector, "/requirements"));
    if !raw.is_empty() && !requirements.is_empty() {
        let detail = "may not specified at the same time as requirements";
        return vec![FieldError::invalid(format!("{field}.rawSelector"), json!(raw), detail)];
    }
    if raw.is_empty() && requirements.is_empty() {
        let detail = format!("when {field} is specified, requirements or rawSelector is required");
        return vec![FieldError::required(format!("{field}.requirements"), detail)];
    }
    let checked = requirements.iter().enumerate().flat_map(|(index, requirement)| {
        let field = format!("{field}.requirements[{index}]");
        check_requirement(requirement, &field)
    });
    checked.collect()
}

/// Operators that nobody knows are left to the authorizer.
fn check_requirement(requirement: &Value, field: &str) -> Option<FieldError> {
    if text(requirement, "/key").is_empty() {
        return Some(FieldError::required(format!("{field}.key"), "must be specified"));
    }
    let (values, field) = (texts(requirement, "/values"), format!("{field}.values"));
    match text(requirement, "/operator") {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            Some(FieldError::required(field, detail))
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            Some(FieldError::forbidden(field, detail))
        }
        _ => None,
    }
}
