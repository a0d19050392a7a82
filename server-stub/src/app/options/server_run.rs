//! Limits and addresses.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use crate::app::AppError;
use crate::filters::InFlightLimits;

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
    /// Addresses of services, as address/bits; a second range after a comma is accepted and not used.
    #[arg(long, default_value = "10.0.0.0/24")]
    pub service_cluster_ip_range: String,
}

impl Default for ServerRunOptions {
    fn default() -> Self {
        Self {
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            request_timeout: Duration::from_secs(60),
            service_cluster_ip_range: "10.0.0.0/24".to_owned(),
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

    /// The address of the service `kubernetes`: the first of the range.
    pub(crate) fn kubernetes_service_ip(&self) -> Result<IpAddr, AppError> {
        let first = self.service_cluster_ip_range.split(',').next().unwrap_or_default();
        service_ip(first).ok_or_else(|| AppError::ServiceRange(self.service_cluster_ip_range.clone()))
    }
}

fn service_ip(range: &str) -> Option<IpAddr> {
    let (address, bits) = range.trim().split_once('/')?;
    let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    match address {
        IpAddr::V4(address) if (1..=30).contains(&bits) => {
            let network = address.to_bits() & (u32::MAX << (32 - bits));
            Some(IpAddr::V4((network + 1).into()))
        }
        IpAddr::V6(address) if (1..=126).contains(&bits) => {
            let network = address.to_bits() & (u128::MAX << (128 - bits));
            Some(IpAddr::V6((network + 1).into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubernetes_service_has_the_first_address() {
        let ip = |range: &str| service_ip(range).map(|ip| ip.to_string());
        assert_eq!(ip("10.96.0.0/12").as_deref(), Some("10.96.0.1"));
        assert_eq!(ip("10.0.0.7/24").as_deref(), Some("10.0.0.1"));
        assert_eq!(ip("fd00::/108").as_deref(), Some("fd00::1"));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "x/8"] {
            assert_eq!(ip(wrong), None, "{wrong}");
        }
    }
}
