//! The rules for requests for certificates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubewire_client::validation::{dns1123_label, dns1123_subdomain};
use serde_json::{Value, json};

use super::values::{broken, get, items, number, one_of, one_of_type, text, texts};
use crate::status::FieldError;

const TEN_MINUTES: i64 = 600;
/// Conditions that are true or not there.
const DECISIONS: [&str; 3] = ["Approved", "Denied", "Failed"];

/// The rules for a request.
pub(in crate::registry) fn signing_request(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !has_block(text(object, "/spec/request"), "CERTIFICATE REQUEST") {
        let detail = "PEM block type must be CERTIFICATE REQUEST";
        errors.push(FieldError::invalid(
            "spec.request",
            get(object, "/spec/request").clone(),
            detail,
        ));
    }
    let usages = texts(object, "/spec/usages");
    if usages.is_empty() {
        errors.push(FieldError::required("spec.usages", ""));
    }
    for (index, usage) in usages.iter().enumerate() {
        let field = format!("spec.usages[{index}]");
        errors.extend(one_of_type(&field, usage, "v1.KeyUsage"));
        if usages.iter().take(index).any(|earlier| earlier == usage) {
            errors.push(FieldError::duplicate(field, json!(usage)));
        }
    }
    errors.extend(signer_name(text(object, "/spec/signerName"), "spec.signerName"));
    if text(object, "/spec/signerName") == "kubernetes.io/legacy-unknown" {
        let detail = "the legacy signerName is not allowed via this API version";
        let name = get(object, "/spec/signerName").clone();
        errors.push(FieldError::invalid("spec.signerName", name, detail));
    }
    if let Some(seconds) = number(object, "/spec/expirationSeconds").filter(|seconds| *seconds < TEN_MINUTES) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid("spec.expirationSeconds", json!(seconds), detail));
    }
    errors
}

/// The rules for a change of the conditions, by who may decide or by who may not.
pub(in crate::registry) fn conditions_update(new: &Value, old: &Value, may_decide: bool) -> Vec<FieldError> {
    const FIELD: &str = "status.conditions";
    let conditions = items(new, "/status/conditions");
    let mut errors = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        let kind = text(condition, "/type");
        if kind.is_empty() {
            errors.push(FieldError::required(format!("{FIELD}[{index}].type"), ""));
        }
        let states: &[&str] = match DECISIONS.contains(&kind) {
            true => &["True"],
            false => &["False", "True", "Unknown"],
        };
        let field = format!("{FIELD}[{index}].status");
        match text(condition, "/status") {
            "" => errors.push(FieldError::required(field, "")),
            status => errors.extend(one_of(&field, status, states)),
        }
        let earlier = |wanted: &str| {
            conditions
                .iter()
                .take(index)
                .any(|other| text(other, "/type") == wanted)
        };
        if earlier(kind) {
            errors.push(FieldError::duplicate(format!("{FIELD}[{index}].type"), json!(kind)));
        }
    }
    let has = |wanted: &str| conditions.iter().any(|condition| text(condition, "/type") == wanted);
    if has("Approved") && has("Denied") {
        let both = ["Approved", "Denied"].map(|kind| format!("conditions[{{\"type\": {kind:?}}}]"));
        let places = ["Approved", "Denied"].map(|kind| format!("`conditions[{{\"type\": {kind:?}}}]`"));
        let detail = format!("must specify at most one of: {}", places.join(", "));
        errors.push(FieldError::invalid(
            FIELD,
            json!(format!("{{{}}}", both.join(", "))),
            detail,
        ));
    }
    for decision in DECISIONS {
        let of = |object| -> Vec<&Value> {
            let all = items(object, "/status/conditions").iter();
            all.filter(|condition| text(condition, "/type") == decision).collect()
        };
        let (now, before) = (of(new), of(old));
        if now.len() < before.len() {
            let detail = format!("updates may not remove a condition of type \"{decision}\"");
            errors.push(FieldError::forbidden(FIELD, detail));
        } else if now.len() > before.len() && !may_decide && decision != "Failed" {
            let detail = format!("updates may not add a condition of type \"{decision}\"");
            errors.push(FieldError::forbidden(FIELD, detail));
        }
    }
    let certificate = |object| text(object, "/status/certificate");
    if certificate(new) != certificate(old)
        && !certificate(new).is_empty()
        && !has_block(certificate(new), "CERTIFICATE")
    {
        let detail = "must contain at least one CERTIFICATE PEM block";
        errors.push(FieldError::invalid(
            "status.certificate",
            json!("<certificate data>"),
            detail,
        ));
    }
    if certificate(new) != certificate(old) && (may_decide || !certificate(old).is_empty()) {
        let detail = match certificate(old) {
            "" => "updates may not set certificate content",
            _ => "updates may not modify existing certificate content",
        };
        errors.push(FieldError::forbidden("status.certificate", detail));
    }
    errors
}

/// Whether base64 text holds a PEM block of this kind.
fn has_block(base64: &str, kind: &str) -> bool {
    let decoded = STANDARD.decode(base64).unwrap_or_default();
    String::from_utf8_lossy(&decoded).contains(&format!("-----BEGIN {kind}-----"))
}

/// A domain and a path, as in `kubernetes.io/kubelet-serving`.
fn signer_name(name: &str, field: &str) -> Vec<FieldError> {
    let wrong = |detail: &str| FieldError::invalid(field, json!(name), detail);
    let Some((domain, path)) = name.split_once('/') else {
        return match name {
            "" => vec![FieldError::required(field, "")],
            _ => vec![wrong(
                "must be a fully qualified domain and path of the form 'example.com/signer-name'",
            )],
        };
    };
    let mut errors = broken(field, domain, dns1123_subdomain(domain));
    if !domain.contains('.') {
        errors.push(wrong("should be a domain with at least two segments separated by dots"));
    }
    if path.is_empty() {
        errors.push(wrong("validating signer name path: must not be empty"));
    }
    for part in path.split('.').filter(|_| !path.is_empty()) {
        errors.extend(broken(field, part, dns1123_label(part)));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    fn with(conditions: &[&str]) -> Value {
        let conditions = conditions.iter().map(|kind| json!({ "type": kind, "status": "True" }));
        json!({ "status": { "conditions": conditions.collect::<Vec<_>>() } })
    }

    #[test]
    fn decisions_are_for_those_who_may() {
        assert!(conditions_update(&with(&["Approved"]), &with(&[]), true).is_empty());
        assert_eq!(
            told(conditions_update(&with(&["Approved"]), &with(&[]), false)),
            ["status.conditions: Forbidden: updates may not add a condition of type \"Approved\""]
        );
        assert_eq!(
            told(conditions_update(&with(&[]), &with(&["Denied"]), true)),
            ["status.conditions: Forbidden: updates may not remove a condition of type \"Denied\""]
        );
        assert_eq!(
            told(conditions_update(&with(&["Approved", "Denied"]), &with(&[]), true)),
            [
                "status.conditions: Invalid value: \"{conditions[{\\\"type\\\": \\\"Approved\\\"}], conditions[{\\\"type\\\": \
              \\\"Denied\\\"}]}\": must specify at most one of: `conditions[{\"type\": \"Approved\"}]`, \
              `conditions[{\"type\": \"Denied\"}]`"
            ]
        );
    }

    #[test]
    fn requests() {
        let pem = STANDARD.encode("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n");
        let request = json!({ "spec": { "request": pem, "usages": ["client auth"], "signerName": "example.com/a" } });
        assert_eq!(told(signing_request(&request)), Vec::<String>::new());
        let wrong = json!({ "spec": { "request": "x", "usages": ["nosuch"], "signerName": "a" } });
        assert_eq!(signing_request(&wrong).len(), 3);
    }

    #[test]
    fn certificates_are_certificates() {
        let issued = |text: &str| json!({ "status": { "certificate": STANDARD.encode(text) } });
        let pem = issued("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
        assert!(conditions_update(&pem, &json!({}), false).is_empty());
        assert_eq!(
            told(conditions_update(&issued("x"), &json!({}), false)),
            [
                "status.certificate: Invalid value: \"<certificate data>\": must contain at least one CERTIFICATE PEM block"
            ]
        );
    }
}
