//! A real etcd for a test, started on a free port and gone with the value.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::StorageError;
use crate::storage::etcd3::{Etcd3Options, Etcd3Storage};

/// A running etcd with a folder of its own. It keeps nothing when the value is dropped.
///
/// The program is `$KUBEWIRE_ETCD`, else `etcd` on the path; `server-stub/tests/etcd/build` makes one where there is Go.
pub struct Etcd {
    process: Child,
    folder: PathBuf,
    url: String,
    program: PathBuf,
    tls: Option<PathBuf>,
}

/// Why there is no etcd.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// The process does not start.
    #[error("start {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not answer.
    #[error("wait for {program} to answer")]
    Connect {
        /// The program.
        program: PathBuf,
        /// Why.
        source: StorageError,
    },
}

impl Etcd {
    /// Starts etcd; `None`, with a notice on standard error, where there is none.
    ///
    /// # Errors
    /// When it is there and does not start.
    pub async fn start() -> Result<Option<Self>, EtcdError> {
        Self::start_with(None).await
    }

    /// Starts etcd with TLS; it lets nobody in without a certificate. The folder has `ca.crt`, `server.crt`,
    /// `server.key`, `client.crt` and `client.key`.
    ///
    /// # Errors
    /// When it is there and does not start.
    pub async fn start_with_tls(files: impl Into<PathBuf>) -> Result<Option<Self>, EtcdError> {
        Self::start_with(Some(files.into())).await
    }

    async fn start_with(tls: Option<PathBuf>) -> Result<Option<Self>, EtcdError> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let Some(program) = program() else {
            eprintln!(
                "skipped: there is no etcd on the path or in $KUBEWIRE_ETCD (server-stub/tests/etcd/build makes one)"
            );
            return Ok(None);
        };
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kubewire-etcd-{}-{number}", std::process::id()));
        let (url, process) = spawn(&program, &folder, None, tls.as_ref())?;
        let started = Self {
            process,
            folder,
            url,
            program,
            tls,
        };
        started.ready().await?;
        Ok(Some(started))
    }

    /// Where clients find it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Options for a store in it.
    pub fn options(&self) -> Etcd3Options {
        let mut options = Etcd3Options::default();
        options.endpoints.servers = vec![self.url.clone()];
        if let Some(files) = &self.tls {
            options.endpoints.ca_file = Some(files.join("ca.crt"));
            options.endpoints.cert_file = Some(files.join("client.crt"));
            options.endpoints.key_file = Some(files.join("client.key"));
        }
        options
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Kills it and starts it again on the same port with what it had written.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), EtcdError> {
        self.kill();
        self.process = spawn(&self.program, &self.folder, Some(&self.url), self.tls.as_ref())?.1;
        self.ready().await
    }

    async fn ready(&self) -> Result<(), EtcdError> {
        let connected = Etcd3Storage::connect(&self.options()).await;
        connected.map(drop).map_err(|source| EtcdError::Connect {
            program: self.program.clone(),
            source,
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Etcd({})", self.url)
    }
}

fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("KUBEWIRE_ETCD").filter(|program| !program.is_empty()) {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("etcd"))
        .find(|program| program.is_file())
}

fn spawn(
    program: &PathBuf,
    folder: &PathBuf,
    url: Option<&str>,
    tls: Option<&PathBuf>,
) -> Result<(String, Child), EtcdError> {
    let failed = |source| EtcdError::Start {
        program: program.clone(),
        source,
    };
    let url = match url {
        Some(url) => url.to_owned(),
        None => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            format!("{scheme}://127.0.0.1:{}", free_port().map_err(failed)?)
        }
    };
    let mut command = Command::new(program);
    if let Some(files) = tls {
        command.arg("--client-cert-auth");
        for (flag, file) in [
            ("--trusted-ca-file", "ca.crt"),
            ("--cert-file", "server.crt"),
            ("--key-file", "server.key"),
        ] {
            command.arg(flag).arg(files.join(file));
        }
    }
    let process = command
        .arg("--data-dir")
        .arg(folder)
        .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
        .args([
            "--listen-peer-urls",
            "http://127.0.0.1:0",
            "--log-level",
            "error",
            "--unsafe-no-fsync",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Ok((url, process))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
