//! The difference between two parts of objects, as messages about fields that must not change show it: both are written
//! like the structs inside of kube-apiserver, with all their fields, and compared line by line.

mod pretty;
mod unified;

use serde_json::Value;

/// The difference between two values of a type such as `PodSpec`, in the unified format without headers.
pub(super) fn difference(ty: &str, old: &Value, new: &Value) -> String {
    unified::diff(&pretty::lines(ty, old), &pretty::lines(ty, new))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
