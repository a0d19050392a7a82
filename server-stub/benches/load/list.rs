//! Lists of all pods, in every way in which clients ask for them.

use bytes::Bytes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kubewire_client::api::VersionMatch;
use kubewire_client::rest::{Request, Verb};
use kubewire_client::wire::EncodedEvent;
use kubewire_client::{Api, Client, ListOptions};

use crate::peer;
use crate::pods::PATH;
use crate::report::line;
use crate::server::Server;

const TIMES: usize = 5;

pub(crate) async fn measure(server: &Server, baseline: f64) {
    let client = server.client();
    let bytes = list(&client, true, &[("resourceVersion", "0")]).await.len();
    let count = count(&client).await as f64;
    println!(
        "| pods; the list in protobuf | {count}; {:.1} MB | | | | |",
        bytes as f64 / 1e6
    );
    line(&peer::RSS, server.memory() / 1024.0 / 1024.0);
    line(&peer::PER_POD, (server.memory() - baseline) / bytes as f64);
    line(
        &peer::LIST_PB,
        average(server, async || {
            drop(list(&client, true, &[("resourceVersion", "0")]).await)
        })
        .await,
    );
    line(
        &peer::LIST_PB_UNSET,
        average(server, async || drop(list(&client, true, &[]).await)).await,
    );
    line(
        &peer::LIST_PB_PAGES,
        average(server, async || pages(&client).await).await,
    );
    line(
        &peer::LIST_PB_STREAM,
        average(server, async || stream(&client).await).await,
    );
    let json = async || drop(list(&client, false, &[("resourceVersion", "0")]).await);
    json().await;
    line(&peer::LIST_JSON, average(server, json).await);
    line(&peer::RSS_LISTED, server.memory() / 1024.0 / 1024.0);
}

/// CPU seconds of the server for one.
async fn average(server: &Server, work: impl AsyncFn()) -> f64 {
    let cpu = server.cpu();
    for _ in 0..TIMES {
        work().await;
    }
    (server.cpu() - cpu) / TIMES as f64
}

async fn list(client: &Client, protobuf: bool, parameters: &[(&str, &str)]) -> Bytes {
    let mut request = Request::new(Verb::List, PATH, "pods");
    for (name, value) in parameters {
        request = request.param(name, value);
    }
    if !protobuf {
        request = request.json_only();
    }
    let answer = client.send(request).await.expect("a list");
    answer.bytes().await.expect("the whole list")
}

/// How many pods there are.
async fn count(client: &Client) -> usize {
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let list = api.list_encoded(&ListOptions::default()).await.expect("a list");
    list.items.len()
}

async fn pages(client: &Client) {
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let mut options = ListOptions::default().with_limit(500);
    loop {
        let page = api.list_encoded(&options).await.expect("a page");
        match page.continue_token.filter(|token| !token.is_empty()) {
            Some(token) => options = ListOptions::default().with_limit(500).with_continue(token),
            None => return,
        }
    }
}

async fn stream(client: &Client) {
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let options = ListOptions::default()
        .with_initial_events(true)
        .with_version_match(VersionMatch::NotOlderThan)
        .with_bookmarks();
    let mut events = api.watch_encoded(&options).await.expect("a watch");
    while let Some(event) = events.next().await {
        if let EncodedEvent::Bookmark {
            initial_events_end: true,
            ..
        } = event.expect("an event")
        {
            return;
        }
    }
}
