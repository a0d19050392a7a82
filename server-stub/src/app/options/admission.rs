//! Which admission plugins are on.

use std::sync::Arc;

use crate::admission::{AdmissionPlugins, find_plugin};
use crate::app::flags::FlagSet;
use crate::authorization::{Authorizer, RbacAuthorizer};
use crate::field_error::quote;

/// Admission plugins beside, or not among, those that are on by default.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AdmissionOptions {
    /// Plugins to switch on.
    pub enable_admission_plugins: Vec<String>,
    /// Plugins to switch off.
    pub disable_admission_plugins: Vec<String>,
}

impl AdmissionOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "enable-admission-plugins",
            &mut self.enable_admission_plugins,
            "Admission plugins to switch on beside those that are on anyway: OwnerReferencesPermissionEnforcement, \
             ServiceAccount. Those of kube-apiserver that this server does not have are accepted, and the log says so.",
        );
        flags.add(
            "disable-admission-plugins",
            &mut self.disable_admission_plugins,
            "Admission plugins to switch off.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        let lists = [
            ("enable-admission-plugins", &self.enable_admission_plugins),
            ("disable-admission-plugins", &self.disable_admission_plugins),
        ];
        for (flag, names) in lists {
            for name in names.iter().filter(|name| find_plugin(name).is_none()) {
                errors.push(format!("{flag} plugin {} is unknown", quote(name)));
            }
        }
        let enabled = &self.enable_admission_plugins;
        let both: Vec<&str> = enabled
            .iter()
            .filter(|name| self.disable_admission_plugins.contains(name))
            .map(String::as_str)
            .collect();
        if !both.is_empty() {
            errors.push(format!(
                "[{}] in enable-admission-plugins and disable-admission-plugins overlapped",
                both.join(" ")
            ));
        }
    }

    /// The plugins that are on.
    pub(crate) fn plugins(
        &self,
        authorizer: Arc<dyn Authorizer>,
        rbac: Option<Arc<RbacAuthorizer>>,
    ) -> AdmissionPlugins {
        for name in &self.enable_admission_plugins {
            if find_plugin(name) == Some(None) {
                tracing::warn!("the admission plugin {name} is accepted for compatibility and makes no difference");
            }
        }
        let (on, off) = (&self.enable_admission_plugins, &self.disable_admission_plugins);
        AdmissionPlugins::new(on, off, authorizer, rbac)
    }
}
