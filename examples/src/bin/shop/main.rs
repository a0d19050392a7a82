//! Informers at work on a small shop; `--help` says more.

mod args;
mod board;
mod cluster;
mod error;
mod events;
mod kinds;
mod manifests;
mod summary;
mod traffic;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use kubewire_client::{Client, Clientset};
use kubewire_informers::SharedInformerFactory;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::board::Board;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::kinds::{Kind, Watched};
use crate::manifests::Manifest;
use crate::summary::Timing;
use crate::view::human;
use crate::view::live::{FRAME, Live};
use crate::view::plain::{self, say};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(log_filter())
        .with_writer(std::io::stderr)
        .init();
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Connects, loads the shop, follows it until the end, and sums up.
async fn run(args: &Args) -> Result<(), Error> {
    let manifests = manifests::load(&args.manifests)?;
    let cluster = Cluster::connect(args).await?;
    say(&cluster.greeting());
    let clientset = Clientset::from_client(cluster.client().clone());
    let live = !args.plain && std::io::stdout().is_terminal();
    let kinds = kinds::all();
    let names = kinds.iter().map(|kind| kind.name);
    let board = Arc::new(Board::new(names, (!live).then_some(plain::print as fn(&_))));

    let factory = SharedInformerFactory::builder(clientset.clone())
        .default_resync(args.resync)
        .build();
    let watched: Vec<Watched> = kinds
        .iter()
        .enumerate()
        .map(|(row, kind)| kind.watch(&factory, board.clone(), row))
        .collect::<Result<_, _>>()?;
    let started = Instant::now();
    factory.start();
    factory
        .wait_for_cache_sync()
        .await
        .map_err(|error| Error::Sync(error.to_string()))?;
    let sync = started.elapsed();
    say(&format!("{} informers synced in {}", watched.len(), human(sync)));

    load_shop(&kinds, cluster.client(), manifests).await?;
    let stop = CancellationToken::new();
    let traffic = tokio::spawn(traffic::run(clientset, args.every, stop.clone()));
    let shown = show(args, live.then(|| cluster.title()), &board, &watched).await;
    stop.cancel();
    let changes = match traffic.await {
        Ok(changes) => changes?,
        Err(error) => return Err(Error::Traffic(error.to_string())),
    };
    shown?;
    factory.shutdown().await;
    let timing = Timing {
        server_start: cluster.start_time(),
        sync,
        changes,
    };
    summary::print(&board, &watched, &timing);
    cluster.shutdown().await
}

/// Creates what the manifests describe, in their order.
async fn load_shop(kinds: &[Kind], client: &Client, manifests: Vec<Manifest>) -> Result<(), Error> {
    let count = manifests.len();
    let started = Instant::now();
    for manifest in manifests {
        let matching = kinds
            .iter()
            .find(|kind| kind.name == manifest.kind() && kind.api_version == manifest.api_version());
        let Some(kind) = matching else {
            return Err(Error::UnknownKind {
                api_version: manifest.api_version().to_owned(),
                kind: manifest.kind().to_owned(),
                file: manifest.file,
            });
        };
        kind.create(client.clone(), manifest).await?;
    }
    say(&format!(
        "{count} objects of the shop created in {}",
        human(started.elapsed())
    ));
    Ok(())
}

/// Shows the board until the time is over or Ctrl-C.
async fn show(args: &Args, title: Option<String>, board: &Board, watched: &[Watched]) -> Result<(), Error> {
    let end = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let frames = async {
        let Some(title) = title else {
            return std::future::pending().await;
        };
        let mut live = Live::open(title)?;
        let mut ticks = tokio::time::interval(FRAME);
        loop {
            ticks.tick().await;
            if live.wants_to_end()? {
                return Ok(());
            }
            live.draw(board, watched)?;
        }
    };
    tokio::select! {
        () = end => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Error::Terminal),
        ended = frames => ended,
    }
}

/// Quiet by default: the program's output is its own; `RUST_LOG` turns the library's messages on.
fn log_filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into())
}
