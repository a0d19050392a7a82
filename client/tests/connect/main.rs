//! Connections with real handshakes: certificates of every form, their reload, and credentials that are refreshed.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod certificates;
mod exec;
#[path = "../../src/logged.rs"]
mod logged;
mod oidc;
mod proxies;
mod reload;
mod secrecy;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod turned_away;

use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Client, Config, Error};

/// Asks for the server's version, the smallest thing that needs all of a connection.
async fn version(client: &Client) -> Result<(), Error> {
    let request = Request::new(Verb::Get, "/version", "the server's version").json_only();
    client.send(request).await?.bytes().await.map(drop)
}

async fn version_by(config: &Config) -> Result<(), Error> {
    version(&Client::new(config)?).await
}
