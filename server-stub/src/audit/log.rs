//! `--audit-log-path`: one event a line.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::legacy;
use crate::generic::metrics::Exposition;

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditFormat {
    /// As JSON.
    #[default]
    Json,
    /// As a line of text, as long ago.
    Legacy,
}

/// When an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditMode {
    /// Before its request is answered.
    #[default]
    Blocking,
    /// So, too; and a request that cannot be noted when it arrives is refused.
    BlockingStrict,
    /// Later, several at once. Whoever finds the buffer full waits: nothing is lost.
    Batch(Batch),
}

/// Events that are written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many may wait.
    pub buffer_size: usize,
    /// How many are written at once at most.
    pub max_size: usize,
    /// How long the first of them waits for others at most; zero for as long as it takes.
    pub max_wait: Duration,
}

/// Where events are written.
pub struct AuditLog {
    format: AuditFormat,
    is_strict: bool,
    sink: Mutex<Option<Sink>>,
    events: AtomicU64,
    errors: AtomicU64,
}

enum Sink {
    Now(Box<dyn Write + Send>),
    Later {
        lines: SyncSender<String>,
        writer: JoinHandle<()>,
    },
}

impl AuditLog {
    /// Writes lines, each in one call.
    pub fn to(writer: impl Write + Send + 'static, format: AuditFormat, mode: AuditMode) -> Self {
        let sink = match mode {
            AuditMode::Blocking | AuditMode::BlockingStrict => Sink::Now(Box::new(writer)),
            AuditMode::Batch(batch) => {
                let (sender, lines) = sync_channel(batch.buffer_size);
                Sink::Later {
                    lines: sender,
                    writer: std::thread::spawn(move || write_batches(writer, &lines, batch)),
                }
            }
        };
        Self {
            format,
            is_strict: mode == AuditMode::BlockingStrict,
            sink: Mutex::new(Some(sink)),
            events: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    /// Whether a request that cannot be noted is refused.
    pub(crate) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Writes an event. One that cannot be written is in the server's own log; then the answer is no.
    pub(crate) fn write(&self, event: &Value) -> bool {
        let line = match self.format {
            AuditFormat::Json => format!("{event}\n"),
            AuditFormat::Legacy => legacy::line(event),
        };
        self.events.fetch_add(1, Ordering::Relaxed);
        let failed = |why: &dyn std::fmt::Display, line: &str| {
            self.errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %why, event = line.trim_end(), "write an audit event");
            false
        };
        let later = match &mut *self.sink.lock() {
            None => return failed(&"the log is closed", &line),
            Some(Sink::Now(writer)) => {
                return match writer.write_all(line.as_bytes()) {
                    Ok(()) => true,
                    Err(error) => failed(&error, &line),
                };
            }
            Some(Sink::Later { lines, .. }) => lines.clone(),
        };
        match later.send(line) {
            Ok(()) => true,
            Err(unsent) => failed(&"the writer has ended", &unsent.0),
        }
    }

    /// Writes what waits. Later events are in the server's own log.
    pub(crate) fn close(&self) {
        let sink = self.sink.lock().take();
        if let Some(Sink::Later { lines, writer }) = sink {
            drop(lines);
            let _ = writer.join();
        }
    }

    pub(crate) fn show(&self, shown: &mut Exposition) {
        let mut writer = shown.counter("apiserver_audit_event_total", "[ALPHA] Audit events that were made.");
        writer.sample([], self.events.load(Ordering::Relaxed));
        let errors = self.errors.load(Ordering::Relaxed);
        if errors > 0 {
            let help = "[ALPHA] Audit events that could not be written.";
            shown
                .counter("apiserver_audit_error_total", help)
                .sample([("plugin", "log")], errors);
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_batches(mut writer: impl Write, lines: &Receiver<String>, batch: Batch) {
    while let Ok(mut text) = lines.recv() {
        let deadline = Instant::now() + batch.max_wait;
        let (mut size, mut open) = (1, true);
        while open && size < batch.max_size {
            let next = match batch.max_wait.is_zero() {
                true => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => lines.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match next {
                Ok(line) => {
                    text.push_str(&line);
                    size += 1;
                }
                Err(_) => open = false,
            }
        }
        for line in text.split_inclusive('\n') {
            if let Err(error) = writer.write_all(line.as_bytes()) {
                tracing::error!(%error, event = line.trim_end(), "write an audit event");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn batches_lose_nothing_when_the_log_is_closed_or_the_buffer_is_full() {
        let lines = Lines::default();
        let batch = Batch {
            buffer_size: 2,
            max_size: 1000,
            max_wait: Duration::from_secs(3600),
        };
        let log = AuditLog::to(lines.clone(), AuditFormat::Json, AuditMode::Batch(batch));
        for number in 0..100 {
            assert!(log.write(&json!(number)));
        }
        log.close();
        let expected: Vec<String> = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(*lines.0.lock(), expected);
        assert!(!log.write(&json!("late")));
    }

    #[test]
    fn what_cannot_be_written_counts() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = AuditLog::to(Full, AuditFormat::Json, AuditMode::Blocking);
        assert!(!log.write(&json!({})));
        let mut shown = Exposition::default();
        log.show(&mut shown);
        let text = shown.into_text();
        assert!(text.contains("\napiserver_audit_event_total 1\n"), "{text}");
        assert!(
            text.contains("\napiserver_audit_error_total{plugin=\"log\"} 1\n"),
            "{text}"
        );
    }
}
