//! Who may do what.

use std::sync::Arc;

use crate::app::flags::FlagSet;
use crate::authorization::{AlwaysAllow, AlwaysDeny, Authorizer, PrivilegedGroup, RbacAuthorizer, UnionAuthorizer};
use crate::field_error::quote;
use crate::generic::Config;

/// How permissions are decided.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizationOptions {
    /// Authorizers in the order in which they are asked: `AlwaysAllow`, `AlwaysDeny`, `RBAC`, or `Node` (permissions of
    /// kubelets, of which there are none). Default: RBAC.
    pub authorization_mode: Vec<String>,
}

impl Default for AuthorizationOptions {
    fn default() -> Self {
        Self {
            authorization_mode: vec!["RBAC".to_owned()],
        }
    }
}

impl AuthorizationOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "authorization-mode",
            &mut self.authorization_mode,
            "Authorizers in the order in which they are asked: AlwaysAllow, AlwaysDeny, RBAC, Node.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        let modes = &self.authorization_mode;
        if modes.is_empty() {
            errors.push("at least one authorization-mode must be passed".to_owned());
        }
        for mode in modes {
            match mode.as_str() {
                "AlwaysAllow" | "AlwaysDeny" | "RBAC" | "Node" => {}
                "ABAC" | "Webhook" => errors.push(format!("authorization-mode {mode} is not supported by this server")),
                mode => errors.push(format!("authorization-mode {} is not a valid mode", quote(mode))),
            }
        }
        if modes
            .iter()
            .enumerate()
            .any(|(index, mode)| modes[..index].contains(mode))
        {
            let quoted: Vec<String> = modes.iter().map(|mode| quote(mode)).collect();
            let modes = quoted.join(" ");
            errors.push(format!(
                "authorization-mode [{modes}] has mode specified more than once"
            ));
        }
    }

    /// `system:masters` may do everything in any mode. Returns the authorizer for roles, which has to follow them.
    pub(crate) fn apply_to(&self, config: &mut Config) -> Option<Arc<RbacAuthorizer>> {
        let mut authorizers: Vec<Arc<dyn Authorizer>> = vec![Arc::new(PrivilegedGroup::default())];
        let mut rbac = None;
        for mode in &self.authorization_mode {
            match mode.as_str() {
                "AlwaysAllow" => authorizers.push(Arc::new(AlwaysAllow)),
                "AlwaysDeny" => authorizers.push(Arc::new(AlwaysDeny)),
                "RBAC" => {
                    let roles = rbac.get_or_insert_with(|| Arc::new(RbacAuthorizer::default()));
                    authorizers.push(roles.clone());
                }
                _ => {}
            }
        }
        config.authorizer = Arc::new(UnionAuthorizer(authorizers));
        rbac
    }
}
