//! Headers on the way through the proxy.

use std::net::SocketAddr;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

use crate::generic::request::UserInfo;

/// Headers that concern one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether the client wants another protocol on this connection.
pub(super) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// Takes out what is not for the other side.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = connection_options(headers).map(str::to_owned).collect();
    let trailers = headers.get(TE).is_some_and(|te| te.as_bytes() == b"trailers");
    for name in named {
        headers.remove(name.as_str());
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(TE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Adds the client's address to those that the request came by.
pub(super) fn add_forwarded_for(headers: &mut HeaderMap, client: SocketAddr) {
    let before = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut addresses: Vec<String> = before.map(str::to_owned).collect();
    addresses.push(client.ip().to_string());
    if let Ok(addresses) = HeaderValue::from_str(&addresses.join(", ")) {
        headers.insert(FORWARDED_FOR, addresses);
    }
}

/// Says who the user is, to a server that believes this one (request header authentication).
///
/// Whatever a client claimed about itself in these headers is taken out.
pub fn add_user(headers: &mut HeaderMap, user: &UserInfo) {
    let claims: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-remote-"))
        .cloned()
        .collect();
    for claim in claims {
        headers.remove(claim);
    }
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    };
    add("x-remote-user", &user.name);
    if !user.uid.is_empty() {
        add("x-remote-uid", &user.uid);
    }
    for group in &user.groups {
        add("x-remote-group", group);
    }
    for (key, values) in &user.extra {
        let name = format!("x-remote-extra-{}", escaped(key));
        for value in values {
            add(&name, value);
        }
    }
}

/// A key of extra information as part of a header's name: what cannot stand there is percent-encoded.
fn escaped(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for byte in key.bytes() {
        let is_token = byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
        if is_token {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let rows = rows
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        rows.collect()
    }

    #[test]
    fn what_concerns_one_connection_is_not_passed_on() {
        let mut given = headers(&[
            ("connection", "keep-alive, X-Own"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("accept", "text/plain"),
        ]);
        remove_hop_by_hop(&mut given);
        assert_eq!(given, headers(&[("te", "trailers"), ("accept", "text/plain")]));
    }

    #[test]
    fn an_upgrade_needs_both_headers() {
        assert!(wants_upgrade(&headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket")
        ])));
        assert!(!wants_upgrade(&headers(&[("connection", "upgrade")])));
        assert!(!wants_upgrade(&headers(&[("upgrade", "websocket")])));
    }

    #[test]
    fn the_user_replaces_what_the_client_claimed() {
        let mut given = headers(&[("x-remote-user", "root"), ("x-remote-extra-a", "b"), ("accept", "*/*")]);
        let user = UserInfo {
            name: "jane".into(),
            uid: "7".into(),
            groups: vec!["a".into(), "b".into()],
            extra: [("example.com/team 1".to_owned(), vec!["x".to_owned(), "y".to_owned()])].into(),
        };
        add_user(&mut given, &user);
        let mut rows: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        rows.sort();
        let expected = [
            ("accept", "*/*"),
            ("x-remote-extra-example.com%2fteam%201", "x"),
            ("x-remote-extra-example.com%2fteam%201", "y"),
            ("x-remote-group", "a"),
            ("x-remote-group", "b"),
            ("x-remote-uid", "7"),
            ("x-remote-user", "jane"),
        ];
        assert_eq!(rows, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_clients_address_is_the_last_of_the_list() {
        let mut given = headers(&[("x-forwarded-for", "10.0.0.1")]);
        add_forwarded_for(&mut given, "192.0.2.7:4711".parse().unwrap());
        assert_eq!(given, headers(&[("x-forwarded-for", "10.0.0.1, 192.0.2.7")]));
    }
}
