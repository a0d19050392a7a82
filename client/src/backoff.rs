//! How long to wait between tries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::HeaderMap;
use tokio::time::Instant;

/// A policy of waiting between tries. All waiting of this client goes through it.
pub trait Backoff: Send {
    /// How long to wait before the next try, or `None` to give up.
    fn next_delay(&mut self) -> Option<Duration>;

    /// Starts anew: the last try succeeded.
    fn reset(&mut self);

    /// Like [`next_delay`](Backoff::next_delay), but never sooner than the server asked for by `Retry-After`.
    fn next_delay_after(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.next_delay()
            .map(|delay| delay.max(retry_after.unwrap_or(Duration::ZERO)))
    }
}

impl<B: Backoff + ?Sized> Backoff for Box<B> {
    fn next_delay(&mut self) -> Option<Duration> {
        (**self).next_delay()
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// Figures of an [`ExponentialBackoff`]. The defaults are those of client-go's reflector.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExponentialOptions {
    /// First delay. Default 800 ms.
    pub initial: Duration,
    /// Growth from one delay to the next. Default 2.
    pub factor: f32,
    /// Cap of a delay, before jitter. Default 30 s.
    pub max: Duration,
    /// Adds between nothing and the delay once more at random, so that many clients spread out. Default true.
    pub jitter: bool,
    /// Starts anew when no delay was asked for in so long a time. Default 2 min.
    pub reset_after: Option<Duration>,
    /// Gives up after so many delays. Default: never.
    pub max_tries: Option<usize>,
}

impl Default for ExponentialOptions {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(800),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: true,
            reset_after: Some(Duration::from_secs(120)),
            max_tries: None,
        }
    }
}

impl ExponentialOptions {
    /// First delay.
    #[must_use]
    pub fn with_initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// Growth from one delay to the next.
    #[must_use]
    pub fn with_factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// Cap of a delay, before jitter.
    #[must_use]
    pub fn with_max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Whether delays are spread at random.
    #[must_use]
    pub fn with_jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// Starts anew when no delay was asked for in so long a time.
    #[must_use]
    pub fn with_reset_after(mut self, idle: Option<Duration>) -> Self {
        self.reset_after = idle;
        self
    }

    /// Gives up after so many delays.
    #[must_use]
    pub fn with_max_tries(mut self, tries: Option<usize>) -> Self {
        self.max_tries = tries;
        self
    }
}

/// Delays that grow by a factor up to a cap, spread at random.
///
/// ```
/// use std::time::Duration;
/// use kubewire_client::backoff::{Backoff, ExponentialBackoff, ExponentialOptions};
///
/// let options = ExponentialOptions::default().with_initial(Duration::from_secs(1)).with_jitter(false);
/// let mut backoff = ExponentialBackoff::new(options);
/// assert_eq!(backoff.next_delay(), Some(Duration::from_secs(1)));
/// assert_eq!(backoff.next_delay(), Some(Duration::from_secs(2)));
/// backoff.reset();
/// assert_eq!(backoff.next_delay(), Some(Duration::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct ExponentialBackoff {
    options: ExponentialOptions,
    delays: backon::ExponentialBackoff,
    last: Option<Instant>,
}

impl ExponentialBackoff {
    /// A policy of these figures.
    pub fn new(options: ExponentialOptions) -> Self {
        Self {
            options,
            delays: delays(&options),
            last: None,
        }
    }
}

/// A clone starts anew.
impl Clone for ExponentialBackoff {
    fn clone(&self) -> Self {
        Self::new(self.options)
    }
}

impl Default for ExponentialBackoff {
    fn default() -> Self {
        Self::new(ExponentialOptions::default())
    }
}

impl Backoff for ExponentialBackoff {
    fn next_delay(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if let (Some(last), Some(idle)) = (self.last, self.options.reset_after)
            && now.duration_since(last) > idle
        {
            self.reset();
        }
        self.last = Some(now);
        self.delays.next()
    }

    fn reset(&mut self) {
        self.delays = delays(&self.options);
    }
}

fn delays(options: &ExponentialOptions) -> backon::ExponentialBackoff {
    let mut builder = ExponentialBuilder::new()
        .with_min_delay(options.initial.min(options.max))
        .with_factor(options.factor.max(1.0))
        .with_max_delay(options.max)
        .without_max_times();
    if options.jitter {
        builder = builder.with_jitter();
    }
    if let Some(tries) = options.max_tries {
        builder = builder.with_max_times(tries);
    }
    builder.build()
}

/// What a response's `Retry-After` header asks for. Like client-go, only its form in seconds is understood.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}

/// Lets a policy of the `backoff` crate drive our retries.
///
/// That crate is unmaintained (RUSTSEC-2025-0012): this is for programs that have such policies already.
#[cfg(feature = "backoff")]
#[derive(Clone, Debug)]
pub struct BackoffCrate<B>(pub B);

#[cfg(feature = "backoff")]
impl<B: ::backoff::backoff::Backoff + Send> Backoff for BackoffCrate<B> {
    fn next_delay(&mut self) -> Option<Duration> {
        self.0.next_backoff()
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> ExponentialOptions {
        let options = ExponentialOptions::default().with_jitter(false);
        options
            .with_initial(Duration::from_secs(1))
            .with_max(Duration::from_secs(5))
    }

    fn next(backoff: &mut impl Backoff, count: usize) -> Vec<Option<u64>> {
        let seconds = |delay: Option<Duration>| delay.map(|delay| delay.as_secs());
        (0..count).map(|_| seconds(backoff.next_delay())).collect()
    }

    #[test]
    fn delays_grow_to_the_cap_and_start_anew_after_success() {
        let mut backoff = ExponentialBackoff::new(plain());
        assert_eq!(next(&mut backoff, 5), [1, 2, 4, 5, 5].map(Some));
        backoff.reset();
        assert_eq!(next(&mut backoff, 2), [1, 2].map(Some));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_counts_as_success() {
        let mut backoff = ExponentialBackoff::new(plain().with_reset_after(Some(Duration::from_secs(60))));
        next(&mut backoff, 3);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(next(&mut backoff, 1), [Some(5)]);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(next(&mut backoff, 1), [Some(1)]);
    }

    #[test]
    fn tries_are_counted() {
        let mut backoff = ExponentialBackoff::new(plain().with_max_tries(Some(2)));
        assert_eq!(next(&mut backoff, 3), [Some(1), Some(2), None]);
    }

    #[test]
    fn jitter_adds_at_most_the_delay_once_more() {
        let mut backoff = ExponentialBackoff::new(plain().with_jitter(true));
        for least in [1, 2, 4, 5].map(Duration::from_secs) {
            let delay = backoff.next_delay().unwrap();
            assert!(delay >= least && delay <= least * 2, "{delay:?} after {least:?}");
        }
    }

    #[test]
    fn the_server_is_never_asked_sooner_than_it_wants() {
        let mut backoff = ExponentialBackoff::new(plain());
        let asked = Some(Duration::from_secs(7));
        assert_eq!(backoff.next_delay_after(asked), asked);
        assert_eq!(backoff.next_delay_after(None), Some(Duration::from_secs(2)));
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        for (text, wait) in [("7", asked), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("-1", None)] {
            headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers), wait, "{text}");
        }
    }

    #[cfg(feature = "backoff")]
    #[test]
    fn policies_of_the_backoff_crate_drive_us() {
        let policy = ::backoff::backoff::Constant::new(Duration::from_secs(3));
        assert_eq!(next(&mut BackoffCrate(policy), 2), [Some(3), Some(3)]);
        assert_eq!(next(&mut BackoffCrate(::backoff::backoff::Stop {}), 1), [None]);
    }
}
