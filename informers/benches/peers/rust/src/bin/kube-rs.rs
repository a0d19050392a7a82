//! informer-bench on kube-rs: the same options, the same reading, the same line of JSON.

#[path = "../../../../../../examples/src/bin/informer-bench/process.rs"]
mod process;

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
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
    #[arg(long, default_value = "json")]
    encoding: String,
    #[arg(long)]
    read_object: bool,
    #[arg(long)]
    strip: bool,
    #[arg(long)]
    churn: Option<usize>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let pem = std::fs::read(&args.ca)?;
    let mut config = kube::Config::new(args.url.parse()?);
    config.root_cert = Some(vec![first_certificate(&String::from_utf8(pem)?)]);
    let client = Client::try_from(config)?;
    let options = match args.mode.as_str() {
        "watchlist" => watcher::Config::default().streaming_lists(),
        _ => watcher::Config::default().page_size(1_000_000),
    };
    let (store, writer) = reflector::store::<Pod>();
    let strip = args.strip;
    let events = watcher(Api::<Pod>::all(client.clone()), options).modify(move |pod| {
        if strip {
            pod.managed_fields_mut().clear();
        }
    });
    let base = usage()?;
    let started = Instant::now();
    let mut pods = std::pin::pin!(reflector(writer, events).touched_objects());
    let mut seen = 0;
    while seen < args.n {
        read(&pods.next().await.ok_or("the watch ended")??);
        seen += 1;
    }
    let (wall, synced) = (started.elapsed(), usage()?);
    // The store takes over the list with its end.
    let waiting = tokio::time::timeout(Duration::from_secs(1), pods.next()).await;
    drop(waiting);
    let settled = usage()?;
    let mut line = serde_json::json!({
        "program": "kube-rs", "mode": args.mode, "encoding": "json", "n": args.n,
        "sync_wall_s": wall.as_secs_f64(), "sync_cpu_s": (synced.cpu - base.cpu).as_secs_f64(),
        "sync_cpu_us_per_object": each(synced.cpu - base.cpu, args.n),
        "base_rss_mib": mebibytes(base.resident), "rss_mib": mebibytes(synced.resident),
        "peak_rss_mib": mebibytes(synced.peak), "settled_rss_mib": mebibytes(settled.resident),
        "live_bytes_per_object": (settled.live - base.live) as f64 / args.n.max(1) as f64,
    });
    if let Some(events) = args.churn {
        process::forget_peak()?;
        let (base, started) = (usage()?, Instant::now());
        let order = kube::client::Body::empty();
        let order = http::Request::post(format!("/control/churn?events={events}")).body(order)?;
        let churn = tokio::spawn(async move { client.send(order).await.map(|_| ()) });
        loop {
            let pod = pods.next().await.ok_or("the watch ended")??;
            read(&pod);
            if pod.labels().contains_key("sentinel") {
                break;
            }
        }
        churn.await??;
        let (wall, done) = (started.elapsed(), usage()?);
        line["churn_events"] = events.into();
        line["churn_wall_s"] = wall.as_secs_f64().into();
        line["churn_cpu_s"] = (done.cpu - base.cpu).as_secs_f64().into();
        line["events_per_s"] = (events as f64 / wall.as_secs_f64()).into();
        line["churn_cpu_us_per_event"] = each(done.cpu - base.cpu, events).into();
        line["churn_peak_rss_mib"] = mebibytes(done.peak).into();
    }
    black_box(store.len());
    println!("{line}");
    Ok(())
}

fn read(pod: &Pod) {
    black_box((pod.name_any(), pod.namespace(), pod.resource_version()));
    pod.labels().iter().for_each(|label| _ = black_box(label));
}

fn first_certificate(pem: &str) -> Vec<u8> {
    use k8s_openapi::ByteString;
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let ByteString(der) = serde_json::from_value(base64.into()).expect("a certificate");
    der
}

fn each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}
