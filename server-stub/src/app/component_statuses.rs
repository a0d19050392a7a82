//! `componentstatuses`: what an administrator was told about the control plane before there were health endpoints.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::endpoints::VirtualResource;
use crate::status::ApiError;
use crate::storage::Storage;

/// The storage, and the ports on which a scheduler and a controller manager listen.
pub(super) struct ComponentStatuses(pub(super) Arc<dyn Storage>);

const TIMEOUT: Duration = Duration::from_secs(2);

#[async_trait]
impl VirtualResource for ComponentStatuses {
    async fn list(&self) -> Result<Vec<Value>, ApiError> {
        let storage = self
            .0
            .get("health", None)
            .await
            .map(drop)
            .map_err(|error| error.to_string());
        Ok(vec![
            status("scheduler", listens(10259).await),
            status("controller-manager", listens(10257).await),
            status("etcd-0", storage),
        ])
    }
}

async fn listens(port: u16) -> Result<(), String> {
    let connect = TcpStream::connect(("127.0.0.1", port));
    let problem = match tokio::time::timeout(TIMEOUT, connect).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(_)) => "connect: connection refused",
        Err(_) => "i/o timeout",
    };
    Err(format!(
        "Get \"https://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: {problem}"
    ))
}

fn status(name: &str, health: Result<(), String>) -> Value {
    let (status, message) = match health {
        Ok(()) => ("True", "ok".to_owned()),
        Err(problem) => ("False", problem),
    };
    json!({
        "metadata": { "name": name },
        "conditions": [{ "type": "Healthy", "status": status, "message": message }],
    })
}
