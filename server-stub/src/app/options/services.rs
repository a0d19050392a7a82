//! The addresses and ports of services.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use crate::app::flags::{FlagSet, Value};
use crate::registry::service_ranges::{IpNetwork, ServiceRanges};

/// Which addresses and ports services get.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceOptions {
    /// Addresses of services, as address/bits; after a comma a second range of the other family. Default 10.0.0.0/24.
    pub service_cluster_ip_range: String,
    /// Ports that nodes open for services. Default 30000-32767.
    pub service_node_port_range: PortRange,
}

/// Ports from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            service_cluster_ip_range: String::new(),
            service_node_port_range: PortRange(30000..=32767),
        }
    }
}

impl ServiceOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "service-cluster-ip-range",
            &mut self.service_cluster_ip_range,
            "Addresses of services, as address/bits; after a comma a second range of the other family. Without it: 10.0.0.0/24.",
        );
        flags.add(
            "service-node-port-range",
            &mut self.service_node_port_range,
            "Ports that nodes open for services, first and last: 30000-32767.",
        );
    }

    pub(super) fn complete(&mut self) {
        if self.service_cluster_ip_range.is_empty() {
            "10.0.0.0/24".clone_into(&mut self.service_cluster_ip_range);
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        let networks = self.networks();
        match networks.as_slice() {
            _ if networks.is_empty() || networks.len() < self.ranges().count() => {
                errors.push("--service-cluster-ip-range must contain at least one valid cidr".to_owned());
            }
            [_] => {}
            [first, second] if first.family() == second.family() => errors.push(
                "--service-cluster-ip-range[0] and --service-cluster-ip-range[1] must be of different IP family"
                    .to_owned(),
            ),
            [_, _] => {}
            _ => errors.push("--service-cluster-ip-range must not contain more than two entries".to_owned()),
        }
    }

    fn ranges(&self) -> impl Iterator<Item = &str> {
        self.service_cluster_ip_range.split(',')
    }

    fn networks(&self) -> Vec<IpNetwork> {
        self.ranges().filter_map(IpNetwork::parse).collect()
    }

    /// The addresses and ports of services.
    pub(crate) fn service_ranges(&self) -> ServiceRanges {
        ServiceRanges {
            networks: self.networks(),
            node_ports: self.service_node_port_range.0.clone(),
        }
    }

    /// The address of the service `kubernetes`: the first of the range.
    pub(crate) fn kubernetes_service_ip(&self) -> IpAddr {
        let first = self.networks().first().map(|network| network.nth(1));
        first.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

/// `30000-32767` or, as so many ports from the first on, `30000+2768`.
impl Value for PortRange {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
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
        self.0 = usable.ok_or_else(|| "expected a range of ports such as 30000-32767".to_owned())?;
        Ok(())
    }

    fn text(&self) -> String {
        format!("{}-{}", self.0.start(), self.0.end())
    }

    fn type_name(&self) -> &'static str {
        "portRange"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubernetes_service_has_the_first_address() {
        let ip = |ranges: &str| {
            let mut options = ServiceOptions::default();
            options.service_cluster_ip_range.set(ranges, true).unwrap();
            options.complete();
            let mut errors = Vec::new();
            options.validate(&mut errors);
            errors.is_empty().then(|| options.kubernetes_service_ip().to_string())
        };
        assert_eq!(ip("").as_deref(), Some("10.0.0.1"));
        assert_eq!(ip("10.96.0.0/12").as_deref(), Some("10.96.0.1"));
        assert_eq!(ip("fd00::/108,10.0.0.0/16").as_deref(), Some("fd00::1"));
        for wrong in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/0",
            "x/8",
            "10.0.0.0/16,10.1.0.0/16",
        ] {
            assert_eq!(ip(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_of_ports() {
        let parsed = |text: &str| {
            let mut range = PortRange(1..=1);
            range.set(text, true).map(|()| range.0)
        };
        assert_eq!(parsed("30000-32767"), Ok(30000..=32767));
        assert_eq!(parsed("30000+10"), Ok(30000..=30010));
        assert_eq!(parsed("80"), Ok(80..=80));
        for wrong in ["", "x", "5-4", "0-9", "1-99999"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
