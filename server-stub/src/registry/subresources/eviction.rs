//! `eviction`: a deletion that disruption budgets may refuse (KEP-85).

use std::sync::Arc;

use serde_json::{Value, json};

use super::set_condition;
use crate::registry::object::StoredObject;
use crate::registry::query::{DeleteOptions, ListQuery, UpdateOptions, WriteContext};
use crate::registry::store::{Store, seconds};
use crate::registry::validation::selector;
use crate::registry::validation::values::{entries, get, items, number, put, text};
use crate::status::{ApiError, GroupResource};

const CAUSE: &str = "DisruptionBudget";
const VIOLATION: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// How many evictions may be under way without the budget's controller having seen them.
const PENDING_MAX: usize = 2000;

/// What became of an eviction that was not refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Evicted {
    /// The pod is deleted, or will be.
    Done,
    /// It could not be decided.
    Undecidable(&'static str),
}

/// Deletes a pod if the budgets allow it.
pub(crate) async fn evict(
    pods: &Store,
    budgets: &Store,
    context: &WriteContext,
    namespace: &str,
    name: &str,
    options: DeleteOptions,
) -> Result<Evicted, ApiError> {
    loop {
        let pod = pods.get(namespace, name, None).await?;
        let document = pod.document();
        let mut options = options.clone();
        let chosen = options.preconditions.resource_version.is_some();
        let based_on_this = if needs_no_budget(&document) {
            !is_ended(&document)
        } else {
            let matching = matching(budgets, namespace, &document).await?;
            match matching.as_slice() {
                [] => false,
                [budget] if is_unhealthy_and_free(&document, &budget.document()) => true,
                [budget] => {
                    take(budgets, context, namespace, name, &budget.header().name).await?;
                    false
                }
                _ => {
                    return Ok(Evicted::Undecidable(
                        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
                         support.",
                    ));
                }
            }
        };
        if based_on_this && !chosen {
            options.preconditions.resource_version = Some(pod.header().resource_version.to_string());
        }
        match delete(pods, context, namespace, name, options).await {
            Err(error) if error.reason() == "Conflict" && based_on_this && !chosen => {
                // It is decided anew about a pod that has changed; a wish that it never met stays refused.
                let now = pods.get(namespace, name, None).await?;
                if now.resource_version() == pod.resource_version() {
                    return Err(error);
                }
            }
            result => return result.map(|()| Evicted::Done),
        }
    }
}

/// Says in the pod why it goes, then deletes it; whatever refuses the deletion does so before.
async fn delete(
    pods: &Store,
    context: &WriteContext,
    namespace: &str,
    name: &str,
    mut options: DeleteOptions,
) -> Result<(), ApiError> {
    if !context.dry_run {
        let attempt = WriteContext {
            dry_run: true,
            ..context.clone()
        };
        pods.delete(&attempt, namespace, name, options.clone()).await?;
        let now = context.clock.now();
        let mutate = |pod: &Value| {
            let mut pod = pod.clone();
            let condition = json!({
                "type": "DisruptionTarget",
                "status": "True",
                "lastProbeTime": null,
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
            });
            set_condition(&mut pod, now, condition);
            Ok(pod)
        };
        let (pod, _) = pods
            .update(
                context,
                namespace,
                name,
                Some("status"),
                mutate,
                UpdateOptions::default(),
            )
            .await?;
        if let Some(version) = &mut options.preconditions.resource_version {
            *version = pod.header().resource_version.to_string();
        }
    }
    pods.delete(context, namespace, name, options).await.map(drop)
}

/// Pods that do not run, or no longer.
fn needs_no_budget(pod: &Value) -> bool {
    is_ended(pod) || text(pod, "/status/phase") == "Pending"
}

fn is_ended(pod: &Value) -> bool {
    let ended = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    ended || !get(pod, "/metadata/deletionTimestamp").is_null()
}

/// A pod that is not ready may go where enough others are, or where the budget does not mind (KEP-3017).
fn is_unhealthy_and_free(pod: &Value, budget: &Value) -> bool {
    let is_ready = |condition: &Value| text(condition, "/type") == "Ready" && text(condition, "/status") == "True";
    if items(pod, "/status/conditions").iter().any(is_ready) {
        return false;
    }
    let count = |field: &str| number(budget, &format!("/status/{field}")).unwrap_or_default();
    let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
    text(budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow" || healthy >= desired && desired > 0
}

async fn matching(budgets: &Store, namespace: &str, pod: &Value) -> Result<Vec<Arc<StoredObject>>, ApiError> {
    let labels = get(pod, "/metadata/labels");
    let all = budgets.list(namespace, &ListQuery::default()).await?.items;
    let matches = |budget: &Arc<StoredObject>| selector::matches(get(&budget.document(), "/spec/selector"), labels);
    Ok(all.into_iter().filter(matches).collect())
}

/// Takes one disruption off a budget.
async fn take(
    budgets: &Store,
    context: &WriteContext,
    namespace: &str,
    pod: &str,
    budget: &str,
) -> Result<(), ApiError> {
    let now = seconds(context.clock.now());
    // The server writes it, not who evicts.
    let context = &WriteContext {
        field_manager: Some("kube-apiserver".to_owned()),
        subresource: Some("status".to_owned()),
        ..context.clone()
    };
    let mutate = |current: &Value| {
        refuse(current)?;
        let left = number(current, "/status/disruptionsAllowed").unwrap_or_default() - 1;
        let mut changed = current.clone();
        put(&mut changed, &["status", "disruptionsAllowed"], json!(left));
        put(&mut changed, &["status", "disruptedPods", pod], json!(now));
        if left == 0 {
            let condition = json!({
                "type": "DisruptionAllowed",
                "status": "False",
                "observedGeneration": get(current, "/status/observedGeneration"),
                "reason": "InsufficientPods",
                "message": "",
            });
            set_condition(&mut changed, context.clock.now(), condition);
        }
        // Another try is based on the newest state.
        put(
            &mut changed,
            &["metadata", "resourceVersion"],
            get(current, "/metadata/resourceVersion").clone(),
        );
        Ok(changed)
    };
    loop {
        let options = UpdateOptions::default();
        match budgets
            .update(context, namespace, budget, Some("status"), mutate, options)
            .await
        {
            Err(error) if error.reason() == "Conflict" => {}
            result => return result.map(drop),
        }
    }
}

/// The error of a budget that does not allow a disruption at the moment.
fn refuse(budget: &Value) -> Result<(), ApiError> {
    let name = text(budget, "/metadata/name");
    let count = |field: &str| number(budget, &format!("/status/{field}")).unwrap_or_default();
    let generation = number(budget, "/metadata/generation").unwrap_or_default();
    if count("observedGeneration") < generation {
        let message = format!("The disruption budget {name} is still being processed by the server.");
        return Err(ApiError::too_many_requests(VIOLATION, 10).with_cause(CAUSE, message, ""));
    }
    let forbidden = |why: &str, more: &str| {
        let message = format!("The disruption budget {name} does not allow evicting pods currently: {more}");
        let resource = GroupResource::new("policy", "poddisruptionbudget");
        Err(ApiError::forbidden(&resource, name, why).with_cause(CAUSE, message, ""))
    };
    let allowed = count("disruptionsAllowed");
    if allowed < 0 {
        let why = "pdb disruptions allowed is negative";
        return forbidden(why, why);
    }
    if entries(budget, "/status/disruptedPods").count() > PENDING_MAX {
        return forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            "too many pending evictions not confirmed by PDB controller",
        );
    }
    if allowed > 0 {
        return Ok(());
    }
    let is_refusal = |condition: &&Value| {
        text(condition, "/type") == "DisruptionAllowed"
            && text(condition, "/status") == "False"
            && !text(condition, "/message").is_empty()
    };
    let condition = items(budget, "/status/conditions").iter().find(is_refusal);
    let part = |field: &str| condition.map(|condition| text(condition, field)).unwrap_or_default();
    let (reason, why) = (part("/reason"), part("/message"));
    let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
    let message = if reason == "SyncFailed" {
        format!("The disruption budget {name} does not allow evicting pods currently because it failed sync: {why}")
    } else if healthy <= desired {
        format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
    } else if condition.is_some() {
        format!("The disruption budget {name} does not allow evicting pods currently ({reason}): {why}")
    } else {
        format!("The disruption budget {name} does not allow evicting pods currently")
    };
    Err(ApiError::too_many_requests(VIOLATION, 0).with_cause(CAUSE, message, ""))
}
