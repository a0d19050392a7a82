//! Audit: who did what, one event a stage of a request, at the level Metadata (`audit.k8s.io/v1`).

mod event;
mod legacy;
mod log;
mod rotating_file;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use event::{Outcome, Received, Stage, event};
pub use log::{AuditFormat, AuditLog, AuditMode, Batch};
pub(crate) use rotating_file::{RotatingFile, Rotation};

use crate::generic::request::UserInfo;

/// What the handlers of a request add to its audit events. It lies in the request's extensions.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditContext(Arc<Mutex<Notes>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) user: Option<Arc<UserInfo>>,
    pub(crate) impersonated: Option<Arc<UserInfo>>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl AuditContext {
    /// The context of a request; without the filter one that nobody reads.
    pub(crate) fn of(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// Says who sent the request.
    pub(crate) fn set_user(&self, user: Arc<UserInfo>) {
        self.0.lock().user = Some(user);
    }

    /// Says as whom the sender acts.
    pub(crate) fn set_impersonated(&self, user: Arc<UserInfo>) {
        self.0.lock().impersonated = Some(user);
    }

    /// Adds an annotation; the first of a key stays.
    pub(crate) fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        self.0.lock().annotations.entry(key.into()).or_insert(value.into());
    }

    pub(crate) fn notes(&self) -> Notes {
        self.0.lock().clone()
    }
}
