//! Limit ranges give containers their defaults and refuse what is outside of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Attributes;
use crate::registry::quantity::nanos;
use crate::registry::validation::values::{entries, get, items, put, text};
use crate::status::ApiError;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The amounts of resources by name, as text and as a number.
type Amounts = BTreeMap<String, (String, i128)>;

/// Fills in the resources of a new pod. Requests that follow from limits must be filled in already.
pub(super) async fn fill_in_pod(attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
    let ranges = attributes.list("", "limitranges").await?;
    for range in &ranges {
        fill_in(pod, items(&range.document(), "/spec/limits"));
    }
    Ok(())
}

/// Checks the resources of a pod.
pub(super) async fn check_pod(attributes: &Attributes<'_>, pod: &Value) -> Result<(), ApiError> {
    for range in attributes.list("", "limitranges").await? {
        let mut wrong = Vec::new();
        for limit in items(&range.document(), "/spec/limits") {
            match text(limit, "/type") {
                "Container" => {
                    for list in ["containers", "initContainers"] {
                        for container in items(pod, &format!("/spec/{list}")) {
                            let of = |side: &str| amounts(get(container, &format!("/resources/{side}")));
                            wrong.extend(check(limit, &of("requests"), &of("limits")));
                        }
                    }
                }
                "Pod" => wrong.extend(check(limit, &total(pod, "requests"), &total(pod, "limits"))),
                _ => {}
            }
        }
        refuse(attributes, pod, wrong)?;
    }
    Ok(())
}

/// Checks the size of a claim.
pub(super) async fn check_claim(attributes: &Attributes<'_>, claim: &Value) -> Result<(), ApiError> {
    for range in attributes.list("", "limitranges").await? {
        let mut wrong = Vec::new();
        for limit in items(&range.document(), "/spec/limits") {
            if text(limit, "/type") == "PersistentVolumeClaim" {
                let requests = amounts(get(claim, "/spec/resources/requests"));
                wrong.extend(check_min(limit, &requests, &Amounts::new()));
                wrong.extend(check_max(limit, &requests, &requests, "request"));
            }
        }
        refuse(attributes, claim, wrong)?;
    }
    Ok(())
}

fn refuse(attributes: &Attributes<'_>, object: &Value, wrong: Vec<String>) -> Result<(), ApiError> {
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(attributes.forbidden(object, one)),
        all => Err(attributes.forbidden(object, format!("[{}]", all.join(", ")))),
    }
}

/// Containers that ask for nothing get the defaults, and an annotation says so.
fn fill_in(pod: &mut Value, limits: &[Value]) {
    let mut notes = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        for index in 0..items(pod, &format!("/spec/{list}")).len() {
            let Some(container) = pod.pointer_mut(&format!("/spec/{list}/{index}")) else {
                continue;
            };
            let name = text(container, "/name").to_owned();
            for (side, source, word) in [
                ("requests", "defaultRequest", "request"),
                ("limits", "default", "limit"),
            ] {
                let mut set = Vec::new();
                for limit in limits.iter().filter(|limit| text(limit, "/type") == "Container") {
                    for (resource, amount) in entries(limit, &format!("/{source}")) {
                        let present = get(container, &format!("/resources/{side}")).get(resource).is_some();
                        if !present {
                            put(container, &["resources", side, resource], amount.clone());
                            set.push(resource.clone());
                        }
                    }
                }
                if !set.is_empty() {
                    set.sort();
                    notes.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        put(pod, &["metadata", "annotations", ANNOTATION], json!(note));
    }
}

fn check(limit: &Value, requests: &Amounts, limits: &Amounts) -> Vec<String> {
    let mut wrong = check_min(limit, requests, limits);
    wrong.extend(check_max(limit, limits, requests, "limit"));
    let kind = text(limit, "/type");
    for (name, (ratio_text, ratio)) in amounts(get(limit, "/maxLimitRequestRatio")) {
        let start = format!("{name} max limit to request ratio per {kind} is {ratio_text}, but");
        let amount = |of: &Amounts| of.get(&name).map(|(_, amount)| *amount).unwrap_or_default();
        let (request, limit) = (amount(requests), amount(limits));
        if request == 0 {
            wrong.push(format!("{start} no request is specified or request is 0"));
        } else if limit == 0 {
            wrong.push(format!("{start} no limit is specified or limit is 0"));
        } else if limit.saturating_mul(1_000_000_000) > ratio.saturating_mul(request) {
            wrong.push(format!(
                "{start} provided ratio is {:.6}",
                limit as f64 / request as f64
            ));
        }
    }
    wrong
}

fn check_min(limit: &Value, requests: &Amounts, limits: &Amounts) -> Vec<String> {
    let kind = text(limit, "/type");
    let wrong = amounts(get(limit, "/min"))
        .into_iter()
        .filter_map(|(name, (least_text, least))| {
            let start = format!("minimum {name} usage per {kind} is {least_text}");
            match (requests.get(&name), limits.get(&name)) {
                (None, _) => Some(format!("{start}.  No request is specified")),
                (Some((text, amount)), _) if *amount < least => Some(format!("{start}, but request is {text}")),
                (_, Some((text, amount))) if *amount < least => Some(format!("{start}, but limit is {text}")),
                _ => None,
            }
        });
    wrong.collect()
}

/// `first` is what must be there, which is called `word`.
fn check_max(limit: &Value, first: &Amounts, requests: &Amounts, word: &str) -> Vec<String> {
    let kind = text(limit, "/type");
    let wrong = amounts(get(limit, "/max"))
        .into_iter()
        .filter_map(|(name, (most_text, most))| {
            let start = format!("maximum {name} usage per {kind} is {most_text}");
            match (first.get(&name), requests.get(&name)) {
                (None, _) => Some(format!("{start}.  No {word} is specified")),
                (Some((text, amount)), _) if *amount > most => Some(format!("{start}, but {word} is {text}")),
                (_, Some((text, amount))) if *amount > most => Some(format!("{start}, but request is {text}")),
                _ => None,
            }
        });
    wrong.collect()
}

/// What all containers of a pod need together; those that only start it need theirs one after the other.
fn total(pod: &Value, side: &str) -> Amounts {
    let of = |container: &Value| amounts(get(container, &format!("/resources/{side}")));
    let mut total = Amounts::new();
    for container in items(pod, "/spec/containers") {
        for (name, (text, amount)) in of(container) {
            let sum = total.entry(name).or_insert((text, 0));
            sum.1 += amount;
            if sum.1 != amount {
                sum.0 = shown(sum.1);
            }
        }
    }
    for container in items(pod, "/spec/initContainers") {
        for (name, (text, amount)) in of(container) {
            let most = total.entry(name).or_insert_with(|| (text.clone(), amount));
            if most.1 < amount {
                *most = (text, amount);
            }
        }
    }
    total
}

fn amounts(map: &Value) -> Amounts {
    let amount = |(name, value): (&String, &Value)| {
        let text = value.as_str()?;
        Some((name.clone(), (text.to_owned(), nanos(text)?)))
    };
    entries(map, "").filter_map(amount).collect()
}

/// A sum as a quantity: whole numbers as they are, fractions in thousandths.
fn shown(nanos: i128) -> String {
    match nanos % 1_000_000_000 {
        0 => (nanos / 1_000_000_000).to_string(),
        _ => format!("{}m", nanos / 1_000_000),
    }
}
