//! Load on a server: creations, lists, watches and memory, beside the figures of kube-apiserver.
//!
//! ```sh
//! cargo bench -p kubewire-server-stub --bench load                     # a server of ours on disk
//! cargo bench -p kubewire-server-stub --bench load -- --help
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod create;
mod list;
mod peer;
mod pods;
mod reopen;
mod report;
mod server;
mod watch;

use std::path::PathBuf;

use self::server::Server;

const HELP: &str = "\
--kubeconfig=FILE   a server that runs already; by default one of ours is started
--pid=N,N           the processes of that server, whose CPU time and memory are counted
--folder=DIR        where the started server keeps its objects; by default /dev/shm, which never waits for a disk, as
                    the peer's figures are without fsync
--memory            the started server keeps its objects in memory only
--pods=N            how many pods are created (10000)
--watchers=N        how many watchers there are in the largest run (10000)
--changes=N         how many changes they are told (1000)
--only=PART,PART    only these parts: list, watch, many, reopen; pods are created anyway";

struct Options {
    kubeconfig: Option<PathBuf>,
    pids: Vec<u32>,
    folder: PathBuf,
    memory: bool,
    pods: usize,
    watchers: usize,
    changes: usize,
    only: Vec<String>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            kubeconfig: None,
            pids: Vec::new(),
            folder: "/dev/shm".into(),
            memory: false,
            pods: 10_000,
            watchers: 10_000,
            changes: 1_000,
            only: ["list", "watch", "many", "reopen"].map(str::to_owned).to_vec(),
        };
        for argument in std::env::args().skip(1) {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            match name {
                "--kubeconfig" => options.kubeconfig = Some(value.into()),
                "--pid" => options.pids = value.split(',').map(|pid| pid.parse().expect("a number")).collect(),
                "--folder" => options.folder = value.into(),
                "--memory" => options.memory = true,
                "--pods" => options.pods = value.parse().expect("a number"),
                "--watchers" => options.watchers = value.parse().expect("a number"),
                "--changes" => options.changes = value.parse().expect("a number"),
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                // Cargo says this to benchmarks.
                "--bench" => {}
                _ => {
                    println!("{HELP}");
                    std::process::exit(2);
                }
            }
        }
        options
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let server = match &options.kubeconfig {
        Some(kubeconfig) => Server::running(kubeconfig, options.pids.clone()).expect("the kubeconfig can be read"),
        None => {
            let folder = (!options.memory).then_some(options.folder.as_path());
            Server::start(folder).await.expect("the server starts")
        }
    };
    let does = |part: &str| options.only.iter().any(|wanted| wanted == part);
    report::header();
    create::warm_up(&server).await;
    let baseline = server.memory();
    create::measure(&server, options.pods).await;
    if does("list") {
        list::measure(&server, baseline).await;
    }
    if does("watch") {
        watch::measure(&server).await;
    }
    if does("many") {
        watch::measure_many(&server, options.watchers, options.changes).await;
    }
    if does("reopen") {
        reopen::measure(&options.folder).await;
    }
}
