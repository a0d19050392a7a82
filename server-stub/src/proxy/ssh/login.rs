//! Who logs in to nodes, and how nodes are known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Config, Handler, connect_stream};
use russh::keys::known_hosts::check_known_hosts_path;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use tokio::net::TcpStream;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::connection::{Connection, Sessions, Socket};

/// Longest time until a login is through.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A node that says nothing for so long is asked whether it is still there; after three times it is not.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How to log in to nodes.
pub struct SshLogin {
    user: String,
    key: Arc<PrivateKey>,
    port: u16,
    known_hosts: Option<Arc<Path>>,
    config: Arc<Config>,
}

/// Why something cannot be reached over SSH.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SshError {
    /// The private key cannot be read.
    #[error("--ssh-keyfile: read the private key {path}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: russh::keys::Error,
    },
    /// Nobody can be reached at the node's SSH port.
    #[error("dial tcp {address}:{port}: {source}")]
    Dial {
        /// The node's address.
        address: String,
        /// Its SSH port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The connection to the node cannot be made, or broke off.
    #[error("ssh: {address}: {source}")]
    Connection {
        /// The node's address.
        address: String,
        /// Why.
        source: russh::Error,
    },
    /// The node does not let the user in.
    #[error("ssh: {address}: unable to authenticate user {user:?} with the key of --ssh-keyfile")]
    Refused {
        /// The node's address.
        address: String,
        /// The user.
        user: String,
    },
    /// The node did not answer in time.
    #[error("ssh: {0}: i/o timeout")]
    Timeout(String),
    /// The node cannot or must not reach what was dialled.
    #[error("ssh: rejected: {0}")]
    Rejected(String),
}

impl SshLogin {
    /// Logs in as `user` with the private key in a file (OpenSSH, PKCS#8 or SEC1; Ed25519 or ECDSA, without a
    /// passphrase) at a port of the nodes.
    ///
    /// Any host key will do unless `known_hosts` names a file of them in OpenSSH's format. The key cannot be learnt by
    /// an impostor, but what kubelets say can be forged by one unless their certificates are verified.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn new(user: &str, key_file: &Path, port: u16, known_hosts: Option<&Path>) -> Result<Self, SshError> {
        let key = load_secret_key(key_file, None).map_err(|source| SshError::Key {
            path: key_file.to_owned(),
            source,
        })?;
        let config = Config {
            keepalive_interval: Some(KEEP_ALIVE),
            ..Config::default()
        };
        Ok(Self {
            user: user.to_owned(),
            key: Arc::new(key),
            port,
            known_hosts: known_hosts.map(Arc::from),
            config: Arc::new(config),
        })
    }

    /// Who logs in.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// A connection to the node at an address, which ends when it is dropped.
    pub(super) async fn connect(&self, address: &str, sessions: &Sessions) -> Result<Connection, SshError> {
        let connected = tokio::time::timeout(LOGIN_TIMEOUT, self.log_in(address, sessions)).await;
        connected.unwrap_or_else(|_| Err(SshError::Timeout(address.to_owned())))
    }

    async fn log_in(&self, address: &str, sessions: &Sessions) -> Result<Connection, SshError> {
        let dialled = TcpStream::connect((address, self.port)).await;
        // Keystrokes of an exec would otherwise wait for each other.
        let dialled = dialled.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = dialled.map_err(|source| SshError::Dial {
            address: address.to_owned(),
            port: self.port,
            source,
        })?;
        let (socket, end) = Socket::new(stream, sessions);
        let host = Host {
            address: address.to_owned(),
            port: self.port,
            known_hosts: self.known_hosts.clone(),
            _session: sessions.tasks.token(),
        };
        let failed = |source| SshError::Connection {
            address: address.to_owned(),
            source,
        };
        let mut handle = connect_stream(self.config.clone(), socket, host)
            .await
            .map_err(failed)?;
        let key = PrivateKeyWithHashAlg::new(self.key.clone(), None);
        let answer = handle.authenticate_publickey(&self.user, key).await.map_err(failed)?;
        match answer {
            AuthResult::Success => Ok(Connection::new(address, handle, end)),
            AuthResult::Failure { .. } => Err(SshError::Refused {
                address: address.to_owned(),
                user: self.user.clone(),
            }),
        }
    }
}

/// The node at the other end of a connection.
pub(super) struct Host {
    address: String,
    port: u16,
    known_hosts: Option<Arc<Path>>,
    /// Gone when the connection's task has ended.
    _session: TaskTrackerToken,
}

impl Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        match &self.known_hosts {
            None => Ok(true),
            Some(file) => Ok(check_known_hosts_path(
                &self.address,
                self.port,
                &key.public_key(),
                file,
            )?),
        }
    }
}
