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

/// Whether rules together allow all that one more rule would.
pub(super) fn cover_rule(rules: &[PolicyRule], wanted: &PolicyRule) -> bool {
    let any = |allows: &dyn Fn(&PolicyRule) -> bool| rules.iter().any(allows);
    let urls = list(&wanted.non_resource_urls);
    let any_name = [String::new()];
    let names = match list(&wanted.resource_names) {
        [] => &any_name,
        names => names,
    };
    wanted.verbs.iter().all(|verb| {
        let url_allowed = |url: &String| {
            any(&|rule| {
                covers(&rule.verbs, verb) && list(&rule.non_resource_urls).iter().any(|own| url_covers(own, url))
            })
        };
        let allowed = |group: &String, resource: &String, name: &String| {
            let (parent, sub) = resource.split_once('/').unwrap_or((resource, ""));
            any(&|rule| {
                let own_names = list(&rule.resource_names);
                covers(&rule.verbs, verb)
                    && covers(list(&rule.api_groups), group)
                    && resource_covers(list(&rule.resources), parent, sub)
                    && (own_names.is_empty() || own_names.contains(name))
            })
        };
        urls.iter().all(url_allowed)
            && list(&wanted.api_groups).iter().all(|group| {
                let resources = list(&wanted.resources).iter();
                resources
                    .into_iter()
                    .all(|resource| names.iter().all(|name| allowed(group, resource, name)))
            })
    })
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
