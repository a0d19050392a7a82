//! Limits of requests, and the way down.

use std::net::IpAddr;
use std::time::Duration;

use regex::Regex;

use super::SecureServingOptions;
use crate::app::flags::FlagSet;
use crate::filters::InFlightLimits;
use crate::generic::Config;

/// How many requests at once, how long each, and how the server stops.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerRunOptions {
    /// Address under which clients are told to find the server. Default: the one it listens on.
    pub advertise_address: Option<IpAddr>,
    /// What browsers are told about coming by TLS only. Default nothing.
    pub strict_transport_security_directives: Vec<String>,
    /// Most requests under way that only read; 0 for no limit. Default 400.
    pub max_requests_inflight: i64,
    /// Most requests under way that write; 0 for no limit. Default 200.
    pub max_mutating_requests_inflight: i64,
    /// Longest time for a request that is not a watch or a stream. Default 60 s.
    pub request_timeout: Duration,
    /// How many seconds a watch that asked for no time goes on at least; it ends at random up to twice of it. Default
    /// 1800.
    pub min_request_timeout: i64,
    /// How long starting up may take before `/livez` fails because of it. Default none.
    pub livez_grace_period: Duration,
    /// Patterns of the origins whose pages may call the API from a browser, pinned to start and end of the host.
    /// Default none.
    pub cors_allowed_origins: Vec<String>,
    /// How long the server goes on serving after SIGTERM, with `/readyz` failing. Default none.
    pub shutdown_delay_duration: Duration,
    /// Whether requests that come while the last ones finish get 429 with `Retry-After` instead of a closed port.
    pub shutdown_send_retry_after: bool,
}

impl Default for ServerRunOptions {
    fn default() -> Self {
        Self {
            advertise_address: None,
            strict_transport_security_directives: Vec::new(),
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            request_timeout: Duration::from_secs(60),
            min_request_timeout: 1800,
            livez_grace_period: Duration::ZERO,
            cors_allowed_origins: Vec::new(),
            shutdown_delay_duration: Duration::ZERO,
            shutdown_send_retry_after: false,
        }
    }
}

impl ServerRunOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "advertise-address",
            &mut self.advertise_address,
            "Address under which clients are told to find the server. Without it: the one of --bind-address.",
        );
        flags.add(
            "strict-transport-security-directives",
            &mut self.strict_transport_security_directives,
            "What browsers are told about coming by TLS only: max-age=31536000,includeSubDomains,preload.",
        );
        flags.add(
            "max-requests-inflight",
            &mut self.max_requests_inflight,
            "Most requests under way that only read; more get 429. 0 for no limit.",
        );
        flags.add(
            "max-mutating-requests-inflight",
            &mut self.max_mutating_requests_inflight,
            "Most requests under way that write; more get 429. 0 for no limit.",
        );
        flags.add(
            "request-timeout",
            &mut self.request_timeout,
            "Longest time for a request that is not a watch or a stream.",
        );
        flags.add(
            "min-request-timeout",
            &mut self.min_request_timeout,
            "How many seconds a watch that asked for no time goes on at least; it ends at random up to twice of it.",
        );
        flags.add(
            "livez-grace-period",
            &mut self.livez_grace_period,
            "How long starting up may take before /livez fails because of it.",
        );
        flags.add(
            "cors-allowed-origins",
            &mut self.cors_allowed_origins,
            "Patterns of the origins whose pages may call the API from a browser, pinned like ^https://example\\.com$.",
        );
        flags.add(
            "shutdown-delay-duration",
            &mut self.shutdown_delay_duration,
            "How long the server goes on serving after SIGTERM, with /readyz failing, before it takes no more requests.",
        );
        flags.add(
            "shutdown-send-retry-after",
            &mut self.shutdown_send_retry_after,
            "Whether requests that come while the last ones finish get 429 with Retry-After instead of a closed port.",
        );
    }

    pub(super) fn complete(&mut self, serving: &SecureServingOptions) {
        self.advertise_address.get_or_insert(serving.external_ip());
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        for pattern in &self.cors_allowed_origins {
            if let Err(error) = Regex::new(pattern) {
                errors.push(format!(
                    "--cors-allowed-origins has an invalid regular expression: {error}"
                ));
            } else if !is_pinned(pattern) {
                errors.push(format!(
                    "--cors-allowed-origins must pin the start (^ or //) and the end ($ or :) of the host: {pattern:?}"
                ));
            }
        }
        let known =
            |directive: &str| matches!(directive, "includeSubDomains" | "preload") || directive.starts_with("max-age=");
        if !self
            .strict_transport_security_directives
            .iter()
            .all(|directive| known(directive))
        {
            errors.push(
                "--strict-transport-security-directives invalid, allowed values: max-age=expireTime, includeSubDomains, \
                 preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information"
                    .to_owned(),
            );
        }
        for (flag, value) in [
            ("max-requests-inflight", self.max_requests_inflight),
            ("max-mutating-requests-inflight", self.max_mutating_requests_inflight),
            ("min-request-timeout", self.min_request_timeout),
        ] {
            if value < 0 {
                errors.push(format!("--{flag} can not be negative value"));
            }
        }
    }

    /// How long a watch that asked for no time goes on at least.
    pub(crate) fn min_request_timeout(&self) -> Duration {
        Duration::from_secs(self.min_request_timeout.try_into().unwrap_or_default())
    }

    pub(crate) fn apply_to(&self, config: &mut Config) {
        let limit = |value| usize::try_from(value).unwrap_or_default();
        config.in_flight = InFlightLimits {
            read_only: limit(self.max_requests_inflight),
            mutating: limit(self.max_mutating_requests_inflight),
        };
        // Patterns that are none were an error before.
        let origins = self.cors_allowed_origins.iter();
        config.cors_allowed_origins = origins.filter_map(|pattern| Regex::new(pattern).ok()).collect();
        config
            .hsts_directives
            .clone_from(&self.strict_transport_security_directives);
        config.request_timeout = self.request_timeout;
        config.livez_grace_period = self.livez_grace_period;
        config.shutdown_delay = self.shutdown_delay_duration;
        config.shutdown_send_retry_after = self.shutdown_send_retry_after;
    }
}

/// A pattern that is not would let in hosts whose names only contain the one that was meant.
fn is_pinned(pattern: &str) -> bool {
    (pattern.starts_with('^') || pattern.contains("//"))
        && (pattern.ends_with('$') || pattern.contains("($|:)") || pattern.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_origins_are_patterns_and_pinned() {
        let errors = |pattern: &str| {
            let options = ServerRunOptions {
                cors_allowed_origins: vec![pattern.to_owned()],
                ..ServerRunOptions::default()
            };
            let mut errors = Vec::new();
            options.validate(&mut errors);
            let mut config = Config::default();
            options.apply_to(&mut config);
            (errors.len(), config.cors_allowed_origins.len())
        };
        assert_eq!(errors(r"^https://example\.com$"), (0, 1));
        assert_eq!(errors(r"//example\.com($|:)"), (0, 1));
        assert_eq!(errors("example.com").0, 1);
        assert_eq!(errors("^(").0, 1);
    }
}
