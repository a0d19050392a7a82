//! A Kubernetes client that speaks uncompressed protobuf by default.
//!
//! [`Clientset`] has an accessor for every built-in resource; each gives an [`Api`], which has the verbs.
//! [`Config`] says where the API server is and who asks. The API types are those of [`k8s_openapi`]; [`types`] has
//! what it lacks.
//!
//! The examples of this documentation use the server of `kubewire-server-stub`, which runs within the program. Those
//! that need a running container cannot.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kubewire_client::ListOptions;
//! use kubewire_server_stub::testing::Server;
//!
//! let server = Server::start(Default::default()).await?;
//! let clientset = server.clientset(); // without a socket; Clientset::new(&server.client_config()) has one
//! let namespaces = clientset.core_v1().namespaces().list(&ListOptions::default()).await?;
//! for namespace in namespaces.items {
//!     println!("{}", namespace.metadata.name.unwrap_or_default());
//! }
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are for those who come from elsewhere
//!
//! | client-go | kube-rs | here |
//! |---|---|---|
//! | `clientcmd`, `rest.Config` | `Config` | [`Config`], [`config::Kubeconfig`] |
//! | `kubernetes.Clientset` | | [`Clientset`] |
//! | `CoreV1().Pods(ns)` | `Api<Pod>` | `clientset.core_v1().pods(ns)`, [`Api<Pod>`](Api) |
//! | `dynamic.Interface` | `Api<DynamicObject>` | [`dynamic::DynamicApi`] |
//! | `metadata.Interface` | `get_metadata`, `list_metadata` | [`metadata::MetadataApi`] |
//! | `Table` as `kubectl get` asks for it | | [`DynamicApi::list_table`](dynamic::DynamicApi::list_table) |
//! | `discovery.CachedDiscoveryInterface` | `Discovery` | [`discovery::Discovery`] |
//! | `restmapper` | `discovery::pinned_kind` | [`discovery::RestMapper`] |
//! | `rest.Request` | `Client::request` | [`rest::Request`] with [`Client::send`] |
//! | `tools/pager` | | [`Api::pages`], [`Api::items`] |
//! | `apierrors.IsNotFound` | `Error::Api` | [`Error::is_not_found`] and its like |
//! | `remotecommand` | `Api::exec`, `Api::attach` | `Api::exec`, `Api::attach`: [`streams::Process`] |
//! | `portforward` | `Api::portforward` | `Api::port_forward`: [`streams::PortForward`] |
//! | `kubectl cp` | | `Api::copy_to`, `Api::copy_from`: [`streams::Copied`] |
//! | `PodLogOptions` | `LogParams` | `Api::logs`: [`streams::LogOptions`] |
//! | `metrics.Register` | | [`rest::ClientMetrics`] |
//! | `fake.Clientset` | `tower-test` | the server of `kubewire-server-stub`, or [`transport::from_service`] |
//! | informers, work queues, leader election, events | `kube-runtime` | the crate `kubewire-informers` |

pub mod api;
pub mod backoff;
pub mod clientset;
pub mod config;
pub mod discovery;
pub mod dynamic;
mod error;
#[cfg(test)]
mod logged;
pub mod metadata;
mod object;
mod resource;
pub mod rest;
pub mod selector;
pub mod streams;
pub mod transport;
pub mod types;
pub mod validation;
pub mod wire;

pub use api::{Api, Deleted, ListOptions, ObjectList, Patch, PatchOptions, WatchEvent, WriteOptions};
pub use clientset::Clientset;
pub use config::Config;
pub use error::Error;
pub use object::{Decode, Object};
pub use resource::{Gvk, Gvr, ObjectKey, ResourceVersion};
pub use rest::Client;
