//! The handler chain: what every request passes before it reaches the first API server (upstream's
//! `DefaultBuildHandlerChain`), one filter a file.

mod audit;
mod audit_id;
mod authentication;
mod authorization;
pub(crate) mod body;
mod cache_control;
mod compression;
mod cors;
mod hsts;
mod http_logging;
mod impersonation;
mod max_in_flight;
mod metrics;
mod panic_recovery;
mod request_info;
mod retry_after;
mod timeout;
mod warning;
mod watch_termination;

use std::sync::Arc;
use std::time::Duration;

pub use max_in_flight::InFlightLimits;
pub(crate) use max_in_flight::max_in_flight_hook;
pub use retry_after::RequestsInFlight;
pub use timeout::is_long_running;
pub use warning::WarningRecorder;

use regex::Regex;

use crate::audit::AuditLog;
use crate::authentication::Authenticator;
use crate::authorization::Authorizer;
use crate::generic::clock::{Clock, Ids};
use crate::generic::delegation::Handler;
use crate::generic::lifecycle::LifecycleSignals;
use crate::generic::metrics::Metrics;

/// What the filters need.
pub struct ChainConfig {
    /// Says who sends a request.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether requests without credentials go on as those of `system:anonymous`.
    pub anonymous: bool,
    /// Says who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// How many requests may be under way.
    pub in_flight: InFlightLimits,
    /// Longest time for a request that is not a watch or a stream.
    pub request_timeout: Duration,
    /// Watches end when the server stops.
    pub lifecycle: LifecycleSignals,
    /// Patterns of the origins whose pages may call the API.
    pub cors_allowed_origins: Vec<Regex>,
    /// What browsers are told about coming by TLS only, if anything.
    pub hsts_directives: Vec<String>,
    /// Where audit events are written, if anywhere.
    pub audit_log: Option<Arc<AuditLog>>,
    /// The time of audit events.
    pub clock: Clock,
    /// The source of audit ids.
    pub ids: Ids,
    /// Counts requests.
    pub metrics: Arc<Metrics>,
    /// Knows when the last request has its answer.
    pub in_flight_requests: RequestsInFlight,
}

/// Puts the filters in front of `api`; read from the bottom up, the last one sees a request first.
pub fn build_handler_chain(api: Arc<dyn Handler>, config: ChainConfig) -> Arc<dyn Handler> {
    let authorizer = config.authorizer;
    let handler = compression::with_compression(api);
    let handler = metrics::with_metrics(handler, config.metrics.clone());
    let handler = authorization::with_authorization(handler, authorizer.clone(), config.metrics.clone());
    let handler = max_in_flight::with_max_in_flight(handler, config.in_flight, config.metrics.clone());
    let handler = impersonation::with_impersonation(handler, authorizer);
    let handler =
        authentication::with_authentication(handler, config.authenticator, config.anonymous, config.metrics.clone());
    let handler = cors::with_cors(handler, config.cors_allowed_origins);
    let handler = warning::with_warning_recorder(handler);
    let handler = timeout::with_timeout(handler, config.request_timeout, config.metrics);
    let handler = watch_termination::with_watch_termination(handler, config.lifecycle.clone());
    let handler = retry_after::with_retry_after(handler, config.lifecycle, config.in_flight_requests);
    let handler = cache_control::with_cache_control(handler);
    let handler = hsts::with_hsts(handler, &config.hsts_directives);
    let handler = http_logging::with_http_logging(handler);
    let handler = audit::with_audit(handler, config.audit_log, config.clock);
    let handler = request_info::with_request_info(handler);
    let handler = panic_recovery::with_panic_recovery(handler);
    audit_id::with_audit_id(handler, config.ids)
}
