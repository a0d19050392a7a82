//! How messages show patches and what became of them.

use kubewire_client::wire::schema::{Container, MessageSchema};
use kubewire_client::wire::transcode::{self, FieldProblem, JsonDocument};
use serde_json::Value;

/// The patched object as text: the members of what a patch has touched are sorted, the rest is as it was before.
pub(super) fn patched_text(patched: &Value, current: &Value, message: Option<&'static MessageSchema>) -> String {
    let members = match patched {
        Value::Object(members) if patched != current => members,
        untouched => return ordered_text(untouched, message),
    };
    let member = |(name, value): (&String, &Value)| {
        let field = message.and_then(|message| message.field(name));
        let inner = field
            .filter(|field| field.container != Container::Map)
            .and_then(|field| field.message());
        let before = current.get(name).unwrap_or(&Value::Null);
        format!("{}:{}", Value::from(name.as_str()), patched_text(value, before, inner))
    };
    let members: Vec<String> = members.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn ordered_text(value: &Value, message: Option<&'static MessageSchema>) -> String {
    match (value, message) {
        (Value::Object(_), Some(message)) => {
            let mut text = Vec::new();
            transcode::write_json(message, value, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        (Value::Array(elements), Some(_)) => {
            let elements: Vec<String> = elements.iter().map(|element| ordered_text(element, message)).collect();
            format!("[{}]", elements.join(","))
        }
        _ => value.to_string(),
    }
}

/// The members of JSON patch operations that have no meaning or stand twice, in the words of a warning.
pub(super) fn odd_operations(patch: &[u8]) -> Vec<String> {
    let Ok(document) = JsonDocument::parse(patch) else {
        return Vec::new();
    };
    let (value, repeated) = document.untyped();
    let operations = value.as_array().into_iter().flatten().enumerate();
    let unknown = operations.flat_map(|(index, operation)| {
        let members = operation.as_object().into_iter().flat_map(|members| members.keys());
        let unknown = members.filter(|name| !super::json::is_member(name));
        unknown.map(move |name| (index, format!("unknown field \"[{index}].{name}\"")))
    });
    let repeated = repeated
        .iter()
        .map(ToString::to_string)
        .map(|text| (operation_of(&text), text));
    let mut odd: Vec<(usize, String)> = unknown.chain(repeated).collect();
    odd.sort_by_key(|(index, _)| *index);
    odd.into_iter().map(|(_, text)| format!("json patch {text}")).collect()
}

/// Which operation `duplicate field "[3].op"` is about.
fn operation_of(text: &str) -> usize {
    let index = text.split(['[', ']']).nth(1).and_then(|index| index.parse().ok());
    index.unwrap_or_default()
}

/// The members that stand twice in the text of a patch for such objects, in the words of a warning.
pub(super) fn repeated_members(patch: &[u8], message: Option<&MessageSchema>) -> Vec<String> {
    let document = JsonDocument::parse(patch);
    let problems = match message {
        Some(message) => document.and_then(|document| Ok(document.typed(message)?.1)),
        None => document.map(|document| document.untyped().1),
    };
    let problems = problems.unwrap_or_default();
    let repeated = problems
        .iter()
        .filter(|problem| matches!(problem, FieldProblem::Duplicate { .. }));
    repeated.map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_touched_keeps_its_order() {
        let current = json!({ "kind": "ConfigMap", "metadata": { "name": "a", "creationTimestamp": null, "uid": "u" }, "data": { "k": "v" } });
        let mut patched = current.clone();
        patched["bogus"] = json!(1);
        let message = kubewire_client::wire::schema::message("core.v1.ConfigMap");
        assert_eq!(
            patched_text(&patched, &current, message),
            r#"{"bogus":1,"data":{"k":"v"},"kind":"ConfigMap","metadata":{"name":"a","uid":"u"}}"#
        );
    }

    #[test]
    fn lists_that_were_not_touched_keep_the_order_of_their_elements() {
        let owner = json!({ "kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "u" });
        let current = json!({ "metadata": { "name": "a", "ownerReferences": [owner] } });
        let mut patched = current.clone();
        patched["metadata"]["name"] = json!(5);
        let message = kubewire_client::wire::schema::message("core.v1.ConfigMap");
        assert_eq!(
            patched_text(&patched, &current, message),
            r#"{"metadata":{"name":5,"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u"}]}}"#
        );
    }

    #[test]
    fn odd_operations_are_named_by_their_place() {
        let patch = br#"[{"op":"test","zz":1,"op":"add"},{"Op":"x"}]"#;
        assert_eq!(
            odd_operations(patch),
            [
                "json patch unknown field \"[0].zz\"",
                "json patch duplicate field \"[0].op\"",
                "json patch unknown field \"[1].Op\""
            ]
        );
    }

    #[test]
    fn repeated() {
        let message = kubewire_client::wire::schema::message("core.v1.ConfigMap");
        let repeated = repeated_members(br#"{"data":{"b":"1","b":"2"}}"#, message);
        assert_eq!(repeated, ["duplicate field \"data.b\""]);
        assert_eq!(
            repeated_members(br#"{"data":{"b":"1"},"bogus":1}"#, message),
            Vec::<String>::new()
        );
    }
}
