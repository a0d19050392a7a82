//! Objects as rows for people, as `kubectl get` prints them.

use serde::Deserialize;

use super::DynamicApi;
use crate::api::{Endpoint, ListOptions};
use crate::error::Error;
use crate::rest::{Representation, Verb};
use crate::types::meta::v1::Table;
use crate::wire::WireError;

impl DynamicApi {
    /// Reads the objects that the options select as rows. Each row has its object's metadata.
    pub async fn list_table(&self, options: &ListOptions) -> Result<Table, Error> {
        let endpoint = Endpoint {
            representation: Some(Representation::Table),
            ..self.endpoint.clone()
        };
        let text = endpoint.list_response(options).await?.bytes().await?;
        let unreadable = |error| endpoint.wire_error(Verb::List, error);
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        let Kind { kind } = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
        if kind != "Table" {
            let reason = format!("the server makes no table of this resource; it answered with a {kind}");
            return Err(unreadable(WireError::value(reason)));
        }
        serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))
    }
}
