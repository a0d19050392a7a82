//! Paths of the REST API.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::resource::Gvr;

/// What stays as it is in a path segment (RFC 3986: unreserved, sub-delims, `:` and `@`; Go escapes some of them).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// Where a resource lives: group, version, namespace and plural name.
#[derive(Clone, Debug)]
pub(crate) struct ResourcePath {
    pub(crate) resource: Gvr,
    /// Empty for the cluster scope and for all namespaces.
    pub(crate) namespace: String,
}

impl ResourcePath {
    /// `/apis/apps/v1/namespaces/shop/deployments`
    pub(crate) fn collection(&self) -> String {
        let mut path = String::with_capacity(64);
        match &*self.resource.group {
            "" => path.push_str("/api"),
            group => push(&mut path, &["apis", group]),
        }
        push(&mut path, &[&self.resource.version]);
        if !self.namespace.is_empty() {
            push(&mut path, &["namespaces", &self.namespace]);
        }
        push(&mut path, &[&self.resource.resource]);
        path
    }

    /// `/apis/apps/v1/namespaces/shop/deployments/web/status`
    pub(crate) fn object(&self, name: &str, subresource: Option<&str>) -> Result<String, String> {
        check_segment("name", name)?;
        let mut path = self.collection();
        push(&mut path, &[name]);
        if let Some(subresource) = subresource {
            push(&mut path, &[subresource]);
        }
        Ok(path)
    }

    /// Fails where the namespace cannot be part of a path.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.namespace.is_empty() {
            Ok(())
        } else {
            check_segment("namespace", &self.namespace)
        }
    }

    /// `deployments/scale.apps "web"` in the words of an error.
    pub(crate) fn describe(&self, name: Option<&str>, subresource: Option<&str>) -> String {
        let Gvr { group, resource, .. } = &self.resource;
        let mut words = resource.clone().into_owned();
        if let Some(subresource) = subresource {
            let _ = write!(words, "/{subresource}");
        }
        if !group.is_empty() {
            let _ = write!(words, ".{group}");
        }
        if let Some(name) = name {
            let _ = write!(words, " {name:?}");
        }
        if !self.namespace.is_empty() {
            let _ = write!(words, " in namespace {:?}", self.namespace);
        }
        words
    }
}

/// A name that would be read as something else in a path is refused before it is sent.
fn check_segment(what: &str, segment: &str) -> Result<(), String> {
    match segment {
        "" => Err(format!("{what} may not be empty")),
        "." | ".." => Err(format!("{what} may not be {segment:?}")),
        _ if segment.contains(['/', '%']) => Err(format!("{what} {segment:?} may not contain '/' or '%'")),
        _ => Ok(()),
    }
}

fn push(path: &mut String, segments: &[&str]) {
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, SEGMENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(group: &'static str, namespace: &str) -> ResourcePath {
        ResourcePath {
            resource: Gvr::new(group, "v1", "things"),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn builds_every_kind_of_path() {
        assert_eq!(path("", "").collection(), "/api/v1/things");
        assert_eq!(path("", "shop").collection(), "/api/v1/namespaces/shop/things");
        assert_eq!(path("apps", "").object("a", None).unwrap(), "/apis/apps/v1/things/a");
        assert_eq!(
            path("rbac.authorization.k8s.io", "x")
                .object("system:admin", Some("status"))
                .unwrap(),
            "/apis/rbac.authorization.k8s.io/v1/namespaces/x/things/system:admin/status"
        );
    }

    #[test]
    fn refuses_names_that_change_the_path() {
        for name in ["", ".", "..", "a/b", "%2e"] {
            assert!(path("", "x").object(name, None).is_err(), "{name}");
        }
    }
}
