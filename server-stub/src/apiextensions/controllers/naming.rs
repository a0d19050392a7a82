//! Accepts the names of a definition where no other definition of the group has them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kubewire_client::ObjectKey;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};
use serde_json::{Value, json};

use super::{DONE, Definitions};
use crate::apiextensions::customresourcedefinition::set_condition;
use crate::apiextensions::{condition, condition_is_true};
use crate::field_error::quote;

/// Sets the condition `NamesAccepted`, and begins with `Established`.
pub(super) struct NamingConditionController(pub(super) Definitions);

#[async_trait]
impl Reconciler<ObjectKey> for NamingConditionController {
    async fn reconcile(&self, key: &ObjectKey) -> Result<Action, ReconcileError> {
        let all = self.0.list()?;
        let Some(definition) = self.0.get(key)? else {
            // Names have become free, for which others may wait.
            for other in all.iter().filter(|other| !condition_is_true(other, "NamesAccepted")) {
                self.accept(other, &all).await?;
            }
            return DONE;
        };
        self.accept(&definition, &all).await?;
        let same_group = |other: &&Value| other["spec"]["group"] == definition["spec"]["group"];
        for other in all.iter().filter(same_group) {
            if *other != definition && !condition_is_true(other, "NamesAccepted") {
                self.accept(other, &all).await?;
            }
        }
        DONE
    }
}

impl NamingConditionController {
    async fn accept(&self, definition: &Value, all: &[Value]) -> Result<(), ReconcileError> {
        let mut changed = definition.clone();
        accept_names(&mut changed, all, &self.0.now());
        if changed["status"] != definition["status"] {
            self.0.update_status(changed).await?;
        }
        Ok(())
    }
}

/// Names that others have.
#[derive(Default)]
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

/// Brings accepted names and conditions of a definition up to date, `all` being all that there are.
fn accept_names(definition: &mut Value, all: &[Value], now: &str) {
    let name = &definition["metadata"]["name"];
    let group = &definition["spec"]["group"];
    let others = all
        .iter()
        .filter(|other| other["spec"]["group"] == *group && other["metadata"]["name"] != *name);
    let mut taken = Taken::default();
    for other in others {
        let names = &other["status"]["acceptedNames"];
        taken.resources.extend(texts(&names["plural"]));
        taken.resources.extend(texts(&names["singular"]));
        taken.resources.extend(texts(&names["shortNames"]));
        taken.kinds.extend(texts(&names["kind"]));
        taken.kinds.extend(texts(&names["listKind"]));
    }
    let wanted = definition["spec"]["names"].clone();
    let mut accepted = definition["status"]["acceptedNames"].clone();
    if !accepted.is_object() {
        accepted = json!({ "plural": "", "kind": "" });
    }
    let mut conflicts = Vec::new();
    for (field, reason) in [
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("shortNames", "ShortNamesConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ] {
        let others = if reason.contains("Kind") {
            &taken.kinds
        } else {
            &taken.resources
        };
        let in_use: Vec<String> = texts(&wanted[field]).filter(|name| others.contains(name)).collect();
        if in_use.is_empty() {
            accepted[field] = wanted[field].clone();
        } else {
            let names: Vec<String> = in_use
                .iter()
                .map(|name| format!("{} is already in use", quote(name)))
                .collect();
            conflicts.push((reason, names.join(", ")));
        }
    }
    accepted["categories"] = wanted["categories"].clone();
    if let Some(names) = accepted.as_object_mut() {
        names.retain(|_, value| !value.is_null());
    }
    definition["status"]["acceptedNames"] = accepted;
    let is_accepted = conflicts.is_empty();
    // Of several conflicts the condition names the last.
    match conflicts.last() {
        None => set_condition(
            definition,
            ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            now,
        ),
        Some((reason, message)) => set_condition(definition, ("NamesAccepted", "False", reason, message), now),
    }
    if is_accepted && !condition_is_true(definition, "Established") {
        let message = "the initial names have been accepted";
        set_condition(definition, ("Established", "False", "Installing", message), now);
    } else if condition(definition, "Established").is_none() {
        let message = "not all names are accepted";
        set_condition(definition, ("Established", "False", "NotAccepted", message), now);
    }
}

/// A text, or the texts in a list.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    let list = value.as_array().into_iter().flatten();
    let all: Vec<String> = std::iter::once(value)
        .chain(list)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    all.into_iter().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, kind: &str, short: &str) -> Value {
        json!({
            "metadata": { "name": name },
            "spec": { "group": "g", "names": {
                "plural": name, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List"),
                "shortNames": [short],
            } },
            "status": {},
        })
    }

    fn state(definition: &Value, kind: &str) -> (String, String, String) {
        let found = condition(definition, kind).unwrap();
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    #[test]
    fn the_first_gets_the_names_and_a_second_waits() {
        let mut first = definition("widgets", "Widget", "wd");
        accept_names(&mut first, &[], "2026-11-21T00:21:24Z");
        assert_eq!(state(&first, "NamesAccepted").1, "NoConflicts");
        assert_eq!(state(&first, "Established").1, "Installing");
        assert_eq!(first["status"]["acceptedNames"]["shortNames"], json!(["wd"]));
        let mut second = definition("others", "Widget", "wd");
        accept_names(&mut second, std::slice::from_ref(&first), "2026-11-21T00:21:24Z");
        let conflict = (
            "False".to_owned(),
            "ListKindConflict".to_owned(),
            "\"WidgetList\" is already in use".to_owned(),
        );
        assert_eq!(state(&second, "NamesAccepted"), conflict);
        assert_eq!(state(&second, "Established").1, "NotAccepted");
        assert_eq!(
            second["status"]["acceptedNames"],
            json!({ "plural": "others", "kind": "" })
        );
        // Once the first is gone, the second has its turn.
        accept_names(&mut second, &[], "2026-11-21T00:22:24Z");
        assert_eq!(state(&second, "NamesAccepted").0, "True");
        assert_eq!(second["status"]["acceptedNames"]["kind"], "Widget");
    }
}
