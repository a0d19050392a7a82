use serde_json::{Value, json};

use super::{default_specs, flow_schema, priority_level};
use crate::status::FieldError;

fn texts(errors: Vec<FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn level(name: &str, spec: Value) -> Vec<String> {
    texts(priority_level(&json!({ "metadata": { "name": name }, "spec": spec })))
}

fn schema(name: &str, spec: Value) -> Vec<String> {
    texts(flow_schema(&json!({ "metadata": { "name": name }, "spec": spec })))
}

#[test]
fn the_default_objects_keep_the_rules_and_two_of_each_stay_as_they_are() {
    assert_eq!(default_specs("prioritylevelconfigurations").count(), 8);
    assert_eq!(default_specs("flowschemas").count(), 11);
    for (name, spec) in default_specs("prioritylevelconfigurations") {
        assert_eq!(level(name, spec.clone()), Vec::<String>::new(), "{name}");
        let mut changed = spec.clone();
        changed["limited"]["nominalConcurrencyShares"] = json!(8);
        let refused = matches!(name.as_str(), "exempt" | "catch-all");
        assert_eq!(!level(name, changed).is_empty(), refused, "{name}");
    }
    for (name, spec) in default_specs("flowschemas") {
        assert_eq!(schema(name, spec.clone()), Vec::<String>::new(), "{name}");
        let mut changed = spec.clone();
        changed["matchingPrecedence"] = json!(8765);
        let refused = matches!(name.as_str(), "exempt" | "catch-all");
        let errors = schema(name, changed);
        assert_eq!(!errors.is_empty(), refused, "{name}: {errors:?}");
    }
}

#[test]
fn a_level_is_exempt_or_has_its_limits() {
    let queue = |queues: i64, hand: i64| {
        let queuing = json!({ "queues": queues, "handSize": hand, "queueLengthLimit": 50 });
        json!({ "type": "Limited", "limited": { "limitResponse": { "type": "Queue", "queuing": queuing } } })
    };
    assert_eq!(level("a", queue(128, 6)), Vec::<String>::new());
    let field = "spec.limited.limitResponse.queuing.handSize: Invalid value";
    assert_eq!(
        level("a", queue(4, 8)),
        [format!("{field}: 8: should not be greater than queues (4)")]
    );
    let entropy = "required entropy bits of deckSize 512 and handSize 10 should not be greater than 60";
    assert_eq!(level("a", queue(512, 10)), [format!("{field}: 10: {entropy}")]);
    assert_eq!(level("a", json!({})), ["spec.type: Required value"]);
    assert_eq!(
        level("a", json!({ "type": "Limited" })),
        ["spec.limited: Required value"]
    );
    let exempt = "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'";
    assert_eq!(level("a", json!({ "type": "Exempt" })), [exempt]);
}

#[test]
fn a_schema_says_whose_requests_it_is_for() {
    let spec = |rules: Value| json!({ "priorityLevelConfiguration": { "name": "a" }, "matchingPrecedence": 1000, "rules": rules });
    let user = json!([{ "kind": "User", "user": { "name": "ann" } }]);
    let urls = |urls: Value| json!([{ "subjects": user, "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": urls }] }]);
    assert_eq!(
        schema("a", spec(urls(json!(["/healthz", "/livez/*", "/"])))),
        Vec::<String>::new()
    );
    let errors = schema("a", spec(urls(json!(["x", "/a*b"]))));
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(
        schema("a", spec(json!([{}]))),
        [
            "spec.rules[0].subjects: Required value: subjects must contain at least one value",
            "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
        ]
    );
}
