//! What follows `/proxy` in a request's path.

use crate::generic::request::RequestInfo;

/// The path before and behind the subresource, as the client wrote them: `/api/v1/nodes/n/proxy` and `/metrics`.
pub(super) fn split<'a>(info: &RequestInfo, path: &'a str) -> (&'a str, &'a str) {
    let prefix = if info.api_prefix == "api" { 2 } else { 3 };
    // `namespaces/<name>` stands before the resource unless it is the resource.
    let namespace = match info.namespace.is_empty() || info.resource == "namespaces" {
        true => 0,
        false => 2,
    };
    let slashes = prefix + namespace + 3;
    let end = path
        .match_indices('/')
        .nth(slashes)
        .map_or(path.len(), |(index, _)| index);
    path.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_stays_as_it_was_written() {
        for (path, before, behind) in [
            ("/api/v1/nodes/n/proxy", "/api/v1/nodes/n/proxy", ""),
            ("/api/v1/nodes/n/proxy/", "/api/v1/nodes/n/proxy", "/"),
            ("/api/v1/nodes/n/proxy/a%2Fb//c/", "/api/v1/nodes/n/proxy", "/a%2Fb//c/"),
            (
                "/api/v1/namespaces/shop/pods/https:web:8443/proxy/proxy/x",
                "/api/v1/namespaces/shop/pods/https:web:8443/proxy",
                "/proxy/x",
            ),
        ] {
            let info = RequestInfo::parse(&http::Method::GET, path, None).unwrap();
            assert_eq!(split(&info, path), (before, behind));
        }
    }
}
