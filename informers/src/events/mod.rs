//! Events of the API server (`events.k8s.io/v1`): what a controller tells people about an object.
//!
//! The contract, with client-go's figures. Each sentence has a number, by which the test names it that proves it.
//! - **E1** [`record`](EventRecorder::record) never waits and never fails: events are written by a task of their own.
//!   **E2** Where it is so far behind that its queue is full, events are dropped, and counted.
//! - **E3** Events that say the same of the same object within 6 minutes are one event with a series: the first
//!   repetition is written at once, the count again every 30 minutes and when the series has ended.
//! - **E4** One object gets 25 events from one controller at once, and one more every 5 minutes; what is above that is
//!   dropped, and counted.
//! - **E5** A write that fails is tried again, later each time, unless the server says that it never will succeed.
//! - **E6** [`shutdown`](EventRecorder::shutdown) writes what is in the queue, and ends the series.

mod occurrence;
mod series;
mod spam;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kubewire_client::Client;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use occurrence::{EventType, Occurrence, reference_to};

use self::writer::Writer;

/// How many events wait to be written at most.
const QUEUE: usize = 1000;

/// Tells people about objects; see the [module](self). Cloning shares the task that writes.
///
/// ```no_run
/// use k8s_openapi::api::core::v1::Pod;
/// use kubewire_client::Client;
/// use kubewire_informers::events::{EventRecorder, Occurrence, reference_to};
///
/// # async fn example(pod: Pod) -> Result<(), kubewire_client::Error> {
/// let recorder = EventRecorder::new(Client::try_default()?, "shop.example/checkout", "checkout-7d9f");
/// recorder.record(Occurrence::warning(reference_to(&pod), "Evict", "Expensive").with_note("it costs more than it earns"));
/// recorder.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EventRecorder(Arc<Shared>);

struct Shared {
    queue: mpsc::Sender<Occurrence>,
    counts: Arc<Counts>,
    stop: CancellationToken,
    writing: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    spam: AtomicU64,
    failed: AtomicU64,
}

/// What became of events that were not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRecorderStats {
    /// Dropped because too many were waiting.
    pub dropped: u64,
    /// Dropped because their object had too many.
    pub spam: u64,
    /// Given up after the server refused them, or could not be reached for long.
    pub failed: u64,
}

impl EventRecorder {
    /// A recorder in the name of a controller (`shop.example/checkout`) and one instance of it, as a rule the pod's name.
    ///
    /// # Panics
    /// Outside of a tokio runtime, like `tokio::spawn`.
    pub fn new(client: Client, controller: impl Into<String>, instance: impl Into<String>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let writer = Writer::new(client, controller.into(), instance.into(), counts.clone());
        let writing = tokio::spawn(writer.run(waiting, stop.clone()));
        Self(Arc::new(Shared {
            queue,
            counts,
            stop,
            writing: Mutex::new(Some(writing)),
        }))
    }

    /// Tells of something that happened; returns at once.
    pub fn record(&self, occurrence: Occurrence) {
        if self.0.queue.try_send(occurrence).is_err() {
            self.0.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of events that were not written.
    pub fn stats(&self) -> EventRecorderStats {
        let counts = &self.0.counts;
        EventRecorderStats {
            dropped: counts.dropped.load(Ordering::Relaxed),
            spam: counts.spam.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
        }
    }

    /// Takes no more events in, writes those that wait, and ends. Cancel safe: it ends all the same.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        let writing = self.0.writing.lock().take();
        if let Some(writing) = writing {
            // It can only fail by a panic, which has been reported by then.
            let _ = writing.await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for EventRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRecorder")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
