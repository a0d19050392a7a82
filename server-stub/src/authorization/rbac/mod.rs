//! Role-based access control: roles and bindings, followed by our own informers, say who may do what.

mod bootstrap;
pub(crate) mod escalation;
mod policy;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kubewire_client::ObjectKey;
use kubewire_informers::SharedInformerFactory;
use kubewire_informers::cache::Lister;
use kubewire_informers::shared_informer::InformerStopped;

pub(crate) use bootstrap::hook as bootstrap_hook;

use super::{AllowedActions, Authorizer, Decision};
use crate::field_error::quote;
use crate::generic::hooks::PostStartHook;
use crate::generic::request::{RequestInfo, UserInfo};

/// Allows what the roles allow that are bound to a user or one of the user's groups.
///
/// It knows no role before [`follow`](Self::follow) has returned.
#[derive(Default)]
pub struct RbacAuthorizer(OnceLock<Listers>);

struct Listers {
    roles: Lister<Role>,
    role_bindings: Lister<RoleBinding>,
    cluster_roles: Lister<ClusterRole>,
    cluster_role_bindings: Lister<ClusterRoleBinding>,
}

impl RbacAuthorizer {
    /// Starts to follow the roles and bindings and waits until all are known.
    pub async fn follow(&self, informers: &SharedInformerFactory) -> Result<(), InformerStopped> {
        let (roles, role_bindings) = (informers.informer::<Role>(), informers.informer::<RoleBinding>());
        let cluster_roles = informers.informer::<ClusterRole>();
        let cluster_role_bindings = informers.informer::<ClusterRoleBinding>();
        roles.start();
        role_bindings.start();
        cluster_roles.start();
        cluster_role_bindings.start();
        tokio::try_join!(
            roles.wait_for_sync(),
            role_bindings.wait_for_sync(),
            cluster_roles.wait_for_sync(),
            cluster_role_bindings.wait_for_sync(),
        )?;
        self.0.get_or_init(|| Listers {
            roles: roles.lister(),
            role_bindings: role_bindings.lister(),
            cluster_roles: cluster_roles.lister(),
            cluster_role_bindings: cluster_role_bindings.lister(),
        });
        Ok(())
    }

    /// The rules that count for a user in a namespace, and the names of roles that are bound but not there.
    fn rules_of(&self, user: &UserInfo, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
        let (mut own, mut missing) = (Vec::new(), Vec::new());
        if let Some(listers) = self.0.get() {
            listers.visit(user, namespace, |_, rules| {
                match rules {
                    Ok(rules) => own.extend_from_slice(rules),
                    Err(MissingRole(role)) => missing.push(role.name.clone()),
                }
                true
            });
        }
        (own, missing)
    }

    /// The hook that follows the roles; in kube-apiserver, too, they are what its shared informers are for.
    pub(crate) fn hook(self: Arc<Self>) -> PostStartHook {
        PostStartHook::new("generic-apiserver-start-informers", move |context| {
            let authorizer = self.clone();
            async move { Ok(authorizer.follow(&context.informers).await?) }
        })
    }
}

#[async_trait]
impl Authorizer for RbacAuthorizer {
    async fn authorize(&self, user: &UserInfo, request: &RequestInfo) -> Decision {
        let Some(listers) = self.0.get() else {
            return Decision::NoOpinion(String::new());
        };
        let (mut allowed, mut problems) = (None, Vec::new());
        listers.visit(user, &request.namespace, |source, rules| match rules {
            Ok(rules) => {
                if rules.iter().any(|rule| rules::allows(rule, request)) {
                    allowed = Some(source.to_owned());
                }
                allowed.is_none()
            }
            Err(role) => {
                problems.push(role.not_found());
                true
            }
        });
        match (allowed, problems.as_slice()) {
            (Some(source), _) => Decision::Allow(format!("RBAC: allowed by {source}")),
            (None, []) => Decision::NoOpinion(String::new()),
            (None, [problem]) => Decision::NoOpinion(format!("rbac: RBAC: {problem}")),
            (None, problems) => Decision::NoOpinion(format!("rbac: RBAC: [{}]", problems.join(", "))),
        }
    }

    async fn allowed_actions(&self, user: &UserInfo, namespace: &str) -> AllowedActions {
        let mut actions = AllowedActions::default();
        let Some(listers) = self.0.get() else { return actions };
        listers.visit(user, namespace, |_, rules| {
            match rules {
                Ok(rules) => actions.rules.extend_from_slice(rules),
                Err(role) => actions.problems.push(role.not_found()),
            }
            true
        });
        actions
    }
}

impl Listers {
    /// Calls `visitor` with the rules of each binding that is for the user, until it returns false: first those that
    /// count everywhere, then those of the namespace. A role that is not there is a problem, not the end.
    fn visit(
        &self,
        user: &UserInfo,
        namespace: &str,
        mut visitor: impl FnMut(&str, Result<&[PolicyRule], MissingRole<'_>>) -> bool,
    ) {
        for binding in self.cluster_role_bindings.list() {
            let Ok(binding) = binding.decode() else { continue };
            let Some(subject) = subject_of(user, binding.subjects.as_deref(), "") else {
                continue;
            };
            let name = quote(binding.metadata.name.as_deref().unwrap_or_default());
            let source = format!(
                "ClusterRoleBinding {name} of {} to {subject}",
                role_text(&binding.role_ref)
            );
            if !self.visit_role(&binding.role_ref, "", &source, &mut visitor) {
                return;
            }
        }
        if namespace.is_empty() {
            return;
        }
        for binding in self.role_bindings.namespace(namespace).list() {
            let Ok(binding) = binding.decode() else { continue };
            let Some(subject) = subject_of(user, binding.subjects.as_deref(), namespace) else {
                continue;
            };
            let name = quote(&format!(
                "{}/{namespace}",
                binding.metadata.name.as_deref().unwrap_or_default()
            ));
            let source = format!("RoleBinding {name} of {} to {subject}", role_text(&binding.role_ref));
            if !self.visit_role(&binding.role_ref, namespace, &source, &mut visitor) {
                return;
            }
        }
    }

    fn visit_role(
        &self,
        role: &RoleRef,
        namespace: &str,
        source: &str,
        visitor: &mut impl FnMut(&str, Result<&[PolicyRule], MissingRole<'_>>) -> bool,
    ) -> bool {
        let missing = MissingRole(role);
        if role.kind == "Role" {
            let found = self.roles.get(&ObjectKey::new(namespace, &role.name));
            return match found.and_then(|role| role.decode().ok()) {
                Some(role) => visitor(source, Ok(role.rules.as_deref().unwrap_or_default())),
                None => visitor(source, Err(missing)),
            };
        }
        let found = self.cluster_roles.get(&ObjectKey::new("", &role.name));
        match found.and_then(|role| role.decode().ok()) {
            Some(role) => visitor(source, Ok(role.rules.as_deref().unwrap_or_default())),
            None => visitor(source, Err(missing)),
        }
    }
}

/// A role that is bound but not there.
struct MissingRole<'a>(&'a RoleRef);

impl MissingRole<'_> {
    fn not_found(&self) -> String {
        let Self(role) = self;
        let kind = role.kind.to_lowercase();
        format!("{kind}.rbac.authorization.k8s.io {} not found", quote(&role.name))
    }
}

fn role_text(role: &RoleRef) -> String {
    format!("{} {}", role.kind, quote(&role.name))
}

/// The first subject of a binding that is the user, as text. `namespace` is that of the binding.
fn subject_of(user: &UserInfo, subjects: Option<&[Subject]>, namespace: &str) -> Option<String> {
    subjects
        .unwrap_or_default()
        .iter()
        .find_map(|subject| match subject.kind.as_str() {
            "User" if user.name == subject.name => Some(format!("User {}", quote(&subject.name))),
            "Group" if user.is_in_group(&subject.name) => Some(format!("Group {}", quote(&subject.name))),
            "ServiceAccount" => {
                let namespace = subject
                    .namespace
                    .as_deref()
                    .filter(|own| !own.is_empty())
                    .unwrap_or(namespace);
                let is_user =
                    user.name.strip_prefix("system:serviceaccount:")? == format!("{namespace}:{}", subject.name);
                is_user.then(|| format!("ServiceAccount {}", quote(&format!("{}/{namespace}", subject.name))))
            }
            _ => None,
        })
}
