//! Features for those who look into the server.

use crate::app::flags::FlagSet;
use crate::generic::Config;

/// What can be switched off.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FeatureOptions {
    /// Whether there is `/debug/pprof/`, `/debug/flags/v` and the reset of `/metrics`. Default yes.
    pub profiling: bool,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self { profiling: true }
    }
}

impl FeatureOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "profiling",
            &mut self.profiling,
            "Whether there is /debug/pprof/, /debug/flags/v and the reset of /metrics by DELETE.",
        );
    }

    pub(crate) fn apply_to(&self, config: &mut Config) {
        config.profiling = self.profiling;
    }
}
