//! What is counted of who comes in and what is let through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::family::Family;
use super::histogram::Histogram;
use super::text::Exposition;

/// Seconds; of kube-apiserver.
const DURATIONS: &[f64] = &[
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
];

/// The users that are told apart.
const USERS: [&str; 4] = ["admin", "client", "kube_proxy", "kubelet"];

#[derive(Default)]
pub(super) struct Access {
    /// By result.
    authentication: Family<1, Attempts>,
    authorization: Family<1, Attempts>,
    users: Family<1, AtomicU64>,
}

/// How often, and how long it took.
struct Attempts(Histogram);

impl Attempts {
    fn new() -> Self {
        Self(Histogram::of_durations(DURATIONS))
    }
}

impl Access {
    /// Counts an attempt to find out who sends a request.
    pub(super) fn authenticated(&self, result: &str, user: Option<&str>, took: Duration) {
        self.authentication.get([result], Attempts::new).0.observe(took);
        if let Some(user) = user {
            let user = USERS.into_iter().find(|known| *known == user).unwrap_or("other");
            self.users
                .get([user], AtomicU64::default)
                .fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a decision.
    pub(super) fn authorized(&self, result: &str, took: Duration) {
        self.authorization.get([result], Attempts::new).0.observe(took);
    }

    pub(super) fn reset(&self) {
        self.authentication.clear();
        self.authorization.clear();
        self.users.clear();
    }

    pub(super) fn show(&self, shown: &mut Exposition) {
        let families = [
            (
                &self.authentication,
                ["authentication_attempts", "authentication_duration_seconds"],
                [
                    "[ALPHA] Requests whose sender was looked for, by what came out.",
                    "[ALPHA] How long it took to find out who sends a request.",
                ],
            ),
            (
                &self.authorization,
                ["authorization_attempts_total", "authorization_duration_seconds"],
                [
                    "[ALPHA] Requests about which it was decided whether they may be made, by what came out.",
                    "[ALPHA] How long it took to decide whether a request may be made.",
                ],
            ),
        ];
        for (family, [counter, histogram], [counter_help, histogram_help]) in families {
            let attempts = family.sorted();
            let mut writer = shown.counter(counter, counter_help);
            for ([result], attempts) in &attempts {
                writer.sample([("result", &**result)], attempts.0.count());
            }
            let mut writer = shown.histogram(histogram, histogram_help);
            for ([result], attempts) in &attempts {
                writer.buckets([("result", &**result)], &attempts.0);
            }
        }
        let help = "[ALPHA] Requests whose sender is known, by those users who are told apart.";
        let mut writer = shown.counter("authenticated_user_requests", help);
        for ([user], count) in self.users.sorted() {
            writer.sample([("username", &*user)], count.load(Ordering::Relaxed));
        }
    }
}
