//! Who may do what.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::authorization::{AlwaysAllow, AlwaysDeny, Authorizer, PrivilegedGroup, RbacAuthorizer, UnionAuthorizer};

/// How permissions are decided.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Authorization")]
#[non_exhaustive]
pub struct AuthorizationOptions {
    /// Authorizers in the order in which they are asked.
    #[arg(long, value_delimiter = ',', default_value = "RBAC")]
    pub authorization_mode: Vec<AuthorizationMode>,
}

/// An authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum AuthorizationMode {
    /// Everybody may do everything.
    #[value(name = "AlwaysAllow")]
    AlwaysAllow,
    /// Nobody may do anything.
    #[value(name = "AlwaysDeny")]
    AlwaysDeny,
    /// What roles and bindings say.
    #[value(name = "RBAC")]
    Rbac,
    /// Permissions of kubelets; there are none here.
    #[value(name = "Node")]
    Node,
}

/// The authorizers that the options ask for.
pub(crate) struct Authorization {
    /// All of them, in order.
    pub(crate) authorizer: Arc<dyn Authorizer>,
    /// The one for roles, which has to follow them.
    pub(crate) rbac: Option<Arc<RbacAuthorizer>>,
}

impl AuthorizationOptions {
    /// The authorizers for these options. `system:masters` may do everything in any mode.
    pub(crate) fn authorization(&self) -> Authorization {
        let mut authorizers: Vec<Arc<dyn Authorizer>> = vec![Arc::new(PrivilegedGroup::default())];
        let mut rbac = None;
        for mode in self.modes() {
            match mode {
                AuthorizationMode::AlwaysAllow => authorizers.push(Arc::new(AlwaysAllow)),
                AuthorizationMode::AlwaysDeny => authorizers.push(Arc::new(AlwaysDeny)),
                AuthorizationMode::Rbac => {
                    let roles = rbac.get_or_insert_with(|| Arc::new(RbacAuthorizer::default()));
                    authorizers.push(roles.clone());
                }
                AuthorizationMode::Node => {}
            }
        }
        Authorization {
            authorizer: Arc::new(UnionAuthorizer(authorizers)),
            rbac,
        }
    }

    fn modes(&self) -> &[AuthorizationMode] {
        match self.authorization_mode.as_slice() {
            [] => &[AuthorizationMode::Rbac],
            modes => modes,
        }
    }
}
