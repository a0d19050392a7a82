//! What the administrator of a cluster allows pods.

/// What pods may do; as with kube-apiserver nothing by default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether containers may do everything on their node.
    pub allow_privileged: bool,
}

impl Capabilities {
    /// Whether containers may do everything on their node.
    #[must_use]
    pub fn with_privileged(mut self, allowed: bool) -> Self {
        self.allow_privileged = allowed;
        self
    }
}
