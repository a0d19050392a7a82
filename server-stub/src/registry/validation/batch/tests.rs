use serde_json::{Value, json};

use super::*;

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "template": {
            "metadata": { "labels": { "a": "b" } },
            "spec": {
                "restartPolicy": "Never", "dnsPolicy": "Default",
                "containers": [{ "name": "c", "image": "i", "imagePullPolicy": "Always",
                    "terminationMessagePolicy": "File", "terminationMessagePath": "/x" }],
            },
        },
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

fn told(errors: Vec<FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn jobs() {
    let job_with = |more| {
        let mut object = json!({ "metadata": { "name": "j", "uid": "u" }, "spec": spec(more) });
        object["spec"]["manualSelector"] = json!(true);
        object["spec"]["selector"] = json!({ "matchLabels": { "a": "b" } });
        told(job(&object))
    };
    assert_eq!(job_with(json!({})), Vec::<String>::new());
    let cases = [
        (
            json!({ "completions": -1 }),
            "spec.completions: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({ "completionMode": "Indexed" }),
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            json!({ "backoffLimitPerIndex": 1 }),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
        ),
        (
            json!({ "podFailurePolicy": { "rules": [{ "action": "Ignore" }] } }),
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ),
        (
            json!({ "completionMode": "Indexed", "completions": 3, "successPolicy": { "rules": [
                { "succeededIndexes": "0-1", "succeededCount": 3 }] } }),
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number \
             of indexes in the specified succeededIndexes field)",
        ),
        (
            json!({ "managedBy": "nobody" }),
            "spec.managedBy: Invalid value: \"nobody\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(job_with(more), [expected]);
    }
}

#[test]
fn a_suspended_job_may_be_placed_elsewhere() {
    let object = |suspend: bool, node: &str| {
        let mut object = json!({ "spec": spec(json!({ "suspend": suspend })) });
        object["spec"]["template"]["spec"]["nodeSelector"] = json!({ "node": node });
        object
    };
    assert_eq!(
        told(job_update(&object(true, "b"), &object(true, "a"))),
        Vec::<String>::new()
    );
    let errors = told(job_update(&object(false, "b"), &object(false, "a")));
    assert!(errors[0].starts_with("spec.template: Invalid value: {"), "{errors:?}");
}

#[test]
fn cron_jobs() {
    let object = |schedule: &str| {
        json!({
            "metadata": { "name": "c" },
            "spec": { "schedule": schedule, "concurrencyPolicy": "Allow", "jobTemplate": { "spec": spec(json!({})) } },
        })
    };
    assert_eq!(told(cron_job(&object("@daily"))), Vec::<String>::new());
    assert_eq!(told(cron_job(&object(""))), ["spec.schedule: Required value"]);
    let with_zone = object("TZ=UTC 0 0 * * *");
    let expected = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
    assert!(told(cron_job_change(&with_zone, &Value::Null))[0].ends_with(expected));
    assert!(cron_job_change(&with_zone, &with_zone).is_empty());
}
