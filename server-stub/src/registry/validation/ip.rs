//! The rules for addresses of the network.

use std::net::IpAddr;

use serde_json::json;

use crate::registry::service_ranges::family_of;
use crate::status::FieldError;

/// "must be a valid IP address".
pub(super) fn address(field: &str, value: &str) -> Vec<FieldError> {
    let wrong = |detail: &str| vec![FieldError::invalid(field, json!(value), detail)];
    match value.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            wrong("must not be an IPv4-mapped IPv6 address")
        }
        Ok(_) => Vec::new(),
        Err(_) if without_leading_zeros(value).parse::<IpAddr>().is_ok() => wrong("must not have leading 0s"),
        Err(_) => wrong("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    }
}

/// An address in the one form in which it is usually written.
pub(super) fn canonical_address(field: &str, value: &str) -> Vec<FieldError> {
    let errors = address(field, value);
    let canonical = value.parse::<IpAddr>().map(|address| address.to_string());
    match canonical {
        Ok(canonical) if errors.is_empty() && canonical != value => {
            let detail = format!("must be in canonical form ({canonical:?})");
            vec![FieldError::invalid(field, json!(value), detail)]
        }
        _ => errors,
    }
}

/// A network such as 10.9.8.0/24.
pub(super) fn cidr(field: &str, value: &str) -> Vec<FieldError> {
    let wrong = |detail: String| vec![FieldError::invalid(field, json!(value), detail)];
    let invalid = || wrong("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned());
    let Some((address, bits)) = value.split_once('/') else {
        return invalid();
    };
    let parsed = without_leading_zeros(address).parse::<IpAddr>();
    let (Ok(parsed), Ok(length)) = (parsed, bits.parse::<u32>()) else {
        return invalid();
    };
    let all = if parsed.is_ipv4() { 32 } else { 128 };
    if length > all || bits.starts_with('+') {
        return invalid();
    }
    if address.parse::<IpAddr>().is_err() || (bits.len() > 1 && bits.starts_with('0')) {
        return wrong("must not have leading 0s in IP or prefix length".to_owned());
    }
    let network: IpAddr = match parsed {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or_default();
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            return wrong("must not have an IPv4-mapped IPv6 address".to_owned());
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
            IpAddr::V6((address.to_bits() & mask).into())
        }
    };
    match network == parsed {
        true => Vec::new(),
        false => wrong("must not have bits set beyond the prefix length".to_owned()),
    }
}

/// A network in the one form in which it is usually written.
pub(super) fn canonical_cidr(field: &str, value: &str) -> Vec<FieldError> {
    let errors = cidr(field, value);
    let parts = value.split_once('/');
    let canonical = parts.and_then(|(address, bits)| Some(format!("{}/{bits}", address.parse::<IpAddr>().ok()?)));
    match canonical {
        Some(canonical) if errors.is_empty() && canonical != value => {
            let detail = format!("must be in canonical form ({canonical:?})");
            vec![FieldError::invalid(field, json!(value), detail)]
        }
        _ => errors,
    }
}

/// An address that others can reach.
pub(super) fn endpoint_address(field: &str, value: &str) -> Vec<FieldError> {
    let Ok(address) = value.parse::<IpAddr>() else {
        return vec![FieldError::invalid(field, json!(value), "must be a valid IP address")];
    };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(address) => (address.is_link_local(), address.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(address) => (
            address.is_unicast_link_local(),
            address.segments()[0] & 0xff0f == 0xff02,
        ),
    };
    let mut details = Vec::new();
    if address.is_unspecified() {
        details.push(format!("may not be unspecified ({value})"));
    }
    for (wrong, detail) in [
        (
            address.is_loopback(),
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            link_local_multicast,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ] {
        if wrong {
            details.push(detail.to_owned());
        }
    }
    let error = |detail| FieldError::invalid(field, json!(value), detail);
    details.into_iter().map(error).collect()
}

/// `IPv4` or `IPv6`; nothing for what is no address.
pub(super) fn family(value: &str) -> Option<&'static str> {
    Some(family_of(&value.parse().ok()?))
}

fn without_leading_zeros(address: &str) -> String {
    let part = |part: &str| match part.trim_start_matches('0') {
        "" if !part.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    match address.contains(':') {
        true => address.to_owned(),
        false => address.split('.').map(part).collect::<Vec<_>>().join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(errors: Vec<FieldError>) -> String {
        errors
            .iter()
            .map(|error| error.detail.clone())
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn addresses() {
        assert_eq!(told(address("f", "10.0.0.1")), "");
        assert_eq!(told(address("f", "10.0.0.01")), "must not have leading 0s");
        assert_eq!(
            told(address("f", "::ffff:1.2.3.4")),
            "must not be an IPv4-mapped IPv6 address"
        );
        assert!(told(address("f", "x")).starts_with("must be a valid IP address"));
    }

    #[test]
    fn networks() {
        assert_eq!(told(cidr("f", "10.0.0.0/8")), "");
        assert_eq!(told(cidr("f", "0.0.0.0/0")), "");
        assert_eq!(
            told(cidr("f", "10.0.0.1/8")),
            "must not have bits set beyond the prefix length"
        );
        assert!(told(cidr("f", "10.0.0.0/33")).starts_with("must be a valid CIDR value"));
    }

    #[test]
    fn endpoints() {
        assert_eq!(told(endpoint_address("f", "10.0.0.1")), "");
        assert!(told(endpoint_address("f", "127.0.0.1")).contains("loopback"));
        assert!(told(endpoint_address("f", "fe80::1")).contains("link-local range"));
    }
}
