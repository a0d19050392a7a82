//! A group whose members may do everything.

use async_trait::async_trait;

use super::{Authorizer, Decision};
use crate::generic::request::{RequestInfo, UserInfo};

/// Allows everything to the members of a group, `system:masters` by default.
pub struct PrivilegedGroup(pub String);

impl Default for PrivilegedGroup {
    fn default() -> Self {
        Self("system:masters".to_owned())
    }
}

#[async_trait]
impl Authorizer for PrivilegedGroup {
    async fn authorize(&self, user: &UserInfo, _: &RequestInfo) -> Decision {
        if user.is_in_group(&self.0) {
            Decision::Allow(String::new())
        } else {
            Decision::NoOpinion(String::new())
        }
    }
}
