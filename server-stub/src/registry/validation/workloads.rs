//! The rules for what runs pods from a template: `k8s.io/kubernetes/pkg/apis/apps/validation`.

use kubewire_client::validation::dns1123_label;
use serde_json::{Value, json};

use super::values::{broken, get, immutable, items, not_negative, number, one_of, path_of, text};
use super::{difference, pod, rolling, selector, storage, values};
use crate::status::FieldError;

/// The rules for a deployment.
pub(in crate::registry) fn deployment(object: &Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = not_negative(object, "/spec/replicas").into_iter().collect();
    errors.extend(selected_template(object, "deployment", "ReplicaSet"));
    errors.extend(rolling::deployment_strategy(
        get(object, "/spec/strategy"),
        "spec.strategy",
    ));
    errors.extend(not_negative(object, "/spec/minReadySeconds"));
    errors.extend(not_negative(object, "/spec/revisionHistoryLimit"));
    if let Some(deadline) = number(object, "/spec/progressDeadlineSeconds") {
        errors.extend(not_negative(object, "/spec/progressDeadlineSeconds"));
        if deadline <= number(object, "/spec/minReadySeconds").unwrap_or_default() {
            let detail = "must be greater than minReadySeconds";
            errors.push(FieldError::invalid(
                "spec.progressDeadlineSeconds",
                json!(deadline),
                detail,
            ));
        }
    }
    errors
}

/// The rules for a replica set.
pub(in crate::registry) fn replica_set(object: &Value) -> Vec<FieldError> {
    let counts = ["/spec/replicas", "/spec/minReadySeconds"];
    let mut errors: Vec<FieldError> = counts.iter().filter_map(|count| not_negative(object, count)).collect();
    // Upstream names the wrong kind, too.
    errors.extend(selected_template(object, "deployment", "ReplicaSet"));
    errors
}

/// The rules for a change of a deployment, a replica set or a daemon set.
pub(in crate::registry) fn selector_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let changed = immutable(new, old, "/spec/selector");
    let shown = |error: FieldError| match get(new, "/spec/selector") {
        Value::Null => error,
        selector => error.shown_as(selector::shown(selector)),
    };
    changed.map(shown).into_iter().collect()
}

/// The rules for a daemon set.
pub(in crate::registry) fn daemon_set(object: &Value) -> Vec<FieldError> {
    let wanted = get(object, "/spec/selector");
    let template = get(object, "/spec/template");
    let mut errors = selector::validate(wanted, "spec.selector");
    if errors.is_empty() && !selector::matches(wanted, get(template, "/metadata/labels")) {
        errors.push(labels_not_selected(template, "spec.template"));
    }
    if wanted.is_object() && selector::is_empty(wanted) {
        errors.push(empty_selector(wanted, "daemonset"));
    }
    errors.extend(pod::validate_template(template, "spec.template"));
    errors.extend(runs_always(template, "DaemonSet"));
    errors.extend(not_negative(object, "/spec/minReadySeconds"));
    errors.extend(rolling::daemon_set_strategy(
        get(object, "/spec/updateStrategy"),
        "spec.updateStrategy",
    ));
    errors.extend(not_negative(object, "/spec/revisionHistoryLimit"));
    errors
}

/// The rules for a stateful set.
pub(in crate::registry) fn stateful_set(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let policy = text(object, "/spec/podManagementPolicy");
    if !["OrderedReady", "Parallel"].contains(&policy) {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        errors.push(FieldError::invalid("spec.podManagementPolicy", json!(policy), detail));
    }
    errors.extend(rolling::stateful_set_strategy(
        get(object, "/spec/updateStrategy"),
        "spec.updateStrategy",
    ));
    for field in ["whenDeleted", "whenScaled"] {
        let pointer = format!("/spec/persistentVolumeClaimRetentionPolicy/{field}");
        if !get(object, &pointer).is_null() {
            errors.extend(one_of(
                &path_of(&pointer),
                text(object, &pointer),
                &["Retain", "Delete"],
            ));
        }
    }
    for (index, claim) in items(object, "/spec/volumeClaimTemplates").iter().enumerate() {
        let path = format!("spec.volumeClaimTemplates[{index}].spec");
        errors.extend(storage::claim_spec(get(claim, "/spec"), &path));
    }
    errors.extend(not_negative(object, "/spec/replicas"));
    errors.extend(not_negative(object, "/spec/minReadySeconds"));
    errors.extend(not_negative(object, "/spec/ordinals/start"));
    let service = text(object, "/spec/serviceName");
    if !service.is_empty() {
        errors.extend(broken("spec.serviceName", service, dns1123_label(service)));
    }
    errors.extend(stateful_template(object));
    errors
}

/// A stateful set's template may mount the volumes that are claimed for each pod.
fn stateful_template(object: &Value) -> Vec<FieldError> {
    let template = get(object, "/spec/template");
    let claims = items(object, "/spec/volumeClaimTemplates");
    let name = |claim: &Value| text(claim, "/metadata/name").to_owned();
    let mut claimed: Vec<Value> = claims
        .iter()
        .enumerate()
        .filter(|(index, claim)| !claims.iter().take(*index).any(|earlier| name(earlier) == name(claim)))
        .map(|(_, claim)| claim)
        .map(|claim| {
            let name = text(claim, "/metadata/name");
            json!({ "name": name, "persistentVolumeClaim": { "claimName": name } })
        })
        .collect();
    let mut mounted = template.clone();
    for name in ["subdomain", "hostname"] {
        values::remove(&mut mounted, "/spec", name);
    }
    if !claimed.is_empty() {
        for volume in items(template, "/spec/volumes") {
            if !claimed.iter().any(|claim| claim.get("name") == volume.get("name")) {
                claimed.push(volume.clone());
            }
        }
        values::put(&mut mounted, &["spec", "volumes"], Value::Array(claimed));
    }
    let wanted = get(object, "/spec/selector");
    let mut errors = checked_selector(wanted, "statefulset");
    match selector::validate(wanted, "").is_empty() {
        true => {
            errors.extend(selects(wanted, &mounted));
            errors.extend(pod::validate_template(&mounted, "spec.template"));
        }
        false => errors.push(FieldError::invalid("spec.selector", Value::Null, "").shown_as(selector::shown(wanted))),
    }
    errors.extend(runs_always(template, "StatefulSet"));
    errors
}

/// The rules for a change of a stateful set.
pub(in crate::registry) fn stateful_set_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = selector_update(new, old);
    let claims = items(new, "/spec/volumeClaimTemplates").iter();
    let claims: Vec<String> = claims
        .map(|claim| difference::shown("PersistentVolumeClaim", claim))
        .collect();
    let changed = immutable(new, old, "/spec/volumeClaimTemplates");
    errors.extend(changed.map(|error| error.shown_as(format!("[{}]", claims.join(",")))));
    for field in ["serviceName", "podManagementPolicy"] {
        errors.extend(immutable(new, old, &format!("/spec/{field}")));
    }
    errors
}

/// The rules for a replication controller, whose selector is a plain map.
pub(in crate::registry) fn replication_controller(object: &Value) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = not_negative(object, "/spec/minReadySeconds").into_iter().collect();
    let wanted = json!({ "matchLabels": get(object, "/spec/selector") });
    if selector::is_empty(&wanted) {
        errors.push(FieldError::required("spec.selector", ""));
    }
    errors.extend(not_negative(object, "/spec/replicas"));
    let template = get(object, "/spec/template");
    if template.is_null() {
        errors.push(FieldError::required("spec.template", ""));
        return errors;
    }
    errors.extend(selects(&wanted, template));
    errors.extend(pod::validate_template(template, "spec.template"));
    errors.extend(runs_always(template, "ReplicationController"));
    errors
}

/// The rules for counters in a status, which none may exceed where `limits` says so.
pub(in crate::registry) fn counters(
    object: &Value,
    fields: &[&str],
    limits: &[(&str, &str, &'static str)],
) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = fields
        .iter()
        .filter_map(|field| not_negative(object, &format!("/status/{field}")))
        .collect();
    let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or_default();
    for (field, limit, detail) in limits {
        if count(field) > count(limit) {
            errors.push(FieldError::invalid(
                format!("status.{field}"),
                json!(count(field)),
                *detail,
            ));
        }
    }
    errors
}

/// A counter of collisions only grows.
pub(in crate::registry) fn collisions(new: &Value, old: &Value) -> Option<FieldError> {
    let count = |object| number(object, "/status/collisionCount");
    let (new, old) = (count(new), count(old)?);
    (new.unwrap_or_default() < old).then(|| {
        FieldError::invalid(
            "status.collisionCount",
            json!(new.unwrap_or_default()),
            "cannot be decremented",
        )
    })
}

/// Selector and template of a deployment or replica set.
fn selected_template(object: &Value, kind: &str, owner: &str) -> Vec<FieldError> {
    let wanted = get(object, "/spec/selector");
    let template = get(object, "/spec/template");
    let mut errors = checked_selector(wanted, kind);
    if !selector::validate(wanted, "").is_empty() {
        let error = FieldError::invalid("spec.selector", Value::Null, "invalid label selector");
        errors.push(error.shown_as(selector::shown(wanted)));
        return errors;
    }
    errors.extend(selects(wanted, template));
    errors.extend(pod::validate_template(template, "spec.template"));
    errors.extend(runs_always(template, owner));
    errors
}

fn checked_selector(wanted: &Value, kind: &str) -> Vec<FieldError> {
    if wanted.is_null() {
        return vec![FieldError::required("spec.selector", "")];
    }
    let mut errors = selector::validate(wanted, "spec.selector");
    if selector::is_empty(wanted) {
        errors.push(empty_selector(wanted, kind));
    }
    errors
}

fn empty_selector(wanted: &Value, kind: &str) -> FieldError {
    let detail = format!("empty selector is invalid for {kind}");
    FieldError::invalid("spec.selector", Value::Null, detail).shown_as(selector::shown(wanted))
}

/// The pods must be those that are selected; an empty selector was an error before.
fn selects(wanted: &Value, template: &Value) -> Option<FieldError> {
    let empty = wanted.is_object() && selector::is_empty(wanted);
    let fits = empty || selector::matches(wanted, get(template, "/metadata/labels"));
    (!fits).then(|| labels_not_selected(template, "spec.template"))
}

/// "`selector` does not match template `labels`".
pub(super) fn labels_not_selected(template: &Value, path: &str) -> FieldError {
    FieldError::invalid(
        format!("{path}.metadata.labels"),
        get(template, "/metadata/labels").clone(),
        "`selector` does not match template `labels`",
    )
}

/// Pods that are replaced when they end must restart, and must not end by themselves.
fn runs_always(template: &Value, owner: &str) -> Vec<FieldError> {
    let policy = text(template, "/spec/restartPolicy");
    let restarts = one_of("spec.template.spec.restartPolicy", policy, &["Always"]);
    let deadline = !get(template, "/spec/activeDeadlineSeconds").is_null();
    let deadline = deadline.then(|| {
        FieldError::forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            format!("activeDeadlineSeconds in {owner} is not Supported"),
        )
    });
    restarts.into_iter().chain(deadline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    fn template(labels: Value) -> Value {
        json!({
            "metadata": { "labels": labels },
            "spec": {
                "containers": [{
                    "name": "a", "image": "b", "imagePullPolicy": "Always", "terminationMessagePolicy": "File",
                    "terminationMessagePath": "/x",
                }],
                "restartPolicy": "Always", "dnsPolicy": "Default",
            },
        })
    }

    fn deployment_with(spec: Value) -> Value {
        let mut object = json!({ "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "x" } }, "template": template(json!({ "app": "x" })),
            "strategy": { "type": "Recreate" }, "progressDeadlineSeconds": 600,
        } });
        for (field, value) in spec.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        object
    }

    #[test]
    fn a_good_deployment_has_no_errors() {
        assert_eq!(told(deployment(&deployment_with(json!({})))), Vec::<String>::new());
    }

    #[test]
    fn deployments() {
        let cases = [
            (
                json!({ "selector": null }),
                vec![
                    "spec.selector: Required value".to_owned(),
                    "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template \
                     `labels`"
                        .to_owned(),
                ],
            ),
            (
                json!({ "selector": {} }),
                vec!["spec.selector: Invalid value: {}: empty selector is invalid for deployment".to_owned()],
            ),
            (
                json!({ "replicas": -1, "progressDeadlineSeconds": 5, "minReadySeconds": 5 }),
                vec![
                    "spec.replicas: Invalid value: -1: must be greater than or equal to 0".to_owned(),
                    "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds".to_owned(),
                ],
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(told(deployment(&deployment_with(spec))), expected);
        }
    }

    #[test]
    fn selectors_stay() {
        let (old, new) = (
            deployment_with(json!({})),
            deployment_with(json!({ "selector": { "matchLabels": { "app": "y" } } })),
        );
        assert_eq!(
            told(selector_update(&new, &old)),
            ["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"y\"}}: field is immutable"]
        );
        assert!(selector_update(&old, &old).is_empty());
    }

    #[test]
    fn stateful_sets_mount_their_claims() {
        let mut object = deployment_with(json!({
            "podManagementPolicy": "OrderedReady", "updateStrategy": { "type": "OnDelete" },
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }],
        }));
        object["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
            json!([{ "name": "data", "mountPath": "/d" }]);
        assert_eq!(told(stateful_set(&object)), Vec::<String>::new());
        object["spec"]["volumeClaimTemplates"] = json!([]);
        assert_eq!(
            told(stateful_set(&object)),
            ["spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\""]
        );
    }

    #[test]
    fn statuses_count() {
        let status = json!({ "status": { "replicas": 1, "readyReplicas": 2, "availableReplicas": -1 } });
        let limits = [("readyReplicas", "replicas", "cannot be greater than status.replicas")];
        let fields = ["replicas", "readyReplicas", "availableReplicas"];
        assert_eq!(
            told(counters(&status, &fields, &limits)),
            [
                "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
                "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
            ]
        );
    }
}
