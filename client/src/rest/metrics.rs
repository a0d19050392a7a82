//! What a program may want to count of its requests.

use std::fmt::Debug;
use std::time::Duration;

use super::Verb;

/// Takes figures of a client's requests. Every method does nothing unless it is implemented; none may block.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let config = server.client_config();
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use kubewire_client::Clientset;
/// use kubewire_client::rest::{ClientMetrics, Verb};
///
/// #[derive(Debug, Default)]
/// struct Count(AtomicU64);
///
/// impl ClientMetrics for Count {
///     fn answered(&self, _verb: Verb, _code: Option<u16>, _latency: Duration) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let count = Arc::new(Count::default());
/// let clientset = Clientset::new(&config.with_metrics(count.clone()))?;
/// clientset.core_v1().namespaces().get("default").await?;
/// assert_eq!(count.0.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
pub trait ClientMetrics: Debug + Send + Sync {
    /// The head of an answer came, or, without a code, none did. `latency` is from sending to here, for one try.
    fn answered(&self, verb: Verb, code: Option<u16>, latency: Duration) {
        let _ = (verb, code, latency);
    }

    /// A request goes out again; `code` is that of the answer before, if there was one.
    fn retried(&self, verb: Verb, code: Option<u16>) {
        let _ = (verb, code);
    }

    /// A request waited for the client's own rate limit.
    fn rate_limited(&self, verb: Verb, wait: Duration) {
        let _ = (verb, wait);
    }

    /// Connections from here on show a client certificate that is valid until then: the one of the configuration or of
    /// a credential plugin, or the one that took its place.
    fn client_certificate_expires(&self, at: jiff::Timestamp) {
        let _ = at;
    }
}
