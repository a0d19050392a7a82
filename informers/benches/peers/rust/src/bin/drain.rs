//! The floor: a program that only reads what the server sends, over kubewire's connection, and keeps nothing.

#[path = "../../../../../../examples/src/bin/informer-bench/process.rs"]
mod process;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::StreamExt;
use http::Request;
use kubewire_client::{Config, transport};
use memchr::memmem;
use process::{mebibytes, usage};

#[derive(Parser)]
struct Args {
    #[arg(long)]
    url: String,
    #[arg(long)]
    ca: PathBuf,
    #[arg(long)]
    n: usize,
    #[arg(long, default_value = "list")]
    mode: String,
    #[arg(long)]
    http1: bool,
    #[arg(long)]
    churn: Option<usize>,
}

const ACCEPT: &str = "application/vnd.kubernetes.protobuf;stream=watch,application/vnd.kubernetes.protobuf";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let config = Config::new(&args.url).with_ca_file(&args.ca).with_http1(args.http1);
    let transport = transport::connect(&config)?;
    let get = |query: &str| {
        let uri = format!("/api/v1/pods?{query}");
        Request::get(uri).header("accept", ACCEPT).header("accept-encoding", "identity").body(bytes::Bytes::new())
    };
    let base = usage()?;
    let started = Instant::now();
    let mut watch = if args.mode == "list" {
        let mut list = transport.send(get("resourceVersion=0")?).await?.into_body();
        while list.next().await.transpose()?.is_some() {}
        transport.send(get("watch=true")?).await?.into_body()
    } else {
        let mut watch = transport.send(get("watch=true&sendInitialEvents=true")?).await?.into_body();
        until(&mut watch, b"k8s.io/initial-events-end").await?;
        watch
    };
    let (wall, done) = (started.elapsed(), usage()?);
    let mut line = serde_json::json!({
        "program": "drain", "mode": args.mode, "encoding": "protobuf", "n": args.n,
        "sync_wall_s": wall.as_secs_f64(), "sync_cpu_s": (done.cpu - base.cpu).as_secs_f64(),
        "sync_cpu_us_per_object": each(done.cpu - base.cpu, args.n),
        "base_rss_mib": mebibytes(base.resident), "rss_mib": mebibytes(done.resident),
        "peak_rss_mib": mebibytes(done.peak), "settled_rss_mib": mebibytes(done.resident),
        "live_bytes_per_object": 0.0,
    });
    if let Some(events) = args.churn {
        process::forget_peak()?;
        let (base, started) = (usage()?, Instant::now());
        let order = Request::post(format!("/control/churn?events={events}")).body(bytes::Bytes::new())?;
        let (seen, ordered) = tokio::join!(until(&mut watch, b"sentinel"), transport.send(order));
        (seen?, ordered?);
        let (wall, done) = (started.elapsed(), usage()?);
        line["churn_events"] = events.into();
        line["churn_wall_s"] = wall.as_secs_f64().into();
        line["churn_cpu_s"] = (done.cpu - base.cpu).as_secs_f64().into();
        line["events_per_s"] = (events as f64 / wall.as_secs_f64()).into();
        line["churn_cpu_us_per_event"] = each(done.cpu - base.cpu, events).into();
        line["churn_peak_rss_mib"] = mebibytes(done.peak).into();
    }
    println!("{line}");
    Ok(())
}

/// Reads until these bytes have come, perhaps across two chunks.
async fn until(body: &mut transport::Body, mark: &[u8]) -> Result<(), Box<dyn Error>> {
    let finder = memmem::Finder::new(mark);
    let mut border = Vec::new();
    while let Some(chunk) = body.next().await.transpose()? {
        border.extend_from_slice(&chunk[..chunk.len().min(mark.len())]);
        if finder.find(&border).or(finder.find(&chunk)).is_some() {
            break;
        }
        border.clear();
        border.extend_from_slice(&chunk[chunk.len().saturating_sub(mark.len())..]);
    }
    Ok(())
}

fn each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}
