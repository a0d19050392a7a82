//! Who may do what.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::authorization::{AlwaysAllow, Authorizer, DefaultRoles, PrivilegedGroup, UnionAuthorizer};

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
    /// system:masters may do everything, others what the default roles allow; roles and bindings are not read yet.
    #[value(name = "RBAC")]
    Rbac,
    /// Permissions of kubelets; there are none here.
    #[value(name = "Node")]
    Node,
}

impl AuthorizationOptions {
    /// The authorizer for these options. `system:masters` may do everything in any mode.
    pub(crate) fn authorizer(&self) -> Arc<dyn Authorizer> {
        let mut authorizers: Vec<Arc<dyn Authorizer>> = vec![Arc::new(PrivilegedGroup::default())];
        for mode in self.modes() {
            match mode {
                AuthorizationMode::AlwaysAllow => authorizers.push(Arc::new(AlwaysAllow)),
                AuthorizationMode::Rbac => authorizers.push(Arc::new(DefaultRoles)),
                AuthorizationMode::Node => {}
            }
        }
        Arc::new(UnionAuthorizer(authorizers))
    }

    fn modes(&self) -> &[AuthorizationMode] {
        match self.authorization_mode.as_slice() {
            [] => &[AuthorizationMode::Rbac],
            modes => modes,
        }
    }
}
