//! Who manages which field (`metadata.managedFields`), and server-side apply (KEP-555).
//!
//! Every write is attributed to its manager: an update to the fields that it changed, an application to the fields
//! that it names. Applying a field that somebody else manages and has set differently is a conflict.

mod declared;
mod managers;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod types;
mod walk;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::managers::{Manager, Managers, Operation, Owned, cap, decode, encode};
use self::set::{Set, member};
pub(crate) use self::shape::Shape;
use self::walk::{Comparison, compare, fields_of, merge, problem, remove, with_named_fields};
use super::store::seconds;
use crate::status::ApiError;

/// What clients of kubectl keep in an annotation instead.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The manager of what nobody kept track of.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What the server sets and nobody manages.
static SERVER_FIELDS: LazyLock<Set> = LazyLock::new(|| {
    let mut fields = Set::default();
    for name in ["apiVersion", "kind"] {
        fields.insert(&[member(name)]);
    }
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        fields.insert(&[member("metadata"), member(name)]);
    }
    fields
});

/// Keeps the managed fields of the objects of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldManager<'a> {
    /// How the parts of the kind's objects belong together.
    pub(crate) shape: Shape<'a>,
    /// The kind.
    pub(crate) kind: &'a str,
    /// The version that writes are in.
    pub(crate) api_version: &'a str,
    /// The subresource that is written, if any.
    pub(crate) subresource: Option<&'a str>,
    /// Whether the kind's status is written through its subresource only.
    pub(crate) has_status: bool,
    /// When.
    pub(crate) now: Timestamp,
}

impl FieldManager<'_> {
    /// Attributes an update from `live` (null for a new object) to a manager.
    pub(crate) fn update(&self, live: &Value, new: &mut Value, manager: &str) {
        let asked = new["metadata"]["managedFields"].clone();
        let of_live = || decode(&live["metadata"]["managedFields"]).unwrap_or_default();
        let managers = match decode(&asked).filter(|_| self.subresource.is_none()) {
            _ if asked == json!([{}]) => Managers::new(),
            Some(asked) if !asked.is_empty() => asked,
            _ => of_live(),
        };
        if managers.is_empty() && live["metadata"]["uid"].is_string() {
            // Nobody kept track of this object so far; only an application begins with that.
            set_managed_fields(new, encode(managers));
            return;
        }
        let comparison = self.compare(live, new);
        let managers = self.of_own_group(managers);
        let mut managers = self.take_over(managers, None, &comparison);
        let changed = comparison.changed.without_trees(&SERVER_FIELDS);
        if !changed.is_empty() {
            let key = Manager {
                name: manager.to_owned(),
                operation: Operation::Update,
                api_version: self.api_version.to_owned(),
                subresource: self.subresource.unwrap_or_default().to_owned(),
            };
            let fields = match managers.remove(&key) {
                Some(previous) => previous.fields.union(&changed),
                None => changed,
            };
            managers.insert(key, self.owned(fields));
            cap(&mut managers);
        }
        set_managed_fields(new, encode(managers));
    }

    /// What was written through another group is not kept: it cannot be compared.
    fn of_own_group(&self, mut managers: Managers) -> Managers {
        let group = |api_version: &str| api_version.rsplit_once('/').map(|(group, _)| group.to_owned());
        managers.retain(|_, owned| group(&owned.api_version) == group(self.api_version));
        managers
    }

    /// Applies a configuration to `live` (null where there is no object) and returns the object as it shall be.
    ///
    /// # Errors
    /// 400 and 500 for a configuration that cannot be applied, 409 for conflicts without `force`.
    pub(crate) fn apply(&self, live: &Value, applied: &Value, manager: &str, force: bool) -> Result<Value, ApiError> {
        if !applied["metadata"]["managedFields"].is_null() {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let shape = self.shape;
        let mistyped = match shape {
            Shape::Struct(message) => types::all(&types::mistyped(message, applied, "")),
            Shape::Declared(schema) => types::all(&declared::problems(schema, applied)),
            _ => None,
        };
        if let Some(problem) = mistyped.or_else(|| problem(shape, applied, "")) {
            let text = |field: &str| applied["metadata"][field].as_str().unwrap_or_default();
            let about = format!("({}/{}; {}", text("namespace"), text("name"), self.gvk_text());
            let message = format!("failed to create typed patch object {about}): {problem}");
            return Err(ApiError::unclassified(message));
        }
        match self.try_apply(live, applied, manager, force) {
            Err(conflicts) if manager == "kubectl" && self.are_from_last_applied(live, &conflicts) => {
                self.try_apply(live, applied, manager, true)
            }
            result => result,
        }
        .map(|mut object| {
            if manager == "kubectl" && !live["metadata"]["annotations"][LAST_APPLIED].is_null() {
                object["metadata"]["annotations"][LAST_APPLIED] = last_applied(applied).into();
            }
            object
        })
        .map_err(|conflicts| conflict_error(&conflicts))
    }

    fn try_apply(&self, live: &Value, applied: &Value, manager: &str, force: bool) -> Result<Value, Conflicts> {
        let shape = self.shape;
        let known = match decode(&live["metadata"]["managedFields"]) {
            Some(known) if !known.is_empty() => known,
            _ => self.before_first_apply(live),
        };
        let mut managers = known.clone();
        let key = Manager {
            name: manager.to_owned(),
            operation: Operation::Apply,
            api_version: String::new(),
            subresource: self.subresource.unwrap_or_default().to_owned(),
        };
        let mut live = live.clone();
        if let Some(metadata) = live.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let mut object = live.clone();
        if object.is_null() {
            object = json!({});
        }
        merge(shape, &mut object, applied);
        let fields = fields_of(shape, applied).without_trees(&self.ignored_fields());
        let last = managers
            .insert(key.clone(), self.owned(fields))
            .map(|owned| owned.fields);
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            object = prune(shape, &object, &last, &managers);
        }
        let comparison = self.compare(&live, &object);
        let conflicts = conflicts(&managers, &key, &comparison);
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        let mut managers = self.take_over(managers, Some(&key), &comparison);
        if let Some(owned) = managers.get_mut(&key) {
            owned.fields = std::mem::take(&mut owned.fields).without_trees(&SERVER_FIELDS);
            // An application that changes nothing leaves no trace.
            if object == live && known.get(&key).is_some_and(|known| known.fields == owned.fields) {
                owned.time = known.get(&key).map(|known| known.time.clone()).unwrap_or_default();
            }
            if owned.fields.is_empty() {
                managers.remove(&key);
            }
        }
        set_managed_fields(&mut object, encode(managers));
        Ok(object)
    }

    /// An object without managed fields is all its own until it is applied for the first time.
    fn before_first_apply(&self, live: &Value) -> Managers {
        let mut managers = Managers::new();
        if live.is_object() {
            let fields = self.compare(&Value::Null, live).changed;
            let key = Manager {
                name: BEFORE_FIRST_APPLY.to_owned(),
                operation: Operation::Update,
                api_version: self.api_version.to_owned(),
                subresource: String::new(),
            };
            managers.insert(key, self.owned(fields.without_trees(&SERVER_FIELDS)));
        }
        managers
    }

    fn compare(&self, live: &Value, new: &Value) -> Comparison {
        let empty = json!({});
        let live = if live.is_null() { &empty } else { live };
        let comparison = compare(self.shape, live, new);
        let ignored = self.ignored_fields();
        // All objects have metadata, which is nobody's.
        let mut metadata = Set::default();
        metadata.insert(&[member("metadata")]);
        Comparison {
            changed: comparison.changed.without_trees(&ignored).difference(&metadata),
            removed: comparison.removed.without_trees(&ignored),
        }
    }

    /// Takes changed and removed fields away from all managers but one.
    fn take_over(&self, managers: Managers, except: Option<&Manager>, comparison: &Comparison) -> Managers {
        let keep = |(manager, mut owned): (Manager, Owned)| {
            if except != Some(&manager) {
                owned.fields = owned
                    .fields
                    .difference(&comparison.changed)
                    .difference(&comparison.removed);
            }
            (!owned.fields.is_empty()).then_some((manager, owned))
        };
        managers.into_iter().filter_map(keep).collect()
    }

    fn owned(&self, fields: Set) -> Owned {
        Owned {
            fields,
            api_version: self.api_version.to_owned(),
            // Whoever scales leaves no time, as in kube-apiserver.
            time: match self.subresource {
                Some("scale") => String::new(),
                _ => seconds(self.now),
            },
        }
    }

    /// What this way of writing does not write.
    fn ignored_fields(&self) -> Set {
        let mut fields = Set::default();
        match self.subresource {
            None if self.has_status => fields.insert(&[member("status")]),
            Some("status") => {
                fields.insert(&[member("spec")]);
                if self.kind == "Deployment" {
                    fields.insert(&[member("metadata"), member("labels")]);
                }
            }
            Some("finalize") => fields.insert(&[member("status")]),
            _ => {}
        }
        if self.kind == "CertificateSigningRequest" {
            // The server writes down who asks for what, and nobody changes it.
            fields.insert(&[member("spec")]);
        }
        fields
    }

    /// Whether somebody applied the disputed fields with an older kubectl, which is no conflict.
    fn are_from_last_applied(&self, live: &Value, conflicts: &Conflicts) -> bool {
        let text = live["metadata"]["annotations"][LAST_APPLIED].as_str();
        let Some(last) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return false;
        };
        let allowed = fields_of(self.shape, &last);
        conflicts
            .iter()
            .all(|(_, fields)| fields.clone().difference(&allowed).is_empty())
    }

    fn gvk_text(&self) -> String {
        format!("{}, Kind={}", slashed(self.api_version), self.kind)
    }
}

/// The version with its group, the core group's empty name included.
fn slashed(api_version: &str) -> String {
    match api_version.contains('/') {
        true => api_version.to_owned(),
        false => format!("/{api_version}"),
    }
}

type Conflicts = Vec<(Manager, Set)>;

fn conflicts(managers: &Managers, applier: &Manager, comparison: &Comparison) -> Conflicts {
    let others = managers.iter().filter(|(manager, _)| *manager != applier);
    let disputed = others.map(|(manager, owned)| (manager.clone(), owned.fields.intersection(&comparison.changed)));
    disputed.filter(|(_, fields)| !fields.is_empty()).collect()
}

/// Takes out what the applier named before and nobody names now.
fn prune(shape: Shape, merged: &Value, last: &Set, managers: &Managers) -> Value {
    let named = |set: Set| with_named_fields(shape, set);
    let last = named(last.clone());
    let mut pruned = merged.clone();
    remove(shape, &mut pruned, &last);
    let owned = managers
        .values()
        .fold(Set::default(), |all, owned| all.union(&owned.fields));
    let all = named(fields_of(shape, merged));
    let kept = named(fields_of(shape, &pruned)).union(&named(owned));
    pruned = merged.clone();
    remove(shape, &mut pruned, &all.clone().difference(&kept));
    // What only lost its surroundings comes back.
    let gone = all.difference(&named(fields_of(shape, &pruned))).intersection(&last);
    pruned = merged.clone();
    remove(shape, &mut pruned, &gone);
    pruned
}

fn conflict_error(conflicts: &Conflicts) -> ApiError {
    let mut causes = Vec::new();
    let mut texts = Vec::new();
    for (manager, fields) in conflicts {
        let (manager, paths) = (manager.describe(), fields.paths());
        let lines: Vec<String> = paths.iter().map(|path| format!("- {path}")).collect();
        texts.push(format!("conflicts with {manager}:\n{}", lines.join("\n")));
        causes.extend(paths.into_iter().map(|path| (manager.clone(), path)));
    }
    let message = match causes.as_slice() {
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        causes => format!("Apply failed with {} conflicts: {}", causes.len(), texts.join("\n")),
    };
    let error = ApiError::new(409, "Conflict", message);
    causes.into_iter().fold(error, |error, (manager, path)| {
        error.with_cause("FieldManagerConflict", format!("conflict with {manager}"), &path)
    })
}

/// The annotation of older clients, for what was applied.
fn last_applied(applied: &Value) -> String {
    let mut applied = applied.clone();
    if let Some(annotations) = applied
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    format!("{applied}\n")
}

fn set_managed_fields(object: &mut Value, entries: Vec<Value>) {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        match entries.is_empty() {
            true => metadata.remove("managedFields"),
            false => metadata.insert("managedFields".to_owned(), entries.into()),
        };
    }
}
