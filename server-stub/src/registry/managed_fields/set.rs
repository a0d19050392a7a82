//! Sets of fields, and their form in `managedFields` (`FieldsV1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step of a path, in its written form: `f:name`, `k:{"name":"app"}`, `v:"text"`, `i:0`.
pub(super) type Element = String;

/// The step to a member of an object.
pub(super) fn member(name: &str) -> Element {
    format!("f:{name}")
}

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(BTreeMap<Element, Node>);

/// Whether a path ends here, and the longer paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    member: bool,
    children: Set,
}

impl Set {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let node = self.0.entry(first.clone()).or_default();
        match rest {
            [] => node.member = true,
            rest => node.children.insert(rest),
        }
    }

    /// Whether the path of one element is in the set.
    pub(super) fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(|node| node.member)
    }

    /// The paths that go on after an element, if there are any.
    pub(super) fn below(&self, element: &str) -> Option<&Self> {
        let children = &self.0.get(element)?.children;
        (!children.is_empty()).then_some(children)
    }

    /// Calls `mark` with each element that has longer paths and whether it is in the set itself.
    pub(super) fn for_each_parent(&mut self, mut mark: impl FnMut(&str, &mut bool, &mut Self)) {
        for (element, node) in &mut self.0 {
            if !node.children.is_empty() {
                mark(element, &mut node.member, &mut node.children);
            }
        }
    }

    #[must_use]
    pub(super) fn union(mut self, other: &Self) -> Self {
        for (element, theirs) in &other.0 {
            let ours = self.0.entry(element.clone()).or_default();
            ours.member |= theirs.member;
            ours.children = std::mem::take(&mut ours.children).union(&theirs.children);
        }
        self
    }

    #[must_use]
    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combine(
            other,
            |ours, theirs| ours && theirs,
            |ours, theirs| match theirs {
                Some(theirs) => ours.intersection(theirs),
                None => Self::default(),
            },
        )
    }

    #[must_use]
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combine(
            other,
            |ours, theirs| ours && !theirs,
            |ours, theirs| match theirs {
                Some(theirs) => ours.difference(theirs),
                None => ours.clone(),
            },
        )
    }

    fn combine(
        &self,
        other: &Self,
        member: impl Fn(bool, bool) -> bool,
        children: impl Fn(&Self, Option<&Self>) -> Self,
    ) -> Self {
        let combined = self.0.iter().map(|(element, ours)| {
            let theirs = other.0.get(element);
            let node = Node {
                member: member(ours.member, theirs.is_some_and(|node| node.member)),
                children: children(&ours.children, theirs.map(|node| &node.children)),
            };
            (element.clone(), node)
        });
        Self(
            combined
                .filter(|(_, node)| node.member || !node.children.is_empty())
                .collect(),
        )
    }

    /// The set without what lies at or below these paths.
    #[must_use]
    pub(super) fn without_trees(&self, roots: &Self) -> Self {
        let kept = self.0.iter().filter_map(|(element, node)| match roots.0.get(element) {
            Some(root) if root.member => None,
            Some(root) => {
                let node = Node {
                    member: node.member,
                    children: node.children.without_trees(&root.children),
                };
                (node.member || !node.children.is_empty()).then(|| (element.clone(), node))
            }
            None => Some((element.clone(), node.clone())),
        });
        Self(kept.collect())
    }

    /// Every path as text, as errors show it: `.spec.containers[name="app"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, before: &str, paths: &mut Vec<String>) {
        for (element, node) in &self.0 {
            let path = format!("{before}{}", element_text(element));
            node.children.collect_paths(&path, paths);
            if node.member {
                paths.push(path);
            }
        }
    }

    pub(super) fn to_fields_v1(&self) -> Value {
        let fields = self.0.iter().map(|(element, node)| {
            let mut below = node.children.to_fields_v1();
            if node.member && !node.children.is_empty() {
                below["."] = Value::Object(Map::new());
            }
            (element.clone(), below)
        });
        Value::Object(fields.collect())
    }

    /// Reads a set; what is none is empty.
    pub(super) fn from_fields_v1(fields: &Value) -> Self {
        let entries = fields.as_object().into_iter().flatten();
        let nodes = entries.filter(|(element, _)| *element != ".").map(|(element, below)| {
            let is_leaf = below.as_object().is_none_or(Map::is_empty);
            let node = Node {
                member: is_leaf || below.get(".").is_some(),
                children: Self::from_fields_v1(below),
            };
            (element.clone(), node)
        });
        Self(nodes.collect())
    }
}

/// An element as errors show it.
pub(super) fn element_text(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", json)) => {
            let keys: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        Some((_, index)) => format!("[{index}]"),
        None => element.to_owned(),
    }
}
