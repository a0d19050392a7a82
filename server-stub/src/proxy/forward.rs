//! One request through the proxy.

use std::sync::Arc;

use http::header::HOST;
use http::uri::Scheme;
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::headers;
use super::transport::{ProxyError, ProxyTransport};
use crate::authentication::Connection;
use crate::generic::request::{Request, Response, empty};
use crate::generic::upgrades::Upgrades;

/// Sends a request to `url`, a complete one, and returns the answer while it arrives.
///
/// Where the client asks for another protocol and the other side agrees, their connections are tied together until one
/// of them ends or the server stops.
///
/// # Errors
/// The other side gave no answer, or one as if no other protocol had been asked for. Whatever else it answers is no
/// error.
pub async fn forward(mut request: Request, url: Uri, transport: &ProxyTransport) -> Result<Response, ProxyError> {
    let upgrade = headers::wants_upgrade(request.headers());
    let client = hyper::upgrade::on(&mut request);
    let upgrades = request.extensions().get::<Upgrades>().cloned();
    let address = request
        .extensions()
        .get::<Arc<Connection>>()
        .map(|connection| connection.remote_addr);
    let (head, body) = request.into_parts();
    let mut onward = http::Request::builder().method(head.method).uri(url).body(body)?;
    *onward.headers_mut() = head.headers;
    if onward.uri().scheme() != Some(&Scheme::HTTP) {
        // HTTP/2 names the host in the URL.
        onward.headers_mut().remove(HOST);
    }
    if !upgrade {
        headers::remove_hop_by_hop(onward.headers_mut());
    }
    if let Some(address) = address {
        headers::add_forwarded_for(onward.headers_mut(), address);
    }
    let mut answer = transport.send(onward, upgrade).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upgrades = upgrades.ok_or(ProxyError::Upgrade("the client is not on a connection of its own"))?;
        let server = hyper::upgrade::on(&mut answer);
        upgrades.spawn(tunnel(client, server));
        return Ok(answer.map(|_| empty()));
    }
    if upgrade && answer.status().as_u16() < 400 {
        return Err(ProxyError::NotUpgraded(answer.status().as_u16()));
    }
    headers::remove_hop_by_hop(answer.headers_mut());
    Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// Carries bytes both ways; each side may stop sending on its own.
async fn tunnel(client: OnUpgrade, server: OnUpgrade) {
    let (client, server) = match tokio::try_join!(client, server) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "upgrade a proxied connection"),
    };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%error, "a proxied connection broke off");
    }
}
