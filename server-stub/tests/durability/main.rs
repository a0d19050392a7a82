//! Servers are killed under load, and a history checker decides: no acknowledged write is lost or undone, no watch
//! event is doubled, missing or out of order, and resource versions only grow.
//!
//! A few kills by default; `KUBEWIRE_KILLS=100 cargo test -p kubewire-server-stub --test durability` for more.
//! Servers are asked to stop, too: see `sigterm`. And one comes back with nothing: see `restart`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod follower;
mod history;
mod informer;
mod process;
mod restart;
mod sigterm;
#[path = "../support/free_port.rs"]
mod support;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kubewire_client::{Clientset, ListOptions, WriteOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::follower::Follower;
use self::informer::Watcher;
use self::process::Process;
use self::writer::Writer;

const WRITERS: usize = 4;
/// How many writes are acknowledged between two kills, at least.
const BETWEEN: u64 = 40;

fn kills() -> usize {
    let kills = std::env::var("KUBEWIRE_KILLS").ok();
    kills.map_or(3, |kills| kills.parse().expect("KUBEWIRE_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_disk_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let storage = format!("--storage-path={}", folder.path().join("storage").display());
    let server = Process::start(folder.path(), vec![storage]).await;
    run(vec![server], true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_servers_on_etcd_is_killed() {
    let Some(etcd) = kubewire_server_stub::testing::Etcd::start().await.unwrap() else {
        return;
    };
    let mut servers = Vec::new();
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    for folder in &folders {
        servers.push(Process::start(folder.path(), vec![format!("--etcd-servers={}", etcd.url())]).await);
    }
    // A restarted server cannot know what it was told before: watches begin with a new list there.
    run(servers, false).await;
}

/// Kills the first server again and again while all are used.
async fn run(mut servers: Vec<Process>, watches_go_on: bool) {
    let clients: Vec<Clientset> = servers.iter().map(|server| server.clientset()).collect();
    let (stop, newest) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let followers: Vec<Follower> = match watches_go_on {
        true => vec![Follower::start(clients[0].clone()).await],
        false => Vec::new(),
    };
    let mut watchers = Vec::new();
    for client in &clients {
        watchers.push(Watcher::start(client).await);
    }
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let client = clients[number % clients.len()].clone();
        let writer = Writer::new(number, client, acknowledged.clone(), newest.clone());
        writers.spawn(writer.run(stop.clone()));
    }
    for number in 0..kills() {
        let goal = acknowledged.load(Ordering::SeqCst) + BETWEEN + (number as u64 * 7) % 20;
        until("writes go on", || acknowledged.load(Ordering::SeqCst) >= goal).await;
        let before = newest.load(Ordering::SeqCst);
        servers[0].kill();
        servers[0].restart().await;
        for client in &clients {
            let list = client
                .core_v1()
                .config_maps("default")
                .list(&ListOptions::default())
                .await
                .unwrap();
            let version: u64 = list.resource_version.as_number().unwrap();
            assert!(
                version >= before,
                "after kill {number} the version {version} is older than {before}"
            );
        }
    }
    stop.cancel();
    let histories: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    let list = clients[0]
        .core_v1()
        .config_maps("default")
        .list(&ListOptions::default())
        .await
        .unwrap();
    let list = history::contents(list.items);
    let wanted = history::final_state(&histories);
    assert_eq!(list, wanted, "what is there is not what was acknowledged");
    // Everything else comes before it.
    let last = clients[0].core_v1().config_maps("default");
    let object = writer::object("last", "last", None);
    let end = history::version(&last.create(&object, &WriteOptions::default()).await.unwrap());
    for follower in followers {
        let seen = follower.stop(end).await;
        for history in &histories {
            history.check_every_event(&seen);
        }
    }
    for watcher in watchers {
        until("informers see the end", || watcher.contents().remove("last").is_some()).await;
        let mut contents = watcher.contents();
        contents.remove("last");
        assert_eq!(contents, wanted, "an informer has something else");
        watcher.check().await;
    }
    println!(
        "{} kills, {} writes acknowledged, 0 lost, 0 events doubled or out of order",
        kills(),
        acknowledged.load(Ordering::SeqCst)
    );
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), reached).await;
    in_time.unwrap_or_else(|_| panic!("{what}: not within a minute"));
}
