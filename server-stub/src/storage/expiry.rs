//! Keys that go away by themselves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The pause before a removal that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Removes keys when their time has come. Dropping all handles ends it.
#[derive(Clone, Debug)]
pub(super) struct Expiry(mpsc::UnboundedSender<Due>);

/// Removes a key if it still has this revision; false if that failed.
pub(super) type Remove = Box<dyn Fn(Arc<str>, u64) -> BoxFuture<'static, bool> + Send + Sync>;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    key: Arc<str>,
    revision: u64,
}

impl Expiry {
    /// Must be called inside of a Tokio runtime.
    pub(super) fn start(remove: Remove) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(receiver, remove));
        Self(sender)
    }

    /// Plans the removal of a key, unless it has another revision by then.
    pub(super) fn schedule(&self, key: Arc<str>, revision: u64, after: Duration) {
        let at = Instant::now() + after;
        // The task only ends when there is nobody left to call this.
        let _ = self.0.send(Due { at, key, revision });
    }
}

async fn run(mut receiver: mpsc::UnboundedReceiver<Due>, remove: Remove) {
    let mut heap = BinaryHeap::new();
    loop {
        let next = heap.peek().map(|Reverse(Due { at, .. })| *at);
        let wait = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            planned = receiver.recv() => match planned {
                Some(due) => heap.push(Reverse(due)),
                None => return,
            },
            () = wait => {
                if let Some(Reverse(due)) = heap.pop()
                    && !remove(due.key.clone(), due.revision).await
                {
                    let at = Instant::now() + RETRY;
                    heap.push(Reverse(Due { at, ..due }));
                }
            }
        }
    }
}
