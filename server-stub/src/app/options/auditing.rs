//! Where audit events are written.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::audit::AuditLog;
use crate::generic::Config;

/// The audit log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditOptions {
    /// File to which an event at the level Metadata is appended for every request; `-` is the standard output.
    pub audit_log_path: Option<PathBuf>,
    /// How events are written: only `json`.
    pub audit_log_format: String,
    /// Days that old files are kept. The file is not rotated here.
    pub audit_log_maxage: i64,
    /// Old files that are kept. The file is not rotated here.
    pub audit_log_maxbackup: i64,
    /// Megabytes after which a new file is begun. The file is not rotated here.
    pub audit_log_maxsize: i64,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            audit_log_path: None,
            audit_log_format: "json".to_owned(),
            audit_log_maxage: 0,
            audit_log_maxbackup: 0,
            audit_log_maxsize: 0,
        }
    }
}

impl AuditOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "audit-log-path",
            &mut self.audit_log_path,
            "File to which an event is appended for every request, at the level Metadata; - is the standard output.",
        );
        flags.add(
            "audit-log-format",
            &mut self.audit_log_format,
            "How events are written: json.",
        );
        let rotation = "Accepted without effect: whoever collects the file rotates it.";
        flags.add("audit-log-maxage", &mut self.audit_log_maxage, rotation);
        flags.add("audit-log-maxbackup", &mut self.audit_log_maxbackup, rotation);
        flags.add("audit-log-maxsize", &mut self.audit_log_maxsize, rotation);
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if self.audit_log_format != "json" {
            let format = &self.audit_log_format;
            errors.push(format!(
                "invalid audit log format {format}, allowed formats are \"json\""
            ));
        }
        for (flag, value) in [
            ("audit-log-maxage", self.audit_log_maxage),
            ("audit-log-maxbackup", self.audit_log_maxbackup),
            ("audit-log-maxsize", self.audit_log_maxsize),
        ] {
            if value < 0 {
                errors.push(format!("--{flag} {value} can't be a negative number"));
            }
        }
    }

    pub(crate) fn apply_to(&self, config: &mut Config) -> Result<(), AppError> {
        if let Some(path) = &self.audit_log_path {
            let log = AuditLog::open(path).map_err(|source| AppError::AuditLog {
                path: path.clone(),
                source,
            })?;
            config.audit_log = Some(Arc::new(log));
        }
        Ok(())
    }
}
