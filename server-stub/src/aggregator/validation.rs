//! The rules for APIServices.

use serde_json::{Value, json};

use crate::registry::validation::values::{get, number, text};
use crate::registry::validation::webhooks::port_problem;
use crate::status::FieldError;

/// The rules for every APIService.
pub(crate) fn validate(service: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, group, version) = (
        text(service, "/metadata/name"),
        text(service, "/spec/group"),
        text(service, "/spec/version"),
    );
    let required = format!("{version}.{group}");
    if name != required {
        let detail = format!("must be `spec.version+\".\"+spec.group`: {}", Value::from(required));
        errors.push(FieldError::invalid("metadata.name", name.into(), detail));
    }
    if group.is_empty() && version != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        errors.push(FieldError::required("spec.group", detail));
    }
    if version.is_empty() {
        errors.push(FieldError::required("spec.version", ""));
    }
    for (field, end) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let priority = number(service, &format!("/spec/{field}")).unwrap_or_default();
        if !(1..=end).contains(&priority) {
            let detail = format!("must be positive and less than {end}");
            errors.push(FieldError::invalid(format!("spec.{field}"), priority.into(), detail));
        }
    }
    let trusts_anybody = get(service, "/spec/insecureSkipTLSVerify") == true;
    let has_bundle = !text(service, "/spec/caBundle").is_empty();
    let behind = get(service, "/spec/service");
    if behind.is_null() {
        if has_bundle {
            let detail = "local APIServices may not have a caBundle";
            let given = get(service, "/spec/caBundle").clone();
            errors.push(FieldError::invalid("spec.caBundle", given, detail));
        }
        if trusts_anybody {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(FieldError::invalid("spec.insecureSkipTLSVerify", json!(true), detail));
        }
        return errors;
    }
    for field in ["namespace", "name"] {
        if text(behind, &format!("/{field}")).is_empty() {
            errors.push(FieldError::required(format!("spec.service.{field}"), ""));
        }
    }
    errors.extend(port_problem(behind, "spec.service"));
    if trusts_anybody && has_bundle {
        let detail = "may not be true if caBundle is present";
        errors.push(FieldError::invalid("spec.insecureSkipTLSVerify", json!(true), detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(name: &str, spec: Value) -> Vec<String> {
        let mut whole =
            json!({"group": "g.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1});
        if let (Some(whole), Value::Object(spec)) = (whole.as_object_mut(), spec) {
            whole.extend(spec);
        }
        let errors = validate(&json!({"metadata": {"name": name}, "spec": whole}));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn faults() {
        let name = "v1.g.example.com";
        assert_eq!(errors(name, json!({})), Vec::<String>::new());
        let service = json!({"name": "a", "namespace": "b", "port": 443});
        assert_eq!(
            errors(name, json!({"service": service, "caBundle": "eHg="})),
            Vec::<String>::new()
        );
        let cases = [
            (
                "x",
                json!({}),
                "metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.g.example.com\"",
            ),
            (
                name,
                json!({"groupPriorityMinimum": 0}),
                "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
            ),
            (
                name,
                json!({"versionPriority": 70000}),
                "spec.versionPriority: Invalid value: 70000: must be positive and less than 1000",
            ),
            (
                "v9.",
                json!({"group": "", "version": "v9"}),
                "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
            ),
            (
                name,
                json!({"insecureSkipTLSVerify": true}),
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ),
            (
                name,
                json!({"service": service, "caBundle": "eHg=", "insecureSkipTLSVerify": true}),
                "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
            ),
            (
                name,
                json!({"service": {"name": "a", "namespace": "b", "port": 0}}),
                "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
            ),
        ];
        for (name, spec, expected) in cases {
            assert_eq!(errors(name, spec), [expected]);
        }
        let nobody = errors(name, json!({"service": {}}));
        assert_eq!(
            nobody,
            [
                "spec.service.namespace: Required value",
                "spec.service.name: Required value"
            ]
        );
    }
}
