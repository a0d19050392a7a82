//! Where the API server is and how to be let in: kubeconfig files, in-cluster service accounts, or by hand.
//!
//! A [`Config`] is plain data. [`transport::connect`](crate::transport::connect) turns it into connections; files it
//! names (tokens, certificates) are read there, and read again when they change.

pub(crate) mod credentials;
mod environment;
mod error;
mod exec;
mod kubeconfig;
mod load;
mod oidc;
mod persist;
mod resolve;
mod secret;
pub(crate) mod server;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use credentials::CredentialError;
pub use error::ConfigError;
pub use exec::ExecCredentials;
pub use kubeconfig::{
    AuthInfo, AuthProvider, Cluster, Context, ExecConfig, ExecEnv, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext, NamedExtension,
};
pub use oidc::OidcCredentials;
pub use resolve::KubeconfigOptions;
pub use secret::Secret;

use environment::Environment;

use crate::backoff::ExponentialOptions;
use crate::rest::{ClientMetrics, RateLimit, Retry, WarningHandler};
use crate::wire::Encoding;

/// Everything needed to talk to one API server as one user.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
/// # let text = server.kubeconfig();
/// use kubewire_client::Clientset;
/// use kubewire_client::config::{Config, Credentials, Kubeconfig, KubeconfigOptions};
///
/// // The files that kubectl would take are read by `Config::infer()`.
/// let config = Config::from_kubeconfig(&Kubeconfig::from_yaml(text)?, &KubeconfigOptions::default())?;
/// let clientset = Clientset::new(&config)?;
/// assert!(clientset.core_v1().namespaces().get("default").await.is_ok());
///
/// let by_hand = Config::new("https://10.0.0.1:6443")
///     .with_ca_file("/etc/kubernetes/pki/ca.crt")
///     .with_credentials(Credentials::token("s3cr3t"));
/// assert!(!format!("{by_hand:?}").contains("s3cr3t"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Base URL of the API server; a path, as of a server behind a gateway, is put before every request's path.
    /// Without a scheme, `https` is taken where TLS is set up and `http` otherwise. It must not hold a password.
    pub server: String,
    /// Namespace to use where the user names none. Default `default`.
    pub namespace: String,
    /// How to recognise the server, and our certificate. Default: the system's roots, no client certificate.
    pub tls: TlsOptions,
    /// How to tell the server who we are, apart from a client certificate. Default: nothing.
    pub credentials: Credentials,
    /// Whom to act as; needs the `impersonate` permission. Default: nobody else.
    pub impersonate: Option<Impersonate>,
    /// Proxy to reach the server by: an `http`, `https` or `socks5` URL; a secret because it may hold a password.
    /// Default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, except for a loopback server.
    pub proxy: Option<Secret>,
    /// `User-Agent` of every request. Default `kubewire/<version> (<os>/<arch>)`.
    pub user_agent: String,
    /// What to speak where the server knows both. Default protobuf.
    pub encoding: Encoding,
    /// Speaks HTTP/1.1 even where the server knows HTTP/2: a connection for every watch. Default off.
    pub http1: bool,
    /// Longest time to set up a connection: name look-up, TCP and TLS. Default 30 s.
    pub connect_timeout: Duration,
    /// Longest time for a whole request other than a watch or a stream; `None` waits for ever. The server itself
    /// gives up after 60 s. Default 120 s.
    pub request_timeout: Option<Duration>,
    /// How long to wait between tries of a request that may be sent again, and how often at most: see
    /// [`Client::send`](crate::Client::send). Default: from 100 ms to 5 s, ten times; without having been asked to by
    /// the server, four times at most. `max_tries` of 0 tries nothing again.
    pub retries: ExponentialOptions,
    /// Our own limit of requests. Default: none; the server has its own (429 is waited out and tried again).
    pub rate_limit: Option<RateLimit>,
    /// What to do with the server's warnings. Default: log each of them once.
    pub warnings: WarningHandler,
    /// Who gets figures of the requests. Default: nobody.
    pub metrics: Option<Arc<dyn ClientMetrics>>,
}

impl Config {
    /// Anonymous access to `server`, with the defaults documented at each field.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            namespace: "default".to_owned(),
            tls: TlsOptions::default(),
            credentials: Credentials::default(),
            impersonate: None,
            proxy: None,
            user_agent: default_user_agent(),
            encoding: Encoding::Protobuf,
            http1: false,
            connect_timeout: Duration::from_secs(30),
            request_timeout: Some(Duration::from_secs(120)),
            retries: Retry::default_options(),
            rate_limit: None,
            warnings: WarningHandler::default(),
            metrics: None,
        }
    }

    /// What the surroundings say: the files of `KUBECONFIG` or `~/.kube/config`, or else the pod's service account.
    pub fn infer() -> Result<Self, ConfigError> {
        Self::infer_with(&KubeconfigOptions::default())
    }

    /// Like [`infer`](Config::infer), with another context, cluster or user than the kubeconfig's current one.
    pub fn infer_with(options: &KubeconfigOptions) -> Result<Self, ConfigError> {
        Environment::of_process().infer(options)
    }

    /// The pod's service account. Its token is read again at most once a minute, and after a 401.
    pub fn in_cluster() -> Result<Self, ConfigError> {
        Environment::of_process().in_cluster()
    }

    /// The cluster and user of a kubeconfig's context.
    pub fn from_kubeconfig(kubeconfig: &Kubeconfig, options: &KubeconfigOptions) -> Result<Self, ConfigError> {
        resolve::config(kubeconfig, options)
    }

    /// The cluster and user of the current context of a kubeconfig file.
    pub fn from_kubeconfig_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_kubeconfig(&Kubeconfig::read(path)?, &KubeconfigOptions::default())
    }

    /// Namespace to use where the user names none.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Trusts the certificate authorities of this PEM text, and no others.
    #[must_use]
    pub fn with_ca_pem(mut self, pem: impl Into<Secret>) -> Self {
        self.tls.ca = Some(PemSource::Inline(pem.into()));
        self
    }

    /// Trusts the certificate authorities of this PEM file, and no others.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(PemSource::File(path.into()));
        self
    }

    /// Shows this certificate (chain) to the server.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: PemSource, key: PemSource) -> Self {
        self.tls.identity = Some(ClientCertificate { certificate, key });
        self
    }

    /// Does TLS by this cryptography.
    #[must_use]
    pub fn with_crypto_provider(mut self, provider: Arc<rustls::crypto::CryptoProvider>) -> Self {
        self.tls.crypto_provider = Some(provider);
        self
    }

    /// Replaces the TLS options.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// How to tell the server who we are.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Acts as somebody else.
    #[must_use]
    pub fn with_impersonate(mut self, impersonate: Impersonate) -> Self {
        self.impersonate = Some(impersonate);
        self
    }

    /// Reaches the server by this proxy.
    #[must_use]
    pub fn with_proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Names the program to the server.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// What to speak where the server knows both.
    #[must_use]
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Whether to speak HTTP/1.1 even where the server knows HTTP/2.
    #[must_use]
    pub fn with_http1(mut self, http1: bool) -> Self {
        self.http1 = http1;
        self
    }

    /// Longest time to set up a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest time for a whole request other than a watch or a stream.
    #[must_use]
    pub fn with_request_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long to wait between tries, and how often to try.
    #[must_use]
    pub fn with_retries(mut self, retries: ExponentialOptions) -> Self {
        self.retries = retries;
        self
    }

    /// Sends no more than `qps` requests a second in the long run, and `burst` at once after a pause.
    #[must_use]
    pub fn with_rate_limit(mut self, qps: f64, burst: u32) -> Self {
        self.rate_limit = Some(RateLimit { qps, burst });
        self
    }

    /// What to do with the server's warnings.
    #[must_use]
    pub fn with_warnings(mut self, warnings: WarningHandler) -> Self {
        self.warnings = warnings;
        self
    }

    /// Who gets figures of the requests.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<dyn ClientMetrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }
}

/// How to recognise the server, and our own certificate.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Certificate authorities to trust, one or several; `None` trusts the system's.
    pub ca: Option<PemSource>,
    /// Our certificate.
    pub identity: Option<ClientCertificate>,
    /// Accepts any server certificate: whoever sits on the path can read the credentials. Tests only; not together
    /// with `ca`.
    pub insecure_skip_verify: bool,
    /// Name or address to expect in the server's certificate instead of the URL's host. A name is also sent as SNI.
    pub server_name: Option<String>,
    /// The cryptography behind TLS. Default: what the process has installed as its default, else ring. ring knows no
    /// P-521 keys, RSA keys of less than 2048 bits, or SHA-512 with P-256.
    pub crypto_provider: Option<Arc<rustls::crypto::CryptoProvider>>,
}

/// A client certificate and its key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, followed by its intermediates.
    pub certificate: PemSource,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PemSource,
}

/// PEM text, or the file that holds it.
#[derive(Clone, Debug)]
pub enum PemSource {
    /// The PEM text itself.
    Inline(Secret),
    /// A file, read on connect and again when it changes.
    File(PathBuf),
}

/// How to tell the server who we are, apart from a client certificate.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// No `Authorization` header.
    #[default]
    None,
    /// A bearer token.
    Token(Secret),
    /// A bearer token in a file that somebody rotates: read again at most once a minute, and after a 401.
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Used until the file could be read once.
        fallback: Option<Secret>,
    },
    /// HTTP basic authentication.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// A program that prints a token or a client certificate.
    Exec(ExecCredentials),
    /// Tokens of an OpenID Connect issuer.
    Oidc(OidcCredentials),
}

impl Credentials {
    /// A bearer token.
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::Token(token.into())
    }

    /// A bearer token in a file that somebody rotates.
    pub fn token_file(path: impl Into<PathBuf>) -> Self {
        Self::TokenFile {
            path: path.into(),
            fallback: None,
        }
    }

    /// HTTP basic authentication.
    pub fn basic(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Basic {
            username: username.into(),
            password: password.into(),
        }
    }
}

/// Whom to act as, sent as `Impersonate-*` headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impersonate {
    /// User name.
    pub user: String,
    /// User id.
    pub uid: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Further facts about the user; keys are case-insensitive.
    pub extra: std::collections::BTreeMap<String, Vec<String>>,
}

impl Impersonate {
    /// Acts as this user, with no groups but those that the server adds.
    pub fn user(name: impl Into<String>) -> Self {
        Self {
            user: name.into(),
            ..Self::default()
        }
    }

    /// Groups to act with.
    #[must_use]
    pub fn with_groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }
}

fn default_user_agent() -> String {
    format!(
        "kubewire/{} ({}/{})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
