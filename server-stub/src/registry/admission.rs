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

/// What admission sees of an object where a request is about a part of it, such as its scale.
pub(crate) trait AdmittedPart: Send + Sync {
    /// The part.
    fn of(&self, object: &Value) -> Result<Value, ApiError>;
    /// The object with another part.
    fn put(&self, part: &Value, object: &Value) -> Result<Value, ApiError>;
}

/// Asks about the part.
struct OfPart<P> {
    part: P,
    admission: Arc<dyn Admission>,
}

#[async_trait]
impl<P: AdmittedPart> Admission for OfPart<P> {
    async fn mutate(
        &self,
        operation: Operation,
        new: Option<Value>,
        old: Option<&Value>,
    ) -> Result<Option<Value>, ApiError> {
        let Some(new) = new else { return Ok(None) };
        let (part, before) = (self.part.of(&new)?, old.map(|old| self.part.of(old)).transpose()?);
        let changed = self
            .admission
            .mutate(operation, Some(part.clone()), before.as_ref())
            .await?;
        match changed.filter(|changed| *changed != part) {
            Some(changed) => self.part.put(&changed, &new).map(Some),
            None => Ok(Some(new)),
        }
    }

    async fn validate(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<(), ApiError> {
        let part = |object: Option<&Value>| object.map(|object| self.part.of(object)).transpose();
        let (new, old) = (part(new)?, part(old)?);
        self.admission.validate(operation, new.as_ref(), old.as_ref()).await
    }
}

/// The admission of one request; by default nothing is asked.
#[derive(Clone, Default)]
pub struct RequestAdmission(Option<Arc<dyn Admission>>);

impl RequestAdmission {
    /// Asks `admission`.
    pub fn new(admission: Arc<dyn Admission>) -> Self {
        Self(Some(admission))
    }

    /// The same, asked about a part of each object.
    pub(crate) fn of_part(self, part: impl AdmittedPart + 'static) -> Self {
        Self(
            self.0
                .map(|admission| Arc::new(OfPart { part, admission }) as Arc<dyn Admission>),
        )
    }

    /// Whether somebody is asked.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
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

    /// Asks all whether a connection may be made.
    pub(crate) async fn connect(&self, options: Value) -> Result<(), ApiError> {
        let Some(admission) = &self.0 else { return Ok(()) };
        let options = admission.mutate(Operation::Connect, Some(options), None).await?;
        admission.validate(Operation::Connect, options.as_ref(), None).await
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
