//! Running a program in a container, and attaching to one that runs: `exec` and `attach`.

use bytes::{Buf, Bytes};
use futures::future::{Either, select};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::websocket::{Channels, Incoming, Receiver, Sender};
use crate::api::Api;
use crate::error::{Doing, Error};
use crate::rest::Request;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;

/// Bytes of a stream that may wait for their reader.
const BUFFER: usize = 64 << 10;
/// The server's last word is a short object.
const MAX_STATUS: usize = 1 << 20;

/// Which streams of a process to connect.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Container. Default: the only one, or the one that the pod's annotation names.
    pub container: Option<String>,
    /// Connects standard input. Default: no.
    pub stdin: bool,
    /// Connects standard output. Default: yes.
    pub stdout: bool,
    /// Connects standard error. Default: yes; never with a terminal, which has one output.
    pub stderr: bool,
    /// Gives the process a terminal. Default: no.
    pub tty: bool,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            container: None,
            stdin: false,
            stdout: true,
            stderr: true,
            tty: false,
        }
    }
}

impl ProcessOptions {
    /// Chooses one of several containers.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Connects standard input.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// Gives the process a terminal, and connects its input.
    #[must_use]
    pub fn with_tty(mut self) -> Self {
        (self.tty, self.stdin, self.stderr) = (true, true, false);
        self
    }

    fn add_to(&self, request: Request) -> Request {
        let flag = |set: bool| set.then_some("true");
        request
            .maybe("container", self.container.as_ref())
            .maybe("stdin", flag(self.stdin))
            .maybe("stdout", flag(self.stdout))
            .maybe("stderr", flag(self.stderr && !self.tty))
            .maybe("tty", flag(self.tty))
    }
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Api<Pod> {
    /// Runs a program in a container of a running pod.
    ///
    /// ```no_run
    /// # async fn example(pods: kubewire_client::Api<k8s_openapi::api::core::v1::Pod>) -> Result<(), Box<dyn std::error::Error>> {
    /// use kubewire_client::streams::ProcessOptions;
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut date = pods.exec("web-0", &["date"], &ProcessOptions::default()).await?;
    /// let mut text = String::new();
    /// date.stdout().ok_or("no output")?.read_to_string(&mut text).await?;
    /// println!("{text}, exit code {:?}", date.wait().await?.code);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exec(&self, name: &str, command: &[&str], options: &ProcessOptions) -> Result<Process, Error> {
        let mut request = self.endpoint().subresource_request(name, "exec")?;
        for word in command {
            request = request.param("command", word);
        }
        Process::open(self, options.add_to(request), options).await
    }

    /// Connects to the main process of a container.
    pub async fn attach(&self, name: &str, options: &ProcessOptions) -> Result<Process, Error> {
        let request = self.endpoint().subresource_request(name, "attach")?;
        Process::open(self, options.add_to(request), options).await
    }
}

/// A process in a container. Dropping it closes the connection.
///
/// Output that is connected has to be read, or its reader dropped: the process waits where nobody takes what it prints.
#[derive(Debug)]
pub struct Process {
    stdin: Option<DuplexStream>,
    stdout: Option<DuplexStream>,
    stderr: Option<DuplexStream>,
    sizes: mpsc::Sender<TerminalSize>,
    pump: Pump<ExitStatus>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExitStatus {
    /// The exit code; `None` where the process was not even started, or could not be waited for.
    pub code: Option<i32>,
    /// What the server said.
    pub status: Status,
}

impl ExitStatus {
    /// True for exit code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

impl Process {
    async fn open(api: &Api<Pod>, request: Request, options: &ProcessOptions) -> Result<Self, Error> {
        let doing = Doing::from(&request);
        let Channels { sender, receiver } = Channels::open(api.client(), request).await?;
        let (stdin, input) = pipe(options.stdin);
        let (stdout, output) = pipe(options.stdout);
        let (stderr, errors) = pipe(options.stderr && !options.tty);
        let (sizes, new_sizes) = mpsc::channel(1);
        let pump = async move {
            let outgoing = std::pin::pin!(send_input(sender, input, new_sizes));
            let incoming = std::pin::pin!(receive_output(receiver, output, errors, doing));
            match select(incoming, outgoing).await {
                Either::Left((status, _)) => status,
                // A broken way out shows on the way in too, perhaps with a reason.
                Either::Right((_, incoming)) => incoming.await,
            }
        };
        Ok(Self {
            stdin,
            stdout,
            stderr,
            sizes,
            pump: Pump(tokio::spawn(pump)),
        })
    }

    /// Standard input, once. Shutting it down, or dropping it, tells the process that nothing more comes (with
    /// `v5.channel.k8s.io`; older servers cannot be told).
    pub fn stdin(&mut self) -> Option<impl AsyncWrite + Unpin + Send + use<>> {
        self.stdin.take()
    }

    /// Standard output, once.
    pub fn stdout(&mut self) -> Option<impl AsyncRead + Unpin + Send + use<>> {
        self.stdout.take()
    }

    /// Standard error, once.
    pub fn stderr(&mut self) -> Option<impl AsyncRead + Unpin + Send + use<>> {
        self.stderr.take()
    }

    /// Tells the process how large its terminal is now.
    pub async fn resize(&self, size: TerminalSize) {
        // A process that has ended needs no size.
        self.sizes.send(size).await.ok();
    }

    /// Waits for the end of the process. Output whose reader was not taken is thrown away; input that was not taken
    /// is closed.
    pub async fn wait(self) -> Result<ExitStatus, Error> {
        let Self {
            stdin,
            stdout,
            stderr,
            sizes,
            pump,
        } = self;
        drop((stdin, stdout, stderr, sizes));
        pump.join().await
    }
}

/// Our end and the pump's end of a stream that is connected.
fn pipe(connected: bool) -> (Option<DuplexStream>, Option<DuplexStream>) {
    if connected {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        (Some(ours), Some(theirs))
    } else {
        (None, None)
    }
}

async fn send_input(
    mut sender: Sender,
    mut input: Option<DuplexStream>,
    mut sizes: mpsc::Receiver<TerminalSize>,
) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = async {
            match &mut input {
                Some(input) => input.read(buffer.get_mut(1..).unwrap_or_default()).await.unwrap_or(0),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = read => match read {
                0 => {
                    input = None;
                    sender.close_channel(STDIN).await?;
                }
                read => {
                    let message = buffer.get(..=read).unwrap_or_default().to_vec();
                    sender.send(message).await?;
                }
            },
            Some(TerminalSize { width, height }) = sizes.recv() => {
                let mut message = vec![RESIZE];
                message.extend(format!(r#"{{"Width":{width},"Height":{height}}}"#).into_bytes());
                sender.send(message).await?;
            }
            else => return Ok(()),
        }
    }
}

async fn receive_output(
    mut receiver: Receiver,
    mut output: Option<DuplexStream>,
    mut errors: Option<DuplexStream>,
    doing: Doing,
) -> Result<ExitStatus, Error> {
    let mut status = Vec::new();
    while let Some(incoming) = receiver.next().await? {
        match incoming {
            Incoming::Data(data) => match split(data) {
                (STDOUT, data) => write(&mut output, &data).await,
                (STDERR, data) => write(&mut errors, &data).await,
                (ERROR, data) if status.len() + data.len() <= MAX_STATUS => status.extend_from_slice(&data),
                _ => {}
            },
            Incoming::Closed(STDOUT) => output = None,
            Incoming::Closed(STDERR) => errors = None,
            Incoming::Closed(_) => {}
        }
        // The status is the last word, however long the server takes to close the connection.
        if let Ok(status) = serde_json::from_slice::<Status>(&status) {
            return Ok(exit_status(status));
        }
    }
    Err(Error::invalid(doing, "the connection ended before the process did"))
}

/// The channel and the bytes of a message.
pub(super) fn split(mut message: Bytes) -> (u8, Bytes) {
    match message.try_get_u8() {
        Ok(channel) => (channel, message),
        Err(_) => (ERROR, Bytes::new()),
    }
}

/// A reader that is gone misses nothing.
async fn write(stream: &mut Option<DuplexStream>, data: &[u8]) {
    if let Some(writer) = stream
        && writer.write_all(data).await.is_err()
    {
        *stream = None;
    }
}

fn exit_status(status: Status) -> ExitStatus {
    let code = if status.status.as_deref() == Some("Success") {
        Some(0)
    } else {
        let causes = status.details.as_ref().and_then(|details| details.causes.as_deref());
        let code = causes
            .unwrap_or_default()
            .iter()
            .find(|cause| cause.reason.as_deref() == Some("ExitCode"));
        code.and_then(|cause| cause.message.as_deref()?.parse().ok())
    };
    ExitStatus { code, status }
}

/// The task that moves the bytes; it ends with this value.
#[derive(Debug)]
pub(super) struct Pump<T>(pub(super) JoinHandle<Result<T, Error>>);

impl<T> Pump<T> {
    pub(super) async fn join(mut self) -> Result<T, Error> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => Err(Error::invalid("move bytes", error.to_string())),
        }
    }
}

impl<T> Drop for Pump<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
