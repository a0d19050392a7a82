//! The formats of strings. Those that are not known allow everything.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Whether a text has a format.
pub(super) fn has_format(text: &str, format: &str) -> bool {
    match format {
        "date-time" | "datetime" => is_date_time(text),
        "date" => is_date(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text, format),
        "uri" => text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) || text.starts_with('/'),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "hexcolor" => is_hex_color(text),
        "duration" => is_duration(text),
        _ => true,
    }
}

/// RFC 3339, with a time zone.
fn is_date_time(text: &str) -> bool {
    let has_zone = text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    let separated = text.as_bytes().get(10).is_some_and(|byte| matches!(byte, b'T' | b't'));
    has_zone && separated && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match (address.parse::<Ipv4Addr>(), address.parse::<Ipv6Addr>()) {
        (Ok(_), _) => 32,
        (_, Ok(_)) => 128,
        _ => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    matches!(parts.len(), 6 | 8) && parts.iter().all(|part| part.len() == 2 && is_hex(part))
}

fn is_uuid(text: &str, format: &str) -> bool {
    let plain: String = text.chars().filter(|&c| c != '-').collect();
    let version = format.strip_prefix("uuid").unwrap_or_default();
    let has_version = version.is_empty() || plain.get(12..13) == Some(version);
    plain.len() == 32 && is_hex(&plain) && has_version
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

fn is_email(text: &str) -> bool {
    let Some((user, domain)) = text.rsplit_once('@') else {
        return false;
    };
    !user.is_empty() && !user.contains(char::is_whitespace) && is_hostname(domain)
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 255 && text.split('.').all(is_label)
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && is_hex(digits)
}

/// A duration as Go writes it (`1h30m`).
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let units = ["ns", "us", "µs", "ms", "s", "m", "h", "d", "w"];
        let unit_name = units.into_iter().find(|name| unit.starts_with(name));
        match unit_name {
            Some(name) if number.parse::<f64>().is_ok() => rest = unit.get(name.len()..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

fn is_hex(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (format, good, bad) in [
            ("date-time", "2026-11-21T00:20:08Z", "yesterday"),
            ("date-time", "2026-11-21T00:20:08.5+02:00", "2026-11-21"),
            ("date", "2026-11-21", "2026-13-01"),
            ("byte", "aGk=", "not base64!"),
            ("ipv4", "10.0.0.1", "10.0.0"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "00:00:5e:00:53:01", "00:00:5e"),
            (
                "uuid4",
                "d9b2d63d-a233-4123-847a-76ce1a9d5a5b",
                "d9b2d63d-a233-1123-847a-76ce1a9d5a5b",
            ),
            ("uri", "https://example.com", "no uri"),
            ("email", "a@example.com", "a"),
            ("hostname", "example.com", "-a"),
            ("hexcolor", "#ff00AA", "#12"),
            ("duration", "1h30m", "1 hour"),
        ] {
            assert!(has_format(good, format), "{format}: {good}");
            assert!(!has_format(bad, format), "{format}: {bad}");
        }
        assert!(has_format("anything", "nobody-knows"));
    }
}
