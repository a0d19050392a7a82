use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use proptest::prelude::*;

use super::*;

fn now_or_never<T: Item>(queue: &WorkQueue<T>) -> Option<Processing<T>> {
    queue.get().now_or_never().flatten()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Proves W1.
#[tokio::test]
async fn an_item_waits_once() {
    let queue = WorkQueue::new("test");
    queue.add("a");
    queue.add("b");
    queue.add("a");
    assert_eq!(queue.len(), 2);
    assert_eq!(*queue.get().await.unwrap(), "a");
    assert_eq!(*queue.get().await.unwrap(), "b");
    assert!(now_or_never(&queue).is_none());
}

/// Proves W2.
#[tokio::test]
async fn an_item_in_work_waits_until_the_work_is_done() {
    let queue = WorkQueue::new("test");
    queue.add("a");
    let work = queue.get().await.unwrap();
    queue.add("a");
    queue.add("a");
    assert!(now_or_never(&queue).is_none());
    drop(work);
    drop(now_or_never(&queue).expect("waits again"));
    assert!(now_or_never(&queue).is_none(), "and that only once");
}

/// Proves W3 W4.
#[tokio::test]
async fn higher_priorities_come_first_and_the_older_of_equal_ones() {
    let queue = WorkQueue::new("test");
    queue.add_with_priority("low", LOW_PRIORITY);
    queue.add("first");
    queue.add("second");
    queue.add_with_priority("raised", LOW_PRIORITY);
    queue.add_with_priority("raised", 5);
    queue.add_with_priority("first", LOW_PRIORITY);
    let mut order = Vec::new();
    while let Some(item) = now_or_never(&queue) {
        order.push(*item);
    }
    assert_eq!(order, ["raised", "first", "second", "low"]);
}

#[tokio::test]
async fn a_priority_given_during_the_work_counts_after_it() {
    let queue = WorkQueue::new("test");
    queue.add("a");
    let work = queue.get().await.unwrap();
    queue.add_with_priority("a", 7);
    queue.add("b");
    assert_eq!(work.priority(), DEFAULT_PRIORITY);
    drop(work);
    let again = now_or_never(&queue).unwrap();
    assert_eq!((*again, again.priority()), ("a", 7));
}

/// Proves W5.
#[tokio::test(start_paused = true)]
async fn of_several_times_the_soonest_counts() {
    let queue = WorkQueue::new("test");
    let start = Instant::now();
    queue.add_after("a", secs(60));
    queue.add_after("b", secs(20));
    queue.add_after("a", secs(10));
    queue.add_after("a", secs(30));
    assert_eq!(queue.stats().delayed, 2);
    assert_eq!(*queue.get().await.unwrap(), "a");
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(*queue.get().await.unwrap(), "b");
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!(queue.stats(), WorkQueueStats::default());
}

/// Proves W8.
#[tokio::test(start_paused = true)]
async fn a_waiter_learns_of_a_sooner_time() {
    let queue = WorkQueue::new("test");
    queue.add_after("late", secs(60));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { *queue.get().await.unwrap() }
    });
    tokio::task::yield_now().await;
    queue.add_after("soon", secs(1));
    assert_eq!(waiting.await.unwrap(), "soon");
}

#[tokio::test(start_paused = true)]
async fn every_waiter_gets_an_item_that_is_due() {
    let queue = WorkQueue::new("test");
    for item in 0..3 {
        queue.add_after(item, secs(5));
    }
    let waiters = (0..3).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let work = queue.get().await.unwrap();
            tokio::time::sleep(secs(100)).await;
            *work
        })
    });
    let start = Instant::now();
    let items: HashSet<_> = futures::future::join_all(waiters)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(items, HashSet::from([0, 1, 2]));
    assert_eq!(start.elapsed().as_secs(), 105, "none of them had to wait for another");
}

/// Proves W6.
#[tokio::test(start_paused = true)]
async fn what_fails_waits_longer_each_time_until_it_is_forgotten() {
    let queue = WorkQueue::new("test");
    let start = Instant::now();
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = Instant::now();
        queue.add_rate_limited("a");
        drop(queue.get().await.unwrap());
        waits.push(before.elapsed().as_millis());
    }
    assert_eq!(waits, [5, 10, 20, 40, 80]);
    assert_eq!(queue.requeues(&"a"), 5);
    queue.forget(&"a");
    assert_eq!(queue.requeues(&"a"), 0);
    queue.add_rate_limited("a");
    drop(queue.get().await.unwrap());
    assert_eq!(start.elapsed().as_millis(), 155 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_a_cap() {
    let limiter = ItemBackoff::new(secs(1), secs(60));
    let waits: Vec<_> = (0..9).map(|_| limiter.when(&"a").as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

/// Proves W6.
#[tokio::test(start_paused = true)]
async fn all_items_together_come_back_at_a_bounded_rate() {
    let queue = WorkQueue::with_rate_limiter("test", TokenBucket::new(10.0, 100));
    let start = Instant::now();
    (0..150).for_each(|item| queue.add_rate_limited(item));
    let mut at_once = 0;
    while now_or_never(&queue).is_some() {
        at_once += 1;
    }
    assert_eq!(at_once, 100);
    for _ in 0..50 {
        drop(queue.get().await.unwrap());
    }
    assert_eq!(start.elapsed().as_secs(), 5);
    tokio::time::advance(secs(3600)).await;
    assert_eq!(
        TokenBucket::new(10.0, 1).when(&0),
        Duration::ZERO,
        "an empty bucket fills up to its burst only"
    );
}

/// Proves W7.
#[tokio::test(start_paused = true)]
async fn shut_down_gives_out_what_waits_and_takes_nothing_in() {
    let queue = WorkQueue::new("test");
    queue.add("a");
    queue.add_after("due", secs(1));
    queue.add_after("later", secs(2));
    tokio::time::advance(secs(1)).await;
    queue.shut_down();
    queue.add("b");
    queue.add_after("c", secs(1));
    assert_eq!(*queue.get().await.unwrap(), "a");
    assert_eq!(*queue.get().await.unwrap(), "due");
    assert!(queue.get().await.is_none());
    assert!(queue.is_shut_down());
}

#[tokio::test]
async fn shut_down_ends_every_wait() {
    let queue = WorkQueue::<u8>::new("test");
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.get().await.is_none() })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.shut_down();
    for waiter in waiters {
        assert!(waiter.await.unwrap());
    }
}

#[tokio::test]
async fn draining_waits_for_the_work() {
    let queue = WorkQueue::new("test");
    queue.add("a");
    let work = queue.get().await.unwrap();
    let draining = tokio::spawn({
        let queue = queue.clone();
        async move { queue.shut_down_with_drain().await }
    });
    tokio::task::yield_now().await;
    assert!(!draining.is_finished());
    drop(work);
    draining.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn metrics_and_stats_tell_what_happens() {
    #[derive(Default)]
    struct Counts {
        added: AtomicUsize,
        waited: AtomicUsize,
        worked: AtomicUsize,
        retried: AtomicUsize,
    }
    impl Metrics for Counts {
        fn queue_added(&self, queue: &str, depth: usize) {
            assert_eq!((queue, depth), ("test", 1));
            self.added.fetch_add(1, Ordering::Relaxed);
        }
        fn queue_taken(&self, _: &str, waited: Duration, _: usize) {
            self.waited.fetch_add(waited.as_secs() as usize, Ordering::Relaxed);
        }
        fn queue_done(&self, _: &str, worked: Duration) {
            self.worked.fetch_add(worked.as_secs() as usize, Ordering::Relaxed);
        }
        fn queue_retried(&self, _: &str, _: Duration) {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
    }
    let counts = Arc::new(Counts::default());
    let queue = WorkQueue::with_metrics("test", default_rate_limiter(), counts.clone());
    queue.add("a");
    tokio::time::advance(secs(3)).await;
    let work = queue.get().await.unwrap();
    tokio::time::advance(secs(4)).await;
    let stats = queue.stats();
    assert_eq!(
        (stats.processing, stats.longest_running, stats.unfinished_work),
        (1, secs(4), secs(4))
    );
    drop(work);
    queue.add_rate_limited("a");
    tokio::time::advance(secs(1)).await;
    assert_eq!((queue.len(), queue.stats().delayed), (1, 0), "its time has come");
    let counted = [&counts.added, &counts.waited, &counts.worked, &counts.retried];
    assert_eq!(counted.map(|count| count.load(Ordering::Relaxed)), [2, 3, 4, 1]);
}

/// Proves W2.
#[tokio::test]
async fn no_two_workers_have_the_same_item_and_nothing_is_lost() {
    let queue = WorkQueue::new("test");
    let in_work = Arc::new(Mutex::new(HashSet::new()));
    let (tasks, wanted) = (8, Arc::new(Mutex::new(vec![0_u32; 20])));
    let workers: Vec<_> = (0..tasks)
        .map(|_| {
            let (queue, in_work, wanted) = (queue.clone(), in_work.clone(), wanted.clone());
            tokio::spawn(async move {
                while let Some(item) = queue.get().await {
                    assert!(in_work.lock().insert(*item));
                    wanted.lock()[*item] = 0;
                    tokio::task::yield_now().await;
                    in_work.lock().remove(&*item);
                }
            })
        })
        .collect();
    for round in 0..2_000 {
        let item = (round * 7) % 20;
        wanted.lock()[item] += 1;
        queue.add(item);
        if round % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    queue.shut_down_with_drain().await;
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(
        *wanted.lock(),
        [0; 20],
        "an addition after the last work on an item was lost"
    );
}

proptest! {
    /// Against a model: a queue without any cleverness.
    #[test]
    fn like_the_model(steps in proptest::collection::vec((0..3_u8, 0..6_u8, -1..2_i32), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let queue = WorkQueue::new("test");
        let (mut waiting, mut again) = (Vec::<(i32, u8)>::new(), Vec::<(i32, u8)>::new());
        let mut works = Vec::new();
        for (step, item, priority) in steps {
            match step {
                0 => {
                    queue.add_with_priority(item, priority);
                    let busy = works.iter().any(|work: &Processing<u8>| **work == item);
                    let list = if busy { &mut again } else { &mut waiting };
                    match list.iter_mut().find(|(_, other)| *other == item) {
                        Some(known) => known.0 = known.0.max(priority),
                        None => list.push((priority, item)),
                    }
                }
                1 => {
                    let expected = waiting.iter().map(|(priority, _)| *priority).max();
                    let at = waiting.iter().position(|(priority, _)| Some(*priority) == expected);
                    let taken = now_or_never(&queue);
                    // The model does not know which of equal priority is older once one was raised.
                    prop_assert_eq!(taken.is_some(), at.is_some());
                    if let Some(work) = taken {
                        let at = waiting.iter().position(|known| known.1 == *work).unwrap();
                        prop_assert_eq!(Some(waiting.remove(at).0), expected);
                        works.push(work);
                    }
                }
                _ => {
                    if !works.is_empty() {
                        let work = works.remove(0);
                        if let Some(at) = again.iter().position(|known| known.1 == *work) {
                            waiting.push(again.remove(at));
                        }
                        drop(work);
                    }
                }
            }
            prop_assert_eq!(queue.len(), waiting.len());
        }
    }
}
