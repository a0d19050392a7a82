//! Query parameters: the options of each verb, decoded and checked as kube-apiserver does.

mod list;

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::status::{ApiError, FieldError};

pub(crate) use list::ListOptions;

/// The parameters of a URL in the order in which they stand. What cannot be decoded is left out, as Go does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let pair = |piece: &str| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Some((decode(name)?, decode(value)?))
        };
        Self(
            query
                .split('&')
                .filter(|piece| !piece.is_empty() && !piece.contains(';'))
                .filter_map(pair)
                .collect(),
        )
    }

    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first value, `None` also when it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A switch is on unless it says `false` or `0`: `?watch` and `?watch=yes` are on.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        self.first(name)
            .map(|value| !(value == "0" || value.eq_ignore_ascii_case("false")))
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.first(name)
            .map(|value| parse_int(value).map_err(ApiError::bad_request))
            .transpose()
    }
}

fn decode(text: &str) -> Option<String> {
    let escapes_are_whole = text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        matches!((digits.next(), digits.next()), (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    });
    escapes_are_whole.then(|| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    })
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with its error text.
fn parse_int(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error| number_error("ParseInt", text, &error))
}

/// A resource version in a request, with the error text that clients see; empty is `None`.
pub(crate) fn parse_resource_version(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |error| {
        let text = FieldError::invalid("resourceVersion", text.into(), number_error("ParseUint", text, &error));
        text.to_string()
    };
    // Go takes no sign here, Rust takes a plus.
    let digits = if text.starts_with('+') { "" } else { text };
    digits.parse().map(Some).map_err(wrong)
}

/// The text of Go's `strconv.NumError`.
pub(crate) fn number_error(function: &str, text: &str, error: &std::num::ParseIntError) -> String {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let what = match error.kind() {
        PosOverflow | NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!(
        "strconv.{function}: parsing {}: {what}",
        crate::field_error::quote(text)
    )
}

/// What to do with unknown and duplicate fields in a body (KEP-2885).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The options of create, update and patch.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) field_manager: Option<String>,
    pub(crate) field_validation: FieldValidation,
    /// What the client said of it.
    validation_given: Option<String>,
}

impl WriteOptions {
    /// Options that say nothing, but whether something is to be stored.
    pub(crate) fn dry_run(dry_run: bool) -> Self {
        Self {
            dry_run,
            ..Self::default()
        }
    }

    /// The options as webhooks are shown them, without the kind.
    pub(crate) fn document(&self) -> Value {
        let mut document = serde_json::json!({});
        if self.dry_run {
            document["dryRun"] = serde_json::json!(["All"]);
        }
        if let Some(manager) = &self.field_manager {
            document["fieldManager"] = manager.clone().into();
        }
        if let Some(validation) = &self.validation_given {
            document["fieldValidation"] = validation.clone().into();
        }
        document
    }

    /// `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions` and named in errors.
    pub(crate) fn parse(query: &Query, kind: &str, is_apply: bool) -> Result<Self, ApiError> {
        let mut errors = Vec::new();
        let force = query.switch("force");
        let field_manager = query.text("fieldManager");
        if kind == "PatchOptions" {
            if is_apply && field_manager.is_none() {
                errors.push(FieldError::required("fieldManager", "is required for apply patch"));
            }
            if !is_apply && force.is_some() {
                errors.push(FieldError::forbidden(
                    "force",
                    "may not be specified for non-apply patch",
                ));
            }
        }
        errors.extend(field_manager.and_then(check_field_manager));
        let dry_run = query.all("dryRun");
        errors.extend(check_dry_run(&dry_run));
        let field_validation = match query.first("fieldValidation").unwrap_or_default() {
            "" => FieldValidation::default(),
            "Ignore" => FieldValidation::Ignore,
            "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported("fieldValidation", other.into(), &supported));
                FieldValidation::default()
            }
        };
        if !errors.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", kind, "", errors));
        }
        Ok(Self {
            dry_run: !dry_run.is_empty(),
            field_manager: field_manager.map(str::to_owned),
            field_validation,
            validation_given: query.text("fieldValidation").map(str::to_owned),
        })
    }
}

/// The rules for a `fieldManager`: at most 128 bytes, printable.
fn check_field_manager(name: &str) -> Option<FieldError> {
    if name.len() > 128 {
        return Some(FieldError::too_long("fieldManager", 128));
    }
    let (position, c) = name.char_indices().find(|(_, c)| c.is_control())?;
    let mut detail = String::new();
    let _ = write!(
        detail,
        "invalid character U+{:04X} (at position {position})",
        u32::from(c)
    );
    Some(FieldError::invalid("fieldManager", name.into(), detail))
}

/// `All` is the only stage there is.
pub(crate) fn check_dry_run(stages: &[&str]) -> Option<FieldError> {
    let unknown = stages.iter().any(|stage| *stage != "All");
    unknown.then(|| FieldError::not_supported("dryRun", stages.into(), &["All"]))
}

/// The manager that a write is attributed to: the option, else the program in the user agent.
pub(crate) fn manager_or_user_agent(manager: Option<&str>, user_agent: &str) -> String {
    let program = || user_agent.split('/').next().unwrap_or_default();
    let name: String = manager
        .unwrap_or_else(program)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let end = name
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= 128)
        .last()
        .unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned()
}

/// The options of a deletion, from the body if there is one, else from the URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    pub(crate) grace_period_seconds: Option<i64>,
    pub(crate) propagation_policy: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    /// Delete also what cannot be read.
    pub(crate) ignore_store_read_error: bool,
}

/// The option's name.
pub(crate) const IGNORE_READ_ERROR: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

impl DeleteOptions {
    pub(crate) fn from_query(query: &Query) -> Result<Self, ApiError> {
        let body = serde_json::json!({
            "dryRun": query.all("dryRun"),
            "gracePeriodSeconds": query.integer("gracePeriodSeconds")?,
            "orphanDependents": query.switch("orphanDependents"),
            "propagationPolicy": query.first("propagationPolicy"),
            IGNORE_READ_ERROR: query.switch(IGNORE_READ_ERROR),
        });
        Self::from_body(&body)
    }

    /// The options as webhooks are shown them, without the kind.
    pub(crate) fn document(&self) -> Value {
        let mut document = serde_json::json!({});
        let mut preconditions = serde_json::json!({});
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                document[field] = value;
            }
        };
        set("dryRun", self.dry_run.then(|| serde_json::json!(["All"])));
        set("gracePeriodSeconds", self.grace_period_seconds.map(Value::from));
        set("propagationPolicy", self.propagation_policy.clone().map(Value::from));
        set(IGNORE_READ_ERROR, self.ignore_store_read_error.then(|| true.into()));
        for (field, value) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            if let Some(value) = value {
                preconditions[field] = value.clone().into();
            }
        }
        if preconditions != serde_json::json!({}) {
            document["preconditions"] = preconditions;
        }
        document
    }

    /// `body` is a decoded `DeleteOptions` object.
    pub(crate) fn from_body(body: &Value) -> Result<Self, ApiError> {
        let stages: Vec<&str> = body["dryRun"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|stage| stage.as_str().unwrap_or_default())
            .collect();
        let orphan = body["orphanDependents"].as_bool();
        let policy = body["propagationPolicy"].as_str();
        let mut errors = Vec::new();
        if orphan.is_some() && policy.is_some() {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", policy.into(), detail));
        }
        let supported = ["Foreground", "Background", "Orphan", "nil"];
        if policy.is_some_and(|policy| !supported[..3].contains(&policy)) {
            errors.push(FieldError::not_supported(
                "propagationPolicy",
                policy.into(),
                &supported,
            ));
        }
        errors.extend(check_dry_run(&stages));
        let ignore_store_read_error = body[IGNORE_READ_ERROR].as_bool().unwrap_or_default();
        for other in [
            "propagationPolicy",
            "orphanDependents",
            "gracePeriodSeconds",
            "preconditions",
        ] {
            if ignore_store_read_error && !body[other].is_null() {
                let detail = format!("cannot be set together with .{other}");
                errors.push(FieldError::invalid(IGNORE_READ_ERROR, true.into(), detail));
            }
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", errors));
        }
        let policy = policy.or(orphan.map(|orphan| if orphan { "Orphan" } else { "Background" }));
        let precondition = |name: &str| body["preconditions"][name].as_str().map(str::to_owned);
        Ok(Self {
            dry_run: !stages.is_empty(),
            grace_period_seconds: body["gracePeriodSeconds"].as_i64(),
            propagation_policy: policy.map(str::to_owned),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            ignore_store_read_error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_pairs_are_left_out() {
        let query = Query::parse("limit=%zz&a+b=c%20d&watch");
        assert_eq!(query.first("limit"), None);
        assert_eq!(query.first("a b"), Some("c d"));
        assert_eq!(query.switch("watch"), Some(true));
    }

    #[test]
    fn numbers_are_reported_in_go_words() {
        let error = ListOptions::parse(&Query::parse("limit=abc"), false).unwrap_err();
        assert_eq!(error.message(), "strconv.ParseInt: parsing \"abc\": invalid syntax");
        assert_eq!(
            parse_resource_version("abc").unwrap_err(),
            "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax"
        );
        assert!(parse_resource_version("+1").is_err());
        assert_eq!(parse_resource_version("12"), Ok(Some(12)));
    }

    #[test]
    fn write_options() {
        let parse = |query: &str| WriteOptions::parse(&Query::parse(query), "CreateOptions", false);
        assert_eq!(
            parse("dryRun=Some").unwrap_err().message(),
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""
        );
        assert_eq!(
            parse("fieldManager=a%07b").unwrap_err().message(),
            "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\ab\": invalid character \
             U+0007 (at position 1)"
        );
        assert!(parse("fieldValidation=Nosuch").is_err());
        assert!(parse("dryRun=All").unwrap().dry_run);
    }

    #[test]
    fn the_manager_falls_back_to_the_program() {
        assert_eq!(manager_or_user_agent(None, "kubectl/v1.37 (linux)"), "kubectl");
        assert_eq!(manager_or_user_agent(Some("me"), "kubectl/v1.37"), "me");
        assert_eq!(manager_or_user_agent(None, &"ü".repeat(100)).len(), 128);
    }

    #[test]
    fn delete_options_from_the_url() {
        let parse = |query: &str| DeleteOptions::from_query(&Query::parse(query));
        let options = parse("gracePeriodSeconds=0&orphanDependents=true").unwrap();
        assert_eq!(options.grace_period_seconds, Some(0));
        assert_eq!(options.propagation_policy.as_deref(), Some("Orphan"));
        assert!(parse("propagationPolicy=Nosuch").is_err());
        assert!(parse("propagationPolicy=").is_err());
        let error = parse("ignoreStoreReadErrorWithClusterBreakingPotential=1&gracePeriodSeconds=1").unwrap_err();
        assert!(
            error
                .message()
                .ends_with("cannot be set together with .gracePeriodSeconds")
        );
    }
}
