//! The rules for names, labels and annotations, in the words of `k8s.io/apimachinery/pkg/util/validation`.
//!
//! Each function lists what is wrong with a text; an empty list means that it is valid.
//!
//! ```
//! use kubewire_client::validation;
//!
//! assert!(validation::dns1123_subdomain("web.example.com").is_empty());
//! assert_eq!(validation::dns1123_label(&"x".repeat(64)), ["must be no more than 63 characters"]);
//! ```

/// The longest DNS label, label value, and name part of a key.
const LABEL_MAX: usize = 63;
/// The longest DNS subdomain.
const SUBDOMAIN_MAX: usize = 253;

const DNS1123_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1035_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// A key of a label, annotation or extended resource: a name, or `domain/name`.
pub fn qualified_name(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character",
            QUALIFIED_NAME,
            &["MyName", "my.name", "123-abc"],
        )
    };
    let mut errors = Vec::new();
    let name = match value.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            match prefix.is_empty() {
                true => errors.push("prefix part must be non-empty".to_owned()),
                false => {
                    let wrong = in_bytes(dns1123_subdomain(prefix), SUBDOMAIN_MAX);
                    errors.extend(wrong.iter().map(|error| format!("prefix part {error}")));
                }
            }
            *name
        }
        _ => {
            let optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {} {optional}", rule())];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part {}", max_bytes(LABEL_MAX)));
    }
    if !is_qualified(name) {
        errors.push(format!("name part {}", rule()));
    }
    errors
}

/// The value of a label.
pub fn label_value(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            &format!("({QUALIFIED_NAME})?"),
            &["MyValue", "my_value", "12345"],
        )
    };
    let errors = check(value, LABEL_MAX, value.is_empty() || is_qualified(value), rule);
    in_bytes(errors, LABEL_MAX)
}

/// A DNS label that may start with a digit (RFC 1123): most short names.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let rule = || match is_dns1123_subdomain(value) {
        true => "must not contain dots".to_owned(),
        false => regex_error(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
             end with an alphanumeric character",
            DNS1123_LABEL,
            &["my-name", "123-abc"],
        ),
    };
    check(value, LABEL_MAX, is_dns1123_label(value), rule)
}

/// A DNS label that starts with a letter (RFC 1035).
pub fn dns1035_label(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            DNS1035_LABEL,
            &["my-name", "abc-123"],
        )
    };
    let letter = value.starts_with(|c: char| c.is_ascii_lowercase());
    check(value, LABEL_MAX, letter && is_dns1123_label(value), rule)
}

/// Dotted DNS labels: the names of most objects.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
            &format!(r"{DNS1123_LABEL}(\.{DNS1123_LABEL})*"),
            &["example.com"],
        )
    };
    check(value, SUBDOMAIN_MAX, is_dns1123_subdomain(value), rule)
}

/// A DNS subdomain whose first label may be `*`.
pub fn wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist \
             of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!(r"\*\.{DNS1123_LABEL}(\.{DNS1123_LABEL})*"),
            &["*.example.com"],
        )
    };
    let valid = value.strip_prefix("*.").is_some_and(is_dns1123_subdomain);
    check(value, SUBDOMAIN_MAX, valid, rule)
}

/// The name of a container's or endpoint's port (RFC 6335).
pub fn port_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > 15 {
        errors.push(max_length(15));
    }
    if value.is_empty()
        || !value
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// A key of a ConfigMap or Secret.
pub fn config_map_key(value: &str) -> Vec<String> {
    let rule = || {
        regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        )
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let mut errors = check(
        value,
        SUBDOMAIN_MAX,
        !value.is_empty() && value.bytes().all(allowed),
        rule,
    );
    errors.extend(path_like(value));
    errors
}

/// A number of a port.
pub fn port_number(port: i64) -> Vec<String> {
    match (1..=65535).contains(&port) {
        true => Vec::new(),
        false => vec!["must be between 1 and 65535, inclusive".to_owned()],
    }
}

/// A name that stands in a URL path by itself, such as that of a role.
pub fn path_segment(value: &str) -> Vec<String> {
    if value == "." || value == ".." {
        return vec![format!("may not be '{value}'")];
    }
    ['/', '%']
        .into_iter()
        .filter(|c| value.contains(*c))
        .map(|c| format!("may not contain '{c}'"))
        .collect()
}

/// "must be no more than N characters".
pub fn max_length(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// "must be no more than N bytes": labels are newer than the rest in this.
fn max_bytes(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn in_bytes(mut errors: Vec<String>, max: usize) -> Vec<String> {
    let too_long = errors.iter_mut().filter(|error| **error == max_length(max));
    too_long.for_each(|error| *error = max_bytes(max));
    errors
}

/// A rule with its examples and its regular expression.
pub fn regex_error(rule: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!(
        "{rule} (e.g. {}regex used for validation is '{regex}')",
        examples.join(" or ")
    )
}

fn check(value: &str, max: usize, valid: bool, rule: impl Fn() -> String) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > max {
        errors.push(max_length(max));
    }
    if !valid {
        errors.push(rule());
    }
    errors
}

fn path_like(value: &str) -> Option<String> {
    match value {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if value.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

fn is_qualified(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| inner(*b))
}

fn is_dns1123_label(value: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edge = |b: Option<&u8>| b.is_some_and(|b| alphanumeric(*b));
    let bytes = value.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| alphanumeric(*b) || *b == b'-')
}

fn is_dns1123_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns1123_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        assert!(qualified_name("app").is_empty());
        assert!(qualified_name("example.com/My_Name.x").is_empty());
        assert_eq!(
            qualified_name("bad key"),
            [
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                 '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ]
        );
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/b/c").len(), 1);
        assert_eq!(qualified_name("").len(), 2);
    }

    #[test]
    fn label_values() {
        assert!(label_value("").is_empty());
        assert!(label_value("a_b.c-1").is_empty());
        assert_eq!(label_value("-a").len(), 1);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            qualified_name(&format!("{}/x", "a".repeat(254))),
            ["prefix part must be no more than 253 bytes"]
        );
        assert!(
            qualified_name("a/b/c")
                .concat()
                .starts_with("a valid label key must consist of")
        );
    }

    #[test]
    fn names() {
        assert!(dns1123_label("9lives").is_empty());
        assert!(!dns1035_label("9lives").is_empty());
        assert!(!dns1123_label("a.b").is_empty());
        assert!(dns1123_subdomain("a.b-c").is_empty());
        assert!(!dns1123_subdomain("a..b").is_empty());
        assert!(wildcard_dns1123_subdomain("*.a.b").is_empty());
        assert_eq!(path_segment("a/b%"), ["may not contain '/'", "may not contain '%'"]);
    }

    #[test]
    fn port_names_and_config_keys() {
        assert!(port_name("http-1").is_empty());
        assert_eq!(
            port_name("-A--"),
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ]
        );
        assert_eq!(config_map_key(".."), ["must not be '..'"]);
        assert!(config_map_key("a_B-.c").is_empty());
    }
}
