//! A client and a server in one process, without a network between them.

#![allow(clippy::unwrap_used)] // a test program

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, StatusCode};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::{Api, Client, Clientset, ListOptions, WatchEvent, WriteOptions, transport};
use kubewire_server_stub::generic::InProcess;
use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::testing::{Options, Server};
use tower_service::Service;

async fn user(client: Client) -> (String, Vec<String>) {
    let review: SelfSubjectReview = Api::new(client)
        .create(&SelfSubjectReview::default(), &WriteOptions::default())
        .await
        .unwrap();
    let user = review.status.unwrap().user_info.unwrap();
    (user.username.unwrap(), user.groups.unwrap())
}

fn config_map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map
}

#[tokio::test]
async fn objects_and_watches_pass() {
    let server = Server::start(Options::default()).await.unwrap();
    let maps = server.clientset().core_v1().config_maps("default");
    let options = ListOptions::default();
    let mut events = pin!(maps.watch(&options).await.unwrap());
    let created = maps.create(&config_map("a"), &WriteOptions::default()).await.unwrap();
    loop {
        match events.next().await.unwrap().unwrap() {
            WatchEvent::Added(map) if map == created => break,
            _ => {}
        }
    }
    // It is the same server as over the network.
    let outside = Clientset::new(&server.client_config()).unwrap();
    assert_eq!(
        outside.core_v1().config_maps("default").get("a").await.unwrap(),
        created
    );
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_watch_that_asks_for_no_time_ends_in_that_of_the_server() {
    let options = Options::default().with_flag("--min-request-timeout=1");
    let server = Server::start(options).await.unwrap();
    let maps = server.clientset().core_v1().config_maps("default");
    let mut events = pin!(maps.watch(&ListOptions::default()).await.unwrap());
    let end = async { while events.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), end).await.unwrap();
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn users_are_who_they_are_over_the_network() {
    let ann = UserInfo {
        name: "ann".to_owned(),
        ..UserInfo::default()
    };
    let server = Server::start(Options::default().with_token("secret", ann))
        .await
        .unwrap();
    let admin = user(server.clientset().client().clone()).await;
    assert_eq!(admin, user(Client::new(&server.client_config()).unwrap()).await);
    assert_eq!(admin.0, "kubernetes-admin");

    let of_ann = server.in_process().with_token("secret").unwrap();
    let client = Client::with_transport(transport::from_service(of_ann));
    assert_eq!(user(client.clone()).await.0, "ann");
    let refused = Clientset::from_client(client)
        .core_v1()
        .secrets("default")
        .get("a")
        .await;
    assert!(refused.unwrap_err().is_forbidden());
    server.shutdown().await.unwrap();
}

/// A layer of tower: the first requests never reach the server.
#[derive(Clone)]
struct Outage {
    inner: InProcess,
    left: Arc<AtomicUsize>,
}

impl Service<Request<Bytes>> for Outage {
    type Response = <InProcess as Service<Request<Bytes>>>::Response;
    type Error = std::io::Error;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let less = |left: usize| left.checked_sub(1);
        Poll::Ready(
            match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
                Ok(_) => Err(std::io::Error::other("out of order")),
                Err(_) => Ok(()),
            },
        )
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async { Ok(answer.await.unwrap()) })
    }
}

#[tokio::test]
async fn layers_stand_between() {
    let server = Server::start(Options::default()).await.unwrap();
    tokio::time::pause(); // tries are some time apart
    let left = Arc::new(AtomicUsize::new(2));
    let layered = Outage {
        inner: server.in_process(),
        left: left.clone(),
    };
    let clientset = Clientset::from_client(Client::with_transport(transport::from_service(layered)));
    // Nothing of the first two tries was sent, so the third one does not do it again.
    let maps = clientset.core_v1().config_maps("default");
    maps.create(&config_map("a"), &WriteOptions::default()).await.unwrap();
    assert_eq!(left.load(Ordering::Relaxed), 0);
    let again = maps.create(&config_map("a"), &WriteOptions::default()).await;
    assert_eq!(again.unwrap_err().code(), Some(StatusCode::CONFLICT.as_u16()));
}
