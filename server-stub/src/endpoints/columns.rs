//! What the columns of tables show: most repeat what the API says of a field, the others have words of their own.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::generic::Descriptions;
use crate::registry::facts;

/// The description of a column, empty where there is none.
pub(super) fn description(group: &'static str, resource: &'static str, column: &'static str) -> &'static str {
    static COLUMNS: OnceLock<HashMap<(&str, &str, &str), String>> = OnceLock::new();
    let columns = COLUMNS.get_or_init(|| {
        let descriptions = Descriptions::collect();
        let describe = |facts: &'static facts::ResourceFacts| {
            let descriptions = &descriptions;
            facts.columns.iter().map(move |column| {
                let text = match source(facts.group, facts.plural, column.name) {
                    Some(Source::Words(text)) => text.to_owned(),
                    Some(Source::Field(path)) => of_path(descriptions, path),
                    None => String::new(),
                };
                ((facts.group, facts.plural, column.name), text)
            })
        };
        facts::resources().iter().flat_map(describe).collect()
    });
    columns.get(&(group, resource, column)).map_or("", String::as_str)
}

/// The descriptions of the wished-for and the actual number of replicas in a scale.
pub(super) fn of_scale() -> [&'static str; 2] {
    static COLUMNS: OnceLock<[String; 2]> = OnceLock::new();
    let [wished, there] = COLUMNS.get_or_init(|| {
        let descriptions = Descriptions::collect();
        [
            "autoscaling.v1.ScaleSpec/replicas",
            "autoscaling.v1.ScaleStatus/replicas",
        ]
        .map(|path| of_path(&descriptions, path))
    });
    [wished, there]
}

/// Where the text of a column comes from.
enum Source {
    /// A field of a type, as `core.v1.PodSpec/nodeName`.
    Field(&'static str),
    Words(&'static str),
}

fn of_path(descriptions: &Descriptions, path: &str) -> String {
    let (message, field) = path.split_once('/').unwrap_or((path, ""));
    let name = match message.strip_prefix("meta.") {
        Some(rest) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        None => format!("io.k8s.api.{message}"),
    };
    descriptions.of_field(&name, field).unwrap_or_default().to_owned()
}

fn source(group: &str, resource: &str, column: &str) -> Option<Source> {
    use Source::{Field, Words};
    Some(match (group, resource, column) {
        ("", "componentstatuses", "Status") => Words("Status of the component conditions"),
        ("", "componentstatuses", "Message") => Words("Message of the component conditions"),
        ("", "componentstatuses", "Error") => Words("Error of the component conditions"),
        ("apiregistration.k8s.io", "apiservices", "Service") => {
            Words("The reference to the service that hosts this API endpoint.")
        }
        ("apiregistration.k8s.io", "apiservices", "Available") => Words("Whether this service is available."),
        ("", "configmaps", "Data") => Field("core.v1.ConfigMap/data"),
        ("", "endpoints", "Endpoints") => Field("core.v1.Endpoints/subsets"),
        (_, "events", "Last Seen") => Field("core.v1.Event/lastTimestamp"),
        (_, "events", "Type") => Field("core.v1.Event/type"),
        (_, "events", "Reason") => Field("core.v1.Event/reason"),
        (_, "events", "Object") => Field("core.v1.Event/involvedObject"),
        (_, "events", "Subobject") => Field("core.v1.ObjectReference/fieldPath"),
        (_, "events", "Source") => Field("core.v1.Event/source"),
        (_, "events", "Message") => Field("core.v1.Event/message"),
        (_, "events", "First Seen") => Field("core.v1.Event/firstTimestamp"),
        (_, "events", "Count") => Field("core.v1.Event/count"),
        ("", "namespaces", "Status") => Words("The status of the namespace"),
        ("", "nodes", "Status") => Words("The status of the node"),
        ("", "nodes", "Roles") => Words("The roles of the node"),
        ("", "nodes", "Version") => Field("core.v1.NodeSystemInfo/kubeletVersion"),
        ("", "nodes", "Internal-IP" | "External-IP") => Field("core.v1.NodeStatus/addresses"),
        ("", "nodes", "OS-Image") => Field("core.v1.NodeSystemInfo/osImage"),
        ("", "nodes", "Kernel-Version") => Field("core.v1.NodeSystemInfo/kernelVersion"),
        ("", "nodes", "Container-Runtime") => Field("core.v1.NodeSystemInfo/containerRuntimeVersion"),
        ("", "persistentvolumeclaims", "Status") => Field("core.v1.PersistentVolumeClaimStatus/phase"),
        ("", "persistentvolumeclaims", "Volume") => Field("core.v1.PersistentVolumeClaimSpec/volumeName"),
        ("", "persistentvolumeclaims", "Capacity") => Field("core.v1.PersistentVolumeClaimStatus/capacity"),
        ("", "persistentvolumeclaims", "Access Modes") => Field("core.v1.PersistentVolumeClaimStatus/accessModes"),
        ("", "persistentvolumeclaims", "StorageClass") => Words("StorageClass of the pvc"),
        ("", "persistentvolumeclaims", "VolumeAttributesClass") => Words("VolumeAttributesClass of the pvc"),
        ("", "persistentvolumeclaims", "VolumeMode") => Field("core.v1.PersistentVolumeClaimSpec/volumeMode"),
        ("", "persistentvolumes", "Capacity") => Field("core.v1.PersistentVolumeSpec/capacity"),
        ("", "persistentvolumes", "Access Modes") => Field("core.v1.PersistentVolumeSpec/accessModes"),
        ("", "persistentvolumes", "Reclaim Policy") => {
            Field("core.v1.PersistentVolumeSpec/persistentVolumeReclaimPolicy")
        }
        ("", "persistentvolumes", "Status") => Field("core.v1.PersistentVolumeStatus/phase"),
        ("", "persistentvolumes", "Claim") => Field("core.v1.PersistentVolumeSpec/claimRef"),
        ("", "persistentvolumes", "StorageClass") => Words("StorageClass of the pv"),
        ("", "persistentvolumes", "VolumeAttributesClass") => Words("VolumeAttributesClass of the pv"),
        ("", "persistentvolumes", "Reason") => Field("core.v1.PersistentVolumeStatus/reason"),
        ("", "persistentvolumes", "VolumeMode") => Field("core.v1.PersistentVolumeSpec/volumeMode"),
        ("", "pods", "Ready") => Words("The aggregate readiness state of this pod for accepting traffic."),
        ("", "pods", "Status") => Words("The aggregate status of the containers in this pod."),
        ("", "pods", "Restarts") => Words(
            "The number of times the containers in this pod have been restarted and when the last container in this \
             pod has restarted.",
        ),
        ("", "pods", "IP") => Field("core.v1.PodStatus/podIP"),
        ("", "pods", "Node") => Field("core.v1.PodSpec/nodeName"),
        ("", "pods", "Nominated Node") => Field("core.v1.PodStatus/nominatedNodeName"),
        ("", "pods", "Readiness Gates") => Field("core.v1.PodSpec/readinessGates"),
        ("", "podtemplates", "Pod Labels") => Words("The labels for the pod template."),
        ("", "replicationcontrollers", "Desired") => Field("core.v1.ReplicationControllerSpec/replicas"),
        ("", "replicationcontrollers", "Current") => Field("core.v1.ReplicationControllerStatus/replicas"),
        ("", "replicationcontrollers", "Ready") => Field("core.v1.ReplicationControllerStatus/readyReplicas"),
        ("", "replicationcontrollers", "Selector") => Field("core.v1.ReplicationControllerSpec/selector"),
        ("", "resourcequotas", "Request") => {
            Words("Request represents a minimum amount of cpu/memory that a container may consume.")
        }
        ("", "resourcequotas", "Limit") => Words(
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
        ),
        ("networking.k8s.io", "ipaddresses", "ParentRef") => Field("networking.v1.IPAddressSpec/parentRef"),
        ("networking.k8s.io", "servicecidrs", "CIDRs") => Field("networking.v1.ServiceCIDRSpec/cidrs"),
        ("", "secrets", "Type") => Field("core.v1.Secret/type"),
        ("", "secrets", "Data") => Field("core.v1.Secret/data"),
        ("", "services", "Type") => Field("core.v1.ServiceSpec/type"),
        ("", "services", "Cluster-IP") => Field("core.v1.ServiceSpec/clusterIP"),
        ("", "services", "External-IP") => Field("core.v1.ServiceSpec/externalIPs"),
        ("", "services", "Port(s)") => Field("core.v1.ServiceSpec/ports"),
        ("", "services", "Selector") => Field("core.v1.ServiceSpec/selector"),
        ("apps", "controllerrevisions", "Controller") => Words("Controller of the object"),
        ("apps", "controllerrevisions", "Revision") => Field("apps.v1.ControllerRevision/revision"),
        ("apps", "daemonsets", "Desired") => Field("apps.v1.DaemonSetStatus/desiredNumberScheduled"),
        ("apps", "daemonsets", "Current") => Field("apps.v1.DaemonSetStatus/currentNumberScheduled"),
        ("apps", "daemonsets", "Ready") => Field("apps.v1.DaemonSetStatus/numberReady"),
        ("apps", "daemonsets", "Up-to-date") => Field("apps.v1.DaemonSetStatus/updatedNumberScheduled"),
        ("apps", "daemonsets", "Available") => Field("apps.v1.DaemonSetStatus/numberAvailable"),
        ("apps", "daemonsets", "Node Selector") => Field("core.v1.PodSpec/nodeSelector"),
        ("apps", "daemonsets", "Selector") => Field("apps.v1.DaemonSetSpec/selector"),
        ("apps", "deployments" | "statefulsets", "Ready") => Words("Number of the pod with ready state"),
        ("apps", "deployments", "Up-to-date") => Field("apps.v1.DeploymentStatus/updatedReplicas"),
        ("apps", "deployments", "Available") => Field("apps.v1.DeploymentStatus/availableReplicas"),
        ("apps", "deployments", "Selector") => Field("apps.v1.DeploymentSpec/selector"),
        ("apps", "replicasets", "Desired") => Field("apps.v1.ReplicaSetSpec/replicas"),
        ("apps", "replicasets", "Current") => Field("apps.v1.ReplicaSetStatus/replicas"),
        ("apps", "replicasets", "Ready") => Field("apps.v1.ReplicaSetStatus/readyReplicas"),
        ("apps", "replicasets", "Selector") => Field("apps.v1.ReplicaSetSpec/selector"),
        ("autoscaling", _, "Reference") => Field("autoscaling.v2.HorizontalPodAutoscalerSpec/scaleTargetRef"),
        ("autoscaling", _, "Targets") => Field("autoscaling.v2.HorizontalPodAutoscalerSpec/metrics"),
        ("autoscaling", _, "MinPods") => Field("autoscaling.v2.HorizontalPodAutoscalerSpec/minReplicas"),
        ("autoscaling", _, "MaxPods") => Field("autoscaling.v2.HorizontalPodAutoscalerSpec/maxReplicas"),
        ("autoscaling", _, "Replicas") => Field("autoscaling.v2.HorizontalPodAutoscalerStatus/currentReplicas"),
        ("batch", "cronjobs", "Schedule") => Field("batch.v1.CronJobSpec/schedule"),
        ("batch", "cronjobs", "Timezone") => Field("batch.v1.CronJobSpec/timeZone"),
        ("batch", "cronjobs", "Suspend") => Field("batch.v1.CronJobSpec/suspend"),
        ("batch", "cronjobs", "Active") => Field("batch.v1.CronJobStatus/active"),
        ("batch", "cronjobs", "Last Schedule") => Field("batch.v1.CronJobStatus/lastScheduleTime"),
        ("batch", "jobs", "Status") => Words("Status of the job."),
        ("batch", "jobs", "Completions") => Field("batch.v1.JobStatus/succeeded"),
        ("batch", "jobs", "Duration") => Words("Time required to complete the job."),
        ("batch", _, "Selector") => Field("batch.v1.JobSpec/selector"),
        ("networking.k8s.io", "ingresses", "Class") => {
            Words("The name of the IngressClass resource that should be used for additional configuration")
        }
        ("networking.k8s.io", "ingresses", "Hosts") => {
            Words("Hosts that incoming requests are matched against before the ingress rule")
        }
        ("networking.k8s.io", "ingresses", "Address") => {
            Words("Address is a list containing ingress points for the load-balancer")
        }
        ("networking.k8s.io", "ingresses", "Ports") => Words("Ports of TLS configurations that open"),
        ("networking.k8s.io", "ingressclasses", "Controller") => {
            Words("Controller that is responsible for handling this class")
        }
        ("networking.k8s.io", "ingressclasses", "Parameters") => {
            Words("A reference to a resource with additional parameters")
        }
        ("networking.k8s.io", "networkpolicies", "Pod-Selector") => {
            Field("networking.v1.NetworkPolicySpec/podSelector")
        }
        ("policy", _, "Min Available") => Words("The minimum number of pods that must be available."),
        ("policy", _, "Max Unavailable") => Words("The maximum number of pods that may be unavailable."),
        ("policy", _, "Allowed Disruptions") => Words("Calculated number of pods that may be disrupted at this time."),
        ("rbac.authorization.k8s.io", "rolebindings", "Role") => Field("rbac.v1.RoleBinding/roleRef"),
        ("rbac.authorization.k8s.io", "rolebindings", "Users") => Words("Users in the roleBinding"),
        ("rbac.authorization.k8s.io", "rolebindings", "Groups") => Words("Groups in the roleBinding"),
        ("rbac.authorization.k8s.io", "rolebindings", "ServiceAccounts") => Words("ServiceAccounts in the roleBinding"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "Role") => Field("rbac.v1.ClusterRoleBinding/roleRef"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "Users") => Words("Users in the clusterRoleBinding"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "Groups") => Words("Groups in the clusterRoleBinding"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "ServiceAccounts") => {
            Words("ServiceAccounts in the clusterRoleBinding")
        }
        ("storage.k8s.io", "storageclasses", "Provisioner") => Field("storage.v1.StorageClass/provisioner"),
        ("storage.k8s.io", "storageclasses", "ReclaimPolicy") => Field("storage.v1.StorageClass/reclaimPolicy"),
        ("storage.k8s.io", "storageclasses", "VolumeBindingMode") => Field("storage.v1.StorageClass/volumeBindingMode"),
        ("storage.k8s.io", "storageclasses", "AllowVolumeExpansion") => {
            Field("storage.v1.StorageClass/allowVolumeExpansion")
        }
        ("storage.k8s.io", "volumeattachments", "Attacher") => Field("storage.v1.VolumeAttachmentSpec/attacher"),
        ("storage.k8s.io", "volumeattachments", "PV") => {
            Field("storage.v1.VolumeAttachmentSource/persistentVolumeName")
        }
        ("storage.k8s.io", "volumeattachments", "Node") => Field("storage.v1.VolumeAttachmentSpec/nodeName"),
        ("storage.k8s.io", "volumeattachments", "Attached") => Field("storage.v1.VolumeAttachmentStatus/attached"),
        ("apiextensions.k8s.io", _, "Scope") => Words("Cluster/Namespaced"),
        ("apiextensions.k8s.io", _, "Versions") => Words("Served versions"),
        ("apiextensions.k8s.io", _, "Group") => Words("API group"),
        ("apiextensions.k8s.io", _, "Kind") => Words("CustomResource kind"),
        ("apiextensions.k8s.io", _, "ShortNames") => Words("Short names"),
        ("apiextensions.k8s.io", _, "Established") => Words("Established status"),
        ("scheduling.k8s.io", _, "Value") => Field("scheduling.v1.PriorityClass/value"),
        ("scheduling.k8s.io", _, "Global-Default") => Field("scheduling.v1.PriorityClass/globalDefault"),
        ("scheduling.k8s.io", _, "PreemptionPolicy") => Field("scheduling.v1.PriorityClass/preemptionPolicy"),
        ("coordination.k8s.io", "leases", "Holder") => Field("coordination.v1.LeaseSpec/holderIdentity"),
        ("node.k8s.io", _, "Handler") => Field("node.v1.RuntimeClass/handler"),
        ("discovery.k8s.io", _, "AddressType") => Field("discovery.v1.EndpointSlice/addressType"),
        ("discovery.k8s.io", _, "Ports") => Field("discovery.v1.EndpointSlice/ports"),
        ("discovery.k8s.io", _, "Endpoints") => Field("discovery.v1.EndpointSlice/endpoints"),
        ("flowcontrol.apiserver.k8s.io", "flowschemas", "PriorityLevel") => {
            Field("flowcontrol.v1.PriorityLevelConfigurationReference/name")
        }
        ("flowcontrol.apiserver.k8s.io", "flowschemas", "MatchingPrecedence") => {
            Field("flowcontrol.v1.FlowSchemaSpec/matchingPrecedence")
        }
        ("flowcontrol.apiserver.k8s.io", "flowschemas", "DistinguisherMethod") => {
            Field("flowcontrol.v1.FlowSchemaSpec/distinguisherMethod")
        }
        ("flowcontrol.apiserver.k8s.io", "flowschemas", "MissingPL") => {
            Words("references a broken or non-existent PriorityLevelConfiguration")
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "Type") => {
            Field("flowcontrol.v1.PriorityLevelConfigurationSpec/type")
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "NominalConcurrencyShares") => {
            Field("flowcontrol.v1.LimitedPriorityLevelConfiguration/nominalConcurrencyShares")
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "Queues") => {
            Field("flowcontrol.v1.QueuingConfiguration/queues")
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "HandSize") => {
            Field("flowcontrol.v1.QueuingConfiguration/handSize")
        }
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "QueueLengthLimit") => {
            Field("flowcontrol.v1.QueuingConfiguration/queueLengthLimit")
        }
        (_, _, "Name") => Field("meta.v1.ObjectMeta/name"),
        (_, _, "Age" | "Created At") => Field("meta.v1.ObjectMeta/creationTimestamp"),
        (_, _, "Containers") => Words("Names of each container in the template."),
        (_, _, "Images") => Words("Images referenced by each container in the template."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_columns_are_described() {
        assert!(description("", "pods", "Node").contains("node"));
        assert_eq!(description("", "namespaces", "Status"), "The status of the namespace");
        let columns = facts::resources()
            .iter()
            .flat_map(|facts| facts.columns.iter().map(move |column| (facts, column)));
        let (described, bare): (Vec<_>, Vec<_>) =
            columns.partition(|(facts, column)| !description(facts.group, facts.plural, column.name).is_empty());
        assert!(
            described.len() > 2 * bare.len(),
            "{} of {}",
            described.len(),
            bare.len()
        );
        // A path that leads nowhere would be a typing error.
        for (facts, column) in bare {
            assert!(
                source(facts.group, facts.plural, column.name).is_none(),
                "{} {}",
                facts.plural,
                column.name
            );
        }
    }
}
