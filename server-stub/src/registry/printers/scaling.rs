//! Autoscalers, disruption budgets and flow control.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{at_most, created, items, name, number, scalar, text, text_or};

pub(super) fn horizontal_pod_autoscaler(o: &Value, now: Timestamp) -> Vec<Value> {
    let reference = format!(
        "{}/{}",
        text(o, "/spec/scaleTargetRef/kind"),
        text(o, "/spec/scaleTargetRef/name")
    );
    let min = o
        .pointer("/spec/minReplicas")
        .and_then(scalar)
        .unwrap_or_else(|| "<unset>".to_owned());
    let targets = if o.pointer("/spec/metrics").is_some() {
        targets(o)
    } else {
        cpu_target(o)
    };
    vec![
        name(o),
        json!(reference),
        json!(targets),
        json!(min),
        json!(number(o, "/spec/maxReplicas")),
        json!(number(o, "/status/currentReplicas")),
        created(o, now),
    ]
}

/// `autoscaling/v1` knows one metric.
fn cpu_target(o: &Value) -> String {
    let percent = |pointer| o.pointer(pointer).and_then(Value::as_i64).map(|n| format!("{n}%"));
    match percent("/spec/targetCPUUtilizationPercentage") {
        Some(target) => {
            let current = percent("/status/currentCPUUtilizationPercentage").unwrap_or_else(|| "<unknown>".to_owned());
            format!("cpu: {current}/{target}")
        }
        None => "<none>".to_owned(),
    }
}

fn targets(o: &Value) -> String {
    let current: Vec<&Value> = items(o, "/status/currentMetrics").collect();
    let metric = |(index, spec): (usize, &Value)| {
        let (source, prefix) = match text(spec, "/type") {
            "External" => ("external", String::new()),
            "Pods" => ("pods", String::new()),
            "Object" => ("object", String::new()),
            "Resource" => ("resource", format!("{}: ", text(spec, "/resource/name"))),
            "ContainerResource" => (
                "containerResource",
                format!("{}: ", text(spec, "/containerResource/name")),
            ),
            _ => return "<unknown type>".to_owned(),
        };
        let target = spec.pointer(&format!("/{source}/target")).unwrap_or(&Value::Null);
        let now = current
            .get(index)
            .and_then(|status| status.pointer(&format!("/{source}/current")));
        let of = |field: &str| {
            let current = now
                .and_then(|now| now.get(field))
                .and_then(scalar)
                .unwrap_or_else(|| "<unknown>".to_owned());
            (current, target.get(field).and_then(scalar))
        };
        let is_resource = source.to_lowercase().contains("resource");
        if let (current, Some(target)) = of("averageValue") {
            let suffix = if is_resource || source == "pods" { "" } else { " (avg)" };
            return format!("{prefix}{current}/{target}{suffix}");
        }
        if is_resource {
            let (current, target) = of("averageUtilization");
            let current = if current.starts_with('<') {
                current
            } else {
                format!("{current}%")
            };
            return format!(
                "{prefix}{current}/{}",
                target.map_or("<auto>".to_owned(), |target| format!("{target}%"))
            );
        }
        let (current, target) = of("value");
        format!("{prefix}{current}/{}", target.unwrap_or_default())
    };
    at_most(
        items(o, "/spec/metrics").enumerate().map(metric).collect(),
        2,
        ", ",
        "<none>",
    )
}

pub(super) fn pod_disruption_budget(o: &Value, now: Timestamp) -> Vec<Value> {
    let bound = |pointer| json!(o.pointer(pointer).and_then(scalar).unwrap_or_else(|| "N/A".to_owned()));
    vec![
        name(o),
        bound("/spec/minAvailable"),
        bound("/spec/maxUnavailable"),
        json!(number(o, "/status/disruptionsAllowed")),
        created(o, now),
    ]
}

pub(super) fn flow_schema(o: &Value, now: Timestamp) -> Vec<Value> {
    let dangling = items(o, "/status/conditions").find(|c| text(c, "/type") == "Dangling");
    vec![
        name(o),
        json!(text(o, "/spec/priorityLevelConfiguration/name")),
        json!(number(o, "/spec/matchingPrecedence")),
        json!(text_or(o, "/spec/distinguisherMethod/type", "<none>")),
        created(o, now),
        json!(dangling.map_or("?", |c| text(c, "/status"))),
    ]
}

pub(super) fn priority_level(o: &Value, now: Timestamp) -> Vec<Value> {
    let of = |pointer| {
        o.pointer(pointer)
            .filter(|n| n.is_number())
            .cloned()
            .unwrap_or_else(|| json!("<none>"))
    };
    vec![
        name(o),
        json!(text(o, "/spec/type")),
        of("/spec/limited/nominalConcurrencyShares"),
        of("/spec/limited/limitResponse/queuing/queues"),
        of("/spec/limited/limitResponse/queuing/handSize"),
        of("/spec/limited/limitResponse/queuing/queueLengthLimit"),
        created(o, now),
    ]
}
