//! The managers of an object: who set which fields, as in `metadata.managedFields`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// Who: one manager has an entry per operation, version and subresource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    /// Empty for apply: whoever applies another version is still the same.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// What.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) fields: Set,
    pub(super) api_version: String,
    /// Empty where nobody wrote it down.
    pub(super) time: String,
}

pub(super) type Managers = BTreeMap<Manager, Owned>;

/// How many managers with the operation update are kept apart.
const MAX_UPDATE_MANAGERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

impl Manager {
    /// As conflicts name it.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Update => format!("{text} using {}", self.api_version),
            Operation::Apply => text,
        }
    }
}

/// Reads the managers of an object; `None` where an entry cannot be understood.
pub(super) fn decode(managed_fields: &Value) -> Option<Managers> {
    let Some(entries) = managed_fields.as_array() else {
        return Some(Managers::new());
    };
    let entry = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let operation = match entry["operation"].as_str()? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        if text("fieldsType") != "FieldsV1" {
            return None;
        }
        let manager = Manager {
            name: text("manager"),
            operation,
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => text("apiVersion"),
            },
            subresource: text("subresource"),
        };
        let owned = Owned {
            fields: Set::from_fields_v1(&entry["fieldsV1"]),
            api_version: text("apiVersion"),
            time: text("time"),
        };
        Some((manager, owned))
    };
    entries.iter().map(entry).collect()
}

/// Writes the managers: who applies first, then by time.
pub(super) fn encode(managers: Managers) -> Vec<Value> {
    let mut entries: Vec<_> = managers.into_iter().collect();
    entries.sort_by(|a, b| place(a).cmp(&place(b)));
    let entry = |(manager, owned): (Manager, Owned)| {
        let operation = match manager.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = Map::new();
        entry.insert("manager".into(), manager.name.into());
        entry.insert("operation".into(), operation.into());
        entry.insert("apiVersion".into(), owned.api_version.into());
        if !owned.time.is_empty() {
            entry.insert("time".into(), owned.time.into());
        }
        entry.insert("fieldsType".into(), "FieldsV1".into());
        entry.insert("fieldsV1".into(), owned.fields.into_fields_v1());
        if !manager.subresource.is_empty() {
            entry.insert("subresource".into(), manager.subresource.into());
        }
        Value::Object(entry)
    };
    entries.into_iter().map(entry).collect()
}

fn place((manager, owned): &(Manager, Owned)) -> impl Ord + use<'_> {
    let who = (&manager.name, &owned.api_version, &manager.subresource);
    (manager.operation, &owned.time, who)
}

/// Puts the oldest updates together when there are too many.
pub(super) fn cap(managers: &mut Managers) {
    loop {
        let updates = managers
            .iter()
            .filter(|(manager, _)| manager.operation == Operation::Update);
        let mut updates: Vec<_> = updates
            .map(|(manager, owned)| (owned.time.clone(), manager.clone()))
            .collect();
        if updates.len() <= MAX_UPDATE_MANAGERS {
            return;
        }
        updates.sort();
        updates.retain(|(_, manager)| manager.name != ANCIENT);
        let Some((time, oldest)) = updates.into_iter().next() else {
            return;
        };
        let Some(owned) = managers.remove(&oldest) else { return };
        let ancient = Manager {
            name: ANCIENT.to_owned(),
            subresource: String::new(),
            ..oldest
        };
        let bucket = managers.entry(ancient).or_insert_with(|| Owned {
            fields: Set::default(),
            ..owned.clone()
        });
        bucket.fields = std::mem::take(&mut bucket.fields).union(&owned.fields);
        bucket.time = time;
    }
}
