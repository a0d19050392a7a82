//! A server that runs "programs" and "ports" over WebSocket, as a kubelet behind an API server does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kubewire_client::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The server; dropping it ends everything.
pub(crate) struct Kubelet {
    url: String,
    protocol: &'static str,
    /// Sockets that are open now.
    pub(crate) open: Arc<AtomicUsize>,
    /// Requests that were never answered.
    pub(crate) waiting: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Kubelet {
    pub(crate) async fn start(protocol: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let open = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::new(AtomicUsize::new(0));
        let counters = (open.clone(), waiting.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let counters = counters.clone();
                connections.spawn(async move {
                    let service = service_fn(|request| answer(request, protocol, counters.clone()));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let connection = connection.serve_connection(TokioIo::new(stream), service);
                    connection.with_upgrades().await.ok();
                });
            }
        });
        Self {
            url,
            protocol,
            open,
            waiting,
            _serving: serving,
        }
    }

    pub(crate) fn config(&self) -> Config {
        assert!(!self.protocol.is_empty());
        Config::new(&self.url)
    }
}

async fn answer(
    mut request: Request<Incoming>,
    protocol: &'static str,
    (open, waiting): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) -> Result<Response<Full<Bytes>>, Infallible> {
    let refuse = |code: StatusCode, text: &'static str| Response::builder().status(code).body(text.into()).unwrap();
    let path = request.uri().path().to_owned();
    if path.contains("/gone/") {
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound"}"#;
        return Ok(refuse(StatusCode::NOT_FOUND, status));
    }
    if path.contains("/never/") {
        waiting.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
    let offered = request.headers()[header::SEC_WEBSOCKET_PROTOCOL].to_str().unwrap();
    assert_eq!(offered, "v5.channel.k8s.io, v4.channel.k8s.io");
    assert_eq!(request.headers()[header::UPGRADE], "websocket");
    let key = derive_accept_key(request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes());
    let query: Vec<(String, String)> = parameters(request.uri().query().unwrap_or_default());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        open.fetch_add(1, Ordering::SeqCst);
        let upgraded = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        match path.rsplit('/').next() {
            Some("portforward") => ports(socket, &query).await,
            _ if path.contains("/stuck/") => while receive(&mut socket).await.is_some() {},
            _ if path.contains("/no-tar/") => no_program(socket).await,
            _ => process(socket, &query, protocol).await,
        }
        open.fetch_sub(1, Ordering::SeqCst);
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    Ok(response.body(Full::default()).unwrap())
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        let value = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        (name.to_owned(), value.into_owned())
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// A program of this machine, as far as tar goes: what it prints comes after what it reads.
async fn run(socket: &mut Socket, words: &[&str]) -> i32 {
    let child = tokio::process::Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    if words.contains(&"-x") {
        while let Some(data) = receive(socket).await {
            match data[..] {
                [255, 0] => break,
                [0, ..] => drop(stdin.write_all(&data[1..]).await),
                _ => {}
            }
        }
    }
    drop(stdin);
    let (mut stdout, mut buffer) = (child.stdout.take().unwrap(), vec![0; 32 << 10]);
    loop {
        match stdout.read(&mut buffer).await.unwrap() {
            0 => break,
            read => send(socket, 1, &buffer[..read]).await,
        }
    }
    let output = child.wait_with_output().await.unwrap();
    send(socket, 2, &output.stderr).await;
    output.status.code().unwrap()
}

/// `tar` is that of this machine; `cat` copies its input; `exit N` ends with this code; `say TEXT` prints it on both outputs; `size` prints what the
/// terminal's size becomes.
async fn process(mut socket: Socket, query: &[(String, String)], protocol: &str) {
    let words: Vec<&str> = query
        .iter()
        .filter(|(name, _)| name == "command")
        .map(|(_, word)| word.as_str())
        .collect();
    let mut code = 0;
    match words[..] {
        ["exit", number] => code = number.parse().unwrap(),
        ["say", text] => {
            send(&mut socket, 1, text.as_bytes()).await;
            send(&mut socket, 2, text.to_uppercase().as_bytes()).await;
        }
        ["size"] => {
            let size = receive(&mut socket).await.unwrap();
            send(&mut socket, 1, &size[1..]).await;
        }
        ["cat"] => {
            while let Some(data) = receive(&mut socket).await {
                match data[..] {
                    [255, 0] => break,
                    [0, ..] => send(&mut socket, 1, &data[1..]).await,
                    _ => {}
                }
            }
        }
        ["tar", ..] => code = run(&mut socket, &words).await,
        ["sleep"] => {
            while receive(&mut socket).await.is_some() {}
            return;
        }
        _ => return,
    }
    if protocol.starts_with("v5") {
        socket.send(Message::Binary(vec![255, 1].into())).await.ok();
    }
    let status = match code {
        0 => r#"{"metadata":{},"status":"Success"}"#.to_owned(),
        code => format!(
            r#"{{"metadata":{{}},"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with exit code {code}","details":{{"causes":[{{"reason":"ExitCode","message":"{code}"}}]}}}}"#
        ),
    };
    send(&mut socket, 3, status.as_bytes()).await;
    socket.close(None).await.ok();
}

/// What a kubelet says where the container has no such program.
async fn no_program(mut socket: Socket) {
    let words = r#"error executing command in container: exec: \"tar\": executable file not found in $PATH"#;
    let status = format!(
        r#"{{"metadata":{{}},"status":"Failure","reason":"InternalError","message":"Internal error occurred: {words}","code":500}}"#
    );
    send(&mut socket, 3, status.as_bytes()).await;
    socket.close(None).await.ok();
}

/// Port 7 echoes; nobody listens on the others.
async fn ports(mut socket: Socket, query: &[(String, String)]) {
    let ports: Vec<u16> = query
        .iter()
        .filter(|(name, _)| name == "ports")
        .map(|(_, port)| port.parse().unwrap())
        .collect();
    let mut open = HashMap::new();
    for (place, port) in (0..).zip(&ports) {
        let (data, error) = (place * 2, place * 2 + 1);
        send(&mut socket, data, &port.to_le_bytes()).await;
        send(&mut socket, error, &port.to_le_bytes()).await;
        if *port == 7 {
            open.insert(data, true);
        } else {
            send(&mut socket, error, b"connection refused").await;
        }
    }
    while open.values().any(|open| *open) {
        let Some(data) = receive(&mut socket).await else { return };
        match data[..] {
            [255, channel] => {
                open.insert(channel, false);
                socket.send(Message::Binary(vec![255, channel].into())).await.ok();
            }
            [channel, ..] if open.contains_key(&channel) => send(&mut socket, channel, &data[1..]).await,
            _ => {}
        }
    }
    socket.close(None).await.ok();
}

async fn send(socket: &mut Socket, channel: u8, data: &[u8]) {
    socket
        .send(Message::Binary([&[channel], data].concat().into()))
        .await
        .ok();
}

async fn receive(socket: &mut Socket) -> Option<Bytes> {
    loop {
        match socket.next().await?.ok()? {
            Message::Binary(data) => return Some(data),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}
