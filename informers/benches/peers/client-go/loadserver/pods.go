package main

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// managed is what a few managers leave behind on a pod of a deployment.
const managed = `{"f:metadata":{"f:annotations":{".":{},"f:checksum/config":{},"f:prometheus.io/port":{},"f:prometheus.io/scrape":{}},` +
	`"f:generateName":{},"f:labels":{".":{},"f:app.kubernetes.io/component":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/name":{},` +
	`"f:app.kubernetes.io/version":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"5c2f9c2e-7cf6-4b1c-9f3b-1d4f6f1f9a11\"}":{}}},` +
	`"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"LOG_LEVEL\"}":{".":{},"f:name":{},"f:value":{}}},` +
	`"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:httpGet":{".":{},"f:path":{},"f:port":{}}},"f:name":{},"f:ports":{".":{}},` +
	`"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}}},"f:volumeMounts":{".":{}}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},` +
	`"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{},"f:volumes":{".":{}}}}`

const kubelet = `{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},` +
	`"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},` +
	`"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:hostIPs":{},"f:phase":{},"f:podIP":{},` +
	`"f:podIPs":{".":{},"k:{\"ip\":\"10.1.1.1\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`

// pod is a pod of a believable deployment, as a cluster of version 1.33 or later has it: 7 KB as protobuf.
func pod(number int, version int64) *corev1.Pod {
	name := fmt.Sprintf("checkout-service-%06d-6d5f8c9b7c-%05d", number/7, number)
	namespace := fmt.Sprintf("team-%02d", number%50)
	now := metav1.NewTime(time.Unix(1760000000+int64(number), 0))
	yes, no, user := true, false, int64(10001)
	mode, expiry, grace, priority, preemption, patience := int32(0o644), int64(3607), int64(30), int32(0), corev1.PreemptLowerPriority, int64(300)
	env := func(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	secret := func(name, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "checkout-secrets"}, Key: key}}}
	}
	requests := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("256Mi")}
	limits := corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("512Mi")}
	disabled := corev1.RecursiveReadOnlyDisabled
	container := func(container, image string) corev1.Container {
		probe := &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz/ready", Port: intstr.FromString("http"), Scheme: "HTTP"}},
			PeriodSeconds: 10, TimeoutSeconds: 3, SuccessThreshold: 1, FailureThreshold: 3, InitialDelaySeconds: 5,
		}
		return corev1.Container{
			Name: container, Image: image, Args: []string{"--config=/etc/checkout/config.yaml", "--listen=:8080", "--v=2"},
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: "TCP"}, {Name: "metrics", ContainerPort: 9090, Protocol: "TCP"}},
			Env: []corev1.EnvVar{env("LOG_LEVEL", "info"), env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.observability.svc:4317"),
				env("DATABASE_HOST", "postgres-primary.databases.svc.cluster.local"), env("FEATURE_FLAGS", "new-cart,fast-checkout,no-legacy-tax"),
				field("POD_NAME", "metadata.name"), field("POD_IP", "status.podIP"), secret("DATABASE_PASSWORD", "password"), secret("API_KEY", "api-key")},
			Resources: corev1.ResourceRequirements{
				Requests: requests, Limits: limits,
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/checkout", ReadOnly: true}, {Name: "cache", MountPath: "/var/cache/checkout"},
				{Name: "kube-api-access-x7k2p", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}},
			LivenessProbe: probe, ReadinessProbe: probe,
			TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent",
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes, RunAsUser: &user,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}
	}
	state := func(container, image string) corev1.ContainerStatus {
		mount := func(name, path string, mode *corev1.RecursiveReadOnlyMode) corev1.VolumeMountStatus {
			return corev1.VolumeMountStatus{Name: name, MountPath: path, ReadOnly: mode != nil, RecursiveReadOnly: mode}
		}
		return corev1.ContainerStatus{Name: container, Ready: true, Started: &yes, Image: image,
			AllocatedResources: requests, Resources: &corev1.ResourceRequirements{Requests: requests, Limits: limits},
			VolumeMounts: []corev1.VolumeMountStatus{mount("config", "/etc/checkout", &disabled), mount("cache", "/var/cache/checkout", nil),
				mount("kube-api-access-x7k2p", "/var/run/secrets/kubernetes.io/serviceaccount", &disabled)},
			ImageID: image + "@sha256:9b2c1b3f5e0f4c4b8d6f1f0a7f2c9d3e4b5a6c7d8e9f0a1b2c3d4e5f6a7b8c9d", ContainerID: fmt.Sprintf("containerd://%064d", number),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}
	}
	condition := func(kind corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: "True", LastTransitionTime: now}
	}
	manager := func(manager string, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: "Update", APIVersion: "v1", Time: &now, FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	web, proxy := "registry.example.com/shop/checkout-service:v2.14.3", "registry.example.com/mesh/proxy:1.29.1"
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, GenerateName: name[:len(name)-5], UID: types.UID(fmt.Sprintf("5c2f9c2e-7cf6-4b1c-9f3b-%012d", number)),
			ResourceVersion: fmt.Sprint(version), CreationTimestamp: now,
			Labels: map[string]string{"app.kubernetes.io/name": "checkout-service", "app.kubernetes.io/instance": "checkout", "app.kubernetes.io/version": "v2.14.3",
				"app.kubernetes.io/component": "web", "pod-template-hash": "6d5f8c9b7c", "topology.kubernetes.io/zone": "eu-central-1b"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
				"checksum/config": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name[:len(name)-6],
				UID: "5c2f9c2e-7cf6-4b1c-9f3b-1d4f6f1f9a11", Controller: &yes, BlockOwnerDeletion: &yes}},
			ManagedFields: []metav1.ManagedFieldsEntry{manager("kube-controller-manager", managed), manager("kubelet", kubelet)},
		},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{container("migrate", web)},
			Containers:     []corev1.Container{container("web", web), container("mesh-proxy", proxy)},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{DefaultMode: &mode, LocalObjectReference: corev1.LocalObjectReference{Name: "checkout-config"}}}},
				{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "kube-api-access-x7k2p", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: &expiry, Path: "token"}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
					{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace",
						FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}}}}}},
			},
			TerminationGracePeriodSeconds: &grace, Priority: &priority, PreemptionPolicy: &preemption, DeprecatedServiceAccount: "checkout",
			RestartPolicy: "Always", DNSPolicy: "ClusterFirst", ServiceAccountName: "checkout", NodeName: fmt.Sprintf("node-%03d", number%300),
			SchedulerName: "default-scheduler", EnableServiceLinks: &no, SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, FSGroup: &user},
			Tolerations: []corev1.Toleration{{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &patience}, {Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &patience}},
		},
		Status: corev1.PodStatus{
			Phase: "Running", HostIP: "10.0.3.17", PodIP: fmt.Sprintf("10.1.%d.%d", number/250%250, number%250), StartTime: &now, QOSClass: "Burstable",
			HostIPs: []corev1.HostIP{{IP: "10.0.3.17"}}, PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.1.%d.%d", number/250%250, number%250)}},
			InitContainerStatuses: []corev1.ContainerStatus{state("migrate", web)},
			Conditions:            []corev1.PodCondition{condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"), condition("ContainersReady"), condition("PodScheduled")},
			ContainerStatuses:     []corev1.ContainerStatus{state("web", web), state("mesh-proxy", proxy)},
		},
	}
}
