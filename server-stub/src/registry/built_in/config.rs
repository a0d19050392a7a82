//! ConfigMaps and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::rules::{Rules, not_supported};
use crate::registry::validation::config;
use crate::registry::validation::values::{items, put, remove, text};

pub(super) const CONFIG_MAP: Rules = Rules {
    create: |object, _| drop_empty(object),
    update: |change| drop_empty(change.new),
    validate: config::config_map,
    validate_update: config::config_map_update,
    ..Rules::PLAIN
};

pub(super) const SECRET: Rules = Rules {
    unknown_field: not_supported,
    convert: encode_string_data,
    create: |object, _| drop_empty(object),
    update: |change| {
        drop_empty(change.new);
        // The type cannot change, so it may be left out.
        if text(change.new, "/type").is_empty() {
            put(change.new, &["type"], json!(text(change.old, "/type")));
        }
    },
    warnings: |secret, _| config::secret_warnings(secret),
    validate: config::secret,
    validate_update: config::secret_update,
    ..Rules::PLAIN
};

pub(super) const SERVICE_ACCOUNT: Rules = Rules {
    create: |account, _| name_secrets(account),
    update: |change| name_secrets(change.new),
    returns_deleted_object: true,
    ..Rules::PLAIN
};

/// Of references to secrets only the names are kept.
fn name_secrets(account: &mut Value) {
    let names: Vec<Value> = items(account, "/secrets")
        .iter()
        .map(|secret| match text(secret, "/name") {
            "" => json!({}),
            name => json!({ "name": name }),
        })
        .collect();
    if !names.is_empty() {
        put(account, &["secrets"], json!(names));
    }
}

/// `stringData` is for writing only: it goes into `data`.
fn encode_string_data(secret: &mut Value) {
    let Some(Value::Object(texts)) = remove(secret, "", "stringData") else {
        return;
    };
    for (key, text) in texts {
        let encoded = STANDARD.encode(text.as_str().unwrap_or_default());
        put(secret, &["data", &key], json!(encoded));
    }
}

/// Maps without entries are not stored.
fn drop_empty(object: &mut Value) {
    for field in ["data", "binaryData"] {
        let map = object.get(field).and_then(Value::as_object);
        if map.is_none_or(|map| map.is_empty()) {
            remove(object, "", field);
        }
    }
}
