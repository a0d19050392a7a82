//! Objects about which there is too much to say.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::occurrence::About;

/// Events about one object at once.
const BURST: f64 = 25.0;
/// How long until there may be one more.
const REFILL: Duration = Duration::from_secs(5 * 60);

/// A token bucket per object.
pub(super) struct SpamFilter(HashMap<About, Bucket>);

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self) {
        let now = Instant::now();
        let filled = (now - self.at).as_secs_f64() / REFILL.as_secs_f64();
        self.tokens = (self.tokens + filled).min(BURST);
        self.at = now;
    }
}

impl SpamFilter {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// True where there is not too much about this object.
    pub(super) fn lets_through(&mut self, about: About) -> bool {
        let bucket = self.0.entry(about).or_insert_with(|| Bucket {
            tokens: BURST,
            at: Instant::now(),
        });
        bucket.fill();
        let through = bucket.tokens >= 1.0;
        if through {
            bucket.tokens -= 1.0;
        }
        through
    }

    /// Forgets objects about which there has been nothing for so long that it makes no difference.
    pub(super) fn forget_full(&mut self) {
        self.0.retain(|_, bucket| {
            bucket.fill();
            bucket.tokens < BURST
        });
    }
}
