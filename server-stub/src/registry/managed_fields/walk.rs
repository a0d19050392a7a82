//! Walks over one or two values of the same shape: compare, collect, merge, remove, check.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::set::{Element, Set, element_text, member};
use super::shape::{Shape, declared_key, key_of};

/// How two states of an object differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: Set,
    pub(super) modified: Set,
    pub(super) removed: Set,
}

/// What was added, modified and removed between an old state and a new one.
pub(super) fn compare(shape: Shape, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.visit(shape, Some(old), Some(new), &mut Vec::new());
    comparison
}

impl Comparison {
    fn visit(&mut self, shape: Shape, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<Element>) {
        let (before, after) = (shape.parts(old), shape.parts(new));
        if before.is_empty() && after.is_empty() {
            return match (old, new) {
                (None, _) => self.added.insert(path),
                (_, None) => self.removed.insert(path),
                (Some(old), Some(new)) if old != new => self.modified.insert(path),
                _ => {}
            };
        }
        let mut both = BTreeMap::<Element, (Vec<Cow<'_, Value>>, Vec<Cow<'_, Value>>)>::new();
        for (element, value) in before {
            both.entry(element).or_default().0.push(value);
        }
        for (element, value) in after {
            both.entry(element).or_default().1.push(value);
        }
        for (element, (before, after)) in both {
            let (below, _) = shape.below(&element);
            path.push(element);
            match (before.as_slice(), after.as_slice()) {
                ([] | [_], [] | [_]) => {
                    self.visit(
                        below,
                        before.first().map(Cow::as_ref),
                        after.first().map(Cow::as_ref),
                        path,
                    );
                }
                // Elements that should be unique and are not: owned as one.
                ([], _) => self.added.insert(path),
                (_, []) => self.removed.insert(path),
                (before, after) if before != after => self.modified.insert(path),
                _ => {}
            }
            path.pop();
        }
        match (old, new) {
            (None, _) => self.added.insert(path),
            (_, None) => self.removed.insert(path),
            _ => {}
        }
    }
}

/// The fields that a value sets.
pub(super) fn fields_of(shape: Shape, value: &Value) -> Set {
    let mut set = Set::default();
    collect(shape, value, &mut Vec::new(), &mut set);
    set
}

fn collect(shape: Shape, value: &Value, path: &mut Vec<Element>, set: &mut Set) {
    let shape = shape.of_value(value);
    if matches!(shape, Shape::Leaf) {
        return set.insert(path);
    }
    for (element, value) in given_parts(shape, value) {
        let (below, declared) = shape.below(&element);
        path.push(element);
        collect(below, value, path, set);
        if shape.is_list() || !declared || value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
            set.insert(path);
        }
        path.pop();
    }
}

/// The parts that are really there.
fn given_parts<'v>(shape: Shape<'_>, value: &'v Value) -> Vec<(Element, &'v Value)> {
    let members = || {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (member(key), value))
            .collect()
    };
    let items = || value.as_array().into_iter().flatten();
    match shape {
        Shape::Set => items().map(|item| (format!("v:{item}"), item)).collect(),
        Shape::Keyed(field) => items().map(|item| (key_of(field, item), item)).collect(),
        Shape::KeyedBy(keys, schema) => items().map(|item| (declared_key(keys, schema, item), item)).collect(),
        Shape::Leaf => Vec::new(),
        _ => members(),
    }
}

/// Lays what is applied over what is there.
pub(super) fn merge(shape: Shape, live: &mut Value, applied: &Value) {
    match applied {
        Value::Object(applied) if shape.is_object() && live.is_object() => {
            for (key, value) in applied {
                let (below, _) = shape.below(&member(key));
                match live.get_mut(key) {
                    Some(live) => merge(below, live, value),
                    None => live[key] = value.clone(),
                }
            }
        }
        Value::Array(_) if shape.is_list() && live.is_array() => {
            for (element, value) in given_parts(shape, applied) {
                let (below, _) = shape.below(&element);
                let place = given_parts(shape, live).iter().position(|(known, _)| *known == element);
                let Value::Array(items) = &mut *live else { return };
                match place.and_then(|index| items.get_mut(index)) {
                    Some(item) => merge(below, item, value),
                    None => items.push(value.clone()),
                }
            }
        }
        _ => *live = applied.clone(),
    }
}

/// Takes fields out; an object or a list that has nothing left goes too.
pub(super) fn remove(shape: Shape, value: &mut Value, fields: &Set) {
    let is_list = shape.is_list();
    let elements: Vec<Element> = given_parts(shape, value)
        .into_iter()
        .map(|(element, _)| element)
        .collect();
    match value {
        Value::Object(members) => {
            for element in &elements {
                let Some(key) = element.strip_prefix("f:") else {
                    continue;
                };
                if fields.has(element) {
                    members.remove(key);
                } else if let (Some(below), Some(child)) = (fields.below(element), members.get_mut(key)) {
                    remove(shape.below(element).0, child, below);
                    if child.is_null() {
                        members.remove(key);
                    }
                }
            }
            if !elements.is_empty() && members.is_empty() {
                *value = Value::Null;
            }
        }
        Value::Array(items) if is_list => {
            let mut index = 0;
            items.retain_mut(|item| {
                let Some(element) = elements.get(index) else {
                    return true;
                };
                index += 1;
                if let Some(below) = fields.below(element).filter(|_| !fields.has(element)) {
                    remove(shape.below(element).0, item, below);
                }
                !fields.has(element) && !item.is_null()
            });
            if !elements.is_empty() && items.is_empty() {
                *value = Value::Null;
            }
        }
        _ => {}
    }
}

/// The set with every declared field that has fields below it.
pub(super) fn with_named_fields(shape: Shape, mut set: Set) -> Set {
    fn mark(shape: Shape, set: &mut Set) {
        set.for_each_parent(|element, is_member, children| {
            let (below, declared) = shape.below(element);
            *is_member |= declared;
            mark(below, children);
        });
    }
    mark(shape, &mut set);
    set
}

/// What keeps a value from being applied: fields that nobody declared, elements that are there twice.
pub(super) fn problem(shape: Shape, value: &Value, path: &str) -> Option<String> {
    let mut seen = Vec::new();
    for (element, part) in given_parts(shape, value) {
        let (below, declared) = shape.below(&element);
        let text = element_text(&element);
        if shape.is_closed() && !declared && !(path.is_empty() && is_type(&element)) {
            return Some(format!("{path}{text}: field not declared in schema"));
        }
        if shape.is_list() && seen.contains(&element) {
            return Some(format!("{path}: duplicate entries for key {text}"));
        }
        if let Some(problem) = problem(below, part, &format!("{path}{text}")) {
            return Some(problem);
        }
        seen.push(element);
    }
    None
}

fn is_type(element: &str) -> bool {
    matches!(element, "f:apiVersion" | "f:kind")
}
