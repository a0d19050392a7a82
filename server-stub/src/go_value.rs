//! JSON values as Go prints them.

use serde_json::Value;

/// A value as `%v` shows it: `map[a:1 b:[x y]]`.
pub(crate) fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_map).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}:{}", go_map(value)));
            format!("map[{}]", members.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as `%#v` shows it: `map[string]interface {}{"a":1}`.
pub(crate) fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", go_syntax(value)));
            format!(
                "map[string]interface {{}}{{{}}}",
                members.collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_and_lists() {
        let value = json!({ "b": [1, "x", null], "a": { "c": true } });
        assert_eq!(go_map(&value), "map[a:map[c:true] b:[1 x <nil>]]");
        assert_eq!(
            go_syntax(&json!({ "a": ["x", 1] })),
            r#"map[string]interface {}{"a":[]interface {}{"x", 1}}"#
        );
    }
}
