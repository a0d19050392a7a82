//! A long run of random changes and faults, with quiet points in between at which everything has to be equal.
//!
//! A short one is a test like any other. The long one, in about a minute:
//!
//! ```sh
//! KUBEWIRE_FAULT_RUN=10000,200000 cargo test --release -p kubewire-informers --lib fault_run -- --nocapture
//! ```
//!
//! `KUBEWIRE_FAULT_SEED` repeats a run by the seed that it printed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::faults::{Server, Step, View, viewer};
use super::{EventHandler, EventHandlerFuncs, InformerOptions, SharedInformer};
use crate::cache::CachedObject;
use crate::random::random;
use crate::reflector::ReflectorOptions;

/// So many changes to one fault.
const CHANGES_PER_FAULT: u64 = 100;
/// Quiet points of a run.
const QUIET_POINTS: u32 = 20;

/// Random numbers that come again with the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn fault(&mut self) -> Step {
        match self.below(100) {
            0..25 => Step::Break(self.below(4) as u8),
            25..45 => Step::EndWatches,
            45..65 => Step::Compact,
            65..80 => Step::Refuse([410, 429, 500][self.below(3) as usize]),
            80..88 => Step::Delay(self.below(2_000) as u16),
            88..93 => Step::Truncate,
            93..97 => Step::BreakOff,
            _ => Step::LoseState,
        }
    }
}

/// The memory that this process has.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4096
}

/// Takes its time for every call.
struct Slow(EventHandlerFuncs<ConfigMap>);

#[async_trait]
impl EventHandler<ConfigMap> for Slow {
    async fn on_add(&mut self, object: &CachedObject<ConfigMap>, initial: bool) {
        sleep(Duration::from_millis(1)).await;
        EventHandler::on_add(&mut self.0, object, initial).await;
    }

    async fn on_update(&mut self, old: &CachedObject<ConfigMap>, new: &CachedObject<ConfigMap>) {
        sleep(Duration::from_millis(1)).await;
        EventHandler::on_update(&mut self.0, old, new).await;
    }

    async fn on_delete(&mut self, object: &CachedObject<ConfigMap>, known: bool) {
        sleep(Duration::from_millis(1)).await;
        EventHandler::on_delete(&mut self.0, object, known).await;
    }
}

/// From the environment: two numbers, or the small ones of a test.
fn sizes() -> (u32, u32) {
    let sizes = std::env::var("KUBEWIRE_FAULT_RUN").unwrap_or_else(|_| "100,6000".to_owned());
    let (objects, changes) = sizes.split_once(',').expect("KUBEWIRE_FAULT_RUN=objects,changes");
    (objects.parse().unwrap(), changes.parse().unwrap())
}

/// Proves I1 I2 I4.
#[tokio::test(start_paused = true)]
async fn everything_is_equal_at_every_quiet_point() {
    let (objects, changes) = sizes();
    let is_long = changes >= 200_000;
    let seed = std::env::var("KUBEWIRE_FAULT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| (random() * f64::from(u32::MAX)) as u64 + 1);
    println!("KUBEWIRE_FAULT_SEED={seed}");
    let mut dice = Dice(seed);
    let server = Arc::new(Server::default());
    let refill = || (0..objects).for_each(|name| server.step(&Step::Put(name)));
    refill();

    let reflector = ReflectorOptions::default().with_streaming_list(dice.below(2) == 0);
    let options = InformerOptions::default().with_reflector(reflector.with_error_handler(|_| ()));
    let informer = SharedInformer::<ConfigMap>::new(server.clone(), options);
    let (quick, slow) = (Arc::<Mutex<View>>::default(), Arc::<Mutex<View>>::default());
    let quick_registration = informer.add_handler(viewer(quick.clone())).unwrap();
    let slow_registration = informer.add_handler(Slow(viewer(slow.clone()))).unwrap();
    informer.start();

    let (mut faults, mut odd) = (0_u32, 0_u32);
    let mut memory = Vec::new();
    for change in 0..changes {
        let name = dice.below(objects.into()) as u32;
        match dice.below(1_000) {
            0..300 => server.step(&Step::Delete(name)),
            // Fewer than there are changes to a fault, so that most stores have one at a time.
            300 => {
                odd += 1;
                server.step(&Step::PutOdd(name));
            }
            _ => server.step(&Step::Put(name)),
        }
        if dice.below(CHANGES_PER_FAULT) == 0 || (changes < 100_000 && dice.below(20) == 0) {
            let fault = dice.fault();
            server.step(&fault);
            if let Step::LoseState = fault {
                refill();
            }
            faults += 1;
            // Some changes and faults come while the informer is still busy with the last fault, most do not.
            sleep(Duration::from_millis(dice.below(2_000))).await;
            let waits = dice.below(4) > 0;
            while waits && !server.is_watched() {
                sleep(Duration::from_secs(1)).await;
            }
        }
        if dice.below(10) == 0 {
            sleep(Duration::from_millis(dice.below(200))).await;
        }
        if (change + 1) % (changes / QUIET_POINTS).max(1) == 0 {
            // Bookmarks come every minute or so; some minutes are enough for every wait between tries.
            for _ in 0..10 {
                server.step(&Step::Bookmark);
                sleep(Duration::from_secs(60)).await;
            }
            server.step(&Step::Compact);
            memory.push(resident());
            let truth = server.objects();
            let stored = informer.lister().list();
            let stored: View = stored
                .iter()
                .map(|object| {
                    let version = object.resource_version().parse().unwrap();
                    (object.name().to_owned(), (object.uid().to_owned(), version))
                })
                .collect();
            assert!(
                stored == truth,
                "the store is not what a fresh list is, after {change} changes, seed {seed}"
            );
            assert!(
                *quick.lock() == truth,
                "a handler missed a final state, after {change} changes, seed {seed}"
            );
            assert!(
                *slow.lock() == truth,
                "a slow handler missed a final state, after {change} changes, seed {seed}"
            );
            assert_eq!(informer.stats().pending, 0, "nothing is left over");
        }
    }
    let (stats, felt) = (informer.stats(), server.felt());
    println!(
        "{objects} objects, {changes} changes, {faults} faults, {felt} of them felt, {odd} undecodable: {} lists, {} watches, {} errors, {} coalesced",
        stats.reflector.lists, stats.reflector.watches, stats.reflector.errors, stats.coalesced
    );
    let (half, end) = (memory[memory.len() / 2], memory[memory.len() - 1]);
    println!("{} MiB half-way, {} MiB at the end", half >> 20, end >> 20);
    // Other tests are in the memory of a short run.
    assert!(!is_long || end < half + half / 8, "memory is not flat: {memory:?}");
    assert!(felt >= if is_long { 1_000 } else { 100 } && stats.reflector.lists > 1);
    assert_eq!(
        (quick_registration.stats().panics, slow_registration.stats().panics),
        (0, 0),
        "impossible events"
    );
    informer.shutdown().await;
}
