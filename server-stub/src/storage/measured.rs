//! Counts what a store is asked for one resource, and how long it takes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Change, Expected, Get, Range, RangeRequest, Storage, StorageError, StorageWatch, Swap};
use crate::generic::metrics::{Operation, StorageSeries};

/// Another store, and where it is counted.
pub(crate) struct Measured {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) series: StorageSeries,
}

impl Measured {
    async fn measure<T>(
        &self,
        operation: Operation,
        answer: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let start = Instant::now();
        let answer = answer.await;
        self.series.record(operation, start.elapsed(), answer.is_err());
        answer
    }
}

#[async_trait]
impl Storage for Measured {
    async fn get(&self, key: &str, revision: Option<u64>) -> Result<Get, StorageError> {
        self.measure(Operation::Get, self.inner.get(key, revision)).await
    }

    async fn range(&self, range: &RangeRequest<'_>) -> Result<Range, StorageError> {
        self.measure(Operation::List, self.inner.range(range)).await
    }

    async fn compare_and_swap(&self, key: &str, expected: Expected, change: Change) -> Result<Swap, StorageError> {
        let operation = match (&change, &expected) {
            (Change::Delete, _) => Operation::Delete,
            (_, Expected::Absent) => Operation::Create,
            _ => Operation::Update,
        };
        self.measure(operation, self.inner.compare_and_swap(key, expected, change))
            .await
    }

    async fn watch(&self, prefix: &str, from_revision: u64) -> Result<StorageWatch, StorageError> {
        self.inner.watch(prefix, from_revision).await
    }

    async fn request_progress(&self, prefix: &str) -> Result<(), StorageError> {
        self.inner.request_progress(prefix).await
    }

    async fn compact(&self, revision: u64) -> Result<(), StorageError> {
        self.inner.compact(revision).await
    }

    async fn current_revision(&self) -> Result<u64, StorageError> {
        self.measure(Operation::CurrentRevision, self.inner.current_revision())
            .await
    }

    async fn oldest_revision(&self) -> Result<u64, StorageError> {
        self.inner.oldest_revision().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
