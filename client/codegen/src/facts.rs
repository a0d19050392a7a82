//! The facts of `client/schema`, as Rust values.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::own;

/// Everything the generator knows.
pub(crate) struct Facts {
    pub(crate) schema: Schema,
    pub(crate) resources: Resources,
    pub(crate) defaults: Defaults,
    pub(crate) map: K8sOpenapiMap,
    /// Types of ours, by message: of those that k8s-openapi has no type for.
    pub(crate) own: BTreeMap<String, RustType>,
}

impl Facts {
    /// Reads the tables of one folder.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let mut map: K8sOpenapiMap = read(dir, "k8s_openapi_map.json")?;
        map.add_versions(read(dir, "k8s_openapi_versions.json")?)?;
        map.types.remove("meta.v1.WatchEvent"); // it has events of one type, which is not what is on the wire
        let schema: Schema = read(dir, "schema.json")?;
        Ok(Self {
            own: own::types(&schema, &map.types),
            schema,
            resources: read(dir, "resources.json")?,
            defaults: read(dir, "defaults.json")?,
            map,
        })
    }

    /// Every message with its Rust type, k8s-openapi's or ours. Some have both, as long as versions differ.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&String, &RustType)> {
        self.map.types.iter().chain(&self.own)
    }
}

fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<T> {
    let path = dir.join(name);
    let text = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("parsing {}", path.display()))
}

/// `schema.json`: every message, field by field.
#[derive(Deserialize)]
pub(crate) struct Schema {
    pub(crate) kinds: Vec<Kind>,
    /// Kinds that exist in every group and version, such as `DeleteOptions`, with their message.
    pub(crate) meta_kinds: BTreeMap<String, String>,
    pub(crate) messages: BTreeMap<String, Message>,
    /// Types of text with a few known values, by `package.version.Name`.
    pub(crate) enums: BTreeMap<String, Enum>,
}

#[derive(Deserialize)]
pub(crate) struct Enum {
    /// True where the published OpenAPI names the values.
    pub(crate) closed: bool,
    /// The values by the names of their constants.
    pub(crate) values: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Kind {
    #[serde(rename = "g")]
    pub(crate) group: String,
    #[serde(rename = "v")]
    pub(crate) version: String,
    #[serde(rename = "k")]
    pub(crate) kind: String,
    #[serde(rename = "m")]
    pub(crate) message: String,
    /// Element message of a list kind.
    pub(crate) items: Option<String>,
    /// True where the kind has `ObjectMeta`.
    #[serde(default)]
    pub(crate) obj: bool,
}

#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) special: Option<String>,
    #[serde(default)]
    pub(crate) json_only: bool,
    pub(crate) map_type: Option<String>,
    /// Which fields exclude each other.
    pub(crate) unions: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
}

/// One field; the short names are those of the table.
#[derive(Deserialize)]
pub(crate) struct Field {
    /// JSON name; absent where the field is inlined or not in JSON.
    #[serde(rename = "j")]
    pub(crate) json: Option<String>,
    /// Protobuf number; absent where the field is not on the wire.
    #[serde(rename = "n")]
    pub(crate) number: Option<u32>,
    /// Type: a scalar, a message name, or `map<string,X>`.
    #[serde(rename = "t")]
    pub(crate) ty: String,
    #[serde(rename = "rep", default)]
    pub(crate) repeated: bool,
    #[serde(rename = "ptr", default)]
    pub(crate) pointer: bool,
    #[serde(rename = "oe", default)]
    pub(crate) omitempty: bool,
    #[serde(rename = "oz", default)]
    pub(crate) omitzero: bool,
    #[serde(rename = "inl", default)]
    pub(crate) inlined: bool,
    #[serde(rename = "nojson", default)]
    pub(crate) no_json: bool,
    /// Required in the published OpenAPI.
    #[serde(rename = "rq", default)]
    pub(crate) required: bool,
    #[serde(rename = "ps")]
    pub(crate) patch_strategy: Option<String>,
    #[serde(rename = "pk")]
    pub(crate) patch_merge_key: Option<String>,
    #[serde(rename = "lt")]
    pub(crate) list_type: Option<String>,
    #[serde(rename = "lk", default)]
    pub(crate) list_map_keys: Vec<String>,
    #[serde(rename = "mt")]
    pub(crate) map_type: Option<String>,
    #[serde(rename = "def")]
    pub(crate) default: Option<serde_json::Value>,
    /// Go type of the value, of an element or of a map value, where it is a named scalar.
    #[serde(rename = "gt")]
    pub(crate) type_name: Option<String>,
    /// Go type of the whole list or map where it is named.
    #[serde(rename = "gc")]
    pub(crate) container_name: Option<String>,
}

/// `resources.json`: what the API server serves.
#[derive(Deserialize)]
pub(crate) struct Resources {
    pub(crate) groups: Vec<Group>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) field_selector_alias: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
pub(crate) struct Group {
    #[serde(rename = "g")]
    pub(crate) group: String,
    #[serde(rename = "pref")]
    pub(crate) preferred: String,
    pub(crate) versions: Vec<String>,
    /// Versions that are served by default.
    pub(crate) on: Vec<String>,
    #[serde(rename = "prio")]
    pub(crate) priority: Option<i32>,
    #[serde(rename = "vprio")]
    pub(crate) version_priority: BTreeMap<String, Option<i32>>,
}

#[derive(Deserialize)]
pub(crate) struct Resource {
    #[serde(rename = "g")]
    pub(crate) group: String,
    #[serde(rename = "v")]
    pub(crate) version: String,
    #[serde(rename = "r")]
    pub(crate) plural: String,
    #[serde(rename = "k")]
    pub(crate) kind: String,
    #[serde(rename = "s")]
    pub(crate) singular: String,
    #[serde(default)]
    pub(crate) short: Vec<String>,
    #[serde(rename = "cat", default)]
    pub(crate) categories: Vec<String>,
    #[serde(rename = "ns")]
    pub(crate) namespaced: bool,
    pub(crate) on: bool,
    pub(crate) verbs: Vec<String>,
    pub(crate) list: Option<String>,
    #[serde(rename = "hash")]
    pub(crate) storage_version_hash: Option<String>,
    pub(crate) storage: Option<String>,
    #[serde(rename = "sub", default)]
    pub(crate) subresources: BTreeMap<String, Subresource>,
    #[serde(rename = "fields", default)]
    pub(crate) field_labels: Vec<String>,
    /// Printer columns: name, type, format, priority.
    #[serde(rename = "cols", default)]
    pub(crate) columns: Vec<(String, String, String, i32)>,
}

#[derive(Deserialize)]
pub(crate) struct Subresource {
    #[serde(rename = "k")]
    pub(crate) kind: String,
    /// Group and version of the kind where they are not the resource's.
    pub(crate) gv: Option<String>,
    pub(crate) verbs: Vec<String>,
}

/// `defaults.json`: values the server fills in, by `message.field`.
#[derive(Deserialize)]
pub(crate) struct Defaults {
    pub(crate) fields: BTreeMap<String, serde_json::Value>,
}

/// `k8s_openapi_map.json`: which Rust type and fields stand for a message.
#[derive(Deserialize)]
pub(crate) struct K8sOpenapiMap {
    pub(crate) types: BTreeMap<String, RustType>,
}

#[derive(Deserialize)]
pub(crate) struct RustType {
    /// Path below `k8s_openapi::`, or of a type of ours from `crate::`.
    pub(crate) rust: String,
    /// `tuple`, `enum` …; absent for a struct.
    pub(crate) kind: Option<String>,
    /// JSON name → identifier and type.
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, (String, String)>,
    /// The versions that have the type.
    #[serde(default, flatten)]
    pub(crate) versions: Versions,
    /// Fields that not all of these versions have, or with another type.
    #[serde(skip)]
    pub(crate) field_versions: BTreeMap<String, FieldVersions>,
}

impl RustType {
    /// The type as the client's own code names it.
    pub(crate) fn path(&self) -> String {
        match self.rust.strip_prefix("List<") {
            Some(item) => format!("k8s_openapi::List<{}", full(item)),
            None => full(&self.rust),
        }
    }
}

fn full(path: &str) -> String {
    if ["crate::", "k8s_openapi::", "Vec<"]
        .iter()
        .any(|begin| path.starts_with(begin))
    {
        path.to_owned()
    } else {
        format!("k8s_openapi::{path}")
    }
}

/// Which versions of the API types have something: from 1.33 to the newest where nothing is said.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Versions {
    /// The first one.
    pub(crate) since: Option<String>,
    /// The last one.
    pub(crate) until: Option<String>,
}

impl Versions {
    /// True where not all versions have it.
    pub(crate) fn are_limited(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The attribute that compiles something for these versions only, with a line break; empty for all.
    pub(crate) fn gate(&self) -> Result<String> {
        let mut gate = String::new();
        if let Some(first) = &self.since {
            gate += &format!("#[cfg(k8s_openapi_ge = {first:?})]\n");
        }
        if let Some(next) = self.next()? {
            gate += &format!("#[cfg(not(k8s_openapi_ge = {next:?}))]\n");
        }
        Ok(gate)
    }

    /// The versions after these.
    pub(crate) fn after(&self) -> Result<Self> {
        Ok(Self {
            since: self.next()?,
            until: None,
        })
    }

    /// The first version after these.
    fn next(&self) -> Result<Option<String>> {
        let Some(last) = &self.until else { return Ok(None) };
        let minor: u32 = last.strip_prefix("1.").context("a version 1.x")?.parse()?;
        Ok(Some(format!("1.{}", minor + 1)))
    }
}

/// A field that changed.
#[derive(Deserialize)]
pub(crate) struct FieldVersions {
    /// `since` where the field was added, `until` for the last version in which it had the other type.
    #[serde(flatten)]
    pub(crate) versions: Versions,
    /// The other type.
    #[serde(rename = "type")]
    pub(crate) ty: Option<String>,
}

/// `k8s_openapi_versions.json`: how older versions of the API types differ from the map.
#[derive(Deserialize)]
struct K8sOpenapiVersions {
    /// Types that were added.
    types: BTreeMap<String, Versions>,
    fields: BTreeMap<String, BTreeMap<String, FieldVersions>>,
    /// Types that the newest version does not have.
    removed: BTreeMap<String, RustType>,
}

impl K8sOpenapiMap {
    fn add_versions(&mut self, versions: K8sOpenapiVersions) -> Result<()> {
        self.types.extend(versions.removed);
        for (name, versions) in versions.types {
            self.types
                .get_mut(&name)
                .with_context(|| format!("unknown type {name}"))?
                .versions = versions;
        }
        for (name, fields) in versions.fields {
            self.types
                .get_mut(&name)
                .with_context(|| format!("unknown type {name}"))?
                .field_versions = fields;
        }
        Ok(())
    }
}
