//! The real binary, which is killed without a chance to say goodbye.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kubewire_client::{Clientset, Config};

use crate::support::free_port;

pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
    port: u16,
    arguments: Vec<String>,
}

impl Process {
    /// Starts a server on a port that it keeps.
    pub(crate) async fn start(folder: &Path, arguments: Vec<String>) -> Self {
        let port = free_port();
        let process = Self {
            child: spawn(folder, port, &arguments),
            folder: folder.to_owned(),
            port,
            arguments,
        };
        process.wait_until_ready().await;
        process
    }

    pub(crate) fn clientset(&self) -> Clientset {
        let config = Config::from_kubeconfig_file(self.folder.join("kubeconfig")).unwrap();
        Clientset::new(&config).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to stop; returns whether it did so, and well, within a time.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> bool {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let exited = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.success();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(limit, exited).await.unwrap_or(false)
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.arguments);
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&self) {
        let ready = async {
            loop {
                if self.folder.join("kubeconfig").exists()
                    && self.clientset().core_v1().namespaces().get("default").await.is_ok()
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), ready).await;
        in_time.expect("the server gets ready");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, port: u16, arguments: &[String]) -> Child {
    let kubeconfig = folder.join("kubeconfig");
    let _ = std::fs::remove_file(&kubeconfig);
    Command::new(env!("CARGO_BIN_EXE_kubewire-server-stub"))
        .args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")])
        .arg(format!("--cert-dir={}", folder.join("certificates").display()))
        .arg(format!("--write-kubeconfig={}", kubeconfig.display()))
        .args(arguments)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
