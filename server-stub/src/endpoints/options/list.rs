//! The options of list, watch and delete-collection.

use super::Query;
use crate::registry::VersionMatch;
use crate::status::{ApiError, FieldError};

/// The options of list, watch and delete-collection, selectors still as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListOptions {
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: Option<i64>,
    pub(crate) continue_token: Option<String>,
    pub(crate) resource_version: String,
    pub(crate) version_match: Option<VersionMatch>,
    pub(crate) allow_bookmarks: bool,
    pub(crate) send_initial_events: Option<bool>,
    pub(crate) timeout_seconds: Option<u64>,
}

impl ListOptions {
    pub(crate) fn parse(query: &Query, watch: bool) -> Result<Self, ApiError> {
        let text = |name| query.first(name).unwrap_or_default().to_owned();
        let resource_version = text("resourceVersion");
        let send_initial_events = query.switch("sendInitialEvents");
        let continue_token = query.text("continue").map(str::to_owned);
        let limit = query.integer("limit")?.filter(|limit| *limit > 0);
        let timeout = query.integer("timeoutSeconds")?;
        let wanted = query.first("resourceVersionMatch").unwrap_or_default();
        // A watch from any version begins with the present state, as if it had asked for that.
        let asks_nothing = wanted.is_empty() && send_initial_events.is_none();
        let is_from_any = asks_nothing && matches!(resource_version.as_str(), "" | "0");
        let errors = match watch {
            true if is_from_any => check_watch("NotOlderThan", continue_token.is_some(), Some(true)),
            true => check_watch(wanted, continue_token.is_some(), send_initial_events),
            false => check_list(wanted, &resource_version, continue_token.is_some(), send_initial_events),
        };
        if !errors.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", errors));
        }
        Ok(Self {
            label_selector: text("labelSelector"),
            field_selector: text("fieldSelector"),
            limit,
            continue_token,
            resource_version,
            version_match: match wanted {
                "Exact" => Some(VersionMatch::Exact),
                "NotOlderThan" => Some(VersionMatch::NotOlderThan),
                _ => None,
            },
            allow_bookmarks: query.switch("allowWatchBookmarks").unwrap_or(false),
            send_initial_events,
            timeout_seconds: timeout
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0),
        })
    }
}

const MATCH: &str = "resourceVersionMatch";

fn check_watch(wanted: &str, continues: bool, initial: Option<bool>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if initial.is_some() && wanted != "NotOlderThan" {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(FieldError::forbidden(MATCH, detail));
    }
    if wanted.is_empty() {
        return errors;
    }
    if initial.is_none() {
        let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        errors.push(FieldError::forbidden(MATCH, detail));
    }
    if wanted != "NotOlderThan" {
        errors.push(FieldError::not_supported(MATCH, wanted.into(), &["NotOlderThan"]));
    }
    if continues {
        errors.push(FieldError::forbidden(
            MATCH,
            "resourceVersionMatch is forbidden when continue is provided",
        ));
    }
    errors
}

fn check_list(wanted: &str, version: &str, continues: bool, initial: Option<bool>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !wanted.is_empty() {
        if version.is_empty() {
            let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
        if continues {
            errors.push(FieldError::forbidden(
                MATCH,
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        if wanted != "Exact" && wanted != "NotOlderThan" {
            errors.push(FieldError::not_supported(
                MATCH,
                wanted.into(),
                &["Exact", "NotOlderThan", ""],
            ));
        }
        if wanted == "Exact" && version == "0" {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
    }
    if initial.is_some() {
        errors.push(FieldError::forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str, watch: bool) -> Result<ListOptions, ApiError> {
        ListOptions::parse(&Query::parse(query), watch)
    }

    #[test]
    fn list_and_watch_have_rules_of_their_own() {
        let message = |query, watch| list(query, watch).unwrap_err().message().to_owned();
        assert_eq!(
            message("sendInitialEvents=true", true),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires \
             setting resourceVersionMatch to NotOlderThan"
        );
        assert!(message("continue=x", true).contains("is forbidden when continue is provided"));
        assert!(list("continue=x&resourceVersion=5", true).is_ok());
        assert!(message("resourceVersionMatch=Exact", false).contains("unless resourceVersion is provided"));
        assert!(message("resourceVersionMatch=Exact&resourceVersion=0", false).contains("for resourceVersion \"0\""));
        assert!(list("resourceVersionMatch=Exact&resourceVersion=5&limit=3", false).is_ok());
    }
}
