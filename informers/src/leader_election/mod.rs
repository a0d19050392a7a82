//! One leader among several replicas of a program, by a lease of the API server (`coordination.k8s.io/v1`).
//!
//! The contract, with client-go's rules of time. Each sentence has a number, by which the test names it that proves it.
//! - **L1** The leader renews its lease every `retry_period`. **L2** Where it cannot for `renew_deadline`, it stops
//!   leading.
//! - **L3** Others take the lease over when it has not changed for its own duration. **L4** That is measured by the
//!   local clock from when the last change was *seen*, so that clocks which differ between machines do no harm.
//! - **L5** As `renew_deadline` is shorter than `lease_duration`, the work of a leader that lost contact is told to
//!   stop before anybody else begins.
//! - **L6** A leader that is stopped waits for its work to end, and only then gives the lease away, so that the next
//!   leader need not wait for it to run out.
//! - **L7** Losing leadership is an error of [`run`](LeaderElector::run): a program does well to exit then, or to run
//!   anew.

mod lease;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kubewire_client::{Api, Client, Error};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use self::lease::LeaseLock;
use crate::random::random;

/// Tries to get the lease are spread over this much of `retry_period` more.
const JITTER: f64 = 1.2;

/// The times of an election. The defaults are client-go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaderElectionOptions {
    /// How long others wait for a leader that does not renew. Default 15 s.
    pub lease_duration: Duration,
    /// How long a leader tries to renew before it gives up. Default 10 s.
    pub renew_deadline: Duration,
    /// How often a leader renews, and others try. Default 2 s.
    pub retry_period: Duration,
    /// Gives the lease away when the leader is stopped. Default on.
    pub release_on_stop: bool,
}

impl Default for LeaderElectionOptions {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
            release_on_stop: true,
        }
    }
}

impl LeaderElectionOptions {
    /// Sets how long others wait for a leader that does not renew.
    #[must_use]
    pub fn with_lease_duration(mut self, duration: Duration) -> Self {
        self.lease_duration = duration;
        self
    }

    /// Sets how long a leader tries to renew before it gives up.
    #[must_use]
    pub fn with_renew_deadline(mut self, deadline: Duration) -> Self {
        self.renew_deadline = deadline;
        self
    }

    /// Sets how often a leader renews, and others try.
    #[must_use]
    pub fn with_retry_period(mut self, period: Duration) -> Self {
        self.retry_period = period;
        self
    }

    /// Sets whether the lease is given away when the leader is stopped.
    #[must_use]
    pub fn with_release_on_stop(mut self, release: bool) -> Self {
        self.release_on_stop = release;
        self
    }

    fn check(&self) -> Result<(), LeaderElectionError> {
        // A lease has whole seconds.
        if Duration::from_secs(self.lease_duration.as_secs()) <= self.renew_deadline {
            return invalid("lease_duration, in whole seconds, must be longer than renew_deadline");
        }
        if self.renew_deadline <= self.retry_period.mul_f64(JITTER) {
            return invalid("renew_deadline must be longer than 1.2 times retry_period");
        }
        if self.retry_period.is_zero() {
            return invalid("retry_period must not be zero");
        }
        Ok(())
    }
}

fn invalid<T>(reason: &'static str) -> Result<T, LeaderElectionError> {
    Err(LeaderElectionError::Options { reason })
}

/// Why an election ended, or could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaderElectionError {
    /// The times do not fit together, or there is no identity.
    #[error("leader election: {reason}")]
    Options {
        /// What is wrong.
        reason: &'static str,
    },
    /// Leadership is lost: somebody else has the lease, or it could not be renewed in time.
    #[error("{identity} lost the lease {lease}{}", last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Lost {
        /// Who was the leader.
        identity: String,
        /// Namespace and name of the lease.
        lease: String,
        /// Why it could not be renewed, where that was not because somebody else has it.
        last_error: Option<Error>,
    },
}

/// A candidate in an election; see the [module](self).
///
/// ```no_run
/// use kubewire_client::Client;
/// use kubewire_informers::leader_election::LeaderElector;
/// use tokio_util::sync::CancellationToken;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let elector = LeaderElector::new(Client::try_default()?, "shop", "checkout", "pod-7", Default::default())?;
/// let stop = CancellationToken::new(); // cancelled by a signal handler, as a rule
/// elector
///     .run(stop, |leading| async move {
///         // Work here until the token says that leadership is over.
///         leading.cancelled().await;
///     })
///     .await?;
/// # Ok(())
/// # }
/// ```
pub struct LeaderElector {
    lock: LeaseLock,
    options: LeaderElectionOptions,
    leader: watch::Sender<Option<String>>,
}

impl LeaderElector {
    /// A candidate of this identity, which no other candidate must have, for the lease `namespace/name`.
    ///
    /// # Errors
    /// The times do not fit together, or the identity is empty.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        options: LeaderElectionOptions,
    ) -> Result<Self, LeaderElectionError> {
        options.check()?;
        if identity.is_empty() {
            return invalid("the identity must not be empty: that is what a lease without a holder has");
        }
        let leases = Api::<Lease>::namespaced(client, namespace);
        Ok(Self {
            lock: LeaseLock::new(leases, name, identity, options.lease_duration),
            options,
            leader: watch::Sender::new(None),
        })
    }

    /// Waits to become the leader, and does `work` while it is one. Ends when the work has ended, or `stop` is
    /// cancelled, and the work with it: the token it is given says when it has to end.
    ///
    /// Dropping the future drops the work, and leaves the lease to run out.
    ///
    /// # Errors
    /// Leadership was lost; the work was told to end, and has.
    pub async fn run<W>(
        &self,
        stop: CancellationToken,
        work: impl FnOnce(CancellationToken) -> W,
    ) -> Result<(), LeaderElectionError>
    where
        W: Future<Output = ()>,
    {
        if stop.run_until_cancelled(self.acquire()).await.is_none() {
            return Ok(());
        }
        tracing::info!(lease = self.lock.describe(), identity = self.lock.identity(), "leading");
        let leading = stop.child_token();
        let mut work = std::pin::pin!(work(leading.clone()));
        let mut renewing = std::pin::pin!(self.renew());
        let lost = tokio::select! {
            () = &mut work => None,
            lost = &mut renewing => Some(lost),
            () = stop.cancelled() => {
                // The lease is kept until the work has ended.
                tokio::select! {
                    () = &mut work => None,
                    lost = &mut renewing => Some(lost),
                }
            }
        };
        if let Some(last_error) = lost {
            leading.cancel();
            work.await;
            self.leader.send_replace(self.lock.holder());
            return Err(LeaderElectionError::Lost {
                identity: self.lock.identity().to_owned(),
                lease: self.lock.describe(),
                last_error,
            });
        }
        leading.cancel();
        if self.options.release_on_stop {
            self.release().await;
        }
        Ok(())
    }

    /// True while this candidate is the leader, as far as it knows.
    pub fn is_leader(&self) -> bool {
        self.lock.is_held()
    }

    /// Who the leader is, as far as known, and whenever that changes.
    pub fn leader(&self) -> watch::Receiver<Option<String>> {
        self.leader.subscribe()
    }

    async fn acquire(&self) {
        loop {
            if self.try_lease().await.unwrap_or_default() {
                return;
            }
            sleep(self.options.retry_period.mul_f64(1.0 + JITTER * random())).await;
        }
    }

    /// Renews until that fails for too long; says why.
    async fn renew(&self) -> Option<Error> {
        loop {
            sleep(self.options.retry_period).await;
            let deadline = Instant::now() + self.options.renew_deadline;
            let mut last_error = None;
            loop {
                match timeout_at(deadline, self.try_lease()).await {
                    Ok(Ok(true)) => break,
                    Ok(Ok(false)) => last_error = None,
                    Ok(Err(error)) => last_error = Some(error),
                    Err(_) => return last_error,
                }
                if Instant::now() + self.options.retry_period >= deadline {
                    return last_error;
                }
                sleep(self.options.retry_period).await;
            }
        }
    }

    async fn try_lease(&self) -> Result<bool, Error> {
        let result = self.lock.try_acquire_or_renew().await;
        if let Err(error) = &result {
            tracing::debug!(%error, lease = self.lock.describe(), "leader election");
        }
        let holder = self.lock.holder();
        self.leader.send_if_modified(|leader| {
            let changed = *leader != holder;
            *leader = holder;
            changed
        });
        result
    }

    async fn release(&self) {
        let deadline = Instant::now() + self.options.renew_deadline;
        match timeout_at(deadline, self.lock.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease runs out by itself"),
            Err(_) => tracing::warn!(lease = self.lock.describe(), "the lease runs out by itself: no answer"),
        }
        self.leader.send_replace(self.lock.holder());
    }
}

impl fmt::Debug for LeaderElector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaderElector")
            .field("lease", &self.lock.describe())
            .field("identity", &self.lock.identity())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
