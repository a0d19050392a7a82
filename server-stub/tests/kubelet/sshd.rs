//! An SSH server of the machine, with keys of its own, behind a relay that counts and cuts its connections.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The server; dropping it ends everything.
pub(crate) struct Sshd {
    folder: TempDir,
    pub(crate) user: String,
    /// The port of the relay.
    pub(crate) port: u16,
    open: Arc<AtomicUsize>,
    cut: watch::Sender<usize>,
    _relay: JoinSet<()>,
    _server: Child,
}

impl Sshd {
    /// A server that lets this user in, with more lines of configuration; `None`, and a line that says so, where there
    /// is no `sshd`.
    pub(crate) async fn start(configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let user = run(Command::new("id").arg("-un")).await?;
        for key in ["host", "user", "stranger"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.path().join(key)))
            .await?;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let here = folder.path().display();
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {here}/host\nAuthorizedKeysFile {here}/user.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 1000\n{configuration}"
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        let mut command = Command::new(program()?);
        command.args(["-D", "-e", "-f"]).arg(folder.path().join("config"));
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let mut server = command.spawn().unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            match log.next_line().await.unwrap() {
                Some(line) if line.starts_with("Server listening") => break,
                Some(line) => said.push(line),
                None => {
                    println!("skipped: sshd does not start: {}", said.join("; "));
                    return None;
                }
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay_port = listener.local_addr().unwrap().port();
        let (cut, open) = (watch::Sender::new(0), Arc::<AtomicUsize>::default());
        let mut relay = JoinSet::new();
        relay.spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        relay.spawn(pass_on(listener, port, cut.clone(), open.clone()));
        Some(Self {
            folder,
            user: user.trim().to_owned(),
            port: relay_port,
            open,
            cut,
            _relay: relay,
            _server: server,
        })
    }

    /// A file of the server: `user` and `stranger` are private keys, `host.pub` is the host's key.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Ends all connections that are open.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|times| *times += 1);
    }
}

async fn pass_on(listener: TcpListener, port: u16, cut: watch::Sender<usize>, open: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let (mut cut, open) = (cut.subscribe(), open.clone());
        open.fetch_add(1, Ordering::SeqCst);
        connections.spawn(async move {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = cut.changed() => {}
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// It has to be named with its whole path.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join("sshd"))
        .find(|path| Path::is_file(path));
    if found.is_none() {
        println!("skipped: there is no sshd");
    }
    found
}

async fn run(command: &mut Command) -> Option<String> {
    match command.output().await {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        result => {
            println!("skipped: {command:?}: {result:?}");
            None
        }
    }
}
