//! A conversion webhook on the loopback address. It notes in each object which version was asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kubewire_server_stub::generic::certificates::Authority;
use kubewire_server_stub::generic::clock::Clock;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// The webhook; dropping it ends everything.
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) ca_bundle: String,
    renames: Arc<AtomicBool>,
    _serving: JoinSet<()>,
}

impl Webhook {
    pub(crate) async fn start() -> Self {
        let authority = Authority::new("webhook-ca", &Clock::default()).unwrap();
        let pair = authority.server("webhook", &["localhost"], &[]).unwrap();
        let certificate = CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let tls = TlsAcceptor::from(Arc::new(tls.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let renames = Arc::new(AtomicBool::new(false));
        let (mut serving, flag) = (JoinSet::new(), renames.clone());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, renames) = (tls.clone(), flag.clone());
                connections.spawn(async move {
                    let stream = TokioIo::new(tls.accept(stream).await.unwrap());
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let service = service_fn(move |request| convert(request, renames.clone()));
                    builder.serve_connection(stream, service).await.ok();
                });
            }
        });
        Self {
            url: format!("https://localhost:{port}/convert"),
            ca_bundle: STANDARD.encode(authority.certificate_pem()),
            renames,
            _serving: serving,
        }
    }

    /// From now on every object gets another name, which a webhook must not do.
    pub(crate) fn rename(&self) {
        self.renames.store(true, Ordering::SeqCst);
    }
}

async fn convert(request: Request<Incoming>, renames: Arc<AtomicBool>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let wanted = &review["request"]["desiredAPIVersion"];
    let mut objects = review["request"]["objects"].as_array().unwrap().clone();
    for object in &mut objects {
        object["apiVersion"] = wanted.clone();
        let item = object["spec"]["item"].as_str().unwrap_or_default();
        let item = item.split(' ').next().unwrap_or_default();
        object["spec"]["item"] = format!("{item} as {}", wanted.as_str().unwrap()).into();
        if renames.load(Ordering::SeqCst) {
            object["metadata"]["name"] = "renamed".into();
        }
    }
    let answer = json!({
        "apiVersion": review["apiVersion"], "kind": "ConversionReview",
        "response": {
            "uid": review["request"]["uid"], "convertedObjects": objects, "result": { "status": "Success" },
        },
    });
    Ok(Response::new(Full::new(answer.to_string().into())))
}
