//! The rules for priority levels.

use serde_json::{Value, json};

use super::fixed_spec;
use crate::registry::validation::values::{get, number, one_of, text};
use crate::status::FieldError;

/// The most queues of a level.
const MOST_QUEUES: i64 = 10_000_000;
/// As much can be drawn from one hash.
const MOST_ENTROPY_BITS: i64 = 60;

/// The rules for a priority level.
pub(crate) fn priority_level(level: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, kind) = (text(level, "/metadata/name"), text(level, "/spec/type"));
    if (name == "exempt") != (kind == "Exempt") && !(kind.is_empty() && name != "exempt") {
        let detail = "must be 'Exempt' if and only if `name` is 'exempt'";
        if kind == "Exempt" || name == "exempt" {
            errors.push(FieldError::invalid("spec.type", json!(kind), detail));
        }
    }
    errors.extend(unlike_fixed(level, name));
    let given = |field: &str| !get(level, &format!("/spec/{field}")).is_null();
    let (limited, exempt) = (given("limited"), given("exempt"));
    match kind {
        "Limited" => {
            if exempt {
                errors.push(FieldError::forbidden("spec.exempt", ""));
            }
            if !limited {
                errors.push(FieldError::required("spec.limited", ""));
            }
        }
        other => {
            if limited {
                errors.push(FieldError::forbidden("spec.limited", ""));
            }
            match other {
                "Exempt" => {}
                "" => errors.push(FieldError::required("spec.type", "")),
                other => errors.extend(one_of("spec.type", other, &["Exempt", "Limited"])),
            }
        }
    }
    if limited {
        errors.extend(limits(get(level, "/spec/limited")));
    }
    if exempt {
        errors.extend(shares(get(level, "/spec/exempt"), "spec.exempt"));
    }
    errors
}

/// The two levels that everything else rests on are as they are.
fn unlike_fixed(level: &Value, name: &str) -> Option<FieldError> {
    let fixed = fixed_spec("prioritylevelconfigurations", name)?;
    let spec = get(level, "/spec");
    let detail = match name {
        "exempt" if get(spec, "/type") == get(fixed, "/type") && get(spec, "/limited").is_null() => return None,
        "exempt" => "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value",
        _ if spec == fixed => return None,
        _ => "spec of 'catch-all' must equal the fixed value",
    };
    Some(FieldError::invalid("spec", Value::Null, detail).shown_as(shown(spec)))
}

fn limits(limited: &Value) -> Vec<FieldError> {
    let mut errors = shares(limited, "spec.limited");
    if let Some(borrowing) = number(limited, "/borrowingLimitPercent").filter(|percent| *percent < 0) {
        let detail = "if specified, must be a non-negative integer";
        errors.push(FieldError::invalid(
            "spec.limited.borrowingLimitPercent",
            json!(borrowing),
            detail,
        ));
    }
    let (field, queuing) = (
        "spec.limited.limitResponse.queuing",
        get(limited, "/limitResponse/queuing"),
    );
    match (text(limited, "/limitResponse/type"), queuing.is_null()) {
        ("", _) => errors.push(FieldError::required("spec.limited.limitResponse.type", "")),
        ("Reject", true) => {}
        ("Reject", false) => errors.push(FieldError::forbidden(field, "")),
        ("Queue", true) => errors.push(FieldError::required(field, "")),
        ("Queue", false) => errors.extend(queues(queuing, field)),
        (other, _) => errors.extend(one_of("spec.limited.limitResponse.type", other, &["Queue", "Reject"])),
    }
    errors
}

fn shares(part: &Value, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(shares) = number(part, "/nominalConcurrencyShares").filter(|shares| *shares < 0) {
        let field = format!("{field}.nominalConcurrencyShares");
        errors.push(FieldError::invalid(
            field,
            json!(shares),
            "must be a non-negative integer",
        ));
    }
    if let Some(percent) = number(part, "/lendablePercent").filter(|percent| !(0..=100).contains(percent)) {
        let field = format!("{field}.lendablePercent");
        errors.push(FieldError::invalid(
            field,
            json!(percent),
            "must be between 0 and 100, inclusive",
        ));
    }
    errors
}

fn queues(queuing: &Value, field: &str) -> Vec<FieldError> {
    let value = |name: &str| number(queuing, &format!("/{name}")).unwrap_or_default();
    let (length, queues, hand) = (value("queueLengthLimit"), value("queues"), value("handSize"));
    let wrong =
        |name: &str, value: i64, detail: String| FieldError::invalid(format!("{field}.{name}"), json!(value), detail);
    let mut errors = Vec::new();
    if length <= 0 {
        errors.push(wrong("queueLengthLimit", length, "must be positive".to_owned()));
    }
    if queues <= 0 {
        errors.push(wrong("queues", queues, "must be positive".to_owned()));
    } else if queues > MOST_QUEUES {
        errors.push(wrong(
            "queues",
            queues,
            format!("must not be greater than {MOST_QUEUES}"),
        ));
    }
    if hand <= 0 {
        errors.push(wrong("handSize", hand, "must be positive".to_owned()));
    } else if hand > queues && queues > 0 {
        errors.push(wrong(
            "handSize",
            hand,
            format!("should not be greater than queues ({queues})"),
        ));
    } else if queues > 0 && entropy_bits(queues, hand) > MOST_ENTROPY_BITS {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {MOST_ENTROPY_BITS}"
        );
        errors.push(wrong("handSize", hand, detail));
    }
    errors
}

/// The bits that it takes to draw a hand of queues.
fn entropy_bits(queues: i64, hand: i64) -> i64 {
    let draws = (0..hand.min(queues)).map(|drawn| ((queues - drawn) as f64).log2());
    draws.sum::<f64>().ceil() as i64
}

/// A spec as kube-apiserver shows it.
fn shown(spec: &Value) -> String {
    let part = |value: &Value, fields: &[(&str, &str)]| match value {
        Value::Null => "null".to_owned(),
        value => {
            let shown = fields
                .iter()
                .map(|(name, field)| format!("\"{name}\":{}", get(value, field)));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
        }
    };
    let exempt = part(
        get(spec, "/exempt"),
        &[
            ("NominalConcurrencyShares", "/nominalConcurrencyShares"),
            ("LendablePercent", "/lendablePercent"),
        ],
    );
    let limited = match get(spec, "/limited") {
        Value::Null => "null".to_owned(),
        limited => {
            let queuing = part(
                get(limited, "/limitResponse/queuing"),
                &[
                    ("Queues", "/queues"),
                    ("HandSize", "/handSize"),
                    ("QueueLengthLimit", "/queueLengthLimit"),
                ],
            );
            format!(
                "{{\"NominalConcurrencyShares\":{},\"LimitResponse\":{{\"Type\":{},\"Queuing\":{queuing}}},\
                 \"LendablePercent\":{},\"BorrowingLimitPercent\":{}}}",
                get(limited, "/nominalConcurrencyShares"),
                get(limited, "/limitResponse/type"),
                get(limited, "/lendablePercent"),
                get(limited, "/borrowingLimitPercent"),
            )
        }
    };
    format!(
        "{{\"Type\":{},\"Limited\":{limited},\"Exempt\":{exempt}}}",
        get(spec, "/type")
    )
}
