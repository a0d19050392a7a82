//! The labels by which a job knows its pods.

/// The uid of the job.
pub(super) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
/// The name of the job.
pub(super) const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The uid, under its name of old.
pub(super) const LEGACY_CONTROLLER_UID: &str = "controller-uid";
/// The name, under its name of old.
pub(super) const LEGACY_JOB_NAME: &str = "job-name";
