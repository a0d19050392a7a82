//! The server in place of kube-apiserver and etcd for controller-runtime's envtest: the folder that
//! `KUBEBUILDER_ASSETS` names, and a stand-in for etcd.

mod assets;
pub mod etcd;

pub use assets::{AssetsError, lay_out};
