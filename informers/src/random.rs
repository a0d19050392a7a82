//! Chance, where it spreads things out.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number from 0 to 1.
pub(crate) fn random() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
