//! Strategic merge patch: a merge patch that knows lists by their keys (`k8s.io/apimachinery/pkg/util/strategicpatch`).
//!
//! Directives: `$patch: replace|delete` in a map or list element, `$retainKeys`, `$setElementOrder/<list>` and
//! `$deleteFromPrimitiveList/<list>`.

use serde_json::{Map, Value};

use crate::go_value::go_map;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// What the patch needs to know about the fields of an object.
pub(crate) trait MergeSchema: Copy {
    /// The rules of one field; the default for fields that are not known.
    fn field(self, name: &str) -> MergeField<Self>;

    /// The name of the type, as messages have it.
    fn name(self) -> &'static str;
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
    /// There is such a field.
    pub(crate) is_known: bool,
}

impl<S> Default for MergeField<S> {
    fn default() -> Self {
        Self {
            replace: false,
            merge: false,
            merge_key: None,
            inner: None,
            is_known: false,
        }
    }
}

/// A patch that contradicts itself or the schema.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub(crate) enum StrategicError {
    #[error("unknown patch type: {} in map: {}", go_map(.0), go_map(.1))]
    UnknownDirective(Value, Value),
    #[error("map: {} does not contain declared merge key: {}", go_map(.0), .1)]
    NoMergeKey(Value, &'static str),
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    #[error("cannot merge lists without merge key for struct")]
    NoKeyDeclared,
    #[error("expected a []interface {{}}, but received a {}", go_type(.0))]
    NoList(Value),
    #[error("list element types are not identical: [{} {}]", go_map(.0), go_map(.1))]
    MixedTypes(Value, Value),
    #[error("unable to find api field in struct {0} for the json field {1:?}")]
    UnknownField(&'static str, String),
    #[error("The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n", go_map(.0), go_map(.1))]
    OrderMismatch(Value, Value),
    #[error("invalid patch format of retainKeys")]
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
            _ => {
                patch.insert(DIRECTIVE.to_owned(), directive.clone());
                Err(StrategicError::UnknownDirective(directive, Value::Object(patch)))
            }
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
            (_, value) => match strip(value) {
                Some(value) => value,
                None => continue,
            },
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
    let keys = keys.as_array().ok_or(StrategicError::BadRetainKeys)?;
    let listed = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    if patch
        .iter()
        .any(|(name, value)| !value.is_null() && !is_list_directive(name) && !listed(name))
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
        let current = original.remove(name).map(list).transpose()?;
        let change = patch.remove(name).map(list).transpose()?;
        let field = rules(schema, name);
        if let (false, Some(schema)) = (field.is_known, schema) {
            return Err(StrategicError::UnknownField(schema.name(), name.to_owned()));
        }
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
        other => Err(StrategicError::NoList(other)),
    }
}

/// The elements of a patch list must all be in the order list, in the same order.
fn check_order(change: &[Value], order: &[Value], key: Option<&'static str>) -> Result<(), StrategicError> {
    let mut rest = order.iter();
    for item in change.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        if !rest.any(|other| same(item, other, key)) {
            return Err(StrategicError::OrderMismatch(change.into(), order.into()));
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
    if !field.merge && !deletes_elements {
        return Ok(Value::Array(change));
    }
    let mut types = current.iter().chain(&change).map(std::mem::discriminant);
    if types.next().is_some_and(|first| types.any(|other| other != first)) {
        return Err(StrategicError::MixedTypes(current.into(), change.into()));
    }
    if deletes_elements {
        current.retain(|item| !change.contains(item));
        return Ok(Value::Array(current));
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
        let Some(element) = item.as_object().filter(|element| element.contains_key(key)) else {
            return Err(StrategicError::NoMergeKey(item.clone(), key));
        };
        match current.iter_mut().find(|other| same(other, item, Some(key))) {
            Some(Value::Object(found)) => *found = merge(std::mem::take(found), element.clone(), field.inner)?,
            _ => current.push(item.clone()),
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
        let Some(directive) = item.get(DIRECTIVE) else {
            ordinary.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => match item.get(key) {
                Some(wanted) => current.retain(|other| other.get(key) != Some(wanted)),
                None => return Err(StrategicError::NoMergeKey(item, key)),
            },
            Some("replace") => replace = true,
            Some("merge") => return Err(StrategicError::MergeDirectiveInList),
            _ => return Err(StrategicError::UnknownDirective(directive.clone(), item.clone())),
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

/// A value of the patch without nulls and without what has a directive of its own, `None` if that is the value itself.
fn strip(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let fields = map.into_iter().filter(|(_, value)| !value.is_null());
            Some(Value::Object(
                fields.filter_map(|(name, value)| Some((name, strip(value)?))).collect(),
            ))
        }
        Value::Array(items) => Some(items.into_iter().filter_map(strip).collect()),
        other => Some(other),
    }
}

fn is_list_directive(name: &str) -> bool {
    name.starts_with(ELEMENT_ORDER) || name.starts_with(DELETE_FROM_LIST)
}

/// The name of a value's type in Go.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests;
