//! What pods may do.

use crate::app::flags::FlagSet;
use crate::registry::capabilities::Capabilities;

/// What pods may do.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PodOptions {
    /// Whether containers may be privileged.
    pub allow_privileged: bool,
}

impl PodOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "allow-privileged",
            &mut self.allow_privileged,
            "If true, allow privileged containers.",
        );
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_privileged(self.allow_privileged)
    }
}
