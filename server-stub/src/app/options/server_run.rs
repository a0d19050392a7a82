//! Limits and addresses.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;

use super::parse_bool;
use crate::app::AppError;
use crate::filters::InFlightLimits;
use crate::registry::service_ranges::{IpNetwork, ServiceRanges};

/// How many requests at once, how long each, and which addresses services have.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
#[non_exhaustive]
pub struct ServerRunOptions {
    /// Most requests under way that only read; 0 for no limit.
    #[arg(long, default_value_t = 400)]
    pub max_requests_inflight: usize,
    /// Most requests under way that write; 0 for no limit.
    #[arg(long, default_value_t = 200)]
    pub max_mutating_requests_inflight: usize,
    /// Longest time for a request that is not a watch or a stream.
    #[arg(long, default_value = "1m0s", value_parser = crate::go_duration::parse)]
    pub request_timeout: Duration,
    /// How long starting up may take before /livez fails because of it.
    #[arg(long, default_value = "0s", value_parser = crate::go_duration::parse)]
    pub livez_grace_period: Duration,
    /// How long the server goes on serving after SIGTERM, with /readyz failing, before it takes no more requests.
    #[arg(long, default_value = "0s", value_parser = crate::go_duration::parse)]
    pub shutdown_delay_duration: Duration,
    /// Whether requests that come while the last ones finish get 429 with Retry-After instead of a closed port.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = parse_bool)]
    pub shutdown_send_retry_after: Option<bool>,
    /// Addresses of services, as address/bits; after a comma a second range of the other family.
    #[arg(long, default_value = "10.0.0.0/24")]
    pub service_cluster_ip_range: String,
    /// Ports that nodes open for services.
    #[arg(long, default_value = "30000-32767", value_parser = port_range)]
    pub service_node_port_range: RangeInclusive<u16>,
}

impl Default for ServerRunOptions {
    fn default() -> Self {
        Self {
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            request_timeout: Duration::from_secs(60),
            livez_grace_period: Duration::ZERO,
            shutdown_delay_duration: Duration::ZERO,
            shutdown_send_retry_after: None,
            service_cluster_ip_range: "10.0.0.0/24".to_owned(),
            service_node_port_range: 30000..=32767,
        }
    }
}

impl ServerRunOptions {
    pub(crate) fn in_flight(&self) -> InFlightLimits {
        InFlightLimits {
            read_only: self.max_requests_inflight,
            mutating: self.max_mutating_requests_inflight,
        }
    }

    /// The addresses and ports of services.
    pub(crate) fn service_ranges(&self) -> Result<ServiceRanges, AppError> {
        let wrong = || AppError::ServiceRange(self.service_cluster_ip_range.clone());
        let networks = self.service_cluster_ip_range.split(',');
        let networks: Option<Vec<IpNetwork>> = networks.map(IpNetwork::parse).collect();
        let mut networks = networks.ok_or_else(wrong)?;
        if networks.len() > 2 || networks.len() == 2 && networks.first() == networks.last() {
            return Err(wrong());
        }
        networks.dedup_by_key(|network| network.family());
        Ok(ServiceRanges {
            networks,
            node_ports: self.service_node_port_range.clone(),
        })
    }

    /// The address of the service `kubernetes`: the first of the range.
    pub(crate) fn kubernetes_service_ip(&self) -> Result<IpAddr, AppError> {
        let ranges = self.service_ranges()?;
        let first = ranges.networks.first().map(|network| network.nth(1));
        first.ok_or_else(|| AppError::ServiceRange(self.service_cluster_ip_range.clone()))
    }
}

/// Reads `30000-32767` or, as so many ports from the first on, `30000+2768`.
fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let numbers = |separator| {
        let (first, second) = text.split_once(separator)?;
        Some((first.trim().parse::<u16>().ok()?, second.trim().parse::<u16>().ok()?))
    };
    let range = match (numbers('-'), numbers('+')) {
        (Some((first, last)), _) => Some(first..=last),
        (None, Some((first, more))) => first.checked_add(more).map(|last| first..=last),
        (None, None) => text.trim().parse::<u16>().ok().map(|port| port..=port),
    };
    let usable = range.filter(|range| !range.is_empty() && *range.start() > 0);
    usable.ok_or_else(|| "expected a range of ports such as 30000-32767".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubernetes_service_has_the_first_address() {
        let ip = |range: &str| {
            let options = ServerRunOptions {
                service_cluster_ip_range: range.to_owned(),
                ..ServerRunOptions::default()
            };
            options.kubernetes_service_ip().ok().map(|ip| ip.to_string())
        };
        assert_eq!(ip("10.96.0.0/12").as_deref(), Some("10.96.0.1"));
        assert_eq!(ip("fd00::/108,10.0.0.0/16").as_deref(), Some("fd00::1"));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "x/8"] {
            assert_eq!(ip(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_of_ports() {
        assert_eq!(port_range("30000-32767"), Ok(30000..=32767));
        assert_eq!(port_range("30000+10"), Ok(30000..=30010));
        assert_eq!(port_range("80"), Ok(80..=80));
        for wrong in ["", "x", "5-4", "0-9", "1-99999"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
    }
}
