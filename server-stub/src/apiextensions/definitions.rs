//! The definitions as they are now, told by controllers in whatever order their news come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::serving::Serving;

/// How many definitions that are gone are remembered.
const REMEMBERED: usize = 1000;

/// A definition as it was at one time.
pub(super) struct Definition {
    pub(super) document: Value,
    /// Made for the first request, and kept for as long as nothing changes that matters for it.
    pub(super) serving: Arc<Serving>,
}

/// The definitions by name.
#[derive(Default)]
pub(super) struct Definitions {
    known: BTreeMap<String, Arc<Definition>>,
    /// The uids of those that went last. Controllers may still tell of a definition that they read before.
    gone: VecDeque<Value>,
}

impl Definitions {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Definition>> {
        self.known.get(name).cloned()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.known.values()
    }

    /// Takes note of a state of a definition, unless it is known that it is an old one. What is served is made anew
    /// where the state serves something else.
    pub(super) fn update(&mut self, document: Value, serving: impl FnOnce(&Value) -> Serving) -> bool {
        if self.gone.contains(&document["metadata"]["uid"]) {
            return false;
        }
        let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let known = self.known.get(&name);
        if known.is_some_and(|known| is_newer(&known.document, &document)) {
            return false;
        }
        let serving = match known.filter(|known| is_served_alike(&known.document, &document)) {
            Some(known) => known.serving.clone(),
            None => Arc::new(serving(&document)),
        };
        self.known.insert(name, Arc::new(Definition { document, serving }));
        true
    }

    /// Forgets a definition that is gone.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(removed) = self.known.remove(name) {
            self.gone.truncate(REMEMBERED - 1);
            self.gone.push_front(removed.document["metadata"]["uid"].clone());
        }
    }
}

/// Whether objects are served in the same way, whatever else has changed in the definition.
fn is_served_alike(old: &Value, new: &Value) -> bool {
    old["metadata"]["uid"] == new["metadata"]["uid"]
        && old["spec"] == new["spec"]
        && old["status"]["acceptedNames"] == new["status"]["acceptedNames"]
}

/// Whether the first is a later state of the same definition.
fn is_newer(first: &Value, second: &Value) -> bool {
    let version = |document: &Value| {
        document["metadata"]["resourceVersion"]
            .as_str()
            .and_then(|v| v.parse::<u64>().ok())
    };
    first["metadata"]["uid"] == second["metadata"]["uid"] && version(first) > version(second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn update(definitions: &mut Definitions, uid: &str, version: &str) -> bool {
        let metadata = json!({ "name": "bees.example.com", "uid": uid, "resourceVersion": version });
        definitions.update(json!({ "metadata": metadata }), |document| {
            Serving::new(document, &Default::default(), &Default::default())
        })
    }

    #[test]
    fn old_news_change_nothing() {
        let mut definitions = Definitions::default();
        assert!(update(&mut definitions, "one", "5"));
        assert!(!update(&mut definitions, "one", "4"));
        let version = |definitions: &Definitions| {
            let known = definitions.get("bees.example.com")?;
            known.document["metadata"]["resourceVersion"]
                .as_str()
                .map(str::to_owned)
        };
        assert_eq!(version(&definitions).as_deref(), Some("5"));
        definitions.remove("bees.example.com");
        assert!(!update(&mut definitions, "one", "6"));
        assert_eq!(version(&definitions), None);
        assert!(update(&mut definitions, "two", "7"));
        assert_eq!(version(&definitions).as_deref(), Some("7"));
    }

    #[test]
    fn what_serves_the_same_is_kept() {
        let mut definitions = Definitions::default();
        update(&mut definitions, "one", "5");
        let serving = |definitions: &Definitions| definitions.get("bees.example.com").unwrap().serving.clone();
        let before = serving(&definitions);
        update(&mut definitions, "one", "6");
        assert!(Arc::ptr_eq(&before, &serving(&definitions)));
        update(&mut definitions, "two", "7");
        assert!(!Arc::ptr_eq(&before, &serving(&definitions)));
    }
}
