//! How long an item that failed waits before it is tried again.

use std::collections::HashMap;
use std::time::Duration;

use kubewire_client::backoff::{Backoff, ExponentialBackoff, ExponentialOptions};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Item;

/// Says how long an item that failed has to wait.
pub trait RateLimiter<T>: Send + Sync + 'static {
    /// How long the item is to wait this time.
    fn when(&self, item: &T) -> Duration;

    /// The item succeeded, or is given up: it starts anew.
    fn forget(&self, item: &T) {
        let _ = item;
    }

    /// How often the item has had to wait since it was forgotten.
    fn requeues(&self, item: &T) -> u32 {
        let _ = item;
        0
    }
}

/// client-go's limiter of controllers: each item waits 5 ms, doubled each time up to 1000 s, and all together come back
/// at most 10 times a second after the first 100.
pub fn default_rate_limiter<T: Item>() -> MaxOf<T> {
    MaxOf::new(vec![
        Box::new(ItemBackoff::new(Duration::from_millis(5), Duration::from_secs(1000))),
        Box::new(TokenBucket::new(10.0, 100)),
    ])
}

/// Each item waits longer each time.
pub struct ItemBackoff<T> {
    options: ExponentialOptions,
    failures: Mutex<HashMap<T, Failures>>,
}

struct Failures {
    backoff: ExponentialBackoff,
    count: u32,
}

impl<T: Item> ItemBackoff<T> {
    /// The first wait, which doubles each time up to `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        let options = ExponentialOptions::default()
            .with_initial(first)
            .with_max(max)
            .with_jitter(false)
            .with_reset_after(None);
        Self::with_options(options)
    }

    /// Waits of these figures.
    pub fn with_options(options: ExponentialOptions) -> Self {
        Self {
            options,
            failures: Mutex::default(),
        }
    }
}

impl<T: Item> RateLimiter<T> for ItemBackoff<T> {
    fn when(&self, item: &T) -> Duration {
        let mut failures = self.failures.lock();
        let failures = failures.entry(item.clone()).or_insert_with(|| Failures {
            backoff: ExponentialBackoff::new(self.options),
            count: 0,
        });
        failures.count = failures.count.saturating_add(1);
        failures.backoff.next_delay().unwrap_or(self.options.max)
    }

    fn forget(&self, item: &T) {
        self.failures.lock().remove(item);
    }

    fn requeues(&self, item: &T) -> u32 {
        self.failures.lock().get(item).map_or(0, |failures| failures.count)
    }
}

/// All items together come back at a bounded rate.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    burst: f64,
    bucket: Mutex<Bucket>,
}

/// Tokens at a time; fewer than none where some are already promised.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// So many at once, and so many a second after that.
    ///
    /// A rate that is not above zero is taken for one of once in a thousand seconds.
    pub fn new(per_second: f64, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self {
            per_second: if per_second > 0.0 { per_second } else { 0.001 },
            burst,
            bucket: Mutex::new(Bucket {
                tokens: burst,
                at: Instant::now(),
            }),
        }
    }
}

impl<T> RateLimiter<T> for TokenBucket {
    fn when(&self, _: &T) -> Duration {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        let filled = bucket.tokens + now.duration_since(bucket.at).as_secs_f64() * self.per_second;
        bucket.tokens = filled.min(self.burst) - 1.0;
        bucket.at = now;
        Duration::try_from_secs_f64(-bucket.tokens / self.per_second).unwrap_or_default()
    }
}

/// The longest wait of several limiters.
pub struct MaxOf<T>(Vec<Box<dyn RateLimiter<T>>>);

impl<T: 'static> MaxOf<T> {
    /// Asks all of these.
    pub fn new(limiters: Vec<Box<dyn RateLimiter<T>>>) -> Self {
        Self(limiters)
    }
}

impl<T: 'static> RateLimiter<T> for MaxOf<T> {
    fn when(&self, item: &T) -> Duration {
        let waits = self.0.iter().map(|limiter| limiter.when(item));
        waits.max().unwrap_or_default()
    }

    fn forget(&self, item: &T) {
        self.0.iter().for_each(|limiter| limiter.forget(item));
    }

    fn requeues(&self, item: &T) -> u32 {
        let counts = self.0.iter().map(|limiter| limiter.requeues(item));
        counts.max().unwrap_or_default()
    }
}

impl<T> std::fmt::Debug for ItemBackoff<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ItemBackoff")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for MaxOf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MaxOf").field(&self.0.len()).finish()
    }
}
