//! What an informer of pods costs: CPU, memory, and time to sync and to follow changes. Prints one line of JSON.

mod args;
mod pods;
mod process;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use kubewire_client::rest::{Client, Request, Verb};
use kubewire_client::{Clientset, Config};
use kubewire_informers::{ReflectorOptions, SharedInformerFactory};
use serde_json::{Map, Value, json};

use self::args::{Args, Mode};
use self::pods::{Progress, Reading};
use self::process::{Usage, mebibytes, usage};

type Failure = Box<dyn Error + Send + Sync>;

/// Memory and CPU are those of one thread's work: a controller that waits for its informers has nothing else to do.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let config = Config::new(&args.url)
        .with_ca_file(&args.ca)
        .with_encoding(args.encoding.into())
        .with_http1(args.http1)
        .with_request_timeout(None);
    let client = Client::new(&config)?;
    let reflector = ReflectorOptions::default()
        .with_streaming_list(args.mode == Mode::Watchlist)
        .with_cache_format(args.cache.into())
        .with_managed_fields(!args.strip)
        .with_error_handler(|error| eprintln!("{error}"));
    let factory = SharedInformerFactory::builder(Clientset::from_client(client.clone()))
        .reflector(reflector)
        .build();
    let pods = factory.informer::<k8s_openapi::api::core::v1::Pod>();
    let progress = Arc::new(Progress::default());
    pods.add_handler(Reading::new(args.read_object, progress.clone()))?;

    let base = usage()?;
    let started = Instant::now();
    factory.start();
    progress.added(args.n).await;
    let (wall, synced) = (started.elapsed(), usage()?);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let settled = usage()?;
    let mut line = json!({
        "program": "kubewire",
        "mode": args.mode.name(),
        "encoding": args.encoding.name(),
        "n": args.n,
        "sync_wall_s": wall.as_secs_f64(),
        "sync_cpu_s": (synced.cpu - base.cpu).as_secs_f64(),
        "sync_cpu_us_per_object": micros_each(synced.cpu - base.cpu, args.n),
        "base_rss_mib": mebibytes(base.resident),
        "rss_mib": mebibytes(synced.resident),
        "peak_rss_mib": mebibytes(synced.peak),
        "settled_rss_mib": mebibytes(settled.resident),
        "live_bytes_per_object": (settled.live - base.live) as f64 / args.n.max(1) as f64,
    });
    if let (Some(events), Some(line)) = (args.churn, line.as_object_mut()) {
        line.append(&mut churn(&client, events, &progress).await?);
    }
    println!("{line}");
    factory.shutdown().await;
    Ok(())
}

/// Has the server send changes on the open watch, and waits for the pod that comes after the last.
async fn churn(client: &Client, events: usize, progress: &Progress) -> Result<Map<String, Value>, Failure> {
    process::forget_peak()?;
    let base = usage()?;
    let started = Instant::now();
    let request = Request::new(Verb::Create, "/control/churn", "changes")
        .param("events", events.to_string())
        .json_only();
    let order = async { client.send(request).await?.bytes().await };
    let ((), answer) = tokio::join!(progress.sentinel(), order);
    answer?;
    let (wall, done): (Duration, Usage) = (started.elapsed(), usage()?);
    let fields = json!({
        "churn_events": events,
        "churn_wall_s": wall.as_secs_f64(),
        "churn_cpu_s": (done.cpu - base.cpu).as_secs_f64(),
        "events_per_s": events as f64 / wall.as_secs_f64(),
        "churn_cpu_us_per_event": micros_each(done.cpu - base.cpu, events),
        "churn_peak_rss_mib": mebibytes(done.peak),
    });
    Ok(fields.as_object().cloned().unwrap_or_default())
}

fn micros_each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}
