//! What all servers of a chain share.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::clock::{Clock, Ids};
use super::debug_flags::LogLevel;
use super::metrics::Metrics;
use crate::audit::AuditLog;
use crate::authentication::{Authenticator, UnionAuthenticator};
use crate::authorization::{Authorizer, PrivilegedGroup};
use crate::filters::InFlightLimits;

/// The configuration behind the handler chain.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Time.
    pub clock: Clock,
    /// Uids and generated names.
    pub ids: Ids,
    /// Says who sends a request. Default: nobody is known.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether requests without credentials are those of `system:anonymous`; if not, they get 401. Default yes.
    pub anonymous: bool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Patterns of the origins whose pages may call the API from a browser. Default none.
    pub cors_allowed_origins: Vec<Regex>,
    /// What browsers are told about coming by TLS only. Default nothing.
    pub hsts_directives: Vec<String>,
    /// The flags of the program and their values, for `/flagz`. Default none.
    pub flags: Vec<(String, String)>,
    /// Changes how much is logged, if that can be changed. Default not.
    pub log_level: Option<LogLevel>,
    /// Where audit events are written, if anywhere. Default nowhere.
    pub audit_log: Option<Arc<AuditLog>>,
    /// Says who may do what. Default: `system:masters` everything, others nothing.
    pub authorizer: Arc<dyn Authorizer>,
    /// How many requests may be under way.
    pub in_flight: InFlightLimits,
    /// Whether there is what looks into the program: `/debug/` and the reset of `/metrics`. Default yes.
    pub profiling: bool,
    /// Longest time for a request that is not a watch or a stream. Default 60 s.
    pub request_timeout: Duration,
    /// How long hooks may take before `/livez` fails because of them. Default none.
    pub livez_grace_period: Duration,
    /// How long the server goes on as before after it was asked to stop, `/readyz` excepted. Default none.
    pub shutdown_delay: Duration,
    /// Whether new requests get 429 with `Retry-After` while the last ones finish; if not, the port is closed at once.
    /// Default no.
    pub shutdown_send_retry_after: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            ids: Ids::default(),
            authenticator: Arc::new(UnionAuthenticator::default()),
            anonymous: true,
            metrics: Arc::default(),
            cors_allowed_origins: Vec::new(),
            hsts_directives: Vec::new(),
            flags: Vec::new(),
            log_level: None,
            audit_log: None,
            authorizer: Arc::new(PrivilegedGroup::default()),
            in_flight: InFlightLimits::default(),
            profiling: true,
            request_timeout: Duration::from_secs(60),
            livez_grace_period: Duration::ZERO,
            shutdown_delay: Duration::ZERO,
            shutdown_send_retry_after: false,
        }
    }
}
