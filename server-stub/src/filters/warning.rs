//! `Warning` headers: what a client should know although its request went through (KEP-1693).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderValue, WARNING};
use parking_lot::Mutex;

use crate::generic::delegation::Handler;
use crate::generic::request::{Request, Response};

/// Collects warnings while a request is handled. It lies in the request's extensions.
///
/// ```
/// use kubewire_server_stub::filters::WarningRecorder;
///
/// let warnings = WarningRecorder::default();
/// warnings.add("unknown field \"spec.bogus\"");
/// assert_eq!(warnings.headers(), ["299 - \"unknown field \\\"spec.bogus\\\"\""]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct WarningRecorder(Arc<Mutex<Vec<String>>>);

/// Room for all warnings of an answer; once it is used up, each is cut to [`CUT`] characters.
const TOTAL: usize = 4 * 1024;
const CUT: usize = 256;

impl WarningRecorder {
    /// Adds a warning unless it is there already. What no header can hold is left out.
    pub fn add(&self, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() || text.chars().any(char::is_control) {
            return;
        }
        let mut texts = self.0.lock();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }

    /// The recorder of a request; without the filter one that nobody reads.
    pub(crate) fn of(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// Adds several warnings.
    pub(crate) fn extend(&self, texts: impl IntoIterator<Item = String>) {
        texts.into_iter().for_each(|text| self.add(text));
    }

    /// The values of the headers.
    pub fn headers(&self) -> Vec<String> {
        let texts = self.0.lock();
        let total: usize = texts.iter().map(|text| text.chars().count()).sum();
        let cut = if total > TOTAL { CUT } else { TOTAL };
        let mut written = 0;
        let mut headers = Vec::new();
        for text in texts.iter() {
            if written >= TOTAL {
                break;
            }
            let text: String = text.chars().take(cut).collect();
            written += text.chars().count();
            headers.push(header(&text));
        }
        headers
    }
}

/// `299 - "text"`: quotes and backslashes escaped.
fn header(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    format!("299 - \"{quoted}\"")
}

struct WithWarningRecorder(Arc<dyn Handler>);

pub(super) fn with_warning_recorder(inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
    Arc::new(WithWarningRecorder(inner))
}

#[async_trait]
impl Handler for WithWarningRecorder {
    async fn handle(&self, mut request: Request) -> Response {
        let warnings = WarningRecorder::default();
        request.extensions_mut().insert(warnings.clone());
        let mut response = self.0.handle(request).await;
        for text in warnings.headers() {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                response.headers_mut().append(WARNING, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once_and_not_too_long() {
        let warnings = WarningRecorder::default();
        for text in ["a", "a", "b\nc", "d\"e"] {
            warnings.add(text);
        }
        assert_eq!(warnings.headers(), ["299 - \"a\"", "299 - \"d\\\"e\""]);
        for number in 0..30 {
            warnings.add(format!("{number}{}", "x".repeat(400)));
        }
        let headers = warnings.headers();
        assert!(headers.iter().map(String::len).sum::<usize>() < 2 * TOTAL);
        assert!(headers.len() > 15 && headers.iter().all(|header| header.len() <= CUT + 8));
    }
}
