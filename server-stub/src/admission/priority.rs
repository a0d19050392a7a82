//! A pod's priority is that of its class, and one class at most is for pods that name none.

use serde_json::{Value, json};

use super::Attributes;
use super::request::PluginAdmission;
use crate::registry::ListQuery;
use crate::registry::StoredObject;
use crate::registry::validation::values::{flag, get, number, put, text};
use crate::status::{ApiError, GroupResource};

const GROUP: &str = "scheduling.k8s.io";

/// Fills in a new pod's priority.
pub(super) async fn set(attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
    let name = text(pod, "/spec/priorityClassName").to_owned();
    let class = match name.is_empty() {
        true => default_class(attributes).await?,
        false => {
            let store = attributes.store(GROUP, "priorityclasses")?;
            let found = store.get("", &name, Some(store.written_version())).await;
            let missing = |_| attributes.forbidden(pod, format!("no PriorityClass with name {name} was found"));
            Some((*found.map_err(missing)?.document()).clone())
        }
    };
    let class = class.unwrap_or_default();
    let (priority, policy) = (
        number(&class, "/value").unwrap_or_default(),
        get(&class, "/preemptionPolicy"),
    );
    if let Some(given) = number(pod, "/spec/priority").filter(|given| *given != priority) {
        return Err(attributes.forbidden(
            pod,
            format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
                 computed {priority} from the given PriorityClass name"
            ),
        ));
    }
    let given = text(pod, "/spec/preemptionPolicy");
    if let Some(policy) = policy.as_str().filter(|policy| !given.is_empty() && *policy != given) {
        return Err(attributes.forbidden(
            pod,
            format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
                 controller computed {policy} from the given PriorityClass name"
            ),
        ));
    }
    if !class.is_null() {
        put(
            pod,
            &["spec", "priorityClassName"],
            get(&class, "/metadata/name").clone(),
        );
    }
    put(pod, &["spec", "priority"], json!(priority));
    if policy.is_string() {
        put(pod, &["spec", "preemptionPolicy"], policy.clone());
    }
    Ok(())
}

impl PluginAdmission {
    /// There is one class for pods that name none.
    pub(super) async fn check_default_class(&self, class: &Value) -> Result<(), ApiError> {
        let Some(store) = self
            .stores
            .get(GROUP, "priorityclasses")
            .filter(|_| flag(class, "/globalDefault"))
        else {
            return Ok(());
        };
        let query = ListQuery {
            resource_version: Some(store.written_version()),
            ..ListQuery::default()
        };
        let name = text(class, "/metadata/name");
        for other in store.list("", &query).await?.items {
            let other = other.document();
            let known = text(&other, "/metadata/name");
            if known != name && flag(&other, "/globalDefault") {
                let message = format!("PriorityClass {known} is already marked as default. Only one default can exist");
                return Err(ApiError::forbidden(
                    &GroupResource::new(GROUP, "priorityclasses"),
                    name,
                    message,
                ));
            }
        }
        Ok(())
    }
}

/// The class for pods that name none: the lowest of those that are meant for it.
async fn default_class(attributes: &Attributes<'_>) -> Result<Option<Value>, ApiError> {
    let classes = attributes.list(GROUP, "priorityclasses").await?;
    let is_default = |class: &StoredObject| {
        let flag = class.field("globalDefault", |document| flag(document, "/globalDefault").to_string());
        &*flag == "true"
    };
    let documents = classes
        .iter()
        .filter(|class| is_default(class))
        .map(|class| class.document());
    let default = documents.min_by_key(|class| number(class, "/value"));
    Ok(default.map(|class| (*class).clone()))
}
