//! What is asked before an object is stored or deleted, with the object as it will be.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::status::ApiError;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is made.
    Create,
    /// It changes.
    Update,
    /// It goes.
    Delete,
    /// A stream to it is opened.
    Connect,
}

/// Changes or refuses what a request would store.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Changes the object on its way in, before its rules are checked.
    async fn mutate(
        &self,
        operation: Operation,
        new: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Option<Value>, ApiError>;

    /// Refuses what must not be, when nothing changes it any more.
    async fn validate(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<(), ApiError>;
}

/// The admission of one request; by default nothing is asked.
#[derive(Clone, Default)]
pub struct RequestAdmission(Option<Arc<dyn Admission>>);

impl RequestAdmission {
    /// Asks `admission`.
    pub fn new(admission: Arc<dyn Admission>) -> Self {
        Self(Some(admission))
    }

    pub(crate) async fn mutate(
        &self,
        operation: Operation,
        new: Value,
        old: Option<&Value>,
    ) -> Result<Value, ApiError> {
        match &self.0 {
            None => Ok(new),
            Some(admission) => {
                let changed = admission.mutate(operation, Some(new), old).await?;
                changed.ok_or_else(|| ApiError::internal("admission lost the object"))
            }
        }
    }

    pub(crate) async fn validate(
        &self,
        operation: Operation,
        new: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        match &self.0 {
            None => Ok(()),
            Some(admission) => admission.validate(operation, new, old).await,
        }
    }

    /// Asks all about an object that is to go.
    pub(crate) async fn delete(&self, old: &Value) -> Result<(), ApiError> {
        let Some(admission) = &self.0 else { return Ok(()) };
        admission.mutate(Operation::Delete, None, Some(old)).await?;
        admission.validate(Operation::Delete, None, Some(old)).await
    }
}

impl fmt::Debug for RequestAdmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "RequestAdmission"
        } else {
            "no admission"
        })
    }
}
