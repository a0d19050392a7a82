//! Walks over one or two values of the same shape: compare, collect, merge, remove, check.

use serde_json::Value;

use super::set::{Element, Node, Set, element_text, member};
use super::shape::{Part, Shape};

/// How two states of an object differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// What is new, or has another value.
    pub(super) changed: Set,
    pub(super) removed: Set,
}

/// What was changed and removed between an old state and a new one.
pub(super) fn compare(shape: Shape, old: &Value, new: &Value) -> Comparison {
    let (changed, removed) = differences(shape, Some(old), Some(new));
    Comparison {
        changed: changed.children,
        removed: removed.children,
    }
}

/// What was changed and removed at a path and below it.
fn differences(shape: Shape, old: Option<&Value>, new: Option<&Value>) -> (Node, Node) {
    let (mut before, mut after) = (sorted_parts(shape, old), sorted_parts(shape, new));
    let (mut changed, mut removed) = (Node::default(), Node::default());
    match (old, new) {
        (None, _) => changed.member = true,
        (_, None) => removed.member = true,
        (Some(old), Some(new)) => changed.member = before.is_empty() && after.is_empty() && old != new,
    }
    let (mut before, mut after) = (before.as_mut_slice(), after.as_mut_slice());
    while let Some(first) = first_of(before.first(), after.first()) {
        let shape = first.shape;
        let (old_count, new_count) = (count(before, &first.element), count(after, &first.element));
        let (old, new) = (take(&mut before, old_count), take(&mut after, new_count));
        let mut parts = (Node::default(), Node::default());
        match (&*old, &*new) {
            ([] | [_], [] | [_]) => parts = differences(shape, value_of(old), value_of(new)),
            // Elements that should be unique and are not: owned as one.
            (_, []) => parts.1.member = true,
            (old, new) => {
                parts.0.member = !old
                    .iter()
                    .map(|part| &part.value)
                    .eq(new.iter().map(|part| &part.value))
            }
        }
        let Some(first) = old.first_mut().or(new.first_mut()) else {
            break;
        };
        let element = std::mem::take(&mut first.element);
        if !parts.1.is_empty() {
            removed.children.push(element.clone(), parts.1);
        }
        changed.children.push(element, parts.0);
    }
    (changed, removed)
}

fn sorted_parts<'s: 'v, 'v>(shape: Shape<'s>, value: Option<&'v Value>) -> Vec<Part<'v>> {
    let mut parts = shape.parts(value);
    // The members of objects are sorted.
    if shape.is_list() {
        parts.sort_by(|a, b| a.element.cmp(&b.element));
    }
    parts
}

fn first_of<'a, 'v>(before: Option<&'a Part<'v>>, after: Option<&'a Part<'v>>) -> Option<&'a Part<'v>> {
    match (before, after) {
        (Some(before), Some(after)) if after.element < before.element => Some(after),
        (before, after) => before.or(after),
    }
}

fn value_of<'a>(parts: &'a [Part<'_>]) -> Option<&'a Value> {
    parts.first().map(|part| &*part.value)
}

/// How many parts at the beginning have this step.
fn count(parts: &[Part<'_>], element: &str) -> usize {
    parts.iter().take_while(|part| part.element == element).count()
}

fn take<'a, 'v>(parts: &mut &'a mut [Part<'v>], count: usize) -> &'a mut [Part<'v>] {
    let (taken, rest) = std::mem::take(parts).split_at_mut(count);
    *parts = rest;
    taken
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
        Shape::Set | Shape::Keyed(_) | Shape::KeyedBy(..) => items().map(|item| (shape.element(item), item)).collect(),
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

/// What keeps a value of a built-in kind from being applied: fields that nobody declared, elements that are there twice.
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
