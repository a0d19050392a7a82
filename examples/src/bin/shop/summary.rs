//! What is printed at the end.

use std::time::Duration;

use crate::board::Board;
use crate::events::Change;
use crate::kinds::Watched;
use crate::view::plain::say;
use crate::view::{human, size};

/// The figures that are known only to the main path.
pub(crate) struct Timing {
    /// From asking for the embedded server to its first answer; none where a cluster was given.
    pub(crate) server_start: Option<Duration>,
    /// Until every informer had the whole of its kind.
    pub(crate) sync: Duration,
    /// How many changes the shop went through.
    pub(crate) changes: u64,
}

/// Prints the table of kinds and the figures below it.
pub(crate) fn print(board: &Board, watched: &[Watched], timing: &Timing) {
    say("");
    say(&line(
        "KIND",
        ["CACHED", "BYTES", "ADD", "UPDATE", "DELETE", "SYNC", "SYNCED IN"].map(String::from),
    ));
    let (mut objects, mut bytes) = (0, 0);
    for (row, watched) in board.rows().iter().zip(watched) {
        let figures = watched.stats();
        objects += figures.objects;
        bytes += figures.bytes as u64;
        let [add, update, delete, sync] = Change::ALL.map(|change| row.count(change).to_string());
        let synced = figures.time_to_sync.map_or_else(|| "never".to_owned(), human);
        say(&line(
            row.kind,
            [
                figures.objects.to_string(),
                size(figures.bytes as u64),
                add,
                update,
                delete,
                sync,
                synced,
            ],
        ));
    }
    let [add, update, delete, sync] = Change::ALL.map(|change| board.total(change).to_string());
    say(&line(
        "total",
        [
            objects.to_string(),
            size(bytes),
            add,
            update,
            delete,
            sync,
            human(timing.sync),
        ],
    ));
    say("");
    if let Some(start) = timing.server_start {
        say(&format!("server start to first successful request  {}", human(start)));
    }
    say(&format!(
        "all {} informers synced after             {}",
        watched.len(),
        human(timing.sync)
    ));
    say(&format!(
        "changes made, events seen                 {}, {}",
        timing.changes,
        board.events()
    ));
    say(&format!(
        "ran for                                   {}",
        human(board.elapsed())
    ));
}

fn line(kind: &str, [cached, bytes, add, update, delete, sync, synced]: [String; 7]) -> String {
    format!("{kind:<26}{cached:>8}{bytes:>11}{add:>7}{update:>8}{delete:>8}{sync:>7}{synced:>12}")
}
