//! The formats of strings (`k8s.io/kube-openapi/pkg/validation/strfmt`). Those that are not known allow everything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use crate::registry::validation::metadata::{label_name, subdomain_name};

/// The formats that strings can have, and those of numbers by type.
const OF_STRINGS: [&str; 27] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8s-long-name",
    "k8s-short-name",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Whether a format means something for values of a type.
pub(super) fn is_known(format: &str, ty: &str) -> bool {
    match ty {
        "string" => OF_STRINGS.contains(&format),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// Whether a text has a format.
pub(super) fn has_format(text: &str, format: &str) -> bool {
    let known = PATTERNS.iter().find(|(name, ..)| *name == format);
    if let Some((_, pattern, compiled)) = known
        && !compiled
            .get_or_init(|| Regex::new(pattern).ok())
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(text))
    {
        return false;
    }
    match format {
        "date-time" | "datetime" => text.get(..10).is_some_and(is_date),
        "date" => is_date(text),
        "byte" => !text.is_empty() && text.len().is_multiple_of(4),
        "ipv4" => is_ipv4(text),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "uri" => is_uri(text),
        "email" => is_email(text),
        "hostname" => text.len() <= 255,
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "k8s-short-name" => label_name(text, false).is_empty(),
        "k8s-long-name" => subdomain_name(text, false).is_empty(),
        _ => true,
    }
}

/// A format, what its texts look like, and the same compiled when the first of them comes.
type Pattern = (&'static str, String, OnceLock<Option<Regex>>);

/// What texts look like, by format.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    const COLOR: &str = r"\s*(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*";
    let rgb = format!(r"^rgb\({COLOR},{COLOR},{COLOR}\)$");
    let unit = "ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?\
                |m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?";
    let duration = format!(r"^[+-]?(?:0|(?i:(?:\d+\.?\d*|\.\d+)\s*(?:{unit})\s*)+)$");
    let word = r"[\p{L}\p{S}0-9]";
    let hostname =
        format!(r"^(?:{word}-?{word}{{0,62}}|(?:{word}(?:[\p{{L}}\p{{S}}0-9-]{{0,61}}{word})?\.)+\p{{L}}{{2,63}})$");
    [
        ("bsonobjectid", r"^[0-9A-Fa-f]{24}$"),
        ("byte", r"^[A-Za-z0-9+/]*={0,2}$"),
        ("date", r"^\d{4}-\d\d-\d\d$"),
        ("date-time", DATE_TIME),
        ("datetime", DATE_TIME),
        ("duration", duration.as_str()),
        ("hexcolor", r"^#?(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$"),
        ("hostname", hostname.as_str()),
        (
            "mac",
            r"(?i)^(?:[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?::[0-9a-f]{2}){7}|(?:-[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){7})|[0-9a-f]{4}(?:(?:\.[0-9a-f]{4}){2}|(?:\.[0-9a-f]{4}){3}))$",
        ),
        ("rgbcolor", rgb.as_str()),
        ("ssn", r"^\d{3}[- ]\d\d[- ]\d{4}$"),
        ("uuid", r"(?i)^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$"),
        ("uuid3", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        ("uuid4", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
        ("uuid5", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
    ]
    .into_iter()
    .map(|(name, pattern)| (name, pattern.to_owned(), OnceLock::new()))
    .collect()
});

/// RFC 3339.
const DATE_TIME: &str =
    r"^\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$";

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}

/// With leading zeros, which were common once.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let [a, b, c, d] = parts.as_slice() else { return None };
    let part = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u8>().ok()).flatten()
    };
    Some(Ipv4Addr::new(part(a)?, part(b)?, part(c)?, part(d)?))
}

fn is_ipv4(text: &str) -> bool {
    let mapped = || {
        text.parse::<Ipv6Addr>()
            .is_ok_and(|address| address.to_ipv4_mapped().is_some())
    };
    ipv4(text).is_some() || mapped()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let address = ipv4(address).map(IpAddr::V4).or_else(|| address.parse().ok());
    let most = match address {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// What a request could ask for: an absolute path, or something with a scheme.
fn is_uri(text: &str) -> bool {
    let escapes = text.split('%').skip(1);
    let escaped = |rest: &str| {
        rest.get(..2)
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) || !escapes.into_iter().all(escaped) {
        return false;
    }
    let rest = match text.split_once(':') {
        _ if text.starts_with('/') => text,
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => return false,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return true;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after = match host.strip_prefix('[') {
        Some(address) => match address.split_once(']') {
            Some((_, after)) => after,
            None => return false,
        },
        None => host.find(':').and_then(|colon| host.get(colon..)).unwrap_or_default(),
    };
    let port = after.strip_prefix(':');
    after.is_empty() || port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

/// An address of RFC 5322, alone or behind a name.
fn is_email(text: &str) -> bool {
    let address = match text.strip_suffix('>') {
        Some(named) => match named.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text,
    };
    let Some((user, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let is_special = |c: char| c.is_whitespace() || c.is_control() || "()<>[]:;@\\,\"".contains(c);
    let is_dotted = |text: &str| !text.split('.').any(str::is_empty) && !text.contains(is_special);
    let quoted = user.len() > 2 && user.starts_with('"') && user.ends_with('"');
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    (quoted || is_dotted(user)) && (is_dotted(domain) || literal.is_some_and(|ip| ip.parse::<IpAddr>().is_ok()))
}

/// Digits without what may stand between them.
fn digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = digits(text);
    let last = digits.len().saturating_sub(1);
    let value = |(place, c): (usize, char)| match c {
        'X' if place == last => Some(10),
        c => c.to_digit(10),
    };
    let values: Option<Vec<u32>> = digits.chars().enumerate().map(value).collect();
    let sum = |values: Vec<u32>| {
        values
            .into_iter()
            .zip(1..)
            .map(|(value, weight)| value * weight)
            .sum::<u32>()
    };
    digits.len() == 10 && values.is_some_and(|values| sum(values) % 11 == 0)
}

fn is_isbn13(text: &str) -> bool {
    let digits = digits(text);
    let values: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(10)).collect();
    let weights = [1, 3].into_iter().cycle();
    let sum = |values: Vec<u32>| {
        values
            .into_iter()
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum::<u32>()
    };
    digits.len() == 13 && values.is_some_and(|values| sum(values) % 10 == 0)
}

/// A number of one of the large issuers, with the right check digit.
fn is_credit_card(text: &str) -> bool {
    const ISSUERS: &str = r"^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$";
    static ISSUED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ISSUERS).ok());
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = number.chars().rev().filter_map(|c| c.to_digit(10)).enumerate();
    let weighted = digits.map(|(place, digit)| match digit * (1 + place as u32 % 2) {
        value if value > 9 => value - 9,
        value => value,
    });
    ISSUED.as_ref().is_some_and(|issued| issued.is_match(&number)) && weighted.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kube-apiserver 1.37 judges them.
    #[test]
    fn formats() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "hostname",
                &["a", "A-B", "my-host.com", "a1.co", "héé.com", "a-b-c.example.com"],
                &[
                    "my-host", "a.b", "x.c0m", "a..com", "a.com.", "-a.com", "a-.com", "a_b.com",
                ],
            ),
            (
                "email",
                &["a@b", "A <a@b.c>", "\"x y\"@b.c", "a@[1.2.3.4]", "<a@b.c>", "ä@b.c"],
                &["a b@c.d", "a@", "@b", "a@b c", "a@b, c@d", "a.@b.c"],
            ),
            (
                "ipv4",
                &["1.2.3.4", "01.2.3.04", "::ffff:1.2.3.4"],
                &["1.2.3.4 ", "256.1.1.1", "1.2.3"],
            ),
            (
                "ipv6",
                &["::1", "::ffff:1.2.3.4"],
                &["fe80::1%eth0", "1::2::3", "1.2.3.4"],
            ),
            (
                "cidr",
                &["010.0.0.0/8", "10.0.0.0/08", "::/0"],
                &["1.2.3.4/33", "::/129", "10.0.0.0"],
            ),
            (
                "mac",
                &[
                    "00:00:5E:00:53:01",
                    "00-00-5e-00-53-01",
                    "0000.5e00.5301",
                    "02:00:5e:10:00:00:00:01",
                ],
                &["00:00:5e:00:53", "x"],
            ),
            (
                "uuid",
                &["6ba7b810-9dad11d180b400c04fd430c8"],
                &["{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"],
            ),
            (
                "uuid3",
                &["6ba7b810-9dad-31d1-c0b4-00c04fd430c8"],
                &["6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
            ),
            (
                "uuid4",
                &["6ba7b810-9dad-41d1-80b4-00c04fd430c8"],
                &["6ba7b810-9dad-41d1-c0b4-00c04fd430c8"],
            ),
            (
                "uuid5",
                &["6ba7b810-9dad-51d1-80b4-00c04fd430c8"],
                &["6ba7b810-9dad-51d1-c0b4-00c04fd430c8"],
            ),
            (
                "uri",
                &["a:b", "http://", "//x", "mailto:x", "/a?b"],
                &[
                    "a",
                    "?q",
                    "#f",
                    "http://a b",
                    "/a b",
                    "1:2",
                    "http://[::1",
                    "/%zz",
                    "http://a:b",
                ],
            ),
            (
                "isbn",
                &["0-321-75104-3", "080442957X", "9780321751041"],
                &["0321751044", "978-0321751042", "1"],
            ),
            ("isbn10", &["0321751043"], &["9780321751041"]),
            ("isbn13", &["978-0321751041"], &["0321751043"]),
            (
                "creditcard",
                &["4111-1111-1111-1111", "5500000000000004", "340000000000009"],
                &["4111111111111112", "1"],
            ),
            ("ssn", &["123-45-6789", "123 45 6789"], &["123456789", "123-456789"]),
            ("hexcolor", &["#FFF", "ffffff"], &["#ffff", "#FFFFFF00"]),
            (
                "rgbcolor",
                &["rgb( 1 , 2 , 3 )", "rgb(255,255,255)"],
                &["rgb(1,2)", "RGB(1,2,3)", "rgb(01,2,3)", "rgb(256,1,1)"],
            ),
            ("byte", &["YQ==", "aGk="], &["", "aGk", "aGk=\n", "a_-=", "!!"]),
            ("date", &["2020-01-02"], &["2020-1-2", "2020-02-30"]),
            (
                "duration",
                &[
                    "1h30m",
                    "5 days",
                    "1d",
                    "1 week",
                    "1 hour 2 minutes",
                    "0",
                    "-5 days",
                    "1.5 days",
                    "1D",
                    "3 mins",
                    "4 nanos",
                ],
                &["5", "", "1y", "1 month", "x"],
            ),
            (
                "date-time",
                &[
                    "2020-01-02T03:04:05Z",
                    "2020-01-02t03:04:05.123456789123z",
                    "2020-01-02T03:04:05,5+02:00",
                ],
                &[
                    "2020-01-02T03:04:05",
                    "2020-01-02T03:04:05+0200",
                    "2020-01-02T24:00:00Z",
                    "2020-01-02T03:04Z",
                    "2020-01-02 03:04:05Z",
                    "2016-12-31T23:59:60Z",
                    "2020-02-30T00:00:00Z",
                ],
            ),
            (
                "bsonobjectid",
                &["507F1F77BCF86CD799439011"],
                &["507f1f77bcf86cd79943901", "x"],
            ),
            ("k8s-short-name", &["a-b"], &["a.b", "Abc"]),
            ("k8s-long-name", &["a.b-c"], &["a..b", "A.b"]),
            ("nobody-knows", &["anything"], &[]),
        ];
        for (format, good, bad) in cases {
            for text in *good {
                assert!(has_format(text, format), "{format}: {text}");
            }
            for text in *bad {
                assert!(!has_format(text, format), "{format}: {text}");
            }
        }
    }
}
