//! Where audit events are written, and how.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::audit::{AuditFormat, AuditLog, AuditMode, Batch, RotatingFile, Rotation};
use crate::generic::Config;

/// The version of events. There is no other.
const VERSION: &str = "audit.k8s.io/v1";
const MEGABYTE: u64 = 1024 * 1024;

/// The audit log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditOptions {
    /// File to which an event at the level Metadata is appended for every request; `-` is the standard output.
    pub audit_log_path: Option<PathBuf>,
    /// How events are written: `json`, the default, or `legacy`.
    pub audit_log_format: String,
    /// When events are written: `blocking`, the default, `blocking-strict` or `batch`.
    pub audit_log_mode: String,
    /// The version of events.
    pub audit_log_version: String,
    /// Megabytes after which a new file is begun; 0 for never. Default 100.
    pub audit_log_maxsize: i64,
    /// Old files that are kept; 0 for all. Default 100.
    pub audit_log_maxbackup: i64,
    /// Days that old files are kept; 0 for ever. Default 366.
    pub audit_log_maxage: i64,
    /// Whether old files are compressed.
    pub audit_log_compress: bool,
    /// How many events may wait in the mode `batch`. Default 10000.
    pub audit_log_batch_buffer_size: i64,
    /// How many events are written at once in the mode `batch`. Default 1.
    pub audit_log_batch_max_size: i64,
    /// How long events wait for others in the mode `batch`; zero for as long as it takes. Default zero.
    pub audit_log_batch_max_wait: Duration,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            audit_log_path: None,
            audit_log_format: "json".to_owned(),
            audit_log_mode: "blocking".to_owned(),
            audit_log_version: VERSION.to_owned(),
            audit_log_maxsize: 100,
            audit_log_maxbackup: 100,
            audit_log_maxage: 366,
            audit_log_compress: false,
            audit_log_batch_buffer_size: 10_000,
            audit_log_batch_max_size: 1,
            audit_log_batch_max_wait: Duration::ZERO,
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
            "How events are written: json, or legacy for lines of text.",
        );
        flags.add(
            "audit-log-mode",
            &mut self.audit_log_mode,
            "When events are written: blocking (before the request is answered), blocking-strict (and a request that \
             cannot be noted is refused) or batch (later).",
        );
        flags.add(
            "audit-log-version",
            &mut self.audit_log_version,
            "The version of events. There is no other.",
        );
        flags.add(
            "audit-log-maxsize",
            &mut self.audit_log_maxsize,
            "Megabytes after which the file is put aside and a new one is begun. 0 for never.",
        );
        flags.add(
            "audit-log-maxbackup",
            &mut self.audit_log_maxbackup,
            "How many files that were put aside are kept. 0 for all.",
        );
        flags.add(
            "audit-log-maxage",
            &mut self.audit_log_maxage,
            "How many days files that were put aside are kept, by the time in their names. 0 for ever.",
        );
        flags.add(
            "audit-log-compress",
            &mut self.audit_log_compress,
            "Whether files that were put aside are compressed with gzip.",
        );
        flags.add(
            "audit-log-batch-buffer-size",
            &mut self.audit_log_batch_buffer_size,
            "How many events may wait to be written. Only in the mode batch.",
        );
        flags.add(
            "audit-log-batch-max-size",
            &mut self.audit_log_batch_max_size,
            "How many events are written at once. Only in the mode batch.",
        );
        flags.add(
            "audit-log-batch-max-wait",
            &mut self.audit_log_batch_max_wait,
            "How long events wait until there are enough to be written at once; 0 for as long as it takes. Only in the \
             mode batch.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if self.audit_log_path.is_none() {
            return;
        }
        if self.mode().is_none() {
            let mode = &self.audit_log_mode;
            errors.push(format!(
                "invalid audit log mode {mode}, allowed modes are \"batch,blocking,blocking-strict\""
            ));
        }
        if self.audit_log_mode == "batch" {
            for (what, value) in [
                ("buffer size", self.audit_log_batch_buffer_size),
                ("max batch size", self.audit_log_batch_max_size),
            ] {
                if value <= 0 {
                    errors.push(format!(
                        "invalid audit batch log {what} {value}, must be a positive number"
                    ));
                }
            }
        }
        if self.audit_log_version != VERSION {
            errors.push(format!("invalid group version, allowed versions are [\"{VERSION}\"]"));
        }
        if self.format().is_none() {
            let format = &self.audit_log_format;
            errors.push(format!(
                "invalid audit log format {format}, allowed formats are \"legacy,json\""
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
        let Some(path) = &self.audit_log_path else {
            return Ok(());
        };
        let (format, mode) = (self.format().unwrap_or_default(), self.mode().unwrap_or_default());
        let log = if path.as_os_str() == "-" {
            AuditLog::to(std::io::stdout(), format, mode)
        } else {
            let file = RotatingFile::open(path, self.rotation(), config.clock.clone());
            let file = file.map_err(|source| AppError::AuditLog {
                path: path.clone(),
                source,
            })?;
            AuditLog::to(file, format, mode)
        };
        let log = Arc::new(log);
        let counted = Arc::downgrade(&log);
        config.metrics.add_source(move |shown| {
            if let Some(log) = counted.upgrade() {
                log.show(shown);
            }
        });
        config.audit_log = Some(log);
        Ok(())
    }

    fn format(&self) -> Option<AuditFormat> {
        match self.audit_log_format.as_str() {
            "json" => Some(AuditFormat::Json),
            "legacy" => Some(AuditFormat::Legacy),
            _ => None,
        }
    }

    fn mode(&self) -> Option<AuditMode> {
        let number = |value| usize::try_from(value).unwrap_or_default();
        match self.audit_log_mode.as_str() {
            "blocking" => Some(AuditMode::Blocking),
            "blocking-strict" => Some(AuditMode::BlockingStrict),
            "batch" => Some(AuditMode::Batch(Batch {
                buffer_size: number(self.audit_log_batch_buffer_size),
                max_size: number(self.audit_log_batch_max_size),
                max_wait: self.audit_log_batch_max_wait,
            })),
            _ => None,
        }
    }

    fn rotation(&self) -> Rotation {
        Rotation {
            max_size: self.audit_log_maxsize.unsigned_abs().saturating_mul(MEGABYTE),
            max_backups: usize::try_from(self.audit_log_maxbackup).unwrap_or_default(),
            max_age_days: self.audit_log_maxage,
            compress: self.audit_log_compress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_counts_when_there_is_a_log() {
        let mut options = AuditOptions {
            audit_log_mode: "x".to_owned(),
            audit_log_format: "y".to_owned(),
            audit_log_version: "z".to_owned(),
            audit_log_maxage: -1,
            ..AuditOptions::default()
        };
        let errors = |options: &AuditOptions| {
            let mut errors = Vec::new();
            options.validate(&mut errors);
            errors
        };
        assert!(errors(&options).is_empty());
        options.audit_log_path = Some("audit.log".into());
        assert_eq!(
            errors(&options),
            [
                "invalid audit log mode x, allowed modes are \"batch,blocking,blocking-strict\"",
                "invalid group version, allowed versions are [\"audit.k8s.io/v1\"]",
                "invalid audit log format y, allowed formats are \"legacy,json\"",
                "--audit-log-maxage -1 can't be a negative number",
            ]
        );
    }

    #[test]
    fn the_flags_reach_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let options = AuditOptions {
            audit_log_path: Some(folder.path().join("audit.log")),
            audit_log_mode: "batch".to_owned(),
            audit_log_maxsize: 1,
            ..AuditOptions::default()
        };
        let mut config = Config::default();
        options.apply_to(&mut config).unwrap();
        let log = config.audit_log.take().unwrap();
        let event = serde_json::json!("x".repeat(700_000));
        for _ in 0..3 {
            log.write(&event);
        }
        log.close();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
