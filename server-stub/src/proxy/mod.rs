//! Requests that another server answers: extension API servers, kubelets, pods and services.
//!
//! A [`ProxyTransport`] keeps connections open and shares them among requests; [`forward`] sends a request through one
//! and hands back the answer as it arrives. Upgraded connections (exec, port-forward, WebSockets) become tunnels.

mod backends;
mod connector;
mod dialer;
mod forward;
mod headers;
mod html;
#[cfg(feature = "ssh")]
mod ssh;
mod tls;
mod transport;
mod tunneler;
mod url;

pub use backends::{Backends, Kubelets};
pub use dialer::{Dialer, DirectDialer, Stream};
pub use forward::forward;
pub use headers::add_user;
pub(crate) use html::lead_back;
#[cfg(feature = "ssh")]
pub use ssh::{SshError, SshLogin, SshTunneler};
pub use tls::{ProxyTls, ProxyTlsError, Trust};
pub use transport::{ProxyError, ProxyTransport};
pub use tunneler::Tunneler;
pub(crate) use tunneler::{health_check as tunnel_check, hook as tunneler_hook};
pub use url::server_url;
