//! The table.

use crate::peer::{Bar, Figure};

pub(crate) fn header() {
    println!("| figure | ours | kube-apiserver 1.37 + etcd 3.6 | ours / peer | bar | |");
    println!("|---|---|---|---|---|---|");
}

/// Prints one line; false if the bar does not hold.
pub(crate) fn line(figure: &Figure, ours: f64) {
    let shown = |value: f64| format!("{} {}", number(value), figure.unit).trim().to_owned();
    let peer = figure.peer.map(shown).unwrap_or_else(|| "–".to_owned());
    let ratio = figure
        .peer
        .map(|peer| number(ours / peer))
        .unwrap_or_else(|| "–".to_owned());
    let (bar, holds) = match figure.bar {
        Bar::AtMost(most) => (format!("≤ {}", shown(most)), Some(ours <= most)),
        Bar::AtLeast(least) => (format!("≥ {}", shown(least)), Some(ours >= least)),
        Bar::None => ("–".to_owned(), None),
    };
    let verdict = holds.map_or("", |holds| if holds { "holds" } else { "**missed**" });
    println!(
        "| {} | {} | {peer} | {ratio} | {bar} | {verdict} |",
        figure.name,
        shown(ours)
    );
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 0.1 || value == 0.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// The value that this part of all does not exceed.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
