//! The difference between two parts of objects, as messages about fields that must not change show it: both are written
//! like the structs inside of kube-apiserver, with all their fields, and compared line by line.

mod pretty;
mod unified;

use serde_json::Value;

/// The difference between two values of a type such as `PodSpec`, in the unified format without headers.
pub(super) fn difference(ty: &str, old: &Value, new: &Value) -> String {
    unified::diff(&pretty::lines(ty, old), &pretty::lines(ty, new))
}

/// A value of such a type as messages show it in one line; null where there is none.
pub(super) fn shown(ty: &str, value: &Value) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    let lines = pretty::lines(ty, &flat(value));
    lines.iter().map(|line| compact(line)).collect()
}

/// Inside of kube-apiserver metadata is not a field of its own.
fn flat(value: &Value) -> Value {
    let mut flat = value.clone();
    if let Some(members) = flat.as_object_mut()
        && let Some(Value::Object(metadata)) = members.remove("metadata")
    {
        members.extend(metadata);
    }
    flat
}

/// A line without the spaces for the eye.
fn compact(line: &str) -> String {
    let line = line.trim_start();
    match line.split_once("\": ") {
        Some((name, value)) if name.starts_with('"') && !name.ends_with('\\') => format!("{name}\":{value}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_one_line() {
        let policy = json!({ "rules": [{ "succeededIndexes": "0: \": 1" }] });
        assert_eq!(
            shown("SuccessPolicy", &policy),
            r#"{"Rules":[{"SucceededIndexes":"0: \": 1","SucceededCount":null}]}"#
        );
        let template = shown(
            "PodTemplateSpec",
            &json!({ "metadata": { "labels": { "a/b": "c" } }, "spec": {} }),
        );
        assert!(
            template.starts_with(r#"{"labels":{"a/b":"c"},"Spec":{"Volumes":null,"#),
            "{template}"
        );
        assert_eq!(shown("PodSpec", &Value::Null), "null");
    }

    #[test]
    fn of_a_pod() {
        let old = json!({
            "containers": [{ "name": "app", "image": "i", "resources": { "requests": { "cpu": "1" } } }],
            "serviceAccountName": "", "nodeSelector": { "x": "y" }, "hostNetwork": true,
        });
        let mut new = old.clone();
        new["containers"][0]["command"] = json!(["<x>"]);
        new["nodeSelector"] = Value::Null;
        assert_eq!(
            difference("PodSpec", &old, &new),
            "@@ -5,7 +5,9 @@\n   {\n    \"Name\": \"app\",\n    \"Image\": \"i\",\n-   \"Command\": null,\n\
             +   \"Command\": [\n+    \"\\u003cx\\u003e\"\n+   ],\n    \"Args\": null,\n    \"WorkingDir\": \"\",\n    \
             \"Ports\": null,\n@@ -41,9 +43,7 @@\n  \"TerminationGracePeriodSeconds\": null,\n  \
             \"ActiveDeadlineSeconds\": null,\n  \"DNSPolicy\": \"\",\n- \"NodeSelector\": {\n-  \"x\": \"y\"\n- },\n\
             + \"NodeSelector\": null,\n  \"ServiceAccountName\": \"\",\n  \"DeprecatedServiceAccount\": \"\",\n  \
             \"AutomountServiceAccountToken\": null,\n"
        );
    }
}
