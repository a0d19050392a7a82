//! Objects as rows for people, as `kubectl get` prints them.

use serde::Deserialize;
use serde_json::Value;

use super::DynamicApi;
use crate::api::{Endpoint, ListOptions};
use crate::error::Error;
use crate::metadata::PartialObjectMetadata;
use crate::rest::{Representation, Verb};
use crate::wire::WireError;

/// Rows and the columns that the server thinks people want to see (`meta.k8s.io/v1`, `Table`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Table {
    /// The columns.
    #[serde(rename = "columnDefinitions")]
    pub columns: Vec<TableColumn>,
    /// The rows.
    pub rows: Vec<TableRow>,
    /// The version the rows were read at, and where the next page begins.
    pub metadata: TableMetadata,
}

/// What a table says of itself as a list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct TableMetadata {
    /// The version the rows were read at.
    pub resource_version: String,
    /// Where the next page begins; empty on the last one.
    #[serde(rename = "continue")]
    pub continue_token: String,
    /// How many rows follow on later pages, where the server knows.
    pub remaining_item_count: Option<i64>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct TableColumn {
    /// The head of the column.
    pub name: String,
    /// The OpenAPI type of its cells: `string`, `integer`, `number`, `boolean`, `array` or `object`.
    #[serde(rename = "type")]
    pub ty: String,
    /// The OpenAPI format of its cells; `name` in the column that identifies the object.
    pub format: String,
    /// What the column shows.
    pub description: String,
    /// 0 where the column is always shown; others are for `-o wide`.
    pub priority: i32,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TableRow {
    /// One value per column: a text, a number, a bool or `null`.
    pub cells: Vec<Value>,
    /// Whose row it is.
    pub object: Option<PartialObjectMetadata>,
}

impl DynamicApi {
    /// Reads the objects that the options select as rows.
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
