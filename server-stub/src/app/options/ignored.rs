//! Flags of kube-apiserver that make no difference to a server for tests. They are accepted so that tools which start
//! kube-apiserver, such as controller-runtime's envtest, can start this server instead.

use clap::{Arg, ArgAction, ArgMatches, Command};

/// What is accepted and not used.
const IGNORED: &[&str] = &[
    "admission-control-config-file",
    "allow-privileged",
    "anonymous-auth-config",
    "api-audiences",
    "apiserver-count",
    "audit-log-format",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "audit-policy-file",
    "cloud-provider",
    "contention-profiling",
    "default-not-ready-toleration-seconds",
    "default-unreachable-toleration-seconds",
    "default-watch-cache-size",
    "disable-admission-plugins",
    "enable-admission-plugins",
    "enable-aggregator-routing",
    "enable-bootstrap-token-auth",
    "enable-garbage-collector",
    "enable-priority-and-fairness",
    "endpoint-reconciler-type",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-compaction-interval",
    "etcd-keyfile",
    "etcd-prefix",
    "event-ttl",
    "external-hostname",
    "feature-gates",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "kubelet-preferred-address-types",
    "max-connection-bytes-per-sec",
    "min-request-timeout",
    "profiling",
    "runtime-config",
    "service-account-extend-token-expiration",
    "service-account-issuer",
    "service-account-jwks-uri",
    "service-account-key-file",
    "service-account-lookup",
    "service-account-max-token-expiration",
    "service-account-signing-key-file",
    "storage-backend",
    "storage-media-type",
    "tls-cipher-suites",
    "tls-min-version",
    "v",
    "vmodule",
    "watch-cache",
    "watch-cache-sizes",
];

/// Adds the flags, hidden from the help: `--flag`, `--flag=value` and `--flag value`.
pub(super) fn add_to(command: Command) -> Command {
    command.args(IGNORED.iter().map(|&name| {
        Arg::new(name)
            .long(name)
            .num_args(0..=1)
            .action(ArgAction::Append)
            .hide(true)
    }))
}

/// Those that were given.
pub(super) fn given(matches: &ArgMatches) -> Vec<&'static str> {
    let given = |name: &&&str| matches.value_source(name).is_some();
    IGNORED.iter().filter(given).copied().collect()
}
