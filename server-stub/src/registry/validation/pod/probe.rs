//! The rules for probes and lifecycle handlers.

use kubewire_client::validation::port_name;
use serde_json::{Value, json};

use crate::registry::validation::values::{broken, get, items, number, one_of, text};
use crate::status::FieldError;

const HEADER: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex \
                      used for validation is '[-A-Za-z0-9]+')";

/// The rules for the probes and hooks of a container, which has so many seconds to end.
pub(super) fn of_container(container: &Value, grace_period: i64, path: &str) -> Vec<FieldError> {
    let hooks = get(container, "/lifecycle");
    let mut errors = lifecycle(hooks, grace_period, &format!("{path}.lifecycle"));
    errors.extend(validate_all(container, path));
    errors
}

fn validate_all(container: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = get(container, &format!("/{name}"));
        if probe.is_object() {
            errors.extend(validate(probe, name, &format!("{path}.{name}")));
        }
    }
    errors
}

/// The rules for what runs when a container starts or stops.
fn lifecycle(lifecycle: &Value, grace_period: i64, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for hook in ["postStart", "preStop"] {
        let handler = get(lifecycle, &format!("/{hook}"));
        if handler.is_object() {
            let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
            errors.extend(validate_handler(
                handler,
                &kinds,
                grace_period,
                &format!("{path}.{hook}"),
            ));
        }
    }
    errors
}

fn validate(probe: &Value, name: &str, path: &str) -> Vec<FieldError> {
    let mut errors = validate_handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], 0, path);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        let value = number(probe, &format!("/{field}")).unwrap_or_default();
        if value < 0 {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(format!("{path}.{field}"), json!(value), detail));
        }
    }
    if let Some(seconds) = number(probe, "/terminationGracePeriodSeconds")
        && seconds <= 0
    {
        let detail = "must be greater than 0";
        let field = format!("{path}.terminationGracePeriodSeconds");
        errors.push(FieldError::invalid(field, json!(seconds), detail));
    }
    let successes = number(probe, "/successThreshold").unwrap_or(1);
    if name != "readinessProbe" && successes != 1 {
        errors.push(FieldError::invalid(
            format!("{path}.successThreshold"),
            json!(successes),
            "must be 1",
        ));
    }
    if name == "readinessProbe" && !get(probe, "/terminationGracePeriodSeconds").is_null() {
        let field = format!("{path}.terminationGracePeriodSeconds");
        errors.push(FieldError::invalid(
            field,
            get(probe, "/terminationGracePeriodSeconds").clone(),
            "must not be set for readinessProbes",
        ));
    }
    errors
}

/// One kind of handler, and its own rules.
fn validate_handler(handler: &Value, kinds: &[&str], grace_period: i64, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut found = false;
    for kind in kinds {
        let action = get(handler, &format!("/{kind}"));
        if action.is_null() {
            continue;
        }
        let field = format!("{path}.{kind}");
        if found {
            errors.push(FieldError::forbidden(field, "may not specify more than 1 handler type"));
            continue;
        }
        found = true;
        match *kind {
            "exec" if items(action, "/command").is_empty() => {
                errors.push(FieldError::required(format!("{field}.command"), ""));
            }
            "httpGet" => {
                if text(action, "/path").is_empty() {
                    errors.push(FieldError::required(format!("{field}.path"), ""));
                }
                errors.extend(port(get(action, "/port"), &format!("{field}.port")));
                let scheme = text(action, "/scheme");
                errors.extend(one_of(&format!("{field}.scheme"), scheme, &["HTTP", "HTTPS"]));
                let names = items(action, "/httpHeaders").iter().map(|header| text(header, "/name"));
                let wrong = names.filter(|name| !is_header(name));
                errors
                    .extend(wrong.map(|name| FieldError::invalid(format!("{field}.httpHeaders"), json!(name), HEADER)));
            }
            "tcpSocket" | "grpc" => errors.extend(port(get(action, "/port"), &format!("{field}.port"))),
            "sleep" => {
                let seconds = number(action, "/seconds").unwrap_or_default();
                if seconds < 0 || seconds > grace_period {
                    let detail =
                        format!("must be non-negative and less than terminationGracePeriodSeconds ({grace_period})");
                    errors.push(FieldError::invalid(field, json!(seconds), detail));
                }
            }
            _ => {}
        }
    }
    if !found {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
    errors
}

/// A port by number or by name.
fn port(port: &Value, field: &str) -> Vec<FieldError> {
    match port {
        Value::String(name) => broken(field, name, port_name(name)),
        port if port.as_i64().is_some_and(|port| (1..=65535).contains(&port)) => Vec::new(),
        port => {
            let shown = json!(port.as_i64().unwrap_or_default());
            vec![FieldError::invalid(
                field,
                shown,
                "must be between 1 and 65535, inclusive",
            )]
        }
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
