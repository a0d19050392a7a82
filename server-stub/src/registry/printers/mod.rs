//! The cells of a table's rows, one small function a kind, as `kubectl get` shows them.
//!
//! A printer gives the cells of all columns in the order of the resource's facts, the wide ones included.

mod access;
mod batch;
mod cluster;
mod events;
mod network;
mod pods;
mod scaling;
mod volumes;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::object::StoredObject;
use super::validation::values::get;
use crate::human_duration::{age, human_duration};

/// Makes the cells for one object.
pub(crate) type Printer = fn(&Value, Timestamp) -> Vec<Value>;

/// Puts objects into the order in which a table shows them, where that is not the order of their names.
pub(crate) fn sort(group: &str, resource: &str, objects: &mut [&StoredObject]) {
    if (group, resource) == ("flowcontrol.apiserver.k8s.io", "flowschemas") {
        objects.sort_by_cached_key(|object| {
            let precedence = get(&object.document(), "/spec/matchingPrecedence").as_i64();
            (precedence, object.header().name.clone())
        });
    }
}

/// The printer of a resource; resources without one show their name and creation time.
pub(crate) fn printer(group: &str, resource: &str) -> Printer {
    match (group, resource) {
        ("", "pods") => pods::pod,
        ("", "podtemplates") => workloads::pod_template,
        ("", "replicationcontrollers") => workloads::replication_controller,
        ("apps", "deployments") => workloads::deployment,
        ("apps", "replicasets") => workloads::replica_set,
        ("apps", "statefulsets") => workloads::stateful_set,
        ("apps", "daemonsets") => workloads::daemon_set,
        ("apps", "controllerrevisions") => workloads::controller_revision,
        ("batch", "jobs") => batch::job,
        ("batch", "cronjobs") => batch::cron_job,
        ("", "configmaps") => cluster::config_map,
        ("", "secrets") => cluster::secret,
        ("", "namespaces") => cluster::namespace,
        ("", "nodes") => cluster::node,
        ("", "resourcequotas") => cluster::resource_quota,
        ("coordination.k8s.io", "leases") => cluster::lease,
        ("scheduling.k8s.io", "priorityclasses") => cluster::priority_class,
        ("node.k8s.io", "runtimeclasses") => cluster::runtime_class,
        ("apiextensions.k8s.io", "customresourcedefinitions") => cluster::custom_resource_definition,
        ("apiregistration.k8s.io", "apiservices") => cluster::api_service,
        ("", "events") => events::core_event,
        ("events.k8s.io", "events") => events::event,
        ("", "services") => network::service,
        ("", "endpoints") => network::endpoints,
        ("discovery.k8s.io", "endpointslices") => network::endpoint_slice,
        ("networking.k8s.io", "ingresses") => network::ingress,
        ("networking.k8s.io", "ingressclasses") => network::ingress_class,
        ("networking.k8s.io", "networkpolicies") => network::network_policy,
        ("networking.k8s.io", "servicecidrs") => network::service_cidr,
        ("networking.k8s.io", "ipaddresses") => network::ip_address,
        ("", "persistentvolumes") => volumes::persistent_volume,
        ("", "persistentvolumeclaims") => volumes::persistent_volume_claim,
        ("storage.k8s.io", "storageclasses") => volumes::storage_class,
        ("storage.k8s.io", "volumeattributesclasses") => volumes::volume_attributes_class,
        ("storage.k8s.io", "volumeattachments") => volumes::volume_attachment,
        ("storage.k8s.io", "csidrivers") => volumes::csi_driver,
        ("storage.k8s.io", "csinodes") => volumes::csi_node,
        ("autoscaling", "horizontalpodautoscalers") => scaling::horizontal_pod_autoscaler,
        ("policy", "poddisruptionbudgets") => scaling::pod_disruption_budget,
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => scaling::flow_schema,
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => scaling::priority_level,
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => access::role_binding,
        ("certificates.k8s.io", "certificatesigningrequests") => access::certificate_signing_request,
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            access::webhook_configuration
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => access::validating_policy,
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies") => access::mutating_policy,
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings") => {
            access::policy_binding
        }
        ("", "serviceaccounts") | ("resource.k8s.io", "deviceclasses" | "resourceclaimtemplates") => name_and_age,
        _ => name_and_creation,
    }
}

/// Name and age.
fn name_and_age(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), created(object, now)]
}

/// Name and creation timestamp: the table of kinds that have no columns of their own.
pub(crate) fn name_and_creation(object: &Value, _: Timestamp) -> Vec<Value> {
    vec![name(object), json!(text(object, "/metadata/creationTimestamp"))]
}

/// A scale, which is no resource of its own.
pub(crate) fn scale(scale: &Value, now: Timestamp) -> Vec<Value> {
    let replicas = |part: &str| scale[part]["replicas"].as_i64().unwrap_or_default().into();
    vec![name(scale), replicas("spec"), replicas("status"), created(scale, now)]
}

fn name(object: &Value) -> Value {
    json!(text(object, "/metadata/name"))
}

/// How long ago the object was created.
fn created(object: &Value, now: Timestamp) -> Value {
    since(object, "/metadata/creationTimestamp", now)
}

/// How long ago the time in a field was.
fn since(object: &Value, pointer: &str, now: Timestamp) -> Value {
    json!(age(object.pointer(pointer).unwrap_or(&Value::Null), now))
}

/// The time between two fields.
fn between(object: &Value, start: &str, end: &str) -> Option<String> {
    let time = |pointer| text(object, pointer).parse::<Timestamp>().ok();
    Some(human_duration(time(end)?.as_second() - time(start)?.as_second()))
}

/// A text field, empty if it is not there.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A text field, or what stands for an empty one.
fn text_or<'a>(object: &'a Value, pointer: &str, default: &'a str) -> &'a str {
    Some(text(object, pointer))
        .filter(|text| !text.is_empty())
        .unwrap_or(default)
}

/// A number, 0 if it is not there.
fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The elements of a list, none if it is not there.
fn items<'a>(object: &'a Value, pointer: &str) -> impl DoubleEndedIterator<Item = &'a Value> + ExactSizeIterator + 'a {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
}

/// The number of entries of a map or list.
fn count(object: &Value, pointer: &str) -> usize {
    match object.pointer(pointer) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(fields)) => fields.len(),
        _ => 0,
    }
}

/// A field that holds a number or a text (`IntOrString`), as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The texts joined, or `default` if there are none.
fn joined<'a>(texts: impl IntoIterator<Item = &'a str>, separator: &str, default: &str) -> String {
    let texts: Vec<&str> = texts.into_iter().collect();
    if texts.is_empty() {
        default.to_owned()
    } else {
        texts.join(separator)
    }
}

/// The first `max` texts, and how many more there are.
fn at_most(texts: Vec<String>, max: usize, separator: &str, default: &str) -> String {
    if texts.is_empty() {
        return default.to_owned();
    }
    let more = texts.len().saturating_sub(max);
    let shown = texts.into_iter().take(max).collect::<Vec<_>>().join(separator);
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}

/// `a=b,c=d`, sorted, or `<none>`.
fn labels(map: Option<&Value>) -> String {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    let mut pairs: Vec<String> = pairs
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    at_most(pairs, usize::MAX, ",", "<none>")
}

/// A label selector in the syntax of `kubectl -l`.
fn selector(selector: Option<&Value>) -> String {
    let Some(selector) = selector else {
        return "<none>".to_owned();
    };
    let labels = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let mut terms: Vec<(String, String)> = labels
        .map(|(k, v)| (k.clone(), format!("{k}={}", v.as_str().unwrap_or_default())))
        .collect();
    for rule in items(selector, "/matchExpressions") {
        let key = text(rule, "/key");
        let mut values: Vec<&str> = items(rule, "/values").filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match text(rule, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    at_most(
        terms.into_iter().map(|(_, term)| term).collect(),
        usize::MAX,
        ",",
        "<none>",
    )
}

/// The containers' names and images, two cells.
fn containers(pod_spec: Option<&Value>) -> [Value; 2] {
    let list = |field| {
        joined(
            pod_spec
                .into_iter()
                .flat_map(|spec| items(spec, "/containers"))
                .map(|c| text(c, field)),
            ",",
            "",
        )
    };
    [json!(list("/name")), json!(list("/image"))]
}

/// Whether a condition of this type is true.
fn has_condition(object: &Value, kind: &str) -> bool {
    items(object, "/status/conditions").any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
}
