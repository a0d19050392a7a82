//! What all fuzz targets share: a bound on memory, and the choice of a message.

mod choice;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use choice::choice;
use kubewire_client::wire::schema::{MESSAGES, MessageSchema};
use serde_json::Value;

/// No allocation may be larger than this many times the input …
const PER_BYTE: usize = 64;
/// … and this much, which no input decides: first capacities, tables, messages of errors.
const SLACK: usize = 64 * 1024;

/// The largest allocation since the last reset.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

/// Runs the code under test, which may not allocate more at once than its input allows.
pub fn bounded(input: &[u8], run: impl FnOnce()) {
    LARGEST.store(0, Relaxed);
    run();
    let largest = LARGEST.load(Relaxed);
    let bound = PER_BYTE * input.len() + SLACK;
    assert!(
        largest <= bound,
        "an allocation of {largest} bytes for an input of {} bytes",
        input.len()
    );
}

/// The message that an input is of, which its first two bytes choose, and the rest.
pub fn message(input: &[u8]) -> Option<(&'static MessageSchema, &[u8])> {
    static BY_CHOICE: LazyLock<HashMap<[u8; 2], &'static MessageSchema>> = LazyLock::new(|| {
        MESSAGES
            .iter()
            .map(|message| (choice(message.name), *message))
            .collect()
    });
    let (chosen, rest) = input.split_first_chunk::<2>()?;
    let any = || {
        MESSAGES
            .get(usize::from(u16::from_le_bytes(*chosen)) % MESSAGES.len())
            .copied()
    };
    Some((BY_CHOICE.get(chosen).copied().or_else(any)?, rest))
}

/// True for values that differ in nothing but the type of a number, which JSON text does not tell.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let mut pairs = left.iter().zip(right);
            left.len() == right.len() && pairs.all(|(left, right)| left.0 == right.0 && same(left.1, right.1))
        }
        (left, right) => left == right,
    }
}
