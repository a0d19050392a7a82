//! The rules for security contexts.

use std::collections::HashSet;
use std::sync::LazyLock;

use kubewire_client::validation::dns1123_subdomain;
use regex::Regex;
use serde_json::{Value, json};

use crate::registry::validation::values::{broken, flag, get, items, number, one_of, text, texts};
use crate::registry::validation::volumes::descending_path;
use crate::status::FieldError;

const SYSCTL: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
static IS_SYSCTL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SYSCTL).ok());
const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

/// The rules for the security context of a pod's spec.
pub(super) fn of_pod(spec: &Value, path: &str) -> Vec<FieldError> {
    let context = get(spec, "/securityContext");
    let at = |field: &str| format!("{path}.securityContext.{field}");
    let mut errors = Vec::new();
    if flag(spec, "/shareProcessNamespace") && flag(spec, "/hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        let field = format!("{path}.shareProcessNamespace");
        errors.push(FieldError::invalid(field, json!(true), detail));
    }
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        errors.extend(id(get(context, &format!("/{field}")), &at(field)));
    }
    for (index, group) in items(context, "/supplementalGroups").iter().enumerate() {
        errors.extend(id(group, &at(&format!("supplementalGroups[{index}]"))));
    }
    errors.extend(sysctls(spec, &at("sysctls")));
    for (field, supported) in [
        ("fsGroupChangePolicy", ["Always", "OnRootMismatch"]),
        ("seLinuxChangePolicy", ["MountOption", "Recursive"]),
        ("supplementalGroupsPolicy", ["Merge", "Strict"]),
    ] {
        if let Some(policy) = get(context, &format!("/{field}")).as_str() {
            errors.extend(one_of(&at(field), policy, &supported));
        }
    }
    errors.extend(profiles(context, &at("")));
    errors
}

/// The rules for the security context of a container; `host_users` tells whether its users are those of the node.
pub(super) fn of_container(container: &Value, host_users: bool, path: &str) -> Vec<FieldError> {
    let context = get(container, "/securityContext");
    let path = format!("{path}.securityContext");
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    for field in ["runAsUser", "runAsGroup"] {
        errors.extend(id(get(context, &format!("/{field}")), &at(field)));
    }
    if let Some(mount) = get(context, "/procMount").as_str() {
        errors.extend(one_of(&at("procMount"), mount, &["Default", "Unmasked"]));
        if host_users && mount == "Unmasked" {
            let detail = "`hostUsers` must be false to use `Unmasked`";
            errors.push(FieldError::invalid(at("procMount"), json!(mount), detail));
        }
    }
    if get(context, "/allowPrivilegeEscalation") == &json!(false) {
        if flag(context, "/privileged") {
            errors.push(contradiction(context, &path, "`privileged` to true"));
        }
        if texts(context, "/capabilities/add").contains(&"CAP_SYS_ADMIN") {
            errors.push(contradiction(context, &path, "`capabilities.Add` CAP_SYS_ADMIN"));
        }
    }
    errors.extend(profiles(context, &at("")));
    errors
}

/// Whether containers of a pod's spec may do everything on their node, which a cluster allows or not.
pub(in crate::registry) fn privileged(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (at, container) in super::container::all(spec, path) {
        if flag(container, "/securityContext/privileged") {
            let field = format!("{at}.securityContext.privileged");
            errors.push(FieldError::forbidden(field, "disallowed by cluster policy"));
        }
    }
    if super::system::host_processes(spec) > 0 {
        let detail = "hostProcess containers are disallowed by cluster policy";
        errors.push(FieldError::forbidden(path, detail));
    }
    errors
}

fn contradiction(context: &Value, path: &str, other: &str) -> FieldError {
    let detail = format!("cannot set `allowPrivilegeEscalation` to false and {other}");
    FieldError::invalid(path, Value::Null, detail).shown_as(shown(context))
}

/// The context as the type inside of kube-apiserver.
fn shown(context: &Value) -> String {
    const FIELDS: [&str; 12] = [
        "capabilities",
        "privileged",
        "seLinuxOptions",
        "windowsOptions",
        "runAsUser",
        "runAsGroup",
        "runAsNonRoot",
        "readOnlyRootFilesystem",
        "allowPrivilegeEscalation",
        "procMount",
        "seccompProfile",
        "appArmorProfile",
    ];
    let fields: Vec<String> = FIELDS.iter().map(|field| member(context, field)).collect();
    format!("{{{}}}", fields.join(","))
}

fn member(context: &Value, field: &str) -> String {
    let value = get(context, &format!("/{field}"));
    let inner: &[&str] = match field {
        "capabilities" => &["add", "drop"],
        "seLinuxOptions" => &["user", "role", "type", "level"],
        "windowsOptions" => &[
            "gmsaCredentialSpecName",
            "gmsaCredentialSpec",
            "runAsUserName",
            "hostProcess",
        ],
        "seccompProfile" | "appArmorProfile" => &["type", "localhostProfile"],
        _ => &[],
    };
    let value = match value {
        Value::Object(_) => {
            let members: Vec<String> = inner.iter().map(|field| member(value, field)).collect();
            format!("{{{}}}", members.join(","))
        }
        // Options of SELinux are plain texts.
        Value::Null if ["user", "role", "level"].contains(&field) => "\"\"".to_owned(),
        value => value.to_string(),
    };
    let name = match field {
        "seLinuxOptions" => "SELinuxOptions".to_owned(),
        "gmsaCredentialSpecName" => "GMSACredentialSpecName".to_owned(),
        "gmsaCredentialSpec" => "GMSACredentialSpec".to_owned(),
        field => field
            .chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .chain(field.chars().skip(1))
            .collect(),
    };
    format!("\"{name}\":{value}")
}

fn id(value: &Value, field: &str) -> Option<FieldError> {
    let id = value.as_i64().filter(|id| !(0..=i64::from(i32::MAX)).contains(id))?;
    let detail = "must be between 0 and 2147483647, inclusive";
    Some(FieldError::invalid(field, json!(id), detail))
}

fn sysctls(spec: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = HashSet::new();
    for (index, sysctl) in items(spec, "/securityContext/sysctls").iter().enumerate() {
        let (name, field) = (text(sysctl, "/name"), format!("{path}[{index}].name"));
        let valid = name.len() <= 253 && IS_SYSCTL.as_ref().is_none_or(|rule| rule.is_match(name));
        if name.is_empty() {
            errors.push(FieldError::required(&field, ""));
        } else if !valid {
            let detail = format!("must have at most 253 characters and match regex {SYSCTL}");
            errors.push(FieldError::invalid(&field, json!(name), detail));
        } else if !names.insert(name) {
            errors.push(FieldError::duplicate(&field, json!(name)));
        }
        let dotted = name.replace('/', ".");
        let of_processes = ["kernel.shm", "kernel.msg", "fs.mqueue."];
        let shared = |prefix: &&str| dotted.starts_with(*prefix);
        let of_node = [
            ("hostNetwork", dotted.starts_with("net.")),
            ("hostIPC", dotted == "kernel.sem" || of_processes.iter().any(shared)),
        ];
        for (namespace, belongs) in of_node {
            if belongs && flag(spec, &format!("/{namespace}")) {
                let detail = format!("may not be specified when '{namespace}' is true");
                errors.push(FieldError::invalid(&field, json!(name), detail));
            }
        }
    }
    errors
}

/// What pods and containers have in common; the path ends with a dot.
fn profiles(context: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = seccomp(get(context, "/seccompProfile"), &format!("{path}seccompProfile"));
    errors.extend(windows(
        get(context, "/windowsOptions"),
        &format!("{path}windowsOptions"),
    ));
    errors.extend(app_armor(
        get(context, "/appArmorProfile"),
        &format!("{path}appArmorProfile"),
    ));
    errors
}

fn profile_type(profile: &Value, name: &str, path: &str) -> Option<FieldError> {
    let field = format!("{path}.type");
    match text(profile, "/type") {
        "" => {
            let detail = format!("type is required when {name} is set");
            Some(FieldError::required(field, detail))
        }
        kind => one_of(&field, kind, &PROFILES),
    }
}

fn seccomp(profile: &Value, path: &str) -> Vec<FieldError> {
    if profile.is_null() {
        return Vec::new();
    }
    let mut errors: Vec<FieldError> = profile_type(profile, "seccompProfile", path).into_iter().collect();
    let field = format!("{path}.localhostProfile");
    let (kind, local) = (text(profile, "/type"), get(profile, "/localhostProfile").as_str());
    match (kind, local) {
        ("Localhost", None) => {
            let detail = "must be set when seccomp type is Localhost";
            errors.push(FieldError::required(field, detail));
        }
        ("Localhost", Some(local)) => errors.extend(descending_path(local, &field)),
        (_, Some(local)) => {
            let detail = "can only be set when seccomp type is Localhost";
            let shown = format!(r#"{{"Type":{},"LocalhostProfile":{}}}"#, json!(kind), json!(local));
            errors.push(FieldError::invalid(field, Value::Null, detail).shown_as(shown));
        }
        (_, None) => {}
    }
    errors
}

fn app_armor(profile: &Value, path: &str) -> Vec<FieldError> {
    if profile.is_null() {
        return Vec::new();
    }
    let mut errors: Vec<FieldError> = profile_type(profile, "appArmorProfile", path).into_iter().collect();
    let field = format!("{path}.localhostProfile");
    let needed = "must be set when AppArmor type is Localhost";
    match (text(profile, "/type"), get(profile, "/localhostProfile").as_str()) {
        ("Localhost", Some(local)) if local.trim() != local => {
            let detail = "must not be padded with whitespace";
            errors.push(FieldError::invalid(field, json!(local), detail));
        }
        ("Localhost", None | Some("")) => errors.push(FieldError::required(field, needed)),
        ("Localhost", Some(local)) if local.len() > 4095 => errors.push(FieldError::too_long(field, 4095)),
        ("RuntimeDefault" | "Unconfined", Some(local)) => {
            let detail = "can only be set when AppArmor type is Localhost";
            errors.push(FieldError::invalid(field, json!(local), detail));
        }
        _ => {}
    }
    errors
}

fn windows(options: &Value, path: &str) -> Vec<FieldError> {
    let at = |field: &str| format!("{path}.{field}");
    let mut errors = Vec::new();
    let empty = |field: &str| FieldError::invalid(at(field), json!(""), format!("{field} cannot be an empty string"));
    match get(options, "/gmsaCredentialSpecName").as_str() {
        Some("") => errors.push(empty("gmsaCredentialSpecName")),
        Some(name) => errors.extend(broken(&at("gmsaCredentialSpecName"), name, dns1123_subdomain(name))),
        None => {}
    }
    let max = 64 * 1024;
    match get(options, "/gmsaCredentialSpec").as_str() {
        Some("") => errors.push(empty("gmsaCredentialSpec")),
        Some(spec) if spec.len() > max => {
            let detail = format!("gmsaCredentialSpec size must be under {} KiB", max / 1024);
            errors.push(FieldError::invalid(at("gmsaCredentialSpec"), json!(spec), detail));
        }
        _ => {}
    }
    match get(options, "/runAsUserName").as_str() {
        Some("") => errors.push(empty("runAsUserName")),
        Some(name) => {
            let wrong = user_name(name).into_iter();
            let wrong = wrong.map(|rule| format!("runAsUserName{rule}")).collect();
            errors.extend(broken(&at("runAsUserName"), name, wrong));
        }
        None => {}
    }
    errors
}

/// What is wrong with a user of Windows such as `DOMAIN\\user`.
fn user_name(name: &str) -> Vec<String> {
    if name.chars().any(char::is_control) {
        return vec![" cannot contain control characters".to_owned()];
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let mut wrong = Vec::new();
    let user = match parts[..] {
        [user] => user,
        [domain, user] => {
            if domain.is_empty() || domain.len() > 255 {
                wrong.push("'s Domain doesn't match the NetBios nor the DNS format".to_owned());
            }
            user
        }
        _ => return vec![" cannot contain more than one backslash".to_owned()],
    };
    if user.is_empty() {
        wrong.push("'s User cannot be empty".to_owned());
    } else if user.len() > 104 {
        wrong.push("'s User length must not be longer than 104 characters".to_owned());
    }
    if !user.is_empty() && user.chars().all(|c| c == '.' || c == ' ') {
        wrong.push("'s User cannot contain only periods or spaces".to_owned());
    }
    let forbidden = r#""/\:;|=,+*?<>@[]"#;
    if user.chars().any(|c| forbidden.contains(c)) {
        wrong.push(format!("'s User cannot contain the following characters: {forbidden}"));
    }
    wrong
}

/// Whether the users of containers are those of the node.
pub(super) fn host_users(spec: &Value) -> bool {
    get(spec, "/hostUsers") != &json!(false)
}

/// Seconds that containers have to end.
pub(super) fn grace_period(spec: &Value) -> i64 {
    match number(spec, "/terminationGracePeriodSeconds") {
        None => 30,
        Some(seconds) if seconds < 0 => 1,
        Some(seconds) => seconds,
    }
}
