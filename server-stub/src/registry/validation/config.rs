//! The rules for ConfigMaps and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubewire_client::validation::config_map_key;
use serde_json::{Value, json};

use super::values::{broken, entries, flag, get, immutable, text};
use crate::status::FieldError;

/// The most bytes of all values together.
const MAX_SIZE: usize = 1024 * 1024;

/// The rules for a ConfigMap.
pub(in crate::registry) fn config_map(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in entries(object, "/data") {
        let field = format!("data[{key}]");
        errors.extend(broken(&field, key, config_map_key(key)));
        if object.pointer("/binaryData").and_then(|data| data.get(key)).is_some() {
            let detail = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid(field, json!(key), detail));
        }
        size += value.as_str().unwrap_or_default().len();
    }
    for (key, value) in entries(object, "/binaryData") {
        errors.extend(broken(&format!("binaryData[{key}]"), key, config_map_key(key)));
        size += decoded_len(value);
    }
    if size > MAX_SIZE {
        // Upstream has no path here.
        errors.push(FieldError::too_long("[]", MAX_SIZE));
    }
    errors
}

/// The rules for a change of a ConfigMap.
pub(in crate::registry) fn config_map_update(new: &Value, old: &Value) -> Vec<FieldError> {
    unchanged(new, old, &["data", "binaryData"])
}

/// The rules for a secret.
pub(in crate::registry) fn secret(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in entries(object, "/data") {
        errors.extend(broken(&format!("data[{key}]"), key, config_map_key(key)));
        size += decoded_len(value);
    }
    if size > MAX_SIZE {
        errors.push(FieldError::too_long("data", MAX_SIZE));
    }
    let missing = |key: &str| {
        let absent = get(object, "/data").get(key).is_none();
        absent.then(|| FieldError::required(format!("data[{key}]"), ""))
    };
    match text(object, "/type") {
        "kubernetes.io/service-account-token" => {
            let name = get(object, "/metadata/annotations").get("kubernetes.io/service-account.name");
            if name.and_then(Value::as_str).unwrap_or_default().is_empty() {
                let field = "metadata.annotations[kubernetes.io/service-account.name]";
                errors.push(FieldError::required(field, ""));
            }
        }
        "kubernetes.io/dockercfg" => errors.extend(json_entry(object, ".dockercfg", missing(".dockercfg"))),
        "kubernetes.io/dockerconfigjson" => {
            errors.extend(json_entry(object, ".dockerconfigjson", missing(".dockerconfigjson")));
        }
        "kubernetes.io/basic-auth" => {
            let (username, password) = (missing("username"), missing("password"));
            if username.is_some() && password.is_some() {
                errors.extend(username);
                errors.extend(password);
            }
        }
        "kubernetes.io/ssh-auth" => {
            let field = "data[ssh-privatekey]";
            if get(object, "/data")
                .get("ssh-privatekey")
                .is_none_or(|value| decoded_len(value) == 0)
            {
                errors.push(FieldError::required(field, ""));
            }
        }
        "kubernetes.io/tls" => errors.extend(["tls.crt", "tls.key"].into_iter().filter_map(missing)),
        _ => {}
    }
    errors
}

/// Warnings about a secret: a certificate and its key that are none are kept all the same.
pub(in crate::registry) fn secret_warnings(object: &Value) -> Vec<String> {
    if text(object, "/type") != "kubernetes.io/tls" {
        return Vec::new();
    }
    let data = |key: &str| {
        let encoded = get(object, "/data")
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default();
        STANDARD.decode(encoded).unwrap_or_default()
    };
    let has_pem = |key: &str| data(key).windows(11).any(|part| part == b"-----BEGIN ");
    let missing = [("tls.crt", "certificate"), ("tls.key", "key")]
        .into_iter()
        .find(|(key, _)| !has_pem(key));
    let warning = missing.map(|(_, what)| format!("tls: failed to find any PEM data in {what} input"));
    warning.into_iter().collect()
}

/// The rules for a change of a secret.
pub(in crate::registry) fn secret_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = immutable(new, old, "/type").into_iter().collect();
    errors.extend(unchanged(new, old, &["data"]));
    errors
}

/// What must stay as it is once `immutable` is set.
fn unchanged(new: &Value, old: &Value, fields: &[&str]) -> Vec<FieldError> {
    if !flag(old, "/immutable") {
        return Vec::new();
    }
    let detail = "field is immutable when `immutable` is set";
    let unset = (!flag(new, "/immutable")).then(|| FieldError::forbidden("immutable", detail));
    let changed = fields.iter().filter(|field| new.get(**field) != old.get(**field));
    let changed = changed.map(|field| FieldError::forbidden(*field, detail));
    unset.into_iter().chain(changed).collect()
}

fn json_entry(object: &Value, key: &str, missing: Option<FieldError>) -> Option<FieldError> {
    if missing.is_some() {
        return missing;
    }
    let encoded = get(object, "/data")
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = STANDARD.decode(encoded).unwrap_or_default();
    let error = serde_json::from_slice::<serde_json::Map<String, Value>>(&text).err()?;
    let field = format!("data[{key}]");
    Some(FieldError::invalid(
        field,
        json!("<secret contents redacted>"),
        in_go_words(&error, &text),
    ))
}

/// What Go says about a text that is not the JSON of an object.
fn in_go_words(error: &serde_json::Error, text: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let first = text
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .unwrap_or_default();
    let rest = text.get(first..).unwrap_or_default();
    match rest {
        [b'-', next, ..] if !next.is_ascii_digit() => {
            format!("invalid character {:?} in numeric literal", char::from(*next))
        }
        [start, ..] if !b"{[\"-0123456789tfn".contains(start) => {
            format!(
                "invalid character {:?} looking for beginning of value",
                char::from(*start)
            )
        }
        _ => error.to_string(),
    }
}

fn decoded_len(value: &Value) -> usize {
    let encoded = value.as_str().unwrap_or_default();
    encoded.trim_end_matches('=').len() * 3 / 4
}
