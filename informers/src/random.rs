//! Chance, where it spreads things out.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number from 0 to 1.
pub(crate) fn random() -> f64 {
    (random_bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number that nobody else has, as good as certainly.
pub(crate) fn random_bits() -> u64 {
    RandomState::new().build_hasher().finish()
}
