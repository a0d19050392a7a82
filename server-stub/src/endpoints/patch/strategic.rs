//! Strategic merge patch: a merge patch that knows lists by their keys (`k8s.io/apimachinery/pkg/util/strategicpatch`).
//!
//! Directives: `$patch: replace|delete` in a map or list element, `$retainKeys`, `$setElementOrder/<list>` and
//! `$deleteFromPrimitiveList/<list>`.

use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// What the patch needs to know about the fields of an object.
pub(crate) trait MergeSchema: Copy {
    /// The rules of one field; the default for fields that are not known.
    fn field(self, name: &str) -> MergeField<Self>;
}

/// The patch rules of one field.
pub(crate) struct MergeField<S> {
    /// The field is replaced as a whole although it is a map.
    pub(crate) replace: bool,
    /// The list is merged element by element.
    pub(crate) merge: bool,
    /// The key that tells the elements of a merged list of maps apart.
    pub(crate) merge_key: Option<&'static str>,
    /// The rules inside the field.
    pub(crate) inner: Option<S>,
}

impl<S> Default for MergeField<S> {
    fn default() -> Self {
        Self {
            replace: false,
            merge: false,
            merge_key: None,
            inner: None,
        }
    }
}

/// A patch that contradicts itself or the schema.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub(crate) enum StrategicError {
    #[error("unknown patch type found: {0}")]
    UnknownDirective(String),
    #[error("map: {0} does not contain declared merge key: {1}")]
    NoMergeKey(String, &'static str),
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    #[error("cannot merge lists without merge key")]
    NoKeyDeclared,
    #[error("invalid patch format of primitive list: {0}")]
    BadList(String),
    #[error("the order in patch list:\n{0}\n doesn't match $setElementOrder list:\n{1}\n")]
    OrderMismatch(String, String),
    #[error("a retainKeys directive must list all the fields that are present in the patch")]
    BadRetainKeys,
}

/// Applies `patch` to `original`.
pub(crate) fn merge<S: MergeSchema>(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    schema: Option<S>,
) -> Result<Map<String, Value>, StrategicError> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(StrategicError::UnknownDirective(directive.to_string())),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    merge_ordered_lists(&mut original, &mut patch, schema)?;
    for (key, value) in patch {
        let (key, deletes_elements) = match key.strip_prefix(DELETE_FROM_LIST) {
            Some(list) => (list.to_owned(), true),
            None => (key, false),
        };
        if value.is_null() {
            original.remove(&key);
            continue;
        }
        let Some(current) = original.remove(&key) else {
            if !deletes_elements && let Some(value) = strip(value) {
                original.insert(key, value);
            }
            continue;
        };
        let field = rules(schema, &key);
        let merged = match (current, value) {
            (Value::Object(current), Value::Object(value)) if !field.replace => {
                Value::Object(merge(current, value, field.inner)?)
            }
            (Value::Array(current), Value::Array(value)) => merge_list(current, value, &field, deletes_elements)?,
            (current, _) if deletes_elements => current,
            (_, value) => strip(value).unwrap_or_else(|| Value::Object(Map::new())),
        };
        original.insert(key, merged);
    }
    Ok(original)
}

fn rules<S: MergeSchema>(schema: Option<S>, name: &str) -> MergeField<S> {
    schema.map(|schema| schema.field(name)).unwrap_or_default()
}

/// `$retainKeys`: fields of the original that are not listed go.
fn retain_keys(original: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), StrategicError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let keys = keys
        .as_array()
        .ok_or_else(|| StrategicError::BadList(keys.to_string()))?;
    let listed = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    if patch
        .iter()
        .any(|(name, value)| !value.is_null() && !name.starts_with('$') && !listed(name))
    {
        return Err(StrategicError::BadRetainKeys);
    }
    original.retain(|name, _| listed(name));
    Ok(())
}

/// Merges each list that comes with a `$setElementOrder` and puts its elements into that order.
fn merge_ordered_lists<S: MergeSchema>(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    schema: Option<S>,
) -> Result<(), StrategicError> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ELEMENT_ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let name = directive.strip_prefix(ELEMENT_ORDER).unwrap_or_default();
        let order = list(patch.remove(&directive).unwrap_or_default())?;
        let field = rules(schema, name);
        let current = original.remove(name).map(list).transpose()?;
        let change = match patch.get(name) {
            Some(Value::Array(_)) => patch.remove(name).map(list).transpose()?,
            _ => None,
        };
        check_order(change.as_deref().unwrap_or_default(), &order, field.merge_key)?;
        let server_order = current.clone().unwrap_or_default();
        let merged = match (current, change) {
            (None, None) => continue,
            (Some(current), None) => current,
            (None, Some(change)) => change.into_iter().filter_map(strip).collect(),
            (Some(current), Some(change)) => list(merge_list(current, change, &field, false)?)?,
        };
        let merged = arrange(merged, &order, &server_order, field.merge_key);
        original.insert(name.to_owned(), Value::Array(merged));
    }
    Ok(())
}

fn list(value: Value) -> Result<Vec<Value>, StrategicError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(StrategicError::BadList(other.to_string())),
    }
}

/// The elements of a patch list must all be in the order list, in the same order.
fn check_order(change: &[Value], order: &[Value], key: Option<&'static str>) -> Result<(), StrategicError> {
    let mut rest = order.iter();
    for item in change.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        if !rest.any(|other| same(item, other, key)) {
            let show = |items: &[Value]| Value::Array(items.to_vec()).to_string();
            return Err(StrategicError::OrderMismatch(show(change), show(order)));
        }
    }
    Ok(())
}

fn merge_list<S: MergeSchema>(
    mut current: Vec<Value>,
    change: Vec<Value>,
    field: &MergeField<S>,
    deletes_elements: bool,
) -> Result<Value, StrategicError> {
    if deletes_elements {
        current.retain(|item| !change.contains(item));
        return Ok(Value::Array(current));
    }
    if !field.merge {
        return Ok(Value::Array(change.into_iter().filter_map(strip).collect()));
    }
    let server_order = current.clone();
    if change.iter().chain(&current).all(|item| !item.is_object()) {
        let mut merged: Vec<Value> = Vec::with_capacity(current.len() + change.len());
        for item in current.into_iter().chain(change.iter().cloned()) {
            if !merged.contains(&item) {
                merged.push(item);
            }
        }
        return Ok(Value::Array(arrange(merged, &change, &server_order, None)));
    }
    let key = field.merge_key.ok_or(StrategicError::NoKeyDeclared)?;
    let (change, replace) = apply_element_directives(&mut current, change, key)?;
    if replace {
        return Ok(Value::Array(change));
    }
    for item in &change {
        let Value::Object(element) = item else {
            return Err(StrategicError::BadList(item.to_string()));
        };
        if !element.contains_key(key) {
            return Err(StrategicError::NoMergeKey(item.to_string(), key));
        }
        match current.iter_mut().find(|other| same(other, item, Some(key))) {
            Some(Value::Object(found)) => *found = merge(std::mem::take(found), element.clone(), field.inner)?,
            Some(other) => return Err(StrategicError::BadList(other.to_string())),
            None => current.extend(strip(item.clone())),
        }
    }
    Ok(Value::Array(arrange(current, &change, &server_order, Some(key))))
}

/// Handles `$patch` inside the elements of a list. Returns the ordinary elements, and whether they are the new list.
fn apply_element_directives(
    current: &mut Vec<Value>,
    change: Vec<Value>,
    key: &'static str,
) -> Result<(Vec<Value>, bool), StrategicError> {
    let (mut ordinary, mut replace) = (Vec::with_capacity(change.len()), false);
    for item in change {
        match item
            .get(DIRECTIVE)
            .map(|directive| directive.as_str().unwrap_or_default().to_owned())
            .as_deref()
        {
            None => ordinary.push(item),
            Some("delete") => {
                let wanted = item
                    .get(key)
                    .ok_or_else(|| StrategicError::NoMergeKey(item.to_string(), key))?;
                current.retain(|other| other.get(key) != Some(wanted));
            }
            Some("replace") => replace = true,
            Some("merge") => return Err(StrategicError::MergeDirectiveInList),
            Some(other) => return Err(StrategicError::UnknownDirective(other.to_owned())),
        }
    }
    Ok((ordinary, replace))
}

/// Puts the elements named by the patch into the patch's order and the others where the server has them.
/// Where the server does not know how an element of the patch relates to its own, the patch's comes first.
fn arrange(merged: Vec<Value>, order: &[Value], server_order: &[Value], key: Option<&'static str>) -> Vec<Value> {
    let position = |item: &Value, list: &[Value]| list.iter().position(|other| same(item, other, key));
    let (mut patched, mut server_only): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| position(item, order).is_some());
    patched.sort_by_key(|item| position(item, order));
    server_only.sort_by_key(|item| position(item, server_order));
    let mut out = Vec::with_capacity(patched.len() + server_only.len());
    let (mut patched, mut server_only) = (patched.into_iter().peekable(), server_only.into_iter().peekable());
    while let (Some(p), Some(s)) = (patched.peek(), server_only.peek()) {
        let server_first = match (position(s, server_order), position(p, server_order)) {
            (Some(s), Some(p)) => s < p,
            _ => false,
        };
        out.extend(if server_first {
            server_only.next()
        } else {
            patched.next()
        });
    }
    out.extend(patched.chain(server_only));
    out
}

/// Whether two elements are the same one: by the merge key, or by value where there is none.
fn same(a: &Value, b: &Value, key: Option<&'static str>) -> bool {
    match key {
        Some(key) => a.get(key).is_some() && a.get(key) == b.get(key),
        None => a == b,
    }
}

/// A value of the patch without directives and nulls, `None` if the directive says that it is to be deleted.
fn strip(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) => {
            if map.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                return None;
            }
            let fields = map
                .into_iter()
                .filter(|(name, value)| !value.is_null() && !is_directive(name));
            Some(Value::Object(
                fields.filter_map(|(name, value)| Some((name, strip(value)?))).collect(),
            ))
        }
        Value::Array(items) => Some(Value::Array(
            items
                .into_iter()
                .filter(|item| !is_bare_directive(item))
                .filter_map(strip)
                .collect(),
        )),
        other => Some(other),
    }
}

fn is_directive(name: &str) -> bool {
    name == DIRECTIVE || name == RETAIN_KEYS || name.starts_with(ELEMENT_ORDER) || name.starts_with(DELETE_FROM_LIST)
}

/// A list element that only says what happens to the list.
fn is_bare_directive(item: &Value) -> bool {
    item.as_object()
        .is_some_and(|fields| fields.len() == 1 && fields.contains_key(DIRECTIVE))
}

#[cfg(test)]
mod tests {
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
            }
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
        let expected = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c"}], "args": [2]});
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
        assert!(patch(json!({"containers": [{"image": "no key"}]})).is_err());
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
}
