//! What can be measured of informers and work queues.

use std::time::Duration;

/// Is told of what happens, as it happens; methods that are not written do nothing. They must be quick.
///
/// What is rather asked for than told is in [`InformerStats`](crate::InformerStats) and
/// [`WorkQueueStats`](crate::workqueue::WorkQueueStats).
pub trait Metrics: Send + Sync + 'static {
    /// A list of so many objects was read, in so much time.
    fn listed(&self, resource: &str, objects: usize, took: Duration) {
        let _ = (resource, objects, took);
    }

    /// A watch began; every one after the first is a restart.
    fn watch_started(&self, resource: &str) {
        let _ = resource;
    }

    /// The store has changed: it has so many objects, of so many bytes as they arrived, and the oldest of the changes
    /// waited for so long between the network and the store.
    fn store_changed(&self, resource: &str, objects: usize, bytes: usize, waited: Duration) {
        let _ = (resource, objects, bytes, waited);
    }

    /// An item was put in a work queue, in which so many now wait.
    fn queue_added(&self, queue: &str, depth: usize) {
        let _ = (queue, depth);
    }

    /// An item was taken out after it waited for so long; so many still wait.
    fn queue_taken(&self, queue: &str, waited: Duration, depth: usize) {
        let _ = (queue, waited, depth);
    }

    /// The work on an item took so long.
    fn queue_done(&self, queue: &str, worked: Duration) {
        let _ = (queue, worked);
    }

    /// An item comes back by the rate limiter, after so long.
    fn queue_retried(&self, queue: &str, delay: Duration) {
        let _ = (queue, delay);
    }
}

/// Measures nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}
