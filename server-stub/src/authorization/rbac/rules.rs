//! Whether one rule of a role covers a request.

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::generic::request::RequestInfo;

/// Whether the rule allows the request.
pub(super) fn allows(rule: &PolicyRule, request: &RequestInfo) -> bool {
    if !covers(&rule.verbs, &request.verb) {
        return false;
    }
    if !request.is_resource_request {
        return list(&rule.non_resource_urls)
            .iter()
            .any(|url| url_covers(url, &request.path));
    }
    let names = list(&rule.resource_names);
    covers(list(&rule.api_groups), &request.api_group)
        && resource_covers(list(&rule.resources), &request.resource, &request.subresource)
        && (names.is_empty() || names.contains(&request.name))
}

fn list(values: &Option<Vec<String>>) -> &[String] {
    values.as_deref().unwrap_or_default()
}

fn covers(values: &[String], wanted: &str) -> bool {
    values.iter().any(|value| value == "*" || value == wanted)
}

/// `*` is everything, `*/scale` that subresource of everything.
fn resource_covers(resources: &[String], resource: &str, subresource: &str) -> bool {
    resources.iter().any(|rule| match rule.split_once('/') {
        None => rule == "*" || (rule == resource && subresource.is_empty()),
        Some((parent, sub)) => sub == subresource && !subresource.is_empty() && (parent == "*" || parent == resource),
    })
}

/// A URL that ends in `*` covers everything that begins like it.
fn url_covers(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => rule == path,
    }
}
