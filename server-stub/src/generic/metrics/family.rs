//! What is counted once for each set of labels.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::RwLock;

/// Clients have a say in labels: beyond this many sets all are counted as one without labels.
const MOST: usize = 4096;

/// Values by their labels. A value that is there is found without a write and without a copy of the labels.
pub(crate) struct Family<const N: usize, T> {
    series: RwLock<HashTable<Series<N, T>>>,
    hasher: RandomState,
}

type Series<const N: usize, T> = ([Box<str>; N], Arc<T>);

impl<const N: usize, T> Default for Family<N, T> {
    fn default() -> Self {
        Self {
            series: RwLock::new(HashTable::new()),
            hasher: RandomState::new(),
        }
    }
}

impl<const N: usize, T> Family<N, T> {
    /// The value for labels; where there is none yet, it is made.
    pub(crate) fn get(&self, labels: [&str; N], make: impl FnOnce() -> T) -> Arc<T> {
        let hash = |labels: &[&str; N]| self.hasher.hash_one(labels);
        if let Some((_, value)) = self.series.read().find(hash(&labels), is(&labels)) {
            return value.clone();
        }
        let mut series = self.series.write();
        let labels = if series.len() < MOST { labels } else { [""; N] };
        let entry = series.entry(hash(&labels), is(&labels), |(labels, _)| {
            hash(&std::array::from_fn(|i| labels.get(i).map_or("", |label| &**label)))
        });
        let new = || (labels.map(Box::from), Arc::new(make()));
        entry.or_insert_with(new).get().1.clone()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.series.write().clear();
    }

    /// All values in the order of their labels.
    pub(super) fn sorted(&self) -> Vec<Series<N, T>> {
        let mut all: Vec<Series<N, T>> = self.series.read().iter().cloned().collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

fn is<'a, const N: usize, T>(labels: &'a [&'a str; N]) -> impl Fn(&Series<N, T>) -> bool + 'a {
    move |(known, _)| known.iter().zip(labels).all(|(known, label)| &**known == *label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn equal_labels_share_a_value_and_there_is_an_end_to_new_ones() {
        let family: Family<2, AtomicU64> = Family::default();
        let count = |one: &str, other: &str| {
            let value = family.get([one, other], AtomicU64::default);
            value.fetch_add(1, Ordering::Relaxed) + 1
        };
        assert_eq!((count("a", "b"), count("a", "b"), count("ab", "")), (1, 2, 1));
        for n in 0..2 * MOST {
            count("n", &n.to_string());
        }
        assert_eq!(family.sorted().len(), MOST + 1);
        assert!(count("new", "") > MOST as u64);
        assert_eq!(count("a", "b"), 3);
    }
}
