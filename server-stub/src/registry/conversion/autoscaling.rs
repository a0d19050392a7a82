//! `autoscaling/v1` autoscalers are stored as `v2`: v1 has a field for the CPU target and annotations for the rest.

use serde_json::{Map, Value, json};

use super::Conversion;

pub(super) const CONVERSION: Conversion = Conversion {
    from_storage,
    to_storage,
};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

fn from_storage(mut autoscaler: Value) -> Value {
    autoscaler["apiVersion"] = "autoscaling/v1".into();
    let mut notes = Map::new();
    if let Some(spec) = autoscaler.get_mut("spec").and_then(Value::as_object_mut) {
        let (cpu, others) = split(spec.remove("metrics"), "target");
        if let Some(target) = cpu {
            spec.insert("targetCPUUtilizationPercentage".to_owned(), target);
        }
        note(&mut notes, METRICS, others);
        note(&mut notes, BEHAVIOR, spec.remove("behavior"));
    }
    if let Some(status) = autoscaler.get_mut("status").and_then(Value::as_object_mut) {
        let (cpu, others) = split(status.remove("currentMetrics"), "current");
        if let Some(current) = cpu {
            status.insert("currentCPUUtilizationPercentage".to_owned(), current);
        }
        status.entry("currentReplicas").or_insert(json!(0));
        note(&mut notes, CURRENT_METRICS, others);
        note(&mut notes, CONDITIONS, status.remove("conditions"));
    }
    if !notes.is_empty() {
        match &mut autoscaler["metadata"]["annotations"] {
            Value::Object(annotations) => annotations.extend(notes),
            empty => *empty = notes.into(),
        }
    }
    autoscaler
}

fn to_storage(mut autoscaler: Value) -> Value {
    autoscaler["apiVersion"] = "autoscaling/v2".into();
    let mut noted = |name: &str| {
        let annotations = autoscaler.pointer_mut("/metadata/annotations")?.as_object_mut()?;
        serde_json::from_str::<Value>(annotations.remove(name)?.as_str()?).ok()
    };
    let (metrics, behavior) = (noted(METRICS), noted(BEHAVIOR));
    let (current, conditions) = (noted(CURRENT_METRICS), noted(CONDITIONS));
    if autoscaler
        .pointer("/metadata/annotations")
        .is_some_and(|annotations| *annotations == json!({}))
        && let Some(metadata) = autoscaler["metadata"].as_object_mut()
    {
        metadata.remove("annotations");
    }
    if let Some(spec) = autoscaler.get_mut("spec").and_then(Value::as_object_mut) {
        let cpu = spec.remove("targetCPUUtilizationPercentage").map(|percent| {
            let target = json!({ "type": "Utilization", "averageUtilization": percent });
            json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } })
        });
        join(spec, "metrics", metrics, cpu);
        spec.extend(behavior.map(|behavior| ("behavior".to_owned(), behavior)));
    }
    if let Some(status) = autoscaler.get_mut("status").and_then(Value::as_object_mut) {
        let cpu = status.remove("currentCPUUtilizationPercentage").map(|percent| {
            json!({ "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": percent } } })
        });
        join(status, "currentMetrics", current, cpu);
        status.entry("currentMetrics").or_insert(Value::Null);
        status.extend(conditions.map(|conditions| ("conditions".to_owned(), conditions)));
    }
    autoscaler
}

/// The CPU utilization among the metrics, and the metrics that v1 has no field for.
fn split(metrics: Option<Value>, side: &str) -> (Option<Value>, Option<Value>) {
    let Some(Value::Array(metrics)) = metrics else {
        return (None, None);
    };
    let mut cpu = None;
    let mut others = Vec::new();
    for metric in metrics {
        let percent = &metric["resource"][side]["averageUtilization"];
        if cpu.is_none() && metric["resource"]["name"] == "cpu" && percent.is_number() {
            cpu = Some(percent.clone());
        } else {
            others.push(metric);
        }
    }
    (cpu, (!others.is_empty()).then_some(Value::Array(others)))
}

fn join(fields: &mut Map<String, Value>, name: &str, noted: Option<Value>, cpu: Option<Value>) {
    let mut metrics = match noted {
        Some(Value::Array(metrics)) => metrics,
        _ => Vec::new(),
    };
    metrics.extend(cpu);
    if !metrics.is_empty() {
        fields.insert(name.to_owned(), metrics.into());
    }
}

fn note(notes: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        notes.insert(name.to_owned(), value.to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let cpu = json!({ "type": "Resource", "resource": { "name": "cpu",
            "target": { "type": "Utilization", "averageUtilization": 70 } } });
        let memory = json!({ "type": "Resource", "resource": { "name": "memory",
            "target": { "type": "AverageValue", "averageValue": "1Gi" } } });
        let stored = json!({
            "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": { "name": "a" },
            "spec": { "maxReplicas": 5, "metrics": [memory, cpu], "behavior": { "scaleDown": {} } },
            "status": { "currentReplicas": 1, "desiredReplicas": 2, "currentMetrics": null,
                "conditions": [{ "type": "AbleToScale", "status": "True" }] },
        });
        let served = from_storage(stored.clone());
        assert_eq!(served["spec"]["targetCPUUtilizationPercentage"], 70);
        assert_eq!(served["spec"].get("metrics"), None);
        assert!(
            served["metadata"]["annotations"][METRICS]
                .as_str()
                .unwrap()
                .contains("memory")
        );
        assert_eq!(to_storage(served), stored);
    }

    #[test]
    fn a_plain_v1_object_gets_one_metric() {
        let served = json!({
            "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v1", "metadata": { "name": "a" },
            "spec": { "maxReplicas": 5, "targetCPUUtilizationPercentage": 80 },
        });
        let stored = to_storage(served.clone());
        assert_eq!(
            stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
            80
        );
        assert_eq!(from_storage(stored), served);
    }
}
