use super::*;
use proptest::prelude::*;
use serde_json::json;

#[derive(Clone, Copy)]
struct PodLike;

impl MergeSchema for PodLike {
    fn field(self, name: &str) -> MergeField<Self> {
        let key = match name {
            "containers" => Some("name"),
            "ports" => Some("port"),
            _ => None,
        };
        let merge = key.is_some() || name == "finalizers";
        MergeField {
            replace: name == "whole",
            merge,
            merge_key: key,
            inner: Some(self),
            is_known: true,
        }
    }

    fn name(self) -> &'static str {
        "PodLike"
    }
}

fn apply(original: Value, patch: Value) -> Result<Value, StrategicError> {
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        panic!("objects")
    };
    merge(original, patch, Some(PodLike)).map(Value::Object)
}

#[test]
fn elements_are_merged_by_key_and_new_ones_come_first() {
    let original = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b"}], "args": [1]});
    let patch = json!({"containers": [{"name": "b", "image": "2"}, {"name": "c"}], "args": [2]});
    let expected =
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c"}], "args": [2]});
    assert_eq!(apply(original, patch).unwrap(), expected);
    let one = apply(
        json!({"containers": [{"name": "a"}]}),
        json!({"containers": [{"name": "new"}]}),
    )
    .unwrap();
    assert_eq!(one, json!({"containers": [{"name": "new"}, {"name": "a"}]}));
}

#[test]
fn directives_in_maps() {
    let original = json!({"m": {"a": 1, "b": 2}, "whole": {"a": 1}});
    let replaced = apply(
        original.clone(),
        json!({"m": {"$patch": "replace", "c": 3}, "whole": {"b": 2}}),
    );
    assert_eq!(replaced.unwrap(), json!({"m": {"c": 3}, "whole": {"b": 2}}));
    assert_eq!(
        apply(original.clone(), json!({"m": {"$patch": "delete"}})).unwrap()["m"],
        json!({})
    );
    assert_eq!(
        apply(original.clone(), json!({"m": {"$retainKeys": ["b", "c"], "c": 1}})).unwrap()["m"],
        json!({"b": 2, "c": 1})
    );
    assert_eq!(
        apply(original.clone(), json!({"m": {"$retainKeys": ["b"], "c": 1}})),
        Err(StrategicError::BadRetainKeys)
    );
    assert!(apply(original, json!({"m": {"$patch": "explode"}})).is_err());
}

#[test]
fn directives_in_lists() {
    let original = json!({"containers": [{"name": "a"}, {"name": "b"}], "finalizers": ["x", "y"]});
    let patch = |patch| apply(original.clone(), patch);
    let deleted = patch(json!({"containers": [{"$patch": "delete", "name": "a"}]})).unwrap();
    assert_eq!(deleted["containers"], json!([{"name": "b"}]));
    let replaced = patch(json!({"containers": [{"$patch": "replace"}, {"name": "c"}]})).unwrap();
    assert_eq!(replaced["containers"], json!([{"name": "c"}]));
    let removed = patch(json!({"$deleteFromPrimitiveList/finalizers": ["x"]})).unwrap();
    assert_eq!(removed["finalizers"], json!(["y"]));
    assert_eq!(
        patch(json!({"finalizers": ["z"]})).unwrap()["finalizers"],
        json!(["z", "x", "y"])
    );
    let ordered = patch(json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})).unwrap();
    assert_eq!(ordered["containers"], json!([{"name": "b"}, {"name": "a"}]));
    let refused = |change| patch(change).unwrap_err().to_string();
    assert_eq!(
        refused(json!({"containers": [{"image": "no key"}]})),
        "map: map[image:no key] does not contain declared merge key: name"
    );
    assert_eq!(
        refused(json!({"containers": ["a"]})),
        "list element types are not identical: [[map[name:a] map[name:b]] [a]]"
    );
    assert_eq!(
        refused(json!({"$setElementOrder/containers": "a"})),
        "expected a []interface {}, but received a string"
    );
}

#[test]
fn what_has_a_directive_is_left_out_where_there_is_nothing_to_merge_with() {
    let merged = apply(
        json!({}),
        json!({"m": {"$patch": "nosuch", "a": 1}, "n": [{"$patch": 1}, {"b": 2}]}),
    );
    assert_eq!(merged.unwrap(), json!({"n": [{"b": 2}]}));
}

#[test]
fn order_list_must_cover_the_patch() {
    let patch = json!({"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]});
    assert!(matches!(
        apply(json!({"containers": []}), patch),
        Err(StrategicError::OrderMismatch(..))
    ));
}

#[test]
fn nulls_delete_and_are_not_stored() {
    let merged = apply(json!({"a": 1}), json!({"a": null, "b": null, "c": {"d": null, "e": 1}})).unwrap();
    assert_eq!(merged, json!({"c": {"e": 1}}));
}

fn containers() -> impl Strategy<Value = Vec<Value>> {
    let element = ("[a-e]", proptest::option::of("[0-9]"))
        .prop_map(|(name, image)| image.map_or(json!({"name": name}), |i| json!({"name": name, "image": i})));
    proptest::collection::vec(element, 0..5).prop_map(|mut items| {
        let mut seen = std::collections::HashSet::new();
        items.retain(|item| seen.insert(item["name"].as_str().unwrap_or_default().to_owned()));
        items
    })
}

proptest! {
    #[test]
    fn applying_twice_changes_nothing_more(a in containers(), b in containers()) {
        let patch = json!({"containers": b});
        let once = apply(json!({"containers": a}), patch.clone()).unwrap();
        prop_assert_eq!(apply(once.clone(), patch).unwrap(), once);
    }

    #[test]
    fn an_empty_patch_changes_nothing(a in containers()) {
        let original = json!({"containers": a, "other": {"x": 1}});
        prop_assert_eq!(apply(original.clone(), json!({})).unwrap(), original);
    }

    #[test]
    fn no_element_is_lost_or_doubled(a in containers(), b in containers()) {
        let merged = apply(json!({"containers": a.clone()}), json!({"containers": b.clone()})).unwrap();
        let names = |items: &[Value]| items.iter().map(|i| i["name"].to_string()).collect::<Vec<_>>();
        let mut expected: Vec<String> = names(&a).into_iter().chain(names(&b)).collect();
        expected.sort();
        expected.dedup();
        let mut got = names(merged["containers"].as_array().unwrap());
        got.sort();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn elements_keep_the_order_of_the_order_list(a in containers()) {
        let mut order: Vec<Value> = a.iter().map(|item| json!({"name": item["name"]})).collect();
        order.reverse();
        let patch = json!({"$setElementOrder/containers": order});
        let merged = apply(json!({"containers": a.clone()}), patch).unwrap();
        let reversed: Vec<Value> = a.into_iter().rev().collect();
        prop_assert_eq!(&merged["containers"], &json!(reversed));
    }
}
