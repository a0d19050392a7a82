//! One line per event, for pipes and logs.

use std::io::{Write, stdout};

use crate::events::Seen;

/// Prints one event. A reader that went away (`| head`) is no reason to fail.
pub(crate) fn print(seen: &Seen) {
    let _ = writeln!(
        stdout(),
        "{:>9.3}s  {:<6}  {:<24}  {}  (version {})",
        seen.at.as_secs_f64(),
        seen.change.word(),
        seen.kind,
        seen.key,
        seen.resource_version
    );
}

/// Prints one line of progress or summary.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
