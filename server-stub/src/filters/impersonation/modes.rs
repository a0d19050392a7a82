//! The ways to be allowed to act as somebody else. The older one gives everything that the other may do; the newer ones
//! are for one kind of user each, and only for the requests that are named (KEP 5284).

use crate::authentication::service_account::groups_of;
use crate::authorization::{Authorizer, Decision, forbidden};
use crate::field_error::quote;
use crate::generic::request::{RequestInfo, UserInfo};
use crate::status::ApiError;

const GROUP: &str = "authentication.k8s.io";
const NODE: &str = "system:node:";
const NODE_OF_POD: &str = "authentication.kubernetes.io/node-name";

/// How a user is acted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A node, by what runs on it.
    AssociatedNode,
    /// Any node.
    ArbitraryNode,
    /// A service account.
    ServiceAccount,
    /// Any other user, with groups, uid and extra.
    UserInfo,
    /// Anybody, for everything.
    Legacy,
}

impl Mode {
    /// Those that are for a user, in the order in which they are tried.
    pub(super) fn all(requester: &UserInfo, wanted: &UserInfo) -> Vec<Self> {
        let is_plain = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let mut modes = Vec::new();
        if let Some(node) = wanted.name.strip_prefix(NODE) {
            let own_node = requester.extra.get(NODE_OF_POD).and_then(|nodes| nodes.first());
            let runs_there = service_account(&requester.name).is_some() && own_node.is_some_and(|own| own == node);
            modes.extend((is_plain && runs_there).then_some(Self::AssociatedNode));
            modes.extend(is_plain.then_some(Self::ArbitraryNode));
        } else if service_account(&wanted.name).is_some() {
            modes.extend(is_plain.then_some(Self::ServiceAccount));
        } else {
            modes.push(Self::UserInfo);
        }
        modes.push(Self::Legacy);
        modes
    }

    /// Whether the requester may send this request as the other.
    ///
    /// # Errors
    /// What he may not.
    pub(super) async fn check(
        self,
        authorizer: &dyn Authorizer,
        requester: &UserInfo,
        wanted: &UserInfo,
        request: &RequestInfo,
    ) -> Result<(), ApiError> {
        for (question, never) in self.questions(wanted, request) {
            if let Some(reason) = never {
                return Err(forbidden(requester, &question, &reason));
            }
            if let Decision::Deny(reason) | Decision::NoOpinion(reason) =
                authorizer.authorize(requester, &question).await
            {
                return Err(forbidden(requester, &question, &reason));
            }
        }
        Ok(())
    }

    /// The user, with the groups that he is in in any case.
    pub(super) fn user(self, mut wanted: UserInfo) -> UserInfo {
        if let (true, Some((namespace, _))) = (wanted.groups.is_empty(), service_account(&wanted.name)) {
            wanted.groups = groups_of(namespace);
        }
        if matches!(self, Self::AssociatedNode | Self::ArbitraryNode) {
            wanted.groups = vec!["system:nodes".to_owned()];
        }
        let everybody = if wanted.name == "system:anonymous" {
            "system:unauthenticated"
        } else {
            "system:authenticated"
        };
        // Whoever names one of the two groups means it.
        if !wanted.is_in_group("system:authenticated") && !wanted.is_in_group("system:unauthenticated") {
            wanted.groups.push(everybody.to_owned());
        }
        wanted
    }

    /// What the requester must be allowed to do; with a reason, if nobody may.
    fn questions(self, wanted: &UserInfo, request: &RequestInfo) -> Vec<(RequestInfo, Option<String>)> {
        let name = match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => return legacy(wanted).into_iter().map(|question| (question, None)).collect(),
        };
        let sent = RequestInfo {
            verb: format!("impersonate-on:{name}:{}", request.verb),
            ..request.clone()
        };
        let verb = format!("impersonate:{name}");
        let ask = |namespace: &str, resource: &str, subresource: &str, name: &str| {
            question(&verb, (GROUP, resource, subresource), namespace, name)
        };
        let mut questions = vec![(sent, None)];
        match (self, wanted.name.strip_prefix(NODE), service_account(&wanted.name)) {
            (Self::AssociatedNode | Self::ArbitraryNode, Some(node), _) => {
                questions.push((ask("", "nodes", "", node), None));
            }
            (Self::ServiceAccount, _, Some((namespace, name))) => {
                questions.push((ask(namespace, "serviceaccounts", "", name), None));
            }
            _ => {
                questions.push((ask("", "users", "", &wanted.name), None));
                questions.extend(wanted.groups.iter().map(|group| {
                    let never = group == "system:masters";
                    let never = never.then(|| "impersonating the system:masters group is not allowed".to_owned());
                    (ask("", "groups", "", group), never)
                }));
                if !wanted.uid.is_empty() {
                    questions.push((ask("", "uids", "", &wanted.uid), None));
                }
                for (key, values) in &wanted.extra {
                    if let Some(fault) = fault_of_key(key) {
                        questions.push((ask("", "userextras", "", ""), Some(fault)));
                    }
                    questions.extend(values.iter().map(|value| (ask("", "userextras", key, value), None)));
                }
            }
        }
        questions
    }
}

/// What the requester must be allowed to do where all that counts is as whom he acts.
fn legacy(wanted: &UserInfo) -> Vec<RequestInfo> {
    let ask = |group: &str, namespace: &str, resource: &str, subresource: &str, name: &str| {
        question("impersonate", (group, resource, subresource), namespace, name)
    };
    let mut questions = vec![match service_account(&wanted.name) {
        Some((namespace, name)) => ask("", namespace, "serviceaccounts", "", name),
        None => ask("", "", "users", "", &wanted.name),
    }];
    questions.extend(wanted.groups.iter().map(|group| ask("", "", "groups", "", group)));
    if !wanted.uid.is_empty() {
        questions.push(ask(GROUP, "", "uids", "", &wanted.uid));
    }
    for (key, values) in &wanted.extra {
        questions.extend(values.iter().map(|value| ask(GROUP, "", "userextras", key, value)));
    }
    questions
}

fn question(
    verb: &str,
    (group, resource, subresource): (&str, &str, &str),
    namespace: &str,
    name: &str,
) -> RequestInfo {
    RequestInfo {
        is_resource_request: true,
        verb: verb.to_owned(),
        api_group: group.to_owned(),
        api_version: "v1".to_owned(),
        namespace: namespace.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    }
}

/// What is wrong with the key of an extra value: the newer ways want a domain before a slash.
fn fault_of_key(key: &str) -> Option<String> {
    let is_fine = key
        .split_once('/')
        .is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty());
    (!is_fine).then(|| {
        format!(
            "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {}: must be a \
             domain-prefixed path (such as \"acme.io/foo\")",
            quote(key)
        )
    })
}

/// Namespace and name in the user name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserInfo {
        UserInfo {
            name: name.to_owned(),
            ..UserInfo::default()
        }
    }

    #[test]
    fn every_kind_of_user_has_its_way() {
        let pod = UserInfo {
            extra: [(NODE_OF_POD.to_owned(), vec!["n1".to_owned()])].into(),
            ..user("system:serviceaccount:ns:agent")
        };
        let modes = |wanted: &UserInfo| Mode::all(&pod, wanted);
        assert_eq!(
            modes(&user("system:node:n1")),
            [Mode::AssociatedNode, Mode::ArbitraryNode, Mode::Legacy]
        );
        assert_eq!(modes(&user("system:node:n2")), [Mode::ArbitraryNode, Mode::Legacy]);
        assert_eq!(
            modes(&user("system:serviceaccount:ns:x")),
            [Mode::ServiceAccount, Mode::Legacy]
        );
        assert_eq!(modes(&user("bob")), [Mode::UserInfo, Mode::Legacy]);
        // Only users of the common kind come with more than a name.
        let more = UserInfo {
            groups: vec!["g".to_owned()],
            ..user("system:node:n1")
        };
        assert_eq!(modes(&more), [Mode::Legacy]);
    }

    #[test]
    fn a_node_is_in_the_group_of_nodes() {
        let groups = |mode: Mode| mode.user(user("system:node:n1")).groups;
        assert_eq!(groups(Mode::ArbitraryNode), ["system:nodes", "system:authenticated"]);
        assert_eq!(groups(Mode::Legacy), ["system:authenticated"]);
    }
}
