//! What informers put on the wire, read from the wire itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/wire_tap.rs"]
mod wire_tap;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::config::Credentials;
use kubewire_client::wire::{EncodedEvent, Encoding, WatchDecoder};
use kubewire_client::{Clientset, Config, WriteOptions};
use kubewire_informers::{EventHandlerFuncs, ReflectorOptions, SharedInformerFactory};
use kubewire_server_stub::testing::Server;
use tokio::sync::mpsc;

use crate::wire_tap::{Exchange, WireTap};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The server and the tap in a runtime of their own, so that a test can stop its own clock and not theirs.
struct Setup {
    runtime: tokio::runtime::Runtime,
    server: Server,
    tap: Arc<WireTap>,
}

impl Setup {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (server, tap) = runtime.block_on(async {
            let server = support::start().await;
            let tap = WireTap::open(&server).await;
            (server, tap)
        });
        Self {
            runtime,
            server,
            tap: Arc::new(tap),
        }
    }

    /// A clientset whose requests go through the tap.
    fn tapped(&self) -> Clientset {
        let config =
            Config::new(format!("http://{}", self.tap.address)).with_credentials(Credentials::token(support::TOKEN));
        Clientset::new(&config).unwrap()
    }

    /// A clientset that goes around it.
    fn direct(&self) -> Clientset {
        Clientset::new(&self.server.client_config()).unwrap()
    }

    fn stop(self) {
        self.runtime.block_on(self.server.shutdown()).unwrap();
    }
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// An informer of config maps in `default` that has seen one object in its list and one in its watch; every name that
/// its handler gets as a sync.
async fn watched(setup: &Setup) -> (SharedInformerFactory, mpsc::UnboundedReceiver<String>) {
    let config_maps = setup.direct().core_v1().config_maps("default");
    config_maps
        .create(&config_map("listed"), &WriteOptions::default())
        .await
        .unwrap();
    let factory = SharedInformerFactory::builder(setup.tapped())
        .namespace("default")
        .reflector(
            ReflectorOptions::default()
                // A list and a watch, each by itself.
                .with_streaming_list(false)
                // Or the watch would be asked for again before the resync, on its own account.
                .with_min_watch_timeout(Duration::from_secs(3600)),
        )
        .build();
    let informer = factory.informer::<ConfigMap>();
    let (added, mut adds) = mpsc::unbounded_channel();
    let (synced, syncs) = mpsc::unbounded_channel();
    let handler = EventHandlerFuncs::new()
        .on_add(move |object, _| added.send(object.key().name.clone()).unwrap())
        .on_sync(move |object| synced.send(object.key().name.clone()).unwrap_or_default());
    informer.add_handler(handler).unwrap();
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    while adds.recv().await.unwrap() != "listed" {}
    config_maps
        .create(&config_map("watched"), &WriteOptions::default())
        .await
        .unwrap();
    while adds.recv().await.unwrap() != "watched" {}
    (factory, syncs)
}

/// Runs a test in a runtime whose clock is no business of the server's.
fn on_own_clock(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

fn find(exchanges: &[Exchange], is_watch: bool) -> &Exchange {
    let mut matching = exchanges
        .iter()
        .filter(|exchange| exchange.request.start.contains("watch=true") == is_watch);
    matching.next().unwrap()
}

#[test]
fn informers_speak_uncompressed_protobuf() {
    let setup = Setup::start();
    on_own_clock(async {
        let (factory, _syncs) = watched(&setup).await;
        check_exchanges(&setup.tap.exchanges());
        factory.shutdown().await;
    });
    setup.stop();
}

fn check_exchanges(exchanges: &[Exchange]) {
    let list = find(exchanges, false);
    assert!(
        list.request
            .start
            .starts_with("GET /api/v1/namespaces/default/configmaps?"),
        "{}",
        list.request.start
    );
    assert_eq!(
        list.request.header("accept"),
        Some("application/vnd.kubernetes.protobuf,application/json")
    );
    assert_eq!(list.request.header("accept-encoding"), Some("identity"));
    assert_eq!(list.response.start, "HTTP/1.1 200 OK");
    assert_eq!(list.response.header("content-type"), Some(PROTOBUF));
    assert_eq!(list.response.header("content-encoding"), None);
    assert!(list.response.body.starts_with(b"k8s\0"), "{:?}", list.response.body);
    assert!(list.response.body.windows(6).any(|window| window == b"listed"));

    let watch = find(exchanges, true);
    let accept = watch.request.header("accept").unwrap();
    assert!(accept.starts_with("application/vnd.kubernetes.protobuf,"), "{accept}");
    assert_eq!(watch.request.header("accept-encoding"), Some("identity"));
    assert!(
        watch.request.start.contains("allowWatchBookmarks=true"),
        "{}",
        watch.request.start
    );
    assert_eq!(
        watch.response.header("content-type"),
        Some("application/vnd.kubernetes.protobuf;stream=watch")
    );
    assert_eq!(watch.response.header("content-encoding"), None);
    // A frame: four bytes of length, the event's type, and the object in an envelope of its own.
    let frame = &watch.response.body;
    let length = u32::from_be_bytes(*frame.first_chunk().unwrap()) as usize;
    assert!(frame.len() >= 4 + length);
    assert!(frame[4..].starts_with(b"\x0a\x05ADDED"), "{frame:?}");
    assert!(frame.windows(4).any(|window| window == b"k8s\0"));
    let mut decoder = WatchDecoder::new(Encoding::Protobuf);
    decoder.push(frame.clone().into());
    assert!(matches!(decoder.next_event().unwrap(), Some(EncodedEvent::Added(_))));
}

#[test]
fn a_resync_costs_no_request() {
    let setup = Setup::start();
    on_own_clock(async {
        let (factory, mut syncs) = watched(&setup).await;
        let before = setup.tap.exchanges().len();
        tokio::time::pause();

        tokio::time::advance(Duration::from_secs(9 * 60)).await;
        tokio::task::yield_now().await;
        assert!(syncs.try_recv().is_err(), "a resync before its time");
        tokio::time::advance(Duration::from_secs(2 * 60)).await;
        let mut synced = [syncs.recv().await.unwrap(), syncs.recv().await.unwrap()];
        synced.sort();
        assert_eq!(synced, ["listed", "watched"]);
        assert_eq!(setup.tap.exchanges().len(), before, "the resync asked the server");

        tokio::time::resume();
        factory.shutdown().await;
    });
    setup.stop();
}
