//! The rules for how workloads replace their pods.

use serde_json::{Value, json};

use super::values::{get, number, text};
use crate::status::FieldError;

/// The rules for a deployment's strategy.
pub(super) fn deployment_strategy(strategy: &Value, path: &str) -> Vec<FieldError> {
    let rolling = get(strategy, "/rollingUpdate");
    let at = format!("{path}.rollingUpdate");
    match text(strategy, "/type") {
        "Recreate" if !rolling.is_null() => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            vec![FieldError::forbidden(at, detail)]
        }
        "Recreate" => Vec::new(),
        "RollingUpdate" if rolling.is_null() => {
            vec![FieldError::required(at, "this should be defaulted and never be nil")]
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (get(rolling, "/maxUnavailable"), get(rolling, "/maxSurge"));
            let field = format!("{at}.maxUnavailable");
            let mut errors = count_or_percent(unavailable, &field);
            errors.extend(count_or_percent(surge, &format!("{at}.maxSurge")));
            if amount(unavailable) == 0 && amount(surge) == 0 {
                let detail = "may not be 0 when `maxSurge` is 0";
                errors.push(FieldError::invalid(&*field, unavailable.clone(), detail));
            }
            errors.extend(at_most_all(unavailable, &field));
            errors
        }
        _ => vec![unsupported(strategy, path, &["Recreate", "RollingUpdate"])],
    }
}

/// The rules for a daemon set's strategy.
pub(super) fn daemon_set_strategy(strategy: &Value, path: &str) -> Vec<FieldError> {
    let rolling = get(strategy, "/rollingUpdate");
    let at = |field: &str| format!("{path}.rollingUpdate.{field}");
    match text(strategy, "/type") {
        "OnDelete" => Vec::new(),
        "RollingUpdate" if rolling.is_null() => vec![FieldError::required(format!("{path}.rollingUpdate"), "")],
        "RollingUpdate" => {
            let (unavailable, surge) = (get(rolling, "/maxUnavailable"), get(rolling, "/maxSurge"));
            let mut errors = count_or_percent(unavailable, &at("maxUnavailable"));
            errors.extend(count_or_percent(surge, &at("maxSurge")));
            errors.extend(at_most_all(unavailable, &at("maxUnavailable")));
            errors.extend(at_most_all(surge, &at("maxSurge")));
            match (amount(unavailable) != 0, amount(surge) != 0) {
                (true, true) => {
                    let detail = "may not be set when maxUnavailable is non-zero";
                    errors.push(FieldError::invalid(at("maxSurge"), surge.clone(), detail));
                }
                (false, false) => {
                    let detail = "cannot be 0 when maxSurge is 0";
                    errors.push(FieldError::required(at("maxUnavailable"), detail));
                }
                _ => {}
            }
            errors
        }
        _ => vec![unsupported(strategy, path, &["RollingUpdate", "OnDelete"])],
    }
}

/// The rules for a stateful set's strategy.
pub(super) fn stateful_set_strategy(strategy: &Value, path: &str) -> Vec<FieldError> {
    let rolling = get(strategy, "/rollingUpdate");
    let at = |field: &str| format!("{path}.rollingUpdate.{field}");
    match text(strategy, "/type") {
        "" => vec![FieldError::required(path, "")],
        "OnDelete" if !rolling.is_null() => {
            let detail = "only allowed for updateStrategy 'RollingUpdate'";
            let error = FieldError::invalid(format!("{path}.rollingUpdate"), Value::Null, detail);
            vec![error.shown_as(internal(rolling, &["partition", "maxUnavailable"]))]
        }
        "OnDelete" => Vec::new(),
        "RollingUpdate" => {
            let mut errors = Vec::new();
            let partition = number(rolling, "/partition").unwrap_or_default();
            errors.extend(super::metadata::not_negative(&at("partition"), partition));
            let unavailable = get(rolling, "/maxUnavailable");
            if !unavailable.is_null() {
                let field = at("maxUnavailable");
                errors.extend(count_or_percent(unavailable, &field));
                if amount(unavailable) == 0 {
                    errors.push(FieldError::invalid(&*field, unavailable.clone(), "cannot be 0"));
                }
                errors.extend(at_most_all(unavailable, &field));
            }
            errors
        }
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            let error = FieldError::invalid(path, Value::Null, detail);
            vec![error.shown_as(internal(strategy, &["type", "rollingUpdate"]))]
        }
    }
}

/// A number of pods, or how many of them.
pub(super) fn count_or_percent(value: &Value, path: &str) -> Vec<FieldError> {
    match value {
        Value::String(text) if percent(text).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                          '93%', regex used for validation is '[0-9]+%')";
            vec![FieldError::invalid(path, value.clone(), detail)]
        }
        Value::String(_) => Vec::new(),
        other => super::metadata::not_negative(path, other.as_i64().unwrap_or_default())
            .into_iter()
            .collect(),
    }
}

/// A share of more than all pods makes no sense.
pub(super) fn at_most_all(value: &Value, path: &str) -> Option<FieldError> {
    let percent = value.as_str().and_then(percent)?;
    (percent > 100).then(|| FieldError::invalid(path, value.clone(), "must not be greater than 100%"))
}

/// The number or the percentage, 0 for anything else.
fn amount(value: &Value) -> i64 {
    match value {
        Value::String(text) => percent(text).unwrap_or_default(),
        other => other.as_i64().unwrap_or_default(),
    }
}

fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(i64::MAX))
}

fn unsupported(strategy: &Value, path: &str, supported: &[&str]) -> FieldError {
    let shown = internal(strategy, &["type", "rollingUpdate"]);
    FieldError::not_supported(path, Value::Null, supported).shown_as(shown)
}

/// How messages show a value that has no JSON form of its own upstream: every field, its name in capitals.
fn internal(value: &Value, fields: &[&str]) -> String {
    let field = |name: &&str| {
        let (first, rest) = name.split_at(1);
        let value = match (*name, get(value, &format!("/{name}"))) {
            ("rollingUpdate", rolling @ Value::Object(fields)) => {
                let known = ["partition", "maxUnavailable", "maxSurge"];
                let present: Vec<&str> = known.into_iter().filter(|name| fields.contains_key(*name)).collect();
                internal(rolling, &present)
            }
            (_, value) => value.to_string(),
        };
        format!("{}:{value}", json!(format!("{}{rest}", first.to_uppercase())))
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments() {
        let cases = [
            (
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}}),
                vec![],
            ),
            (
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "150%", "maxSurge": "x"}}),
                vec![
                    "s.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string \
                     followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
                    "s.rollingUpdate.maxUnavailable: Invalid value: \"150%\": must not be greater than 100%",
                ],
            ),
            (
                json!({"type": "Nosuch"}),
                vec![
                    "s: Unsupported value: {\"Type\":\"Nosuch\",\"RollingUpdate\":null}: supported values: \
                     \"Recreate\", \"RollingUpdate\"",
                ],
            ),
        ];
        for (strategy, expected) in cases {
            let errors: Vec<String> = deployment_strategy(&strategy, "s")
                .iter()
                .map(|e| e.to_string())
                .collect();
            assert_eq!(errors, expected);
        }
    }

    #[test]
    fn daemon_sets_do_one_thing_at_a_time() {
        let with = |unavailable: Value, surge: Value| {
            let rolling = json!({"maxUnavailable": unavailable, "maxSurge": surge});
            let strategy = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
            let errors = daemon_set_strategy(&strategy, "s");
            errors.iter().map(|e| e.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(with(json!(1), json!(0)), Vec::<String>::new());
        assert_eq!(
            with(json!(1), json!(1)),
            ["s.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"]
        );
        assert_eq!(
            with(json!(0), json!("0%")),
            ["s.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"]
        );
    }
}
