//! Requests that a server says it has done nothing about.

use std::sync::Arc;

use bytes::Bytes;
use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Client, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::Authority;

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const NO_ERROR: u8 = 0;
const REFUSED_STREAM: u8 = 7;

/// `GOAWAY`: streams after the last one will not be looked at.
fn go_away(last_stream: u8) -> [u8; 17] {
    [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_stream, 0, 0, 0, NO_ERROR]
}

fn refuse(stream: u8) -> [u8; 13] {
    [0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, REFUSED_STREAM]
}

/// Creates something by a second connection, where the first one answers with these frames.
async fn is_created_after(frames: &[u8]) {
    let authority = Authority::new();
    let mut tls = authority.server();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = Client::new(&Config::new(url).with_ca_pem(authority.pem())).unwrap();
    let serving = async {
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.write_all(&SETTINGS).await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut kind = SETTINGS[3];
        while kind != HEADERS {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            kind = head[3];
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
        }
        stream.write_all(frames).await.unwrap();

        let (second, _) = listener.accept().await.unwrap();
        let second = acceptor.accept(second).await.unwrap();
        let mut connection = h2::server::handshake(second).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_response(http::Response::new(()), true).unwrap();
        // Nothing more comes.
        connection.accept().await;
    };
    let request = Request::new(Verb::Create, "/things", "a thing").body("text/plain", Bytes::from_static(b"x"));
    tokio::select! {
        () = serving => panic!("the client hung up"),
        answer = client.send(request) => drop(answer.unwrap()),
    }
}

#[tokio::test]
async fn what_a_closing_connection_left_undone_goes_out_again() {
    is_created_after(&go_away(0)).await;
}

#[tokio::test]
async fn a_refused_stream_goes_out_again() {
    let frames = [refuse(1).as_slice(), &go_away(1)].concat();
    is_created_after(&frames).await;
}
