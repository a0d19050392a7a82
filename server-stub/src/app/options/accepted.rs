//! Flags of kube-apiserver that make no difference here. They are accepted so that tools which start kube-apiserver,
//! such as controller-runtime's envtest, can start this server instead; the log says once which of them were given.

use crate::app::flags::{NamedFlagSets, Value};

const USAGE: &str = "Accepted without effect.";

/// Group, type of the value, and the flags of that type.
const ACCEPTED: &[(&str, Kind, &[&str])] = &[
    ("generic", Kind::Float, &["goaway-chance"]),
    ("generic", Kind::Int, &["min-request-timeout"]),
    (
        "generic",
        Kind::Duration,
        &[
            "shutdown-watch-termination-grace-period",
            "storage-initialization-timeout",
        ],
    ),
    (
        "generic",
        Kind::Bool,
        &[
            "emulation-forward-compatible",
            "runtime-config-emulation-forward-compatible",
        ],
    ),
    ("generic", Kind::String, &["external-hostname"]),
    (
        "generic",
        Kind::Strings,
        &["emulated-version", "min-compatibility-version"],
    ),
    ("generic", Kind::Map, &["feature-gates"]),
    ("etcd", Kind::String, &["encryption-provider-config"]),
    (
        "etcd",
        Kind::Bool,
        &[
            "enable-garbage-collector",
            "encryption-provider-config-automatic-reload",
            "watch-cache",
        ],
    ),
    ("etcd", Kind::Duration, &["etcd-db-metric-poll-interval"]),
    (
        "etcd",
        Kind::Int,
        &["default-watch-cache-size", "delete-collection-workers"],
    ),
    ("etcd", Kind::Strings, &["watch-cache-sizes"]),
    ("secure serving", Kind::Strings, &["tls-curve-preferences"]),
    (
        "secure serving",
        Kind::Bool,
        &["permit-address-sharing", "permit-port-sharing"],
    ),
    (
        "auditing",
        Kind::Bool,
        &[
            "audit-log-batch-throttle-enable",
            "audit-log-compress",
            "audit-log-truncate-enabled",
            "audit-webhook-batch-throttle-enable",
            "audit-webhook-truncate-enabled",
        ],
    ),
    (
        "auditing",
        Kind::Int,
        &[
            "audit-log-batch-buffer-size",
            "audit-log-batch-max-size",
            "audit-log-batch-throttle-burst",
            "audit-log-truncate-max-batch-size",
            "audit-log-truncate-max-event-size",
            "audit-webhook-batch-buffer-size",
            "audit-webhook-batch-max-size",
            "audit-webhook-batch-throttle-burst",
            "audit-webhook-truncate-max-batch-size",
            "audit-webhook-truncate-max-event-size",
        ],
    ),
    (
        "auditing",
        Kind::Float,
        &["audit-log-batch-throttle-qps", "audit-webhook-batch-throttle-qps"],
    ),
    (
        "auditing",
        Kind::Duration,
        &[
            "audit-log-batch-max-wait",
            "audit-webhook-batch-initial-backoff",
            "audit-webhook-batch-max-wait",
            "audit-webhook-initial-backoff",
        ],
    ),
    (
        "auditing",
        Kind::String,
        &[
            "audit-log-mode",
            "audit-log-version",
            "audit-policy-file",
            "audit-webhook-config-file",
            "audit-webhook-mode",
            "audit-webhook-version",
        ],
    ),
    (
        "features",
        Kind::Bool,
        &["contention-profiling", "enable-priority-and-fairness"],
    ),
    ("features", Kind::String, &["debug-socket-path"]),
    (
        "authentication",
        Kind::Bool,
        &["enable-bootstrap-token-auth", "service-account-lookup"],
    ),
    (
        "authentication",
        Kind::Duration,
        &["authentication-token-webhook-cache-ttl"],
    ),
    (
        "authentication",
        Kind::String,
        &[
            "authentication-config",
            "authentication-token-webhook-config-file",
            "authentication-token-webhook-version",
            "oidc-ca-file",
            "oidc-client-id",
            "oidc-groups-claim",
            "oidc-groups-prefix",
            "oidc-issuer-url",
            "oidc-username-claim",
            "oidc-username-prefix",
        ],
    ),
    ("authentication", Kind::Strings, &["oidc-signing-algs"]),
    ("authentication", Kind::Map, &["oidc-required-claim"]),
    (
        "authorization",
        Kind::Duration,
        &[
            "authorization-webhook-cache-authorized-ttl",
            "authorization-webhook-cache-unauthorized-ttl",
        ],
    ),
    (
        "authorization",
        Kind::String,
        &[
            "authorization-config",
            "authorization-policy-file",
            "authorization-webhook-config-file",
            "authorization-webhook-version",
        ],
    ),
    ("API enablement", Kind::Map, &["runtime-config"]),
    ("egress selector", Kind::String, &["egress-selector-config-file"]),
    ("admission", Kind::Strings, &["admission-control"]),
    ("admission", Kind::String, &["admission-control-config-file"]),
    ("metrics", Kind::Map, &["allow-metric-labels"]),
    (
        "metrics",
        Kind::String,
        &["allow-metric-labels-manifest", "show-hidden-metrics-for-version"],
    ),
    ("metrics", Kind::Strings, &["disabled-metrics"]),
    ("logs", Kind::Duration, &["log-flush-frequency"]),
    (
        "logs",
        Kind::String,
        &[
            "log-json-info-buffer-size",
            "log-text-info-buffer-size",
            "logging-format",
            "vmodule",
        ],
    ),
    ("logs", Kind::Bool, &["log-json-split-stream", "log-text-split-stream"]),
    ("traces", Kind::String, &["tracing-config-file"]),
    (
        "misc",
        Kind::Bool,
        &[
            "aggregator-reject-forwarding-redirect",
            "allow-privileged",
            "enable-aggregator-routing",
            "enable-logs-handler",
        ],
    ),
    (
        "misc",
        Kind::Duration,
        &[
            "coordinated-leadership-lease-duration",
            "coordinated-leadership-renew-deadline",
            "coordinated-leadership-retry-period",
            "kubelet-timeout",
        ],
    ),
    (
        "misc",
        Kind::Int,
        &[
            "apiserver-count",
            "default-not-ready-toleration-seconds",
            "default-unreachable-toleration-seconds",
            "kubelet-read-only-port",
            "kubernetes-service-node-port",
            "max-connection-bytes-per-sec",
        ],
    ),
    (
        "misc",
        Kind::String,
        &[
            "cloud-provider",
            "endpoint-reconciler-type",
            "peer-advertise-ip",
            "peer-advertise-port",
            "peer-ca-file",
            "service-account-signing-endpoint",
        ],
    ),
];

/// The flags, and the values that they were given.
#[derive(Clone, Debug)]
pub struct AcceptedFlags(Vec<AcceptedFlag>);

#[derive(Clone, Debug)]
struct AcceptedFlag {
    group: &'static str,
    name: &'static str,
    kind: Kind,
    given: Option<String>,
}

/// The type of a flag, for the help text and for flags without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Duration,
    Float,
    Int,
    Map,
    String,
    Strings,
}

impl Default for AcceptedFlags {
    fn default() -> Self {
        let flags = ACCEPTED.iter().flat_map(|&(group, kind, names)| {
            names.iter().map(move |&name| AcceptedFlag {
                group,
                name,
                kind,
                given: None,
            })
        });
        Self(flags.collect())
    }
}

impl AcceptedFlags {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut NamedFlagSets<'a>) {
        for flag in &mut self.0 {
            flags.group(flag.group).add(flag.name, flag, USAGE);
        }
    }

    /// The names of those that were given.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = self.0.iter().filter(|flag| flag.given.is_some());
        given.map(|flag| flag.name)
    }
}

impl Value for AcceptedFlag {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        self.given = Some(text.to_owned());
        Ok(())
    }

    fn text(&self) -> String {
        self.given.clone().unwrap_or_default()
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool => "",
            Kind::Duration => "duration",
            Kind::Float => "float",
            Kind::Int => "int",
            Kind::Map => "mapStringString",
            Kind::String => "string",
            Kind::Strings => "strings",
        }
    }

    fn without_text(&self) -> Option<&'static str> {
        (self.kind == Kind::Bool).then_some("true")
    }
}
