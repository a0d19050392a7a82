//! `--audit-log-path`: one event a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use parking_lot::Mutex;
use serde_json::Value;

/// Where events are written, each before its request is answered.
pub struct AuditLog(Mutex<Box<dyn Write + Send>>);

impl AuditLog {
    /// Appends to a file, which is made if it is not there; `-` is the standard output.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::to(io::stdout()));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file: File = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::to(file))
    }

    /// Writes to anything.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(writer)))
    }

    /// Writes an event. One that cannot be written is in the server's own log.
    pub(crate) fn write(&self, event: &Value) {
        let line = format!("{event}\n");
        if let Err(error) = self.0.lock().write_all(line.as_bytes()) {
            tracing::error!(%error, event = line.trim_end(), "write an audit event");
        }
    }
}
