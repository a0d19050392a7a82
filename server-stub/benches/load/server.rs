//! The measured server: one of ours in a process of its own, or any other by its kubeconfig.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kubewire_client::{Client, Clientset, Config};

/// A server and its process.
pub(crate) struct Server {
    config: Config,
    /// Whose CPU time and memory are counted.
    pids: Vec<u32>,
    child: Option<(Child, tempfile::TempDir)>,
}

impl Server {
    /// A server that runs already; the processes are those whose CPU time and memory count.
    pub(crate) fn running(kubeconfig: &Path, pids: Vec<u32>) -> Result<Self, String> {
        let config = Config::from_kubeconfig_file(kubeconfig).map_err(|error| error.to_string())?;
        Ok(Self {
            config,
            pids,
            child: None,
        })
    }

    /// Ours, with its objects in a new folder inside of `folder`, or in memory.
    pub(crate) async fn start(folder: Option<&Path>) -> Result<Self, String> {
        let place = folder.map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        let place = place.map_err(|error| error.to_string())?;
        let kubeconfig = place.path().join("kubeconfig");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"));
        let port = free_port().map_err(|error| error.to_string())?;
        command.args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")]);
        command.arg("--cert-dir").arg(place.path().join("certificates"));
        command.arg("--write-kubeconfig").arg(&kubeconfig);
        if folder.is_some() {
            command.arg("--storage-path").arg(place.path().join("storage"));
        }
        let child = command.stdout(Stdio::null()).env("RUST_LOG", "warn").spawn();
        let child = child.map_err(|error| error.to_string())?;
        let mut server = Self {
            config: Config::new("https://127.0.0.1"),
            pids: vec![child.id()],
            child: Some((child, place)),
        };
        let ready = server.wait_until_ready(kubeconfig);
        let in_time = tokio::time::timeout(Duration::from_secs(30), ready).await;
        in_time.map_err(|_| "the server does not get ready".to_owned())?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self, kubeconfig: PathBuf) {
        loop {
            if let Ok(config) = Config::from_kubeconfig_file(&kubeconfig) {
                self.config = config;
                let clientset = Clientset::from_client(self.client());
                if clientset.core_v1().namespaces().get("default").await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config).expect("the configuration was read from a kubeconfig")
    }

    /// CPU time used so far, user and system, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.pids.iter().map(|pid| cpu_of(*pid)).sum()
    }

    /// Memory in use, in bytes.
    pub(crate) fn memory(&self) -> f64 {
        self.pids.iter().map(|pid| memory_of(*pid)).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Fields 14 and 15 of `stat` are ticks of 10 ms.
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn memory_of(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() * 1024.0
}
