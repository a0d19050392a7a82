//! What a small GET and a small POST cost a client in CPU time, at concurrency 32 against the in-process server: this
//! client and kube-rs in turn, in one process.
//!
//! `cargo run --release --manifest-path client/benches/peers/Cargo.toml [REQUESTS [ROUNDS [CASE]]]`, Linux only: the
//! client has one thread for itself, whose time the kernel counts.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::hint::black_box;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::KubeConfigOptions;
use kubewire_client::WriteOptions;
use kubewire_client::config::{Config, Kubeconfig, KubeconfigOptions};
use kubewire_client::wire::Encoding;
use kubewire_server_stub::testing::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AT_ONCE: usize = 32;
const NAMESPACE: &str = "default";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The clients, in the order of the columns; ratios are to the first.
const CLIENTS: [&str; 3] = ["kube-rs", "kubewire", "kubewire, JSON"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let (requests, rounds) = (number(5_000)?, number(5)?);
    let only = arguments.next();

    // The server has threads of its own.
    let others = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let server = others.block_on(async { Server::start(Default::default()).await })?;
    let ours = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut costs: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    ours.block_on(async {
        let clients = Clients::new(server.kubeconfig()).await?;
        clients.prepare().await?;
        for round in 0..=rounds {
            for (index, name) in CLIENTS.iter().enumerate() {
                if only.as_ref().is_some_and(|only| only != name) {
                    continue;
                }
                let (get, post) = clients.measure(index, requests).await?;
                // The first round warms up.
                if round > 0 {
                    costs.entry((0, index)).or_default().push(get);
                    costs.entry((1, index)).or_default().push(post);
                }
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;

    println!("CPU of the client, µs a request (median of {rounds} rounds of {requests}, {AT_ONCE} at once)\n");
    println!(
        "| request | {} |\n|---|{}",
        CLIENTS.join(" | "),
        "---|".repeat(CLIENTS.len())
    );
    for (row, name) in ["GET a ConfigMap", "POST a ConfigMap"].iter().enumerate() {
        let medians = CLIENTS
            .iter()
            .enumerate()
            .map(|(index, _)| costs.get(&(row, index)).map(|all| median(all)));
        let medians: Vec<_> = medians.collect();
        let cells = medians.iter().map(|own| match (own, medians[0]) {
            (Some(own), Some(first)) => format!("{own:.1} ({:.2})", own / first),
            (Some(own), None) => format!("{own:.1}"),
            (None, _) => "–".to_owned(),
        });
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    others.block_on(server.shutdown())?;
    Ok(())
}

struct Clients {
    peer: kube::Api<ConfigMap>,
    /// Speaking protobuf, and JSON.
    own: [kubewire_client::Api<ConfigMap>; 2],
}

impl Clients {
    async fn new(kubeconfig: &str) -> Result<Self> {
        let peer = kube::config::Kubeconfig::from_yaml(kubeconfig)?;
        let peer = kube::Config::from_custom_kubeconfig(peer, &KubeConfigOptions::default()).await?;
        let peer = kube::Client::try_from(peer)?;
        let own = Config::from_kubeconfig(&Kubeconfig::from_yaml(kubeconfig)?, &KubeconfigOptions::default())?;
        let own = |encoding| {
            let client = kubewire_client::Client::new(&own.clone().with_encoding(encoding));
            client.map(|client| kubewire_client::Api::namespaced(client, NAMESPACE))
        };
        Ok(Self {
            peer: kube::Api::namespaced(peer, NAMESPACE),
            own: [own(Encoding::Protobuf)?, own(Encoding::Json)?],
        })
    }

    async fn prepare(&self) -> Result<()> {
        let mut object = small();
        object.metadata.name = Some("small".to_owned());
        self.own[0].create(&object, &WriteOptions::default()).await?;
        Ok(())
    }

    /// µs for a GET and for a POST.
    async fn measure(&self, client: usize, requests: usize) -> Result<(f64, f64)> {
        let object = small();
        Ok(match client {
            0 => {
                let parameters = Default::default();
                (
                    cost(requests, || self.peer.get("small")).await?,
                    cost(requests, || self.peer.create(&parameters, &object)).await?,
                )
            }
            own => {
                let api = &self.own[own - 1];
                let options = WriteOptions::default();
                (
                    cost(requests, || api.get("small")).await?,
                    cost(requests, || api.create(&object, &options)).await?,
                )
            }
        })
    }
}

/// A new one each time: the server gives the name.
fn small() -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.generate_name = Some("small-".to_owned());
    object.metadata.labels = Some([("app".to_owned(), "shop".to_owned())].into());
    object.data = Some([("greeting".to_owned(), "hello".to_owned())].into());
    object
}

async fn cost<T, E: Error + 'static, F: Future<Output = std::result::Result<T, E>>>(
    requests: usize,
    request: impl Fn() -> F,
) -> Result<f64> {
    let before = cpu()?;
    let answers = stream::iter(0..requests).map(|_| request()).buffer_unordered(AT_ONCE);
    answers
        .try_for_each(|answer| async move { Ok(drop(black_box(answer))) })
        .await?;
    Ok((cpu()? - before) / requests as f64)
}

/// µs that this thread has run, by the kernel's count.
fn cpu() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1000.0)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
