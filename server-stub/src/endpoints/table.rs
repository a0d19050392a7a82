//! Tables: what `kubectl get` asks for (KEP-1164), a row per object, cells by the resource's printer.

use jiff::Timestamp;
use kubewire_client::wire::schema::{self, MessageSchema};
use kubewire_client::wire::transcode;
use serde_json::{Value, json};

use super::answer::{ListMeta, list_meta, quote};
use super::columns;
use super::negotiation::MetaVersion;
use super::options::Query;
use super::resource::ObjectKind;
use crate::registry::{StoredObject, printers};
use crate::status::ApiError;

/// What a row carries beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    Nothing,
    Metadata,
    Object,
}

impl IncludeObject {
    pub(crate) fn parse(query: &Query) -> Result<Self, ApiError> {
        match query.first("includeObject").unwrap_or_default() {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::Nothing),
            "Object" => Ok(Self::Object),
            other => Err(ApiError::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: \
                 must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }
}

/// How the objects of one resource become tables.
pub(crate) struct TableConvertor {
    pub(crate) kind: ObjectKind,
    pub(crate) version: MetaVersion,
    pub(crate) include: IncludeObject,
    pub(crate) now: Timestamp,
}

impl TableConvertor {
    /// The table as JSON text. Later events of a watch leave the column definitions out.
    pub(crate) fn table<'a>(
        &self,
        items: impl IntoIterator<Item = &'a StoredObject>,
        meta: &ListMeta,
        with_columns: bool,
    ) -> Result<String, ApiError> {
        let columns = if with_columns {
            self.columns()
        } else {
            "null".to_owned()
        };
        let mut items: Vec<_> = items.into_iter().collect();
        if let ObjectKind::BuiltIn(facts, _) = &self.kind {
            printers::sort(facts.group, facts.plural, &mut items);
        }
        let rows: Result<Vec<_>, _> = items.into_iter().map(|item| self.row(item)).collect();
        Ok(format!(
            "{{\"kind\":\"Table\",\"apiVersion\":{},\"metadata\":{},\"columnDefinitions\":{columns},\"rows\":[{}]}}",
            quote(self.version.api_version()),
            list_meta(meta),
            rows?.join(",")
        ))
    }

    /// The table of a scale.
    pub(crate) fn scale(&self, scale: &Value) -> Value {
        let custom = matches!(self.kind, ObjectKind::Custom(_));
        let common = |name| columns::description("", "pods", name);
        let [wished, there] = match custom {
            true => ["Number of desired replicas", "Number of actual replicas"],
            false => columns::of_scale(),
        };
        let column = |name: &str, ty: &str, format: &str, description: &str| json!({ "name": name, "type": ty, "format": format, "description": description, "priority": 0 });
        let object = match self.include {
            IncludeObject::Nothing => Value::Null,
            IncludeObject::Metadata => partial_metadata_value(scale, self.version),
            IncludeObject::Object => scale.clone(),
        };
        json!({
            "kind": "Table",
            "apiVersion": self.version.api_version(),
            "metadata": { "resourceVersion": scale["metadata"]["resourceVersion"] },
            "columnDefinitions": [
                column("Name", "string", if custom { "name" } else { "" }, common("Name")),
                column("Desired", "integer", "", wished),
                column("Available", "integer", "", there),
                column("Age", if custom { "date" } else { "string" }, "", common("Age")),
            ],
            "rows": [{ "cells": printers::scale(scale, self.now), "object": object }],
        })
    }

    /// An empty watch table that carries only a version.
    pub(crate) fn bookmark(&self, partial: &str, meta: &ListMeta) -> String {
        format!(
            "{{\"kind\":\"Table\",\"apiVersion\":{},\"metadata\":{},\"columnDefinitions\":null,\
             \"rows\":[{{\"cells\":null,\"object\":{partial}}}]}}",
            quote(self.version.api_version()),
            list_meta(meta),
        )
    }

    fn columns(&self) -> String {
        let define = |name: &str, ty: &str, format: &str, description: &str, priority: i32| {
            format!(
                "{{\"name\":{},\"type\":{},\"format\":{},\"description\":{},\"priority\":{priority}}}",
                quote(name),
                quote(ty),
                quote(format),
                quote(description),
            )
        };
        let columns: Vec<String> = match &self.kind {
            ObjectKind::BuiltIn(facts, _) => facts
                .columns
                .iter()
                .map(|column| {
                    let description = columns::description(facts.group, facts.plural, column.name);
                    define(column.name, column.ty, column.format, description, column.priority)
                })
                .collect(),
            ObjectKind::Custom(custom) => {
                // What all objects have is described as with any other resource.
                let common = |name| columns::description("", "pods", name);
                let own = custom.columns.iter().map(|column| {
                    let description = column.description.as_deref().unwrap_or_else(|| common("Age"));
                    define(&column.name, &column.ty, &column.format, description, column.priority)
                });
                let name = define("Name", "string", "name", common("Name"), 0);
                std::iter::once(name).chain(own).collect()
            }
        };
        format!("[{}]", columns.join(","))
    }

    fn row(&self, item: &StoredObject) -> Result<String, ApiError> {
        let cells = Value::Array(match &self.kind {
            ObjectKind::BuiltIn(facts, _) => printers::printer(facts.group, facts.plural)(&item.document(), self.now),
            ObjectKind::Custom(custom) => custom.cells(&item.document(), self.now),
        });
        let object = match self.include {
            IncludeObject::Nothing => "null".to_owned(),
            IncludeObject::Object => String::from_utf8_lossy(&item.json()).into_owned(),
            IncludeObject::Metadata => partial_metadata(item, self.version)?,
        };
        Ok(format!("{{\"cells\":{cells},\"object\":{object}}}"))
    }
}

/// The object's metadata as a `PartialObjectMetadata`, JSON text.
pub(crate) fn partial_metadata(item: &StoredObject, version: MetaVersion) -> Result<String, ApiError> {
    let partial = partial_metadata_value(&item.document(), version);
    let mut json = Vec::new();
    transcode::write_json(partial_schema()?, &partial, &mut json);
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// The object's metadata as a `PartialObjectMetadata` document.
pub(crate) fn partial_metadata_value(object: &Value, version: MetaVersion) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": version.api_version(),
        "metadata": object["metadata"],
    })
}

pub(crate) fn partial_schema() -> Result<&'static MessageSchema, ApiError> {
    schema::message("meta.v1.PartialObjectMetadata")
        .ok_or_else(|| ApiError::internal("no schema of PartialObjectMetadata"))
}
