//! The task that writes events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kubewire_client::backoff::{Backoff, ExponentialBackoff, ExponentialOptions};
use kubewire_client::{Api, Client, Error, Patch, PatchOptions, WriteOptions};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Counts;
use super::occurrence::Occurrence;
use super::series::{AllSeries, ENDS_AFTER};
use super::spam::SpamFilter;

/// How often a write is tried before it is given up.
const TRIES: usize = 12;
/// How long the last writes of a recorder that is shut down may take.
const LAST_WRITES: Duration = Duration::from_secs(10);

pub(super) struct Writer {
    client: Client,
    controller: String,
    instance: String,
    counts: Arc<Counts>,
    series: AllSeries,
    spam: SpamFilter,
}

/// How an event is written.
#[derive(Clone, Copy)]
enum Write {
    Create,
    Series,
}

impl Writer {
    pub(super) fn new(client: Client, controller: String, instance: String, counts: Arc<Counts>) -> Self {
        Self {
            client,
            controller,
            instance,
            counts,
            series: AllSeries::new(),
            spam: SpamFilter::new(),
        }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Occurrence>, stop: CancellationToken) {
        let work = stop.run_until_cancelled(self.work(&mut queue));
        work.await;
        queue.close();
        let last = async {
            while let Ok(occurrence) = queue.try_recv() {
                self.take(occurrence).await;
            }
            for event in self.series.due(true) {
                self.write_series(event).await;
            }
        };
        if timeout(LAST_WRITES, last).await.is_err() {
            tracing::warn!(
                controller = self.controller,
                "the last events could not be written in time"
            );
        }
    }

    async fn work(&mut self, queue: &mut mpsc::Receiver<Occurrence>) {
        let mut ends = interval(ENDS_AFTER);
        loop {
            tokio::select! {
                occurrence = queue.recv() => match occurrence {
                    Some(occurrence) => self.take(occurrence).await,
                    None => return,
                },
                _ = ends.tick() => {
                    self.spam.forget_full();
                    for event in self.series.due(false) {
                        self.write_series(event).await;
                    }
                }
            }
        }
    }

    async fn take(&mut self, occurrence: Occurrence) {
        let (same, now) = (occurrence.same(), MicroTime(Timestamp::now()));
        if let Some(ended) = self.series.end(&same) {
            self.write_series(ended).await;
        }
        match self.series.count(&same, now.clone()) {
            Ok(None) => {}
            Ok(Some(event)) => self.write_series(event).await,
            Err(()) if !self.spam.lets_through(same.regarding.whole()) => {
                self.counts.spam.fetch_add(1, Ordering::Relaxed);
            }
            Err(()) => {
                let event = occurrence.into_event(&self.controller, &self.instance, now);
                if self.create(&event).await {
                    self.series.begin(same, event);
                }
            }
        }
    }

    async fn create(&self, event: &Event) -> bool {
        self.persist(Write::Create, event).await.is_ok()
    }

    async fn write_series(&self, event: Event) {
        let written = self.persist(Write::Series, &event).await;
        if written.is_err_and(|error| error.is_not_found()) {
            // Events are kept for an hour, as a rule.
            self.create(&event).await;
        }
    }

    async fn write(&self, write: Write, event: &Event) -> Result<(), Error> {
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        let written = match write {
            Write::Create => events.create(event, &WriteOptions::default()).await,
            Write::Series => {
                let name = event.metadata.name.as_deref().unwrap_or_default();
                let patch = Patch::Merge(serde_json::json!({ "series": event.series }));
                events.patch(name, &patch, &PatchOptions::default()).await
            }
        };
        match written {
            // An answer was lost, and the event is there.
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(()),
        }
    }

    /// Tries again where it may help.
    async fn persist(&self, write: Write, event: &Event) -> Result<(), Error> {
        let options = ExponentialOptions::default().with_max_tries(Some(TRIES));
        let mut backoff = ExponentialBackoff::new(options);
        loop {
            let Err(error) = self.write(write, event).await else {
                return Ok(());
            };
            let may_help = error.code().is_none_or(|code| code == 429 || code >= 500);
            let delay = backoff.next_delay_after(error.retry_after()).filter(|_| may_help);
            let Some(delay) = delay else {
                if !error.is_not_found() {
                    tracing::warn!(%error, controller = self.controller, "an event is lost");
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                }
                return Err(error);
            };
            sleep(delay).await;
        }
    }
}
