//! Which addresses and ports services may have.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The addresses and node ports that services are given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceRanges {
    /// At most one network of each family; the first is where services without a wish get their address from.
    pub networks: Vec<IpNetwork>,
    /// The ports that nodes open for services.
    pub node_ports: RangeInclusive<u16>,
}

impl Default for ServiceRanges {
    /// `10.0.0.0/24` and 30000–32767, as kube-apiserver has them.
    fn default() -> Self {
        Self {
            networks: IpNetwork::parse("10.0.0.0/24").into_iter().collect(),
            node_ports: 30000..=32767,
        }
    }
}

/// The addresses with a common start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    first: IpAddr,
    bits: u32,
}

impl IpNetwork {
    /// Reads `10.96.0.0/12`; nothing for what is no network or has no room for services.
    ///
    /// ```
    /// use kubewire_server_stub::registry::service_ranges::IpNetwork;
    ///
    /// let network = IpNetwork::parse("10.96.0.7/12").expect("a network");
    /// assert_eq!(network.nth(1).to_string(), "10.96.0.1");
    /// assert_eq!(network.to_string(), "10.96.0.0/12");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.trim().split_once('/')?;
        let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
        let first = match address {
            IpAddr::V4(address) if (1..=30).contains(&bits) => {
                IpAddr::V4((address.to_bits() & (u32::MAX << (32 - bits))).into())
            }
            IpAddr::V6(address) if (1..=126).contains(&bits) => {
                IpAddr::V6((address.to_bits() & (u128::MAX << (128 - bits))).into())
            }
            _ => return None,
        };
        Some(Self { first, bits })
    }

    /// `IPv4` or `IPv6`.
    pub fn family(&self) -> &'static str {
        family_of(&self.first)
    }

    /// The address so many behind the first.
    pub fn nth(&self, index: u64) -> IpAddr {
        match self.first {
            IpAddr::V4(first) => IpAddr::V4((first.to_bits().wrapping_add(index as u32)).into()),
            IpAddr::V6(first) => IpAddr::V6((first.to_bits().wrapping_add(index.into())).into()),
        }
    }

    /// How many addresses services can have: neither the first nor, for IPv4, the last.
    pub fn usable(&self) -> u64 {
        match self.first {
            IpAddr::V4(_) => (1 << (32 - self.bits)) - 2,
            IpAddr::V6(_) => (1 << (128 - self.bits).min(63)) - 1,
        }
    }

    /// Whether an address lies in the network.
    pub fn contains(&self, address: &IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()) & (u32::MAX << (32 - self.bits)) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()) & (u128::MAX << (128 - self.bits)) == 0
            }
            _ => false,
        }
    }

    /// Whether an address of the network can be a service's.
    pub fn is_usable(&self, address: &IpAddr) -> bool {
        let last = match self.first {
            IpAddr::V4(first) => IpAddr::V4((first.to_bits() | !(u32::MAX << (32 - self.bits))).into()) == *address,
            IpAddr::V6(_) => false,
        };
        *address != self.first && !last
    }
}

/// `IPv4` or `IPv6`.
pub(super) fn family_of(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl fmt::Debug for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let network = IpNetwork::parse("10.0.0.7/24").unwrap();
        assert_eq!((network.to_string().as_str(), network.usable()), ("10.0.0.0/24", 254));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network.contains(&ip("10.0.0.255")) && !network.contains(&ip("10.0.1.0")));
        assert!(!network.is_usable(&ip("10.0.0.0")) && !network.is_usable(&ip("10.0.0.255")));
        assert!(network.is_usable(&ip("10.0.0.254")));
        assert_eq!(IpNetwork::parse("fd00::/108").unwrap().nth(1), ip("fd00::1"));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "x/8"] {
            assert_eq!(IpNetwork::parse(wrong), None, "{wrong}");
        }
    }
}
