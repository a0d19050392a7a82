//! Pods: the status column tells why a pod does not run.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{created, flag, has_condition, items, name, number, text, text_or};
use crate::human_duration::age;

pub(super) fn pod(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = summarize(pod);
    let restarts = match &summary.last_restart {
        Some(at) if summary.restarts > 0 => format!("{} ({} ago)", summary.restarts, age(&json!(at), now)),
        _ => summary.restarts.to_string(),
    };
    vec![
        name(pod),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(restarts),
        created(pod, now),
        json!(text_or(pod, "/status/podIPs/0/ip", "<none>")),
        json!(text_or(pod, "/spec/nodeName", "<none>")),
        json!(text_or(pod, "/status/nominatedNodeName", "<none>")),
        json!(readiness_gates(pod)),
    ]
}

/// What the containers' statuses come to.
#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    /// RFC 3339, which sorts as text.
    last_restart: Option<String>,
}

impl Summary {
    fn count_restarts(&mut self, status: &Value) {
        self.restarts += number(status, "/restartCount");
        let finished = text(status, "/lastState/terminated/finishedAt");
        if !finished.is_empty() && self.last_restart.as_deref().is_none_or(|last| last < finished) {
            self.last_restart = Some(finished.to_owned());
        }
    }
}

fn summarize(pod: &Value) -> Summary {
    let init_containers = items(pod, "/spec/initContainers");
    let sidecars: Vec<&str> = init_containers
        .filter(|container| text(container, "/restartPolicy") == "Always")
        .map(|container| text(container, "/name"))
        .collect();
    let total = items(pod, "/spec/containers").len() + sidecars.len();
    let mut summary = Summary {
        reason: phase(pod),
        total,
        ..Default::default()
    };
    let mut of_sidecars = Summary::default();
    let mut initializing = false;
    for (index, status) in items(pod, "/status/initContainerStatuses").enumerate() {
        let is_sidecar = sidecars.contains(&text(status, "/name"));
        summary.count_restarts(status);
        if is_sidecar {
            of_sidecars.count_restarts(status);
        }
        if is_sidecar && flag(status, "/started") {
            summary.ready += usize::from(flag(status, "/ready"));
            continue;
        }
        let Some(reason) = init_reason(pod, status, index) else {
            continue;
        };
        summary.reason = reason;
        initializing = true;
        break;
    }
    if !initializing || has_condition(pod, "Initialized") {
        (summary.restarts, summary.last_restart) = (of_sidecars.restarts, of_sidecars.last_restart);
        add_containers(pod, &mut summary);
    }
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        if text(pod, "/status/reason") == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

fn phase(pod: &Value) -> String {
    let gated = |c: &&Value| text(c, "/type") == "PodScheduled" && text(c, "/reason") == "SchedulingGated";
    if items(pod, "/status/conditions").find(gated).is_some() {
        return "SchedulingGated".to_owned();
    }
    text_or(pod, "/status/reason", text(pod, "/status/phase")).to_owned()
}

/// Why a pod is still initializing, `None` if this init container has done its work.
fn init_reason(pod: &Value, status: &Value, index: usize) -> Option<String> {
    if let Some(terminated) = status.pointer("/state/terminated") {
        if number(terminated, "/exitCode") == 0 {
            return None;
        }
        return Some(format!("Init:{}", termination(terminated)));
    }
    match text(status, "/state/waiting/reason") {
        "" | "PodInitializing" => Some(format!("Init:{index}/{}", items(pod, "/spec/initContainers").len())),
        reason => Some(format!("Init:{reason}")),
    }
}

fn add_containers(pod: &Value, summary: &mut Summary) {
    let mut has_running = false;
    for status in items(pod, "/status/containerStatuses").rev() {
        summary.count_restarts(status);
        let waiting = text(status, "/state/waiting/reason");
        if !waiting.is_empty() {
            summary.reason = waiting.to_owned();
        } else if let Some(terminated) = status.pointer("/state/terminated") {
            summary.reason = termination(terminated);
        } else if flag(status, "/ready") && status.pointer("/state/running").is_some() {
            has_running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" && has_running {
        summary.reason = if has_condition(pod, "Ready") {
            "Running"
        } else {
            "NotReady"
        }
        .to_owned();
    }
}

fn termination(terminated: &Value) -> String {
    match (text(terminated, "/reason"), number(terminated, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number(terminated, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = items(pod, "/spec/readinessGates");
    let total = gates.len();
    let open = gates
        .filter(|gate| has_condition(pod, text(gate, "/conditionType")))
        .count();
    if total == 0 {
        "<none>".to_owned()
    } else {
        format!("{open}/{total}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(pod_status: Value) -> Vec<Value> {
        let now = "2024-01-01T00:10:00Z".parse().unwrap();
        let mut object = json!({
            "metadata": {"name": "p", "creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]},
        });
        object["status"] = pod_status;
        pod(&object, now)
    }

    #[test]
    fn running() {
        let row = cells(json!({"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}],
            "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                {"name": "s", "started": true, "ready": true, "restartCount": 1, "state": {"running": {}}}],
            "containerStatuses": [
                {"ready": true, "restartCount": 2, "state": {"running": {}}, "lastState": {"terminated": {"finishedAt": "2024-01-01T00:05:00Z"}}},
                {"ready": false, "state": {"running": {}}}]}));
        assert_eq!(
            row[1..6],
            [
                json!("2/3"),
                json!("Running"),
                json!("3 (5m ago)"),
                json!("10m"),
                json!("10.0.0.1")
            ]
        );
    }

    #[test]
    fn reasons() {
        let reason = |status| cells(status)[2].as_str().unwrap().to_owned();
        assert_eq!(
            reason(json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]})),
            "Init:0/2"
        );
        let failed = json!({"initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3}}}]});
        assert_eq!(reason(failed), "Init:ExitCode:3");
        let waiting = json!({"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
        assert_eq!(reason(waiting), "CrashLoopBackOff");
        let gated = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]});
        assert_eq!(reason(gated), "SchedulingGated");
        let done = json!({"phase": "Running", "containerStatuses": [
            {"state": {"terminated": {"reason": "Completed"}}}, {"ready": true, "state": {"running": {}}}]});
        assert_eq!(reason(done), "NotReady");
    }
}
