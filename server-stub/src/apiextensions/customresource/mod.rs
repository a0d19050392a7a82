//! Custom resources: what is known of one kind in one version, and how its objects behave.

mod columns;
mod conversion;
mod json_path;
mod scale;
mod strategy;
mod webhook;

use std::fmt;

use jiff::Timestamp;
use kubewire_client::wire::WireError;
use kubewire_client::wire::schema;
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::{Value, json};

pub(crate) use self::columns::Column;
pub(crate) use self::conversion::{Conversion, ConvertingStorage, Versions};
pub(crate) use self::json_path::JsonPath;
pub(crate) use self::scale::ScalePaths;
pub(crate) use self::strategy::CustomResourceStrategy;
pub(crate) use self::webhook::ConversionWebhook;
use crate::aggregator::version_rank;
use crate::apiextensions::schema::Schema;
use crate::generic::discovery::ApiResource;
use crate::registry::ResourceInfo;
use crate::registry::managed_fields::Shape;
use crate::status::{ApiError, FieldError};

/// A kind in one version, as a CustomResourceDefinition describes it.
pub(crate) struct CustomKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
    pub(crate) schema: Schema,
    pub(crate) has_status: bool,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) columns: Vec<Column>,
    /// Fields that a field selector may name, beside name and namespace.
    pub(crate) selectable_fields: Vec<String>,
    /// What clients are told where the version is deprecated.
    pub(crate) deprecation: Option<String>,
}

impl CustomKind {
    /// What can be done with custom resources, in the order of discovery.
    pub(crate) const VERBS: &'static [&'static str] = &[
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ];

    /// What can be done with their subresources.
    pub(crate) const SUBRESOURCE_VERBS: &'static [&'static str] = &["get", "patch", "update"];

    /// The kind in one version of a CustomResourceDefinition with these accepted names.
    pub(crate) fn new(definition: &Value, names: &Value, version: &Value) -> Self {
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut schema = Schema::parse(&version["schema"]["openAPIV3Schema"]);
        schema.embedded_resource = true;
        // Objects of older definitions keep everything.
        schema.preserve_unknown_fields |= spec["preserveUnknownFields"] == true;
        let (group, name, kind) = (text(&spec["group"]), text(&version["name"]), text(&names["kind"]));
        let selectable = version["selectableFields"].as_array().into_iter().flatten();
        let selectable = selectable.filter_map(|field| field["jsonPath"].as_str());
        let warning = version["deprecationWarning"].as_str().map(str::to_owned);
        let deprecated = || match successor(spec, &name) {
            Some(better) => format!("{group}/{name} {kind} is deprecated; use {group}/{better} {kind}"),
            None => format!("{group}/{name} {kind} is deprecated"),
        };
        Self {
            schema,
            list_kind: text(&names["listKind"]),
            plural: text(&names["plural"]),
            namespaced: spec["scope"] == "Namespaced",
            has_status: version["subresources"]["status"].is_object(),
            scale: ScalePaths::parse(&version["subresources"]["scale"]),
            columns: Column::all(version),
            selectable_fields: selectable.map(|path| path.trim_start_matches('.').to_owned()).collect(),
            deprecation: (version["deprecated"] == true).then(|| warning.unwrap_or_else(deprecated)),
            group,
            version: name,
            kind,
        }
    }

    pub(crate) fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// What a store has to know.
    pub(crate) fn resource_info(&self) -> ResourceInfo {
        ResourceInfo::custom(
            self.group.clone(),
            self.version.clone(),
            self.plural.clone(),
            self.kind.clone(),
            self.namespaced,
        )
    }

    pub(crate) fn has_subresource(&self, name: &str) -> bool {
        match name {
            "status" => self.has_status,
            "scale" => self.scale.is_some(),
            _ => false,
        }
    }

    /// The resource for discovery, followed by its subresources. `names` are those that were accepted.
    pub(crate) fn discover(&self, names: &Value, storage_version_hash: &str) -> Vec<ApiResource> {
        let owned = |verbs: &[&str]| verbs.iter().map(|&verb| verb.to_owned()).collect::<Vec<_>>();
        let texts = |list: &Value| {
            let texts = list.as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let resource = ApiResource {
            name: self.plural.clone(),
            singular_name: names["singular"].as_str().unwrap_or_default().to_owned(),
            namespaced: self.namespaced,
            kind: self.kind.clone(),
            verbs: owned(Self::VERBS),
            group: self.group.clone(),
            version: self.version.clone(),
            short_names: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            storage_version_hash: storage_version_hash.to_owned(),
        };
        let subresource = |name: &str| ApiResource {
            name: format!("{}/{name}", self.plural),
            namespaced: self.namespaced,
            kind: self.kind.clone(),
            verbs: owned(Self::SUBRESOURCE_VERBS),
            group: self.group.clone(),
            version: self.version.clone(),
            ..ApiResource::default()
        };
        let mut all = vec![resource];
        if self.has_status {
            all.push(subresource("status"));
        }
        if self.scale.is_some() {
            all.push(ApiResource {
                group: "autoscaling".to_owned(),
                version: "v1".to_owned(),
                kind: "Scale".to_owned(),
                ..subresource("scale")
            });
        }
        all
    }

    /// How the parts of objects belong together.
    pub(crate) fn shape(&self) -> Shape<'_> {
        Shape::of_schema(&self.schema)
    }

    /// The cells of a table's row.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let name = object["metadata"]["name"].clone();
        let own = self.columns.iter().map(|column| column.cell(object, now));
        std::iter::once(name).chain(own).collect()
    }

    /// The error for an object of another kind.
    pub(crate) fn check_kind(&self, kind: &str, document: &JsonDocument<'_>) -> Result<(), ApiError> {
        if kind == self.kind {
            return Ok(());
        }
        let (object, _) = document.untyped();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let error = FieldError::invalid("kind", kind.into(), format!("must be {}", self.kind));
        Err(ApiError::invalid(&self.group, kind, name, vec![error]))
    }

    /// A document as an object of this kind: pruned, with metadata of the right types. With it comes what was odd, in
    /// the words of warnings.
    pub(crate) fn typed(&self, document: &JsonDocument<'_>) -> Result<(Value, Vec<String>), WireError> {
        let (mut object, repeated) = document.untyped();
        let mut problems: Vec<String> = repeated.iter().map(ToString::to_string).collect();
        let unknown = self.schema.prune(&mut object);
        problems.extend(unknown.iter().map(|path| format!("unknown field \"{path}\"")));
        self.schema.drop_nulls(&mut object);
        let (metadata, unknown) = typed_metadata(&object["metadata"])?;
        problems.extend(unknown);
        if let Some(members) = object.as_object_mut() {
            members.insert("metadata".to_owned(), metadata);
        }
        self.schema
            .for_each_embedded_metadata(&mut object, "", &mut |metadata, path| {
                let wrong = |error: WireError| WireError::Syntax {
                    offset: 0,
                    message: format!("{path}: Invalid value: {metadata}: {error}"),
                };
                let (typed, unknown) = typed_metadata(metadata).map_err(wrong)?;
                let inside = path.strip_suffix("metadata").unwrap_or_default();
                problems.extend(
                    unknown
                        .iter()
                        .map(|problem| problem.replacen("\"metadata.", &format!("\"{inside}metadata."), 1)),
                );
                *metadata = typed;
                Ok::<(), WireError>(())
            })?;
        Ok((object, problems))
    }
}

/// The most stable version that is served and not deprecated, where that is more stable than another.
fn successor<'a>(spec: &'a Value, version: &str) -> Option<&'a str> {
    let versions = spec["versions"].as_array().into_iter().flatten();
    let good = versions.filter(|version| version["served"] == true && version["deprecated"] != true);
    let best = good
        .filter_map(|version| version["name"].as_str())
        .max_by_key(|name| version_rank(name))?;
    (version_rank(best) > version_rank(version)).then_some(best)
}

/// Metadata with fields of the right types only.
fn typed_metadata(metadata: &Value) -> Result<(Value, Vec<String>), WireError> {
    let Some(message) = schema::message("meta.v1.ObjectMeta").filter(|_| !metadata.is_null()) else {
        return Ok((json!({}), Vec::new()));
    };
    let (mut typed, problems) = JsonDocument::from_value(metadata)?.typed(message)?;
    if let Some(members) = typed.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let problems = problems.iter().map(|problem| match problem {
        kubewire_client::wire::transcode::FieldProblem::Unknown { path } => {
            format!("unknown field \"metadata.{path}\"")
        }
        other => other.to_string(),
    });
    Ok((typed, problems.collect()))
}

impl fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomKind({}, {})", self.api_version(), self.kind)
    }
}
