//! Jobs and cron jobs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{between, containers, count, created, has_condition, name, number, selector, since, text, text_or};

pub(super) fn job(o: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/template/spec"));
    let succeeded = number(o, "/status/succeeded");
    let completions = match (
        o.pointer("/spec/completions").and_then(Value::as_i64),
        number(o, "/spec/parallelism"),
    ) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let duration = match (text(o, "/status/startTime"), text(o, "/status/completionTime")) {
        ("", _) => json!(""),
        (_, "") => since(o, "/status/startTime", now),
        _ => json!(between(o, "/status/startTime", "/status/completionTime").unwrap_or_default()),
    };
    vec![
        name(o),
        json!(job_status(o)),
        json!(completions),
        duration,
        created(o, now),
        names,
        images,
        json!(selector(o.pointer("/spec/selector"))),
    ]
}

fn job_status(o: &Value) -> &'static str {
    let first = |kinds: &[&'static str]| kinds.iter().copied().find(|kind| has_condition(o, kind));
    if let Some(end) = first(&["Complete", "Failed"]) {
        return end;
    }
    if o.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating";
    }
    first(&["Suspended", "FailureTarget", "SuccessCriteriaMet"]).unwrap_or("Running")
}

pub(super) fn cron_job(o: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(o.pointer("/spec/jobTemplate/spec/template/spec"));
    let suspend = match o.pointer("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = match text(o, "/status/lastScheduleTime") {
        "" => json!("<none>"),
        _ => since(o, "/status/lastScheduleTime", now),
    };
    vec![
        name(o),
        json!(text(o, "/spec/schedule")),
        json!(text_or(o, "/spec/timeZone", "<none>")),
        json!(suspend),
        json!(count(o, "/status/active")),
        last,
        created(o, now),
        names,
        images,
        json!(selector(o.pointer("/spec/jobTemplate/spec/selector"))),
    ]
}
