//! Nodes behind SSH: connections to kubelets, pods and services go through the SSH servers of the nodes.
//!
//! One SSH connection to each node is kept, over which its kubelet is asked for its health. What is dialled gets an SSH
//! connection of its own, on which the pools of HTTP connections keep it: the streams of one SSH connection would hold
//! each other up, since `russh` reads no further while one of them is not read.

mod connection;
mod login;
mod node;
mod tunneler;

pub use login::{SshError, SshLogin};
pub use tunneler::SshTunneler;
