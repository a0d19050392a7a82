//! The text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::histogram::Histogram;

/// Families by name, as they are shown.
#[derive(Default)]
pub(crate) struct Exposition(BTreeMap<&'static str, String>);

/// One family that is being written.
pub(crate) struct Writer<'a> {
    name: &'static str,
    out: &'a mut String,
}

impl Exposition {
    pub(crate) fn counter(&mut self, name: &'static str, help: &str) -> Writer<'_> {
        self.family(name, "counter", help)
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> Writer<'_> {
        self.family(name, "gauge", help)
    }

    pub(crate) fn histogram(&mut self, name: &'static str, help: &str) -> Writer<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Writer<'_> {
        let out = self.0.entry(name).or_default();
        if out.is_empty() {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        Writer { name, out }
    }

    /// All families that have a sample.
    pub(crate) fn into_text(self) -> String {
        let has_sample = |text: &String| text.lines().nth(2).is_some();
        self.0.into_values().filter(has_sample).collect()
    }
}

impl Writer<'_> {
    /// A value with its labels.
    pub(crate) fn sample<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>, value: impl Display) {
        self.out.push_str(self.name);
        let labels = text_of(labels);
        let _ = match labels.is_empty() {
            true => writeln!(self.out, " {value}"),
            false => writeln!(self.out, "{{{labels}}} {value}"),
        };
    }

    /// The buckets, the sum and the count of a histogram.
    pub(crate) fn buckets<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>, histogram: &Histogram) {
        let (name, labels, snapshot) = (self.name, text_of(labels), histogram.snapshot());
        let comma = if labels.is_empty() { "" } else { "," };
        let bounds = histogram.bounds().iter().map(|bound| bound_text(*bound));
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&snapshot.cumulative) {
            let _ = writeln!(self.out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        let count = snapshot.cumulative.last().copied().unwrap_or_default();
        let labels = if labels.is_empty() {
            labels
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(
            self.out,
            "{name}_sum{labels} {}\n{name}_count{labels} {count}",
            snapshot.sum
        );
    }
}

fn text_of<'l>(labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text
}

/// A bound as Go's `%g` has it: with an exponent from a million on, unless that is longer.
fn bound_text(bound: f64) -> String {
    if (1e-4..1e6).contains(&bound) {
        return bound.to_string();
    }
    let text = format!("{bound:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_in_order_and_labels_escaped() {
        let mut shown = Exposition::default();
        shown.counter("b_total", "Counts.").sample([("x", "a\"\\\n")], 3);
        shown.counter("empty_total", "Nothing.");
        let histogram = Histogram::of_sizes(&[1000.0, 1.05e6, 1e9]);
        histogram.observe_size(5000);
        shown.histogram("a_bytes", "Sizes.").buckets([("g", "")], &histogram);
        let expected = "# HELP a_bytes Sizes.\n# TYPE a_bytes histogram\n\
                        a_bytes_bucket{g=\"\",le=\"1000\"} 0\na_bytes_bucket{g=\"\",le=\"1.05e+06\"} 1\n\
                        a_bytes_bucket{g=\"\",le=\"1e+09\"} 1\na_bytes_bucket{g=\"\",le=\"+Inf\"} 1\n\
                        a_bytes_sum{g=\"\"} 5000\na_bytes_count{g=\"\"} 1\n\
                        # HELP b_total Counts.\n# TYPE b_total counter\nb_total{x=\"a\\\"\\\\\\n\"} 3\n";
        assert_eq!(shown.into_text(), expected);
    }
}
