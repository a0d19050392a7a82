//! The lease that candidates write to.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kubewire_client::{Api, Error, WriteOptions};
use parking_lot::Mutex;
use tokio::time::Instant;

/// A lease by name, and what was seen of it.
pub(super) struct LeaseLock {
    leases: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    observed: Mutex<Observed>,
}

/// The lease as it was seen last.
#[derive(Clone, Default)]
struct Observed {
    lease: Lease,
    /// When it was first seen like this; `None` before it was seen at all.
    at: Option<Instant>,
}

impl LeaseLock {
    pub(super) fn new(leases: Api<Lease>, name: &str, identity: &str, duration: Duration) -> Self {
        Self {
            leases,
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration,
            observed: Mutex::default(),
        }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn describe(&self) -> String {
        format!("{}/{}", self.leases.namespace(), self.name)
    }

    /// Who has the lease, as far as known.
    pub(super) fn holder(&self) -> Option<String> {
        self.observed.lock().holder().map(str::to_owned)
    }

    /// True where this candidate has the lease, and it has not run out.
    pub(super) fn is_held(&self) -> bool {
        let observed = self.observed.lock();
        observed.holder() == Some(&self.identity) && observed.is_valid()
    }

    /// True where this candidate has the lease now; false where somebody else has.
    pub(super) async fn try_acquire_or_renew(&self) -> Result<bool, Error> {
        if self.is_held() {
            // As a rule nobody else has written it meanwhile, and one request does.
            let renewed = self.renewed(&self.observed.lock().lease);
            match self.write(renewed).await {
                Ok(()) => return Ok(true),
                Err(error) => tracing::debug!(%error, "reading the lease before the next try to renew it"),
            }
        }
        match self.leases.get(&self.name).await {
            Ok(lease) => self.observe(lease),
            Err(error) if error.is_not_found() => {
                let mut lease = Lease::default();
                lease.metadata.name = Some(self.name.clone());
                let lease = self.taken(&lease, 0);
                let created = self.leases.create(&lease, &WriteOptions::default()).await?;
                self.written(created);
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
        let observed = self.observed.lock().clone();
        let next = match observed.holder() {
            Some(holder) if holder == self.identity => self.renewed(&observed.lease),
            Some(_) if observed.is_valid() => return Ok(false),
            _ => self.taken(
                &observed.lease,
                observed.spec(|spec| spec.lease_transitions).unwrap_or_default() + 1,
            ),
        };
        self.write(next).await?;
        Ok(true)
    }

    /// Gives the lease away, so that nobody has to wait for it to run out.
    pub(super) async fn release(&self) -> Result<(), Error> {
        if !self.is_held() {
            return Ok(());
        }
        let mut lease = self.observed.lock().lease.clone();
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.acquire_time = Some(now());
        spec.renew_time = Some(now());
        self.write(lease).await
    }

    async fn write(&self, lease: Lease) -> Result<(), Error> {
        let written = self.leases.update(&lease, &WriteOptions::default()).await?;
        self.written(written);
        Ok(())
    }

    /// Remembers what the server says the lease is; its time begins anew where it has changed.
    fn observe(&self, lease: Lease) {
        let mut observed = self.observed.lock();
        if observed.at.is_none() || observed.lease.spec != lease.spec {
            observed.at = Some(Instant::now());
        }
        observed.lease = lease;
    }

    fn written(&self, lease: Lease) {
        *self.observed.lock() = Observed {
            lease,
            at: Some(Instant::now()),
        };
    }

    /// The lease renewed by its holder.
    fn renewed(&self, lease: &Lease) -> Lease {
        let mut lease = lease.clone();
        let spec = lease.spec.get_or_insert_default();
        spec.lease_duration_seconds = Some(self.seconds());
        spec.renew_time = Some(now());
        lease
    }

    /// The lease in the hands of this candidate.
    fn taken(&self, lease: &Lease, transitions: i32) -> Lease {
        let mut lease = lease.clone();
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = Some(self.seconds());
        spec.lease_transitions = Some(transitions);
        spec.acquire_time = Some(now());
        spec.renew_time = Some(now());
        lease
    }

    fn seconds(&self) -> i32 {
        i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX)
    }
}

impl Observed {
    fn spec<T>(&self, field: impl FnOnce(&LeaseSpec) -> Option<T>) -> Option<T> {
        self.lease.spec.as_ref().and_then(field)
    }

    fn holder(&self) -> Option<&str> {
        let holder = self.lease.spec.as_ref()?.holder_identity.as_deref()?;
        Some(holder).filter(|holder| !holder.is_empty())
    }

    /// True where the lease, by its own duration, has not run out since it was seen to change.
    fn is_valid(&self) -> bool {
        let seconds = self.spec(|spec| spec.lease_duration_seconds).unwrap_or_default();
        let duration = Duration::from_secs(seconds.try_into().unwrap_or_default());
        self.at.is_some_and(|at| at.elapsed() < duration)
    }
}

/// The wall clock's time, which is written down and never compared.
fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}
