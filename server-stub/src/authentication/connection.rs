//! What the listener knows about a connection.

use std::net::SocketAddr;
use std::sync::OnceLock;

use rustls_pki_types::CertificateDer;

use crate::generic::request::UserInfo;

/// A client's connection; it lies in the extensions of each of its requests as `Arc<Connection>`.
#[derive(Debug)]
pub struct Connection {
    /// The client's address.
    pub remote_addr: SocketAddr,
    /// The certificates that the client showed, its own first. The client has the key of that one; who signed it is
    /// not checked yet.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether the connection is one without TLS, whose client may do everything.
    pub insecure: bool,
    /// Whom the certificate stands for, once an authenticator has found out.
    pub(super) user: OnceLock<UserInfo>,
}

impl Connection {
    /// A connection after its handshake.
    pub fn new(remote_addr: SocketAddr, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self {
            remote_addr,
            certificates,
            insecure: false,
            user: OnceLock::new(),
        }
    }

    /// A connection without TLS.
    pub fn insecure(remote_addr: SocketAddr) -> Self {
        Self {
            insecure: true,
            ..Self::new(remote_addr, Vec::new())
        }
    }
}
