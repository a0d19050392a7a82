//! CustomResourceDefinitions are stored as `v1beta1`: what all versions have in common stands in the spec itself.

use serde_json::{Map, Value, json};

use super::{Conversion, rename};

pub(super) const CONVERSION: Conversion = Conversion {
    from_storage,
    to_storage,
};

/// What a version has in `v1`, and its name for all versions in `v1beta1`.
const SHARED: [(&str, &str); 4] = [
    ("schema", "validation"),
    ("subresources", "subresources"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

fn to_storage(mut definition: Value) -> Value {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else {
        return definition;
    };
    let mut versions = versions(spec);
    versions
        .iter_mut()
        .for_each(|version| rename_path(version, "jsonPath", "JSONPath"));
    let mut shared = Map::new();
    for (own, common) in SHARED {
        let first = versions.first().and_then(|version| version.get(own)).cloned();
        if versions.iter().any(|version| version.get(own) != first.as_ref()) {
            continue;
        }
        for version in &mut versions {
            version.remove(own);
        }
        shared.extend(first.map(|value| (common.to_owned(), value)));
    }
    let name = versions.first().and_then(|version| version.get("name")).cloned();
    shared.extend(name.map(|name| ("version".to_owned(), name)));
    spec.extend(shared);
    spec.entry("preserveUnknownFields").or_insert(json!(false));
    if let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut)
        && let Some(Value::Object(mut webhook)) = conversion.remove("webhook")
    {
        rename(&mut webhook, "clientConfig", "webhookClientConfig");
        conversion.extend(webhook);
    }
    definition
}

fn from_storage(mut definition: Value) -> Value {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else {
        return definition;
    };
    let only = spec.remove("version");
    if let Some(name) = only.filter(|_| !spec.contains_key("versions")) {
        let version = json!({ "name": name, "served": true, "storage": true });
        spec.insert("versions".to_owned(), json!([version]));
    }
    for (own, common) in SHARED {
        if let Some(value) = spec.remove(common) {
            for version in versions(spec) {
                version.entry(own).or_insert_with(|| value.clone());
            }
        }
    }
    versions(spec)
        .iter_mut()
        .for_each(|version| rename_path(version, "JSONPath", "jsonPath"));
    if spec.get("preserveUnknownFields") == Some(&json!(false)) {
        spec.remove("preserveUnknownFields");
    }
    if let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut) {
        let mut webhook = Map::new();
        for (stored, served) in [
            ("webhookClientConfig", "clientConfig"),
            ("conversionReviewVersions", "conversionReviewVersions"),
        ] {
            webhook.extend(conversion.remove(stored).map(|value| (served.to_owned(), value)));
        }
        if !webhook.is_empty() {
            conversion.insert("webhook".to_owned(), webhook.into());
        }
    }
    definition
}

fn versions(spec: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    let versions = spec.get_mut("versions").and_then(Value::as_array_mut);
    versions
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .collect()
}

fn rename_path(version: &mut Map<String, Value>, from: &str, to: &str) {
    let columns = version
        .get_mut("additionalPrinterColumns")
        .and_then(Value::as_array_mut);
    for column in columns.into_iter().flatten().filter_map(Value::as_object_mut) {
        rename(column, from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_versions_share_is_stored_once() {
        let version = |name: &str, schema: Value| {
            json!({
                "name": name,
                "schema": { "openAPIV3Schema": schema },
                "additionalPrinterColumns": [{ "name": "Size", "jsonPath": ".spec.size" }],
            })
        };
        let served = |schemas: [Value; 2]| {
            let [one, other] = schemas;
            json!({ "spec": {
                "versions": [version("v1", one), version("v2", other)],
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": { "clientConfig": { "url": "https://a" }, "conversionReviewVersions": ["v1"] },
                },
            } })
        };
        let object = json!({ "type": "object" });
        let same = served([object.clone(), object.clone()]);
        let stored = to_storage(same.clone());
        assert_eq!(
            stored,
            json!({ "spec": {
                "version": "v1",
                "versions": [{ "name": "v1" }, { "name": "v2" }],
                "validation": { "openAPIV3Schema": object },
                "additionalPrinterColumns": [{ "name": "Size", "JSONPath": ".spec.size" }],
                "preserveUnknownFields": false,
                "conversion": {
                    "strategy": "Webhook",
                    "webhookClientConfig": { "url": "https://a" },
                    "conversionReviewVersions": ["v1"],
                },
            } })
        );
        assert_eq!(from_storage(stored), same);
        let different = served([object, json!({ "type": "array" })]);
        let stored = to_storage(different.clone());
        assert_eq!(stored["spec"].get("validation"), None);
        assert_eq!(from_storage(stored), different);
        let old = json!({ "spec": { "version": "v1", "validation": { "a": 1 } } });
        let versions = json!([{ "name": "v1", "served": true, "storage": true, "schema": { "a": 1 } }]);
        assert_eq!(from_storage(old)["spec"]["versions"], versions);
    }
}
