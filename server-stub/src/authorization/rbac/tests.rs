use http::Method;

use super::policy::default_policy;
use super::*;

fn allows(rules: &[PolicyRule], method: Method, target: &str) -> bool {
    let request = RequestInfo::parse(&method, target, None).unwrap();
    rules.iter().any(|rule| rules::allows(rule, &request))
}

fn role(name: &str) -> Vec<PolicyRule> {
    let roles = default_policy().cluster_roles;
    let role = roles
        .into_iter()
        .find(|role| role.metadata.name.as_deref() == Some(name))
        .unwrap();
    role.rules.unwrap()
}

#[test]
fn the_default_roles_cover_what_they_should() {
    let edit = role("system:aggregate-to-edit");
    assert!(allows(
        &edit,
        Method::PUT,
        "/apis/apps/v1/namespaces/a/deployments/web/scale"
    ));
    assert!(!allows(
        &edit,
        Method::PUT,
        "/apis/apps/v1/namespaces/a/deployments/web/status"
    ));
    assert!(!allows(&edit, Method::GET, "/api/v1/namespaces/a/configmaps/c"));
    let admin = role("cluster-admin");
    assert!(allows(&admin, Method::DELETE, "/api/v1/namespaces/a/pods/p/anything"));
    assert!(allows(&admin, Method::GET, "/metrics"));
    let discovery = role("system:discovery");
    assert!(allows(&discovery, Method::GET, "/apis/apps"));
    assert!(!allows(&discovery, Method::GET, "/metrics"));
    assert!(!allows(&discovery, Method::POST, "/version"));
    let scheduler = role("system:kube-scheduler");
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    assert!(allows(&scheduler, Method::GET, &format!("{leases}/kube-scheduler")));
    assert!(!allows(&scheduler, Method::GET, &format!("{leases}/other")));
    assert!(!allows(&scheduler, Method::GET, leases));
}

#[test]
fn every_binding_has_its_role() {
    let policy = default_policy();
    let roles = policy.cluster_roles;
    assert!(roles.len() > 70 && policy.cluster_role_bindings.len() > 50);
    for binding in policy.role_bindings {
        assert!(
            policy
                .roles
                .iter()
                .any(|role| role.metadata.name.as_ref() == Some(&binding.role_ref.name))
        );
    }
    for binding in policy.cluster_role_bindings {
        assert!(
            roles
                .iter()
                .any(|role| role.metadata.name.as_ref() == Some(&binding.role_ref.name))
        );
    }
    let aggregating = roles.iter().filter(|role| role.aggregation_rule.is_some());
    assert_eq!(aggregating.count(), 3);
    let of_roles = policy.roles.iter().filter_map(|role| role.rules.as_ref());
    let rules = roles.iter().filter_map(|role| role.rules.as_ref()).chain(of_roles);
    let rules: usize = rules.map(Vec::len).sum();
    let lines = include_str!("policy.txt")
        .lines()
        .filter(|line| line.starts_with("  "))
        .count();
    assert_eq!(rules, lines);
}

#[test]
fn a_star_covers_a_subresource_only_where_it_is_named() {
    let rule = |resource: &str| PolicyRule {
        verbs: vec!["get".into()],
        api_groups: Some(vec!["".into()]),
        resources: Some(vec![resource.into()]),
        ..PolicyRule::default()
    };
    let log = "/api/v1/namespaces/a/pods/p/log";
    assert!(allows(&[rule("*")], Method::GET, log));
    assert!(allows(&[rule("*/log")], Method::GET, log));
    assert!(allows(&[rule("pods/log")], Method::GET, log));
    assert!(!allows(&[rule("pods")], Method::GET, log));
    assert!(!allows(&[rule("*/exec")], Method::GET, log));
    assert!(!allows(&[rule("*/log")], Method::GET, "/api/v1/namespaces/a/pods/p"));
}

#[test]
fn subjects_are_users_groups_and_service_accounts() {
    let subject = |kind: &str, name: &str, namespace: Option<&str>| Subject {
        kind: kind.into(),
        name: name.into(),
        namespace: namespace.map(str::to_owned),
        ..Subject::default()
    };
    let user = |name: &str, group: &str| UserInfo {
        name: name.into(),
        groups: vec![group.into()],
        ..UserInfo::default()
    };
    let subjects = [
        subject("User", "ann", None),
        subject("Group", "staff", None),
        subject("ServiceAccount", "robot", Some("tools")),
        subject("ServiceAccount", "local", None),
    ];
    let found = |user: &UserInfo| subject_of(user, Some(&subjects), "here");
    assert_eq!(found(&user("ann", "x")).unwrap(), "User \"ann\"");
    assert_eq!(found(&user("bob", "staff")).unwrap(), "Group \"staff\"");
    assert_eq!(
        found(&user("system:serviceaccount:tools:robot", "x")).unwrap(),
        "ServiceAccount \"robot/tools\""
    );
    assert!(found(&user("system:serviceaccount:here:local", "x")).is_some());
    assert!(found(&user("system:serviceaccount:there:local", "x")).is_none());
    assert!(found(&user("bob", "x")).is_none());
}

#[test]
fn rules_cover_what_they_allow_in_other_words() {
    let rule = |verbs: &[&str], resources: &[&str], names: &[&str], urls: &[&str]| {
        let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        PolicyRule {
            verbs: list(verbs).unwrap(),
            api_groups: if resources.is_empty() { None } else { list(&[""]) },
            resources: list(resources),
            resource_names: list(names),
            non_resource_urls: list(urls),
        }
    };
    let own = [
        rule(&["get", "list"], &["pods", "pods/log"], &[], &[]),
        rule(&["update"], &["pods"], &["a", "b"], &[]),
        rule(&["get"], &[], &[], &["/healthz", "/livez/*"]),
    ];
    for covered in [
        rule(&["list"], &["pods/log"], &[], &[]),
        rule(&["update"], &["pods"], &["b"], &[]),
        rule(&["get"], &[], &[], &["/livez/ping", "/healthz"]),
    ] {
        assert!(rules::cover_rule(&own, &covered), "{covered:?}");
    }
    for missing in [
        rule(&["get", "watch"], &["pods"], &[], &[]),
        rule(&["update"], &["pods"], &[], &[]),
        rule(&["get"], &["services"], &[], &[]),
        rule(&["get"], &[], &[], &["/livez"]),
    ] {
        assert!(!rules::cover_rule(&own, &missing), "{missing:?}");
    }
}
