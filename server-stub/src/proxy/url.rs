//! URLs of other servers.

use http::Uri;
use http::uri::Scheme;

/// The URL of a path on a server, by name or address; the path may have a query.
pub fn server_url(scheme: Scheme, host: &str, port: u16, path_and_query: &str) -> Result<Uri, http::Error> {
    let authority = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let url = Uri::builder().scheme(scheme).authority(authority);
    url.path_and_query(path_and_query).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ipv6_stand_in_brackets() {
        let url = |host| server_url(Scheme::HTTPS, host, 443, "/a%2Fb?c=d").unwrap().to_string();
        assert_eq!(url("::1"), "https://[::1]:443/a%2Fb?c=d");
        assert_eq!(url("localhost"), "https://localhost:443/a%2Fb?c=d");
    }
}
