//! Our own limit of requests per second, for those who want one.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Waits longer than this are worth a line in the log.
const LOG_AFTER: Duration = Duration::from_secs(1);

/// How many requests a client may send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests per second in the long run; must be above 0.
    pub qps: f64,
    /// Requests at once after a pause; at least 1.
    pub burst: u32,
}

/// A bucket of `burst` tokens that fills with `qps` tokens a second. Requests get theirs in the order of asking.
#[derive(Debug)]
pub(super) struct RateLimiter {
    limit: RateLimit,
    /// When the bucket was, or will be, empty but for tokens that came in since.
    empty_at: Mutex<Instant>,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        let limit = RateLimit {
            qps: limit.qps.max(f64::MIN_POSITIVE),
            burst: limit.burst.max(1),
        };
        let now = Instant::now();
        let empty_at = now.checked_sub(limit.time_for(limit.burst)).unwrap_or(now);
        Self {
            limit,
            empty_at: Mutex::new(empty_at),
        }
    }

    /// Waits for a token; returns how long that took. A token whose request is dropped while waiting is lost.
    pub(super) async fn acquire(&self, verb: &str, about: &str) -> Duration {
        let wait = self.reserve();
        if wait > LOG_AFTER {
            let RateLimit { qps, burst } = self.limit;
            tracing::info!(
                ?wait,
                qps,
                burst,
                "waiting because of the client's own rate limit: {verb} {about}"
            );
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        wait
    }

    fn reserve(&self) -> Duration {
        let now = Instant::now();
        let full = now.checked_sub(self.limit.time_for(self.limit.burst)).unwrap_or(now);
        let mut empty_at = self.empty_at.lock();
        *empty_at = (*empty_at).max(full) + self.limit.time_for(1);
        empty_at.saturating_duration_since(now)
    }
}

impl RateLimit {
    fn time_for(self, tokens: u32) -> Duration {
        // A limit so low that it overflows means: practically never.
        Duration::try_from_secs_f64(f64::from(tokens) / self.qps).unwrap_or(Duration::from_secs(86_400))
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::fmt::format::FmtSpan;

    use super::*;
    use crate::logged::logged;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_in_turn() {
        let limiter = RateLimiter::new(RateLimit { qps: 2.0, burst: 3 });
        let start = Instant::now();
        for _ in 0..3 {
            limiter.acquire("get", "a thing").await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        limiter.acquire("get", "a thing").await;
        limiter.acquire("get", "a thing").await;
        assert_eq!(start.elapsed().as_millis() / 10, 100, "{:?}", start.elapsed());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..4 {
            limiter.acquire("get", "a thing").await;
        }
        assert_eq!(start.elapsed().as_millis() / 10, 50, "no more than a burst is saved up");
    }

    #[test]
    fn long_waits_are_logged_with_their_reason() {
        let log = logged(LevelFilter::INFO, FmtSpan::NONE, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            runtime.unwrap().block_on(async {
                let limiter = RateLimiter::new(RateLimit { qps: 0.7, burst: 1 });
                for thing in ["first", "second", "third"] {
                    limiter.acquire("get", thing).await;
                }
                tokio::time::sleep(Duration::from_secs(2) - Duration::from_millis(900)).await;
                limiter.acquire("get", "last").await;
            });
        });
        let waits = log
            .matches("waiting because of the client's own rate limit: get")
            .count();
        assert!(
            waits == 2 && !log.contains("get first") && !log.contains("get last"),
            "{log}"
        );
        assert!(log.contains("qps=0.7"), "{log}");
    }
}
