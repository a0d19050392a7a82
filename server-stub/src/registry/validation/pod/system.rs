//! The rules for the operating system of a pod.

use serde_json::{Value, json};

use super::container;
use crate::registry::validation::values::{flag, get, items, one_of, text};
use crate::status::FieldError;

const OF_LINUX: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
const OF_LINUX_CONTAINERS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// A pod with an operating system has no fields of the other one.
pub(super) fn validate(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if get(spec, "/os").is_object() {
        match text(spec, "/os/name") {
            "" => errors.push(FieldError::required(format!("{path}.os.name"), "")),
            name => errors.extend(one_of(&format!("{path}.os"), name, &["linux", "windows"])),
        }
    }
    match text(spec, "/os/name") {
        "linux" => errors.extend(linux(spec, path)),
        "windows" => errors.extend(windows(spec, path)),
        _ => {}
    }
    errors.extend(processes_of_hosts(spec, path));
    errors
}

fn linux(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut contexts = vec![(path.to_owned(), spec)];
    contexts.extend(container::all(spec, path));
    let present = |(_, owner): &(String, &Value)| !get(owner, "/securityContext/windowsOptions").is_null();
    let error = |(at, _): (String, &Value)| {
        let detail = "windows options cannot be set for a linux pod";
        FieldError::forbidden(format!("{at}.securityContext.windowsOptions"), detail)
    };
    contexts.into_iter().filter(present).map(error).collect()
}

fn windows(spec: &Value, path: &str) -> Vec<FieldError> {
    let forbidden = |field: String| FieldError::forbidden(field, "cannot be set for a windows pod");
    let mut errors = Vec::new();
    if !get(spec, "/resources").is_null() {
        let detail = "may not be set for a windows pod";
        errors.push(FieldError::forbidden(format!("{path}.resources"), detail));
    }
    for field in ["hostUsers", "shareProcessNamespace"] {
        if !get(spec, &format!("/{field}")).is_null() {
            errors.push(forbidden(format!("{path}.{field}")));
        }
    }
    for field in ["hostPID", "hostIPC"] {
        if flag(spec, &format!("/{field}")) {
            errors.push(forbidden(format!("{path}.{field}")));
        }
    }
    let is_set = |context: &Value, field: &str| match get(context, &format!("/{field}")) {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        _ => true,
    };
    let context = get(spec, "/securityContext");
    let set = OF_LINUX.iter().filter(|field| is_set(context, field));
    errors.extend(set.map(|field| forbidden(format!("{path}.securityContext.{field}"))));
    for (at, container) in container::all(spec, path) {
        let context = get(container, "/securityContext");
        let set = OF_LINUX_CONTAINERS.iter().filter(|field| is_set(context, field));
        errors.extend(set.map(|field| forbidden(format!("{at}.securityContext.{field}"))));
    }
    errors
}

/// Processes of Windows nodes themselves.
fn processes_of_hosts(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let pointer = "/securityContext/windowsOptions/hostProcess";
    let of_pod = get(spec, pointer).as_bool();
    for (at, container) in container::all(spec, path) {
        if let (Some(pod), Some(own)) = (of_pod, get(container, pointer).as_bool())
            && pod != own
        {
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            let field = format!("{at}.securityContext.windowsOptions.hostProcess");
            errors.push(FieldError::invalid(field, json!(own), detail));
        }
    }
    let count = host_processes(spec);
    if count == 0 {
        return errors;
    }
    if count != container::all(spec, path).count() {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(FieldError::invalid(path, json!(""), detail));
    }
    if !flag(spec, "/hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(FieldError::invalid(format!("{path}.hostNetwork"), json!(false), detail));
    }
    errors
}

/// How many containers are processes of their node.
pub(super) fn host_processes(spec: &Value) -> usize {
    let pointer = "/securityContext/windowsOptions/hostProcess";
    let of_pod = get(spec, pointer).as_bool();
    let is_one = |container: &Value| get(container, pointer).as_bool().or(of_pod) == Some(true);
    ["/initContainers", "/containers", "/ephemeralContainers"]
        .into_iter()
        .flat_map(|list| items(spec, list))
        .filter(|container| is_one(container))
        .count()
}
