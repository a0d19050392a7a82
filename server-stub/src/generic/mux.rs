//! Paths outside of the API groups, such as `/healthz`: exact ones, and prefixes that own everything below them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::delegation::Handler;

/// Handlers by path, as upstream's `PathRecorderMux`: an exact path wins, then the longest prefix.
#[derive(Default)]
pub struct PathRecorderMux {
    exact: BTreeMap<String, Arc<dyn Handler>>,
    prefixes: BTreeMap<String, Arc<dyn Handler>>,
    listed: Vec<String>,
}

impl PathRecorderMux {
    /// Serves exactly this path and shows it at `/`.
    pub fn handle(&mut self, path: impl Into<String>, handler: Arc<dyn Handler>) {
        let path = path.into();
        self.listed.push(path.clone());
        self.exact.insert(path, handler);
    }

    /// Serves exactly this path without showing it.
    pub fn handle_unlisted(&mut self, path: impl Into<String>, handler: Arc<dyn Handler>) {
        self.exact.insert(path.into(), handler);
    }

    /// Serves everything that begins with `prefix`, which ends in a slash, without showing it.
    pub fn handle_prefix(&mut self, prefix: impl Into<String>, handler: Arc<dyn Handler>) {
        self.prefixes.insert(prefix.into(), handler);
    }

    /// The handler of a path.
    pub fn find(&self, path: &str) -> Option<&Arc<dyn Handler>> {
        self.exact.get(path).or_else(|| {
            // Of the prefixes that fit, the last in alphabetical order is the longest.
            let fits = |(prefix, handler)| path.starts_with(String::as_str(prefix)).then_some(handler);
            self.prefixes.range(..=path.to_owned()).rev().find_map(fits)
        })
    }

    /// The paths to show at `/`.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::delegation::NotFound;

    #[test]
    fn exact_paths_win_over_the_longest_prefix() {
        let mut mux = PathRecorderMux::default();
        let handlers: Vec<Arc<dyn Handler>> = (0..4).map(|_| Arc::new(Marker(0)) as Arc<dyn Handler>).collect();
        mux.handle("/a/b", handlers[0].clone());
        mux.handle_unlisted("/", handlers[1].clone());
        mux.handle_prefix("/a/", handlers[2].clone());
        mux.handle_prefix("/a/b/", handlers[3].clone());
        let found = |path| {
            mux.find(path)
                .and_then(|h| handlers.iter().position(|x| Arc::ptr_eq(x, h)))
        };
        assert_eq!(found("/a/b"), Some(0));
        assert_eq!(found("/"), Some(1));
        assert_eq!(found("/a/x"), Some(2));
        assert_eq!(found("/a/b/c"), Some(3));
        assert_eq!(found("/a/b2"), Some(2));
        assert_eq!(found("/a"), None);
        assert_eq!(mux.listed(), ["/a/b"]);
    }

    /// Not zero-sized: each has its own address.
    struct Marker(#[allow(dead_code)] u8);

    #[async_trait::async_trait]
    impl Handler for Marker {
        async fn handle(&self, request: crate::generic::request::Request) -> crate::generic::request::Response {
            NotFound.handle(request).await
        }
    }
}
