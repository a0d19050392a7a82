//! The power goes out at any step, and everything acknowledged is there afterwards.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::faulty::{Failure, FaultyFiles};
use super::files::{open_files, state};
use crate::storage::disk::{DiskOptions, DiskStorage};
use crate::storage::mvcc::Limits;
use crate::storage::{Change, Expected, Storage, Swap};

/// Small enough for many logs and snapshots.
fn options() -> DiskOptions {
    DiskOptions {
        limits: Limits {
            keep_changes: 4,
            watch_buffer: 100,
        },
        min_log_length: 200,
        ..DiskOptions::default()
    }
}

type Model = BTreeMap<String, (String, u64)>;

#[derive(Clone, Debug)]
struct Step {
    key: u8,
    removes: bool,
}

/// Makes the change unless storage fails.
async fn change(store: &DiskStorage, model: &mut Model, number: usize, step: &Step) -> bool {
    let key = format!("/{}", step.key);
    let expected = model
        .get(&key)
        .map_or(Expected::Absent, |(_, revision)| Expected::Revision(*revision));
    let value = format!("value {number}");
    let what = match (step.removes, expected) {
        (true, Expected::Revision(_)) => Change::Delete,
        _ => Change::Put {
            value: value.clone().into(),
            ttl: None,
        },
    };
    let removes = what == Change::Delete;
    match store.compare_and_swap(&key, expected, what).await {
        Ok(Swap::Done { .. }) if removes => drop(model.remove(&key)),
        Ok(Swap::Done { revision }) => drop(model.insert(key, (value, revision))),
        Ok(conflict) => panic!("{conflict:?}"),
        Err(_) => return false,
    }
    true
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..6_u8, prop::bool::weighted(0.2)).prop_map(|(key, removes)| Step { key, removes });
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_acknowledged_is_lost(steps in steps(), power_out in 0..260_usize, seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let files = FaultyFiles::default();
            let store = open_files(&files, options()).unwrap();
            files.fail(Failure::From(files.operations() + power_out));
            let mut model = Model::new();
            let mut unfinished = None;
            for (number, step) in steps.iter().enumerate() {
                if !change(&store, &mut model, number, step).await {
                    unfinished = Some((number, step));
                    break;
                }
            }
            let mut seed = seed;
            let left = files.after_power_loss(|sides| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as usize % sides
            });
            let store = open_files(&left, options()).unwrap();
            let found = state(&store).await;
            if found != model {
                // Only what was not acknowledged may be there or not.
                let (number, step) = unfinished.expect("all was acknowledged");
                let was = open_files(&FaultyFiles::default(), options()).unwrap();
                let mut with = Model::new();
                for (earlier, step) in steps.iter().enumerate().take(number) {
                    assert!(change(&was, &mut with, earlier, step).await);
                }
                assert!(change(&was, &mut with, number, step).await);
                assert_eq!(found, with);
            }
            let newest = model.values().map(|(_, revision)| *revision).max().unwrap_or_default();
            assert!(store.current_revision().await.unwrap() >= newest);
        });
    }

    #[test]
    fn random_changes_and_reopening(rounds in prop::collection::vec(steps(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut files = FaultyFiles::default();
            let mut model = Model::new();
            let mut changes = 1;
            for steps in rounds {
                let store = open_files(&files, options()).unwrap();
                assert_eq!(state(&store).await, model);
                assert_eq!(store.current_revision().await.unwrap(), changes);
                for (number, step) in steps.iter().enumerate() {
                    assert!(change(&store, &mut model, number, step).await);
                    changes += 1;
                }
                // The old store may still be at work on its files.
                files = files.after_power_loss(|sides| sides - 1);
            }
        });
    }
}
