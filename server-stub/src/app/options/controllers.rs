//! Which controllers run inside of the server.

use std::time::Duration;

use crate::app::flags::FlagSet;

/// Controllers that kube-controller-manager has and the server can run itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ControllerOptions {
    /// Controllers to run: `namespace-controller`, `garbage-collector-controller`, `*` for those that run by default,
    /// and names with a dash in front for those that shall not. Default: namespace-controller.
    pub controllers: Vec<String>,
    /// How long a namespace that is being deleted is left as it is before the controller empties it. Default 5 s, as in
    /// kube-controller-manager, where it cannot be changed.
    pub namespace_deletion_grace_period: Duration,
}

/// A controller that can be switched on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SwitchableController {
    /// Empties and removes namespaces that are being deleted.
    Namespace,
    /// Deletes what has no owner left.
    GarbageCollector,
}

impl Default for ControllerOptions {
    fn default() -> Self {
        Self {
            controllers: vec!["*".to_owned()],
            namespace_deletion_grace_period: Duration::from_secs(5),
        }
    }
}

impl ControllerOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "controllers",
            &mut self.controllers,
            "Controllers to run: namespace-controller, garbage-collector-controller, * for those that run by default (the \
             former), and names with a dash in front for those that shall not.",
        );
        flags.add(
            "namespace-deletion-grace-period",
            &mut self.namespace_deletion_grace_period,
            "How long a namespace that is being deleted is left as it is before the namespace-controller empties it.",
        );
    }

    /// Whether a controller shall run; as with kube-controller-manager, its own name counts before `*`.
    pub(crate) fn is_enabled(&self, controller: SwitchableController) -> bool {
        let (name, by_default) = match controller {
            SwitchableController::Namespace => ("namespace-controller", true),
            SwitchableController::GarbageCollector => ("garbage-collector-controller", false),
        };
        let given = |wanted: &str| self.controllers.iter().any(|given| given == wanted);
        match (given(name), given(&format!("-{name}"))) {
            (true, _) => true,
            (_, true) => false,
            _ => by_default && given("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_before_the_star() {
        let enabled = |given: &[&str]| {
            let controllers = given.iter().map(|name| (*name).to_owned()).collect();
            let options = ControllerOptions {
                controllers,
                ..ControllerOptions::default()
            };
            [SwitchableController::Namespace, SwitchableController::GarbageCollector]
                .map(|controller| options.is_enabled(controller))
        };
        assert_eq!(enabled(&["*"]), [true, false]);
        assert_eq!(enabled(&["*", "garbage-collector-controller"]), [true, true]);
        assert_eq!(enabled(&["*", "-namespace-controller"]), [false, false]);
        assert_eq!(enabled(&[]), [false, false]);
    }
}
