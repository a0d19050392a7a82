//! Warnings that the server sends along with answers (KEP-1693).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, header};
use parking_lot::Mutex;

/// How many different warnings are remembered so as not to be logged twice.
const REMEMBERED: usize = 1024;

/// What to do with the server's warnings, such as that an API version is deprecated.
///
/// ```
/// use kubewire_client::rest::WarningHandler;
/// let config = kubewire_client::Config::new("https://10.0.0.1")
///     .with_warnings(WarningHandler::call(|text| eprintln!("Warning: {text}")));
/// ```
#[derive(Clone)]
pub struct WarningHandler(Handle);

#[derive(Clone)]
enum Handle {
    Log(Arc<Mutex<HashSet<String>>>),
    Ignore,
    Call(Arc<dyn Fn(&str) + Send + Sync>),
}

impl WarningHandler {
    /// Logs each warning once. This is the default.
    pub fn log() -> Self {
        Self(Handle::Log(Arc::default()))
    }

    /// Ignores warnings.
    pub fn ignore() -> Self {
        Self(Handle::Ignore)
    }

    /// Calls a function with the text of every warning, repeated ones too. It must not block.
    pub fn call(handler: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Handle::Call(Arc::new(handler)))
    }

    pub(super) fn handle(&self, headers: &HeaderMap) {
        for header in headers.get_all(header::WARNING) {
            if let Some(text) = header.to_str().ok().and_then(text) {
                self.warn(text);
            }
        }
    }

    fn warn(&self, text: String) {
        match &self.0 {
            Handle::Ignore => {}
            Handle::Call(handler) => handler(&text),
            Handle::Log(seen) => {
                let mut seen = seen.lock();
                if seen.contains(&text) {
                    return;
                }
                tracing::warn!("the API server warns: {text}");
                if seen.len() < REMEMBERED {
                    seen.insert(text);
                }
            }
        }
    }
}

impl Default for WarningHandler {
    fn default() -> Self {
        Self::log()
    }
}

impl fmt::Debug for WarningHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Handle::Log(_) => "WarningHandler(log)",
            Handle::Ignore => "WarningHandler(ignore)",
            Handle::Call(_) => "WarningHandler(call)",
        })
    }
}

/// The text of `299 agent "text" ["date"]` (RFC 7234, 5.5); only code 299 is the API server's.
fn text(header: &str) -> Option<String> {
    let rest = header.trim().strip_prefix("299 ")?;
    let (_agent, rest) = rest.trim_start().split_once(' ')?;
    let mut characters = rest.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::fmt::format::FmtSpan;

    use super::*;
    use crate::logged::logged;

    #[test]
    fn reads_the_quoted_text() {
        assert_eq!(text(r#"299 - "a \"b\" \\ c""#).as_deref(), Some(r#"a "b" \ c"#));
        assert_eq!(text(r#"299 host:80 "x" "Sat, 25 Aug 2012""#).as_deref(), Some("x"));
        for other in ["", "299", r#"199 - "x""#, r#"299 - "x"#, "299 - x"] {
            assert_eq!(text(other), None, "{other}");
        }
    }

    #[test]
    fn a_warning_is_logged_once() {
        let handler = WarningHandler::log();
        let log = logged(LevelFilter::INFO, FmtSpan::NONE, || {
            for text in ["old", "old", "older", "old"] {
                handler.clone().warn(text.to_owned());
            }
        });
        assert_eq!(log.matches("the API server warns: old\n").count(), 1, "{log}");
        assert_eq!(log.matches("the API server warns: older\n").count(), 1, "{log}");
    }

    #[test]
    fn every_warning_of_an_answer_arrives() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let handler = WarningHandler::call(move |text| sink.lock().push(text.to_owned()));
        let mut headers = HeaderMap::new();
        for value in [r#"299 - "one""#, r#"299 - "two""#] {
            headers.append(header::WARNING, http::HeaderValue::from_static(value));
        }
        handler.handle(&headers);
        assert_eq!(*seen.lock(), ["one", "two"]);
    }
}
