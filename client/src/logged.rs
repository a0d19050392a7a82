//! What is logged, for tests.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps listeners from being alone: `tracing` takes a lone one for that of whichever thread comes to a log line first,
/// and a thread without one then silences the line for all.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What this thread logs up to a level while it runs something, and when spans begin and end.
pub(crate) fn logged(level: LevelFilter, spans: FmtSpan, run: impl FnOnce()) -> String {
    LazyLock::force(&SECOND);
    let log = Log::default();
    let sink = log.clone();
    let listener = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(level)
        .with_span_events(spans)
        .with_writer(move || sink.clone());
    tracing::subscriber::with_default(listener.finish(), run);
    let text = log.0.lock();
    String::from_utf8(text.clone()).unwrap()
}
