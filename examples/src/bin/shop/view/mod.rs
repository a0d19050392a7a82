//! Two ways to look at the board: a live screen on a terminal, plain lines elsewhere.

pub(crate) mod live;
pub(crate) mod plain;

use std::time::Duration;

/// `1.25 s` or `830 ms`: a duration for people.
pub(crate) fn human(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else if millis < 1000.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1000.0)
    }
}

/// `5.4 KB`: a size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
