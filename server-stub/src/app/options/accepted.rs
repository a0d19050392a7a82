//! Flags of kube-apiserver that make no difference here. They are accepted so that tools which start kube-apiserver,
//! such as controller-runtime's envtest, can start this server instead; the log says once which of them were given.
//! Those are refused without which the server would protect less than it was told to.

use self::Kind::{
    Bool, Duration, Float, Float32, Int, Int32Slice, Map, Multimap, Pattern, Quantity, StringToString, Strings, Text,
};
use crate::app::flags::{NamedFlagSets, Value};

const USAGE: &str = "Accepted without effect.";

/// The name of a flag, the type of its value, and the value that kube-apiserver has by default.
type Accepted = (&'static str, Kind, &'static str);

/// The flags by their groups.
const ACCEPTED: &[(&str, &[Accepted])] = &[
    (
        "generic",
        &[
            ("emulated-version", Strings, "[]"),
            ("emulation-forward-compatible", Bool, "false"),
            ("external-hostname", Text, ""),
            ("feature-gates", Multimap, ""),
            ("goaway-chance", Float, "0"),
            ("min-compatibility-version", Strings, "[]"),
            ("runtime-config-emulation-forward-compatible", Bool, "false"),
            ("shutdown-watch-termination-grace-period", Duration, "0s"),
            ("storage-initialization-timeout", Duration, "1m0s"),
        ],
    ),
    (
        "etcd",
        &[
            ("default-watch-cache-size", Int, "100"),
            ("delete-collection-workers", Int, "1"),
            ("enable-garbage-collector", Bool, "true"),
            ("encryption-provider-config", Text, ""),
            ("encryption-provider-config-automatic-reload", Bool, "false"),
            ("etcd-db-metric-poll-interval", Duration, "30s"),
            ("watch-cache", Bool, "true"),
            ("watch-cache-sizes", Strings, "[]"),
        ],
    ),
    ("secure serving", &[("tls-curve-preferences", Int32Slice, "[]")]),
    (
        "auditing",
        &[
            ("audit-log-batch-throttle-burst", Int, "0"),
            ("audit-log-batch-throttle-enable", Bool, "false"),
            ("audit-log-batch-throttle-qps", Float32, "0"),
            ("audit-log-truncate-enabled", Bool, "false"),
            ("audit-log-truncate-max-batch-size", Int, "10485760"),
            ("audit-log-truncate-max-event-size", Int, "102400"),
            ("audit-policy-file", Text, ""),
            ("audit-webhook-batch-buffer-size", Int, "10000"),
            ("audit-webhook-batch-initial-backoff", Duration, "10s"),
            ("audit-webhook-batch-max-size", Int, "400"),
            ("audit-webhook-batch-max-wait", Duration, "30s"),
            ("audit-webhook-batch-throttle-burst", Int, "15"),
            ("audit-webhook-batch-throttle-enable", Bool, "true"),
            ("audit-webhook-batch-throttle-qps", Float32, "10"),
            ("audit-webhook-config-file", Text, ""),
            ("audit-webhook-initial-backoff", Duration, "10s"),
            ("audit-webhook-mode", Text, "batch"),
            ("audit-webhook-truncate-enabled", Bool, "false"),
            ("audit-webhook-truncate-max-batch-size", Int, "10485760"),
            ("audit-webhook-truncate-max-event-size", Int, "102400"),
            ("audit-webhook-version", Text, "audit.k8s.io/v1"),
        ],
    ),
    (
        "features",
        &[
            ("contention-profiling", Bool, "false"),
            ("debug-socket-path", Text, ""),
            ("enable-priority-and-fairness", Bool, "true"),
        ],
    ),
    (
        "authentication",
        &[
            ("authentication-config", Text, ""),
            ("authentication-token-webhook-cache-ttl", Duration, "2m0s"),
            ("authentication-token-webhook-config-file", Text, ""),
            ("authentication-token-webhook-version", Text, "v1beta1"),
            ("enable-bootstrap-token-auth", Bool, "false"),
            ("oidc-ca-file", Text, ""),
            ("oidc-client-id", Text, ""),
            ("oidc-groups-claim", Text, ""),
            ("oidc-groups-prefix", Text, ""),
            ("oidc-issuer-url", Text, ""),
            ("oidc-required-claim", Map, ""),
            ("oidc-signing-algs", Strings, "[RS256]"),
            ("oidc-username-claim", Text, "sub"),
            ("oidc-username-prefix", Text, ""),
            ("service-account-lookup", Bool, "true"),
        ],
    ),
    (
        "authorization",
        &[
            ("authorization-config", Text, ""),
            ("authorization-policy-file", Text, ""),
            ("authorization-webhook-cache-authorized-ttl", Duration, "5m0s"),
            ("authorization-webhook-cache-unauthorized-ttl", Duration, "30s"),
            ("authorization-webhook-config-file", Text, ""),
            ("authorization-webhook-version", Text, "v1beta1"),
        ],
    ),
    ("API enablement", &[("runtime-config", Map, "")]),
    ("egress selector", &[("egress-selector-config-file", Text, "")]),
    (
        "admission",
        &[
            ("admission-control", Strings, "[]"),
            ("admission-control-config-file", Text, ""),
            ("default-not-ready-toleration-seconds", Int, "300"),
            ("default-unreachable-toleration-seconds", Int, "300"),
        ],
    ),
    (
        "metrics",
        &[
            ("allow-metric-labels", StringToString, "[]"),
            ("allow-metric-labels-manifest", Text, ""),
            ("disabled-metrics", Strings, "[]"),
            ("show-hidden-metrics-for-version", Text, ""),
        ],
    ),
    (
        "logs",
        &[
            ("log-flush-frequency", Duration, "5s"),
            ("log-json-info-buffer-size", Quantity, "0"),
            ("log-json-split-stream", Bool, "false"),
            ("log-text-info-buffer-size", Quantity, "0"),
            ("log-text-split-stream", Bool, "false"),
            ("logging-format", Text, "text"),
            ("vmodule", Pattern, ""),
        ],
    ),
    ("traces", &[("tracing-config-file", Text, "")]),
    (
        "misc",
        &[
            ("aggregator-reject-forwarding-redirect", Bool, "true"),
            ("apiserver-count", Int, "1"),
            ("coordinated-leadership-lease-duration", Duration, "15s"),
            ("coordinated-leadership-renew-deadline", Duration, "10s"),
            ("coordinated-leadership-retry-period", Duration, "2s"),
            ("enable-aggregator-routing", Bool, "false"),
            ("enable-logs-handler", Bool, "false"),
            ("endpoint-reconciler-type", Text, "lease"),
            ("kubelet-read-only-port", Int, "10255"),
            ("kubelet-timeout", Duration, "5s"),
            ("kubernetes-service-node-port", Int, "0"),
            ("max-connection-bytes-per-sec", Int, "0"),
            ("peer-advertise-ip", Text, ""),
            ("peer-advertise-port", Text, ""),
            ("peer-ca-file", Text, ""),
            ("service-account-signing-endpoint", Text, ""),
        ],
    ),
];

/// Flags that are an error if they are given a value, and what they would have to do.
const REFUSED: &[(&str, &str)] = &[
    (
        "authentication-config",
        "users are not authenticated by a configuration file",
    ),
    (
        "authorization-config",
        "requests are not authorized by a configuration file",
    ),
    ("encryption-provider-config", "objects are not encrypted in storage"),
    (
        "service-account-signing-endpoint",
        "tokens are signed by this server only",
    ),
];

/// Flags that kube-apiserver does not show any more, and what it says to those who give them.
const DEPRECATED: &[(&str, &str)] = &[
    ("apiserver-count", "it will be removed."),
    (
        "audit-webhook-batch-initial-backoff",
        "use --audit-webhook-initial-backoff instead.",
    ),
    ("default-watch-cache-size", "it will be removed."),
    ("kubelet-read-only-port", "it will be removed."),
];

/// The flags, and the values that they were given.
#[derive(Clone, Debug)]
pub struct AcceptedFlags(Vec<AcceptedFlag>);

#[derive(Clone, Debug)]
struct AcceptedFlag {
    group: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    given: Option<String>,
}

/// The type of a flag, for the help text, for flags without a value, and for values that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Duration,
    Float,
    Float32,
    Int,
    Int32Slice,
    Map,
    Multimap,
    Pattern,
    Quantity,
    StringToString,
    Strings,
    Text,
}

impl Default for AcceptedFlags {
    fn default() -> Self {
        let flags = ACCEPTED.iter().flat_map(|&(group, flags)| {
            flags.iter().map(move |&(name, kind, default)| AcceptedFlag {
                group,
                name,
                kind,
                default,
                given: None,
            })
        });
        Self(flags.collect())
    }
}

impl AcceptedFlags {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut NamedFlagSets<'a>) {
        for flag in &mut self.0 {
            let (group, name) = (flags.group(flag.group), flag.name);
            group.add(name, flag, USAGE);
            if let Some((_, message)) = DEPRECATED.iter().find(|(deprecated, _)| *deprecated == name) {
                group.deprecate(name, message);
            }
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        for (name, why) in REFUSED {
            let given = self.0.iter().find(|flag| flag.name == *name);
            if given
                .and_then(|flag| flag.given.as_ref())
                .is_some_and(|value| !value.is_empty())
            {
                errors.push(format!("--{name} is not supported by this server: {why}"));
            }
        }
    }

    /// The names of those that were given.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = self.0.iter().filter(|flag| flag.given.is_some());
        given.map(|flag| flag.name)
    }
}

impl Value for AcceptedFlag {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        self.kind.check(text)?;
        match &mut self.given {
            Some(given) if !first && self.kind.is_list() => {
                given.push(',');
                given.push_str(text);
            }
            given => *given = Some(text.to_owned()),
        }
        Ok(())
    }

    fn text(&self) -> String {
        match &self.given {
            Some(given) if self.kind.is_list() => format!("[{given}]"),
            Some(given) => given.clone(),
            None => self.default.to_owned(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Bool => "",
            Duration => "duration",
            Float => "float",
            Float32 => "float32",
            Int => "int",
            Int32Slice => "int32Slice",
            Map => "mapStringString",
            Multimap => "colonSeparatedMultimapStringString",
            Pattern => "pattern=N,...",
            Quantity => "quantity",
            StringToString => "stringToString",
            Strings => "strings",
            Text => "string",
        }
    }

    fn without_text(&self) -> Option<&'static str> {
        (self.kind == Bool).then_some("true")
    }
}

impl Kind {
    fn is_list(self) -> bool {
        matches!(self, Int32Slice | StringToString | Strings)
    }

    /// Whether a text is of this type.
    fn check(self, text: &str) -> Result<(), String> {
        match self {
            Bool => is::<bool>(text),
            Duration => is::<std::time::Duration>(text),
            Int => is::<i64>(text),
            Int32Slice => text.split(',').try_for_each(is::<i64>),
            Float | Float32 => is::<f64>(text),
            Map | Multimap | Pattern | Quantity | StringToString | Strings | Text => Ok(()),
        }
    }
}

fn is<T: Value + Default>(text: &str) -> Result<(), String> {
    T::default().set(text, true)
}

#[cfg(test)]
mod tests {
    use crate::app::Options;

    #[test]
    fn what_would_protect_less_than_it_was_told_to_is_refused() {
        let errors = |arguments: &[&str]| {
            let options = Options::from_args(arguments.iter().copied()).unwrap();
            options.complete().validate().err().map(|errors| errors.to_string())
        };
        assert_eq!(
            errors(&["--encryption-provider-config=a.yaml"]).unwrap(),
            "--encryption-provider-config is not supported by this server: objects are not encrypted in storage"
        );
        assert_eq!(errors(&["--encryption-provider-config="]), None);
        assert_eq!(
            errors(&["--goaway-chance=0.001", "--feature-gates=A=true,B=false"]),
            None
        );
    }

    #[test]
    fn values_have_their_types_and_defaults() {
        let error = Options::from_args(["--goaway-chance=often"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid argument \"often\" for \"--goaway-chance\" flag: strconv.ParseFloat: parsing \"often\": invalid syntax"
        );
        let mut options = Options::from_args(["--disabled-metrics=a", "--disabled-metrics=b,c"]).unwrap();
        let values: std::collections::BTreeMap<_, _> = options.flags().values().collect();
        assert_eq!(values["disabled-metrics"], "[a,b,c]");
    }
}
