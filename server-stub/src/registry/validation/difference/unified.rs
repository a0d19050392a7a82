//! Line by line differences in the unified format, found as Python's `difflib` finds them.

use std::cmp::{max, min};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

/// How many lines that are the same are shown around a difference.
const CONTEXT: usize = 3;
/// From this length on, lines that stand in more than one of a hundred places are no anchors.
const LONG: usize = 200;

/// The difference between two texts, each a list of lines.
pub(super) fn diff(old: &[String], new: &[String]) -> String {
    let mut out = String::new();
    for hunk in hunks(&changes(old, new)) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else {
            continue;
        };
        let shown = |start: usize, end: usize| match end - start {
            1 => format!("{}", start + 1),
            0 => format!("{start},0"),
            length => format!("{},{length}", start + 1),
        };
        let (before, after) = (
            shown(first.old.start, last.old.end),
            shown(first.new.start, last.new.end),
        );
        let _ = writeln!(out, "@@ -{before} +{after} @@");
        let mut put = |sign: char, lines: Option<&[String]>| {
            for line in lines.unwrap_or_default() {
                let _ = writeln!(out, "{sign}{line}");
            }
        };
        for change in &hunk {
            if change.is_same {
                put(' ', old.get(change.old.clone()));
            } else {
                put('-', old.get(change.old.clone()));
                put('+', new.get(change.new.clone()));
            }
        }
    }
    out
}

/// Lines of both texts: the same ones, or some in place of others.
#[derive(Clone, Debug)]
struct Change {
    is_same: bool,
    old: Range<usize>,
    new: Range<usize>,
}

/// The changes with the lines around them, those that are near to each other together.
fn hunks(changes: &[Change]) -> Vec<Vec<Change>> {
    let mut hunks = Vec::new();
    let mut hunk: Vec<Change> = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let mut change = change.clone();
        if change.is_same {
            let length = change.old.len();
            let (first, last) = (index == 0, index + 1 == changes.len());
            if !first && !last && length > 2 * CONTEXT {
                hunk.push(Change {
                    is_same: true,
                    old: change.old.start..change.old.start + CONTEXT,
                    new: change.new.start..change.new.start + CONTEXT,
                });
                hunks.push(std::mem::take(&mut hunk));
            }
            if first || (!last && length > 2 * CONTEXT) {
                let skipped = length.saturating_sub(CONTEXT);
                change.old.start += skipped;
                change.new.start += skipped;
            }
            if last {
                change.old.end = min(change.old.end, change.old.start + CONTEXT);
                change.new.end = min(change.new.end, change.new.start + CONTEXT);
            }
        }
        hunk.push(change);
    }
    hunks.push(hunk);
    hunks.retain(|hunk| hunk.iter().any(|change| !change.is_same));
    hunks
}

/// What is the same in both texts and what is not, from the beginning to the end.
fn changes(old: &[String], new: &[String]) -> Vec<Change> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in new.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if new.len() >= LONG {
        places.retain(|_, places| places.len() <= new.len() / 100 + 1);
    }
    let mut same = Vec::new();
    let texts = Texts { old, new, places };
    texts.collect(0..old.len(), 0..new.len(), &mut same);
    same.push((old.len(), new.len(), 0));
    let mut changes: Vec<Change> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (old_start, new_start, size) in same {
        if i < old_start || j < new_start {
            changes.push(Change {
                is_same: false,
                old: i..old_start,
                new: j..new_start,
            });
        }
        (i, j) = (old_start + size, new_start + size);
        match changes.last_mut() {
            _ if size == 0 => {}
            Some(last) if last.is_same => (last.old.end, last.new.end) = (i, j),
            _ => changes.push(Change {
                is_same: true,
                old: old_start..i,
                new: new_start..j,
            }),
        }
    }
    changes
}

struct Texts<'a> {
    old: &'a [String],
    new: &'a [String],
    /// Where each line of the new text stands.
    places: HashMap<&'a str, Vec<usize>>,
}

/// Where it begins in either text, and how many lines it has.
type Match = (usize, usize, usize);

impl Texts<'_> {
    /// The longest match, and what matches before and behind it.
    fn collect(&self, old: Range<usize>, new: Range<usize>, same: &mut Vec<Match>) {
        let (i, j, size) = self.longest(&old, &new);
        if size == 0 {
            return;
        }
        self.collect(old.start..i, new.start..j, same);
        same.push((i, j, size));
        self.collect(i + size..old.end, j + size..new.end, same);
    }

    fn longest(&self, old: &Range<usize>, new: &Range<usize>) -> Match {
        let mut best = (old.start, new.start, 0);
        // How long the match is that ends at each line of the new text, for the line of the old one before.
        let mut ending: HashMap<usize, usize> = HashMap::new();
        for i in old.clone() {
            let mut here = HashMap::new();
            let places = self.old.get(i).and_then(|line| self.places.get(line.as_str()));
            for &j in places.into_iter().flatten().filter(|j| new.contains(j)) {
                let before = j.checked_sub(1).and_then(|j| ending.get(&j));
                let size = before.copied().unwrap_or_default() + 1;
                here.insert(j, size);
                if size > best.2 {
                    best = (i + 1 - size, j + 1 - size, size);
                }
            }
            ending = here;
        }
        let (mut i, mut j, mut size) = best;
        let is_same = |i: usize, j: usize| self.old.get(i) == self.new.get(j);
        while i > old.start && j > new.start && is_same(i - 1, j - 1) {
            (i, j, size) = (i - 1, j - 1, size + 1);
        }
        while i + size < old.end && j + size < new.end && is_same(i + size, j + size) {
            size += 1;
        }
        (max(i, old.start), max(j, new.start), size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn as_difflib_shows_it() {
        let shown = |old: &str, new: &str| diff(&lines(old), &lines(new));
        assert_eq!(shown("a b c", "a b c"), "");
        assert_eq!(shown("a b c", "a x c"), "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        assert_eq!(shown("", "a"), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(
            shown("1 2 3 4 5 6 7 8 9 10 11 12", "0 1 2 3 4 5 6 7 8 9 10 11"),
            "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -9,4 +10,3 @@\n 9\n 10\n 11\n-12\n"
        );
    }

    proptest! {
        #[test]
        fn no_line_is_lost(old in "[a-c ]{0,30}", new in "[a-c ]{0,30}") {
            let (old, new) = (lines(&old), lines(&new));
            let changes = changes(&old, &new);
            let of = |text: &[String], range: &Range<usize>| text[range.clone()].to_vec();
            let old_again: Vec<_> = changes.iter().flat_map(|change| of(&old, &change.old)).collect();
            let new_again: Vec<_> = changes.iter().flat_map(|change| of(&new, &change.new)).collect();
            prop_assert_eq!(&old_again, &old);
            prop_assert_eq!(&new_again, &new);
            for change in changes.iter().filter(|change| change.is_same) {
                prop_assert_eq!(of(&old, &change.old), of(&new, &change.new));
            }
        }
    }
}
