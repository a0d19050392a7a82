//! The rules for validating admission policies and their bindings. Expressions are not looked at.

use serde_json::{Value, json};

use super::values::{get, items, one_of, put, text};
use crate::status::FieldError;

/// Selectors that are left out select everything.
pub(crate) fn policy_defaults(policy: &mut Value) {
    select_everything(policy, "matchConstraints");
}

/// Selectors that are left out select everything.
pub(crate) fn binding_defaults(binding: &mut Value) {
    select_everything(binding, "matchResources");
}

fn select_everything(object: &mut Value, part: &str) {
    for selector in ["namespaceSelector", "objectSelector"] {
        let given = get(object, &format!("/spec/{part}"));
        if given.is_object() && given[selector].is_null() {
            put(object, &["spec", part, selector], json!({}));
        }
    }
}

/// The rules for a policy.
pub(crate) fn policy(policy: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if get(policy, "/spec/matchConstraints").is_null() {
        errors.push(FieldError::required("spec.matchConstraints", ""));
    } else if items(policy, "/spec/matchConstraints/resourceRules").is_empty() {
        errors.push(FieldError::required("spec.matchConstraints.resourceRules", ""));
    }
    if items(policy, "/spec/validations").is_empty() && items(policy, "/spec/auditAnnotations").is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.push(FieldError::required("spec.validations", detail));
        errors.push(FieldError::required("spec.auditAnnotations", detail));
    }
    errors
}

/// The rules for a binding.
pub(crate) fn binding(binding: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let actions = items(binding, "/spec/validationActions");
    if actions.is_empty() {
        errors.push(FieldError::required("spec.validationActions", ""));
    }
    for (index, action) in actions.iter().enumerate() {
        let field = format!("spec.validationActions[{index}]");
        errors.extend(one_of(
            &field,
            action.as_str().unwrap_or_default(),
            &["Audit", "Deny", "Warn"],
        ));
    }
    if text(binding, "/spec/policyName").is_empty() {
        errors.push(FieldError::required("spec.policyName", ""));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    #[test]
    fn a_policy_says_what_it_is_about_and_a_binding_which_policy_it_is_for() {
        let required = "Required value: validations or auditAnnotations must contain at least one item";
        let wanted = [
            "spec.matchConstraints: Required value".to_owned(),
            format!("spec.validations: {required}"),
            format!("spec.auditAnnotations: {required}"),
        ];
        assert_eq!(told(policy(&json!({ "spec": {} }))), wanted);
        let mut good = json!({ "spec": { "matchConstraints": { "resourceRules": [{}] }, "validations": [{}] } });
        policy_defaults(&mut good);
        assert_eq!(good["spec"]["matchConstraints"]["objectSelector"], json!({}));
        assert_eq!(told(policy(&good)), Vec::<String>::new());
        let errors = told(binding(&json!({ "spec": { "validationActions": ["Shout"] } })));
        assert_eq!(
            errors,
            [
                "spec.validationActions[0]: Unsupported value: \"Shout\": supported values: \"Audit\", \"Deny\", \"Warn\"",
                "spec.policyName: Required value",
            ]
        );
    }
}
