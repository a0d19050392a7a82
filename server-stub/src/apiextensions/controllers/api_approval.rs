//! Says of definitions in the groups of the Kubernetes project whether somebody has approved them (KEP-1111).

use async_trait::async_trait;
use kubewire_client::ObjectKey;
use kubewire_informers::controller::{Action, ReconcileError, Reconciler};
use serde_json::Value;

use super::{DONE, Definitions};
use crate::apiextensions::customresourcedefinition::set_condition;
use crate::apiextensions::customresourcedefinition::validation::{Approval, approval};

/// Sets the condition `KubernetesAPIApprovalPolicyConformant`.
pub(super) struct ApiApprovalController(pub(super) Definitions);

#[async_trait]
impl Reconciler<ObjectKey> for ApiApprovalController {
    async fn reconcile(&self, key: &ObjectKey) -> Result<Action, ReconcileError> {
        let Some(definition) = self.0.get(key)? else {
            return DONE;
        };
        let mut changed = definition.clone();
        judge(&mut changed, &self.0.now());
        if changed["status"] != definition["status"] {
            self.0.update_status(changed).await?;
        }
        DONE
    }
}

fn judge(definition: &mut Value, now: &str) {
    let (status, reason, message) = match approval(definition) {
        Approval::NotNeeded => return,
        Approval::Approved(by) => ("True", "ApprovedAnnotation", format!("approved in {by}")),
        Approval::Unapproved(why) => ("False", "UnapprovedAnnotation", format!("not approved: {why:?}")),
        Approval::Missing(error) => ("False", "MissingAnnotation", error),
        Approval::Invalid(error) => ("False", "InvalidAnnotation", error),
    };
    let condition = ("KubernetesAPIApprovalPolicyConformant", status, reason, &*message);
    set_condition(definition, condition, now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_in_protected_groups_are_judged_by_their_annotation() {
        let condition = |group: &str, annotation: &str| {
            let mut definition = json!({
                "metadata": { "annotations": { "api-approved.kubernetes.io": annotation } },
                "spec": { "group": group },
            });
            judge(&mut definition, "2026-01-02T03:04:05Z");
            let condition = definition["status"]["conditions"][0].clone();
            let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
            (text("status"), text("reason"), text("message"))
        };
        let (status, reason, message) = condition("gold.k8s.io", "https://example.com/1");
        let approved = ("True", "ApprovedAnnotation", "approved in https://example.com/1");
        assert_eq!((&*status, &*reason, &*message), approved);
        let (status, reason, message) = condition("gold.k8s.io", "unapproved, for tests");
        let unapproved = (
            "False",
            "UnapprovedAnnotation",
            "not approved: \"unapproved, for tests\"",
        );
        assert_eq!((&*status, &*reason, &*message), unapproved);
        assert_eq!(condition("kubernetes.io", "").1, "MissingAnnotation");
        assert_eq!(condition("gold.k8s.io", "rubbish").1, "InvalidAnnotation");
        assert_eq!(condition("gold.example.com", "rubbish").1, "");
    }
}
