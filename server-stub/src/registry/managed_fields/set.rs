//! Sets of fields, and their form in `managedFields` (`FieldsV1`).

use serde_json::{Map, Value};

/// One step of a path, in its written form: `f:name`, `k:{"name":"app"}`, `v:"text"`, `i:0`.
pub(super) type Element = String;

/// The step to a member of an object.
pub(super) fn member(name: &str) -> Element {
    ["f:", name].concat()
}

/// A set of paths, its elements sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(Vec<(Element, Node)>);

/// Whether a path ends here, and the longer paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) member: bool,
    pub(super) children: Set,
}

impl Node {
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

impl Set {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        match rest {
            [] => self.node_mut(first).member = true,
            rest => self.node_mut(first).children.insert(rest),
        }
    }

    /// Adds what lies at and below an element that comes after all others.
    pub(super) fn push(&mut self, element: Element, node: Node) {
        if !node.is_empty() {
            self.0.push((element, node));
        }
    }

    fn place(&self, element: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(element))
    }

    fn node(&self, element: &str) -> Option<&Node> {
        let (_, node) = self.0.get(self.place(element).ok()?)?;
        Some(node)
    }

    /// What is at and below an element, made where there is nothing.
    fn node_mut(&mut self, element: &str) -> &mut Node {
        let place = self.place(element).unwrap_or_else(|place| {
            self.0.insert(place, (element.to_owned(), Node::default()));
            place
        });
        &mut self.0[place].1
    }

    /// Whether the path of one element is in the set.
    pub(super) fn has(&self, element: &str) -> bool {
        self.node(element).is_some_and(|node| node.member)
    }

    /// The paths that go on after an element, if there are any.
    pub(super) fn below(&self, element: &str) -> Option<&Self> {
        let children = &self.node(element)?.children;
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
            let ours = self.node_mut(element);
            ours.member |= theirs.member;
            ours.children = std::mem::take(&mut ours.children).union(&theirs.children);
        }
        self
    }

    #[must_use]
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (element, ours) in &self.0 {
            if let Some(theirs) = other.node(element) {
                let node = Node {
                    member: ours.member && theirs.member,
                    children: ours.children.intersection(&theirs.children),
                };
                both.push(element.clone(), node);
            }
        }
        both
    }

    #[must_use]
    pub(super) fn difference(mut self, other: &Self) -> Self {
        for (element, theirs) in &other.0 {
            self.change(element, |ours| {
                ours.member &= !theirs.member;
                ours.children = std::mem::take(&mut ours.children).difference(&theirs.children);
            });
        }
        self
    }

    /// The set without what lies at or below these paths.
    #[must_use]
    pub(super) fn without_trees(mut self, roots: &Self) -> Self {
        for (element, root) in &roots.0 {
            self.change(element, |ours| {
                ours.member &= !root.member;
                let children = std::mem::take(&mut ours.children);
                if !root.member {
                    ours.children = children.without_trees(&root.children);
                }
            });
        }
        self
    }

    /// Changes what is at and below an element; it goes if nothing is left.
    fn change(&mut self, element: &str, change: impl FnOnce(&mut Node)) {
        let Ok(place) = self.place(element) else { return };
        if let Some((_, node)) = self.0.get_mut(place) {
            change(node);
            if node.is_empty() {
                self.0.remove(place);
            }
        }
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

    pub(super) fn into_fields_v1(self) -> Value {
        let fields = self.0.into_iter().map(|(element, node)| {
            let has_children = !node.children.is_empty();
            let mut below = node.children.into_fields_v1();
            if node.member && has_children {
                below["."] = Value::Object(Map::new());
            }
            (element, below)
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
        // The fields of a document are sorted.
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
