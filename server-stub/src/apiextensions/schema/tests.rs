use proptest::prelude::*;
use serde_json::json;

use super::*;

fn schema(properties: Value) -> Schema {
    let mut schema = Schema::parse(&json!({ "type": "object", "properties": properties }));
    schema.embedded_resource = true;
    schema
}

fn errors(properties: Value, object: &Value) -> Vec<String> {
    let errors = schema(properties).validate(object, None, "");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_declared_goes() {
    let schema = schema(json!({
        "spec": { "type": "object", "properties": {
            "a": { "type": "integer" },
            "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "properties": { "known": { "type": "object", "properties": {} } } },
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "rows": { "type": "array", "items": { "type": "object", "properties": { "k": { "type": "string" } } } },
            "inner": { "type": "object", "x-kubernetes-embedded-resource": true, "properties": {} },
        } },
    }));
    let mut object = json!({
        "apiVersion": "v1", "kind": "K", "metadata": { "name": "n", "bogus": 1 }, "extra": 1,
        "spec": {
            "a": 1, "b": 2, "free": { "x": { "y": 1 }, "known": { "z": 1 } }, "labels": { "l": "v" },
            "rows": [{ "k": "1", "l": 2 }], "inner": { "apiVersion": "v1", "kind": "X", "metadata": {}, "spec": 1 },
        },
    });
    assert_eq!(
        schema.prune(&mut object),
        [
            "extra",
            "spec.b",
            "spec.free.known.z",
            "spec.inner.spec",
            "spec.rows[0].l"
        ]
    );
    assert_eq!(
        object,
        json!({
            "apiVersion": "v1", "kind": "K", "metadata": { "name": "n", "bogus": 1 },
            "spec": {
                "a": 1, "free": { "x": { "y": 1 }, "known": {} }, "labels": { "l": "v" },
                "rows": [{ "k": "1" }], "inner": { "apiVersion": "v1", "kind": "X", "metadata": {} },
            },
        })
    );
}

#[test]
fn defaults_fill_gaps_and_stand_for_nulls() {
    let schema = schema(json!({
        "spec": { "type": "object", "default": {}, "properties": {
            "a": { "type": "string", "default": "x" },
            "n": { "type": "string", "default": "x", "nullable": true },
            "gone": { "type": "string" },
            "rows": { "type": "array", "items": { "type": "object", "properties": { "v": { "type": "integer", "default": 3 } } } },
        } },
    }));
    let mut object = json!({});
    schema.apply_defaults(&mut object);
    assert_eq!(object, json!({ "spec": { "a": "x", "n": "x" } }));
    let mut object = json!({ "spec": { "a": null, "n": null, "gone": null, "rows": [{}] } });
    schema.drop_nulls(&mut object);
    schema.apply_defaults(&mut object);
    assert_eq!(object, json!({ "spec": { "a": "x", "n": null, "rows": [{ "v": 3 }] } }));
}

#[test]
fn broken_rules() {
    for (rules, value, message) in [
        (
            json!({ "type": "integer" }),
            json!("x"),
            "f: Invalid value: \"string\": f in body must be of type integer: \"string\"",
        ),
        (
            json!({ "type": "integer" }),
            json!(1.5),
            "f: Invalid value: \"number\": f in body must be of type integer: \"number\"",
        ),
        (
            json!({ "type": "string" }),
            json!(null),
            "f: Invalid value: \"null\": f in body must be of type string: \"null\"",
        ),
        (
            json!({ "type": "integer", "minimum": 1 }),
            json!(0),
            "f: Invalid value: 0: f in body should be greater than or equal to 1",
        ),
        (
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true }),
            json!(1),
            "f: Invalid value: 1: f in body should be greater than 1",
        ),
        (
            json!({ "type": "integer", "maximum": 1 }),
            json!(2),
            "f: Invalid value: 2: f in body should be less than or equal to 1",
        ),
        (
            json!({ "type": "integer", "multipleOf": 2 }),
            json!(3),
            "f: Invalid value: 3: f in body should be a multiple of 2",
        ),
        (
            json!({ "type": "string", "pattern": "^a" }),
            json!("b"),
            "f: Invalid value: \"b\": f in body should match '^a'",
        ),
        (
            json!({ "type": "string", "minLength": 2 }),
            json!("b"),
            "f: Invalid value: \"b\": f in body should be at least 2 chars long",
        ),
        (
            json!({ "type": "string", "maxLength": 1 }),
            json!("bb"),
            "f: Too long: may not be more than 1 byte",
        ),
        (
            json!({ "type": "string", "enum": ["a", "b"] }),
            json!("c"),
            "f: Unsupported value: \"c\": supported values: \"a\", \"b\"",
        ),
        (
            json!({ "type": "array", "minItems": 1 }),
            json!([]),
            "f: Invalid value: 0: f in body should have at least 1 items",
        ),
        (
            json!({ "type": "array", "maxItems": 1 }),
            json!([1, 2]),
            "f: Too many: 2: must have at most 1 item",
        ),
        (
            json!({ "type": "object", "minProperties": 1 }),
            json!({}),
            "f: Invalid value: 0: f in body should have at least 1 properties",
        ),
        (
            json!({ "type": "object", "required": ["x"] }),
            json!({}),
            "f.x: Required value",
        ),
        (
            json!({ "x-kubernetes-int-or-string": true }),
            json!(true),
            "f: Invalid value: \"boolean\": f in body must be of type integer,string: \"boolean\"",
        ),
        (
            json!({ "type": "array", "items": { "type": "string" } }),
            json!(["a", 1]),
            "f[1]: Invalid value: \"integer\": f[1] in body must be of type string: \"integer\"",
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "a": 1 }),
            "f.a: Invalid value: \"integer\": f.a in body must be of type string: \"integer\"",
        ),
        (
            json!({ "type": "object", "not": { "required": ["a"] } }),
            json!({ "a": 1 }),
            "<nil>: Invalid value: \"\": \"f\" must not validate the schema (not)",
        ),
    ] {
        assert_eq!(
            errors(json!({ "f": rules }), &json!({ "f": value })),
            [message],
            "{rules}"
        );
    }
}

#[test]
fn combined_schemas() {
    let one = json!({ "f": { "type": "object", "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] } });
    let found = errors(one.clone(), &json!({ "f": { "a": 1, "b": 1 } }));
    assert_eq!(
        found,
        ["<nil>: Invalid value: \"\": \"f\" must validate one and only one schema (oneOf). Found 2 valid alternatives"]
    );
    assert_eq!(errors(one, &json!({ "f": { "a": 1 } })), Vec::<String>::new());
    let any = json!({ "f": { "type": "object", "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] } });
    assert_eq!(
        errors(any, &json!({ "f": {} })),
        [
            "<nil>: Invalid value: \"\": \"f\" must validate at least one schema (anyOf)",
            "f.a: Required value"
        ]
    );
}

#[test]
fn what_was_wrong_before_may_stay() {
    let schema = schema(json!({ "f": { "type": "integer", "minimum": 1 }, "g": { "type": "integer" } }));
    let old = json!({ "f": 0, "g": 1 });
    assert!(schema.validate(&json!({ "f": 0, "g": 2 }), Some(&old), "").is_empty());
    assert_eq!(schema.validate(&json!({ "f": -1, "g": 1 }), Some(&old), "").len(), 1);
}

#[test]
fn elements_that_occur_twice() {
    let schema = schema(json!({
        "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
        "map": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": { "type": "object", "properties": { "k": { "type": "string" } } } },
    }));
    let object = json!({ "set": ["a", "b", "a", "a"], "map": [{ "k": "x" }, { "k": "x", "v": 1 }] });
    let errors: Vec<String> = schema
        .repeated_elements(&object)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        errors,
        [
            "map[1]: Duplicate value: {\"k\":\"x\"}",
            "set[2]: Duplicate value: \"a\""
        ]
    );
}

fn structural(schema: &Value) -> Vec<String> {
    structural_errors(schema, "s").iter().map(ToString::to_string).collect()
}

#[test]
fn schemas_must_be_structural() {
    let field = |schema: Value| json!({ "type": "object", "properties": { "f": schema } });
    for (schema, message) in [
        (json!({}), "s.type: Required value: must not be empty at the root"),
        (
            json!({ "type": "string" }),
            "s.type: Invalid value: \"string\": must be object at the root",
        ),
        (
            field(json!({})),
            "s.properties[f].type: Required value: must not be empty for specified object fields",
        ),
        (
            field(json!({ "type": "array" })),
            "s.properties[f].items: Required value: must be specified",
        ),
        (
            field(json!({ "type": "object", "properties": {}, "anyOf": [{ "type": "string" }] })),
            "s.properties[f].anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            field(json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true })),
            "s.properties[f].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            field(json!({ "type": "integer", "default": "x" })),
            "s.properties[f].default: Invalid value: \"string\":  in body must be of type integer: \"string\"",
        ),
        (
            json!({ "type": "object", "properties": { "metadata": { "type": "object", "properties": { "labels": { "type": "object" } } } } }),
            "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
        ),
    ] {
        assert_eq!(structural(&schema), [message]);
    }
    let quantity =
        json!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    assert_eq!(structural(&field(quantity)), Vec::<String>::new());
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pruning_and_defaulting_twice_changes_nothing_more(object in tree(), names in proptest::collection::vec("[a-d]", 0..3)) {
        let property = json!({ "type": "object", "default": { "a": 1 }, "properties": { "a": { "type": "integer", "default": 2 } } });
        let properties: serde_json::Map<_, _> = names.into_iter().map(|name| (name, property.clone())).collect();
        let schema = schema(properties.into());
        let mut once = object;
        schema.prune(&mut once);
        schema.apply_defaults(&mut once);
        let mut twice = once.clone();
        prop_assert_eq!(schema.prune(&mut twice), Vec::<String>::new());
        schema.apply_defaults(&mut twice);
        prop_assert_eq!(twice, once);
    }
}
