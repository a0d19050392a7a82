//! Messages as OpenAPI schemas.

use std::collections::{BTreeMap, BTreeSet};

use kubewire_client::wire::schema::{Container, FieldSchema, KINDS, ListType, MessageSchema, Special, Type};
use serde_json::{Map, Value, json};

use super::descriptions::Descriptions;
use super::dialect::Dialect;
use crate::registry::facts;
use crate::registry::openapi_facts::UNIONS;

/// The schemas of a document: those that were asked for and all that these refer to.
pub(super) struct Schemas {
    dialect: Dialect,
    descriptions: Descriptions,
    /// Groups and versions beside the core group in which `DeleteOptions` and `WatchEvent` exist.
    group_versions: Vec<(String, String)>,
    schemas: BTreeMap<String, Value>,
}

/// Those of all built-in types.
pub(super) fn every_group_version() -> Vec<(String, String)> {
    group_versions(|group| !matches!(group, "apidiscovery.k8s.io" | "meta.k8s.io"))
}

/// Those that general clients know.
pub(super) fn client_group_versions() -> Vec<(String, String)> {
    let own = [
        "admission.k8s.io",
        "apidiscovery.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "imagepolicy.k8s.io",
        "meta.k8s.io",
    ];
    group_versions(|group| !own.contains(&group))
}

fn group_versions(known: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let all: BTreeSet<_> = KINDS.iter().map(|kind| (kind.group, kind.version)).collect();
    let known = all
        .into_iter()
        .filter(|(group, version)| known(group) && !version.is_empty());
    known
        .map(|(group, version)| (group.to_owned(), version.to_owned()))
        .collect()
}

impl Schemas {
    pub(super) fn new(dialect: Dialect, group_versions: Vec<(String, String)>) -> Self {
        Self {
            dialect,
            descriptions: Descriptions::collect(),
            group_versions,
            schemas: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.schemas.is_empty()
    }

    pub(super) fn into_value(self) -> Value {
        self.schemas.into_iter().collect()
    }

    /// Adds a schema that is not built in.
    pub(super) fn insert(&mut self, name: String, schema: Value) {
        self.schemas.insert(name, schema);
    }

    pub(super) fn descriptions(&self) -> &Descriptions {
        &self.descriptions
    }

    /// What is said of a field of a built-in type.
    pub(super) fn description(&self, name: &str, field: &str) -> &str {
        self.descriptions.of_field(name, field).unwrap_or_default()
    }

    /// Adds the schema of what `/version` says: it is no message.
    pub(super) fn add_version_info(&mut self) -> String {
        const NAME: &str = "io.k8s.apimachinery.pkg.version.Info";
        const OPTIONAL: [&str; 4] = [
            "emulationMajor",
            "emulationMinor",
            "minCompatibilityMajor",
            "minCompatibilityMinor",
        ];
        let required = [
            "major",
            "minor",
            "gitVersion",
            "gitCommit",
            "gitTreeState",
            "buildDate",
            "goVersion",
            "compiler",
            "platform",
        ];
        let property = |name: &str| {
            let mut property = json!({"type": "string"});
            if self.dialect == Dialect::V3 && !OPTIONAL.contains(&name) {
                property["default"] = "".into();
            }
            if let Some(text) = self.descriptions.of_field(NAME, name) {
                property["description"] = text.into();
            }
            (name.to_owned(), property)
        };
        let properties: Map<String, Value> = required.into_iter().chain(OPTIONAL).map(property).collect();
        let mut schema = json!({"type": "object", "required": required, "properties": properties});
        if let Some(text) = self.descriptions.of(NAME) {
            schema["description"] = text.into();
        }
        self.schemas.insert(NAME.to_owned(), schema);
        NAME.to_owned()
    }

    /// Adds a message with everything in it and returns its name.
    pub(super) fn add(&mut self, message: &'static MessageSchema) -> String {
        let name = name(message);
        if !self.schemas.contains_key(&name) {
            // First a placeholder: messages refer to themselves.
            self.schemas.insert(name.clone(), Value::Null);
            let mut schema = self.schema(message, &name);
            if let Some(text) = self.descriptions.of(&name).or_else(|| own_words(message)) {
                schema["description"] = text.into();
            } else if let Some(kind) = message.short_name().strip_suffix("List") {
                schema["description"] = format!("A list of objects of kind {kind}.").into();
            }
            self.schemas.insert(name.clone(), schema);
        }
        name
    }

    fn schema(&mut self, message: &'static MessageSchema, name: &str) -> Value {
        if let Some(special) = message.special {
            return match message.short_name() {
                "JSON" => json!({}),
                _ => self.special(special),
            };
        }
        let (mut properties, mut required) = (Map::new(), Vec::new());
        self.properties(message, name, &mut properties, &mut required);
        let mut schema = json!({"type": "object"});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if !properties.is_empty() {
            schema["properties"] = properties.into();
        }
        if message.atomic {
            schema["x-kubernetes-map-type"] = "atomic".into();
        }
        let kinds = self.kinds(message);
        if !kinds.is_empty() {
            schema["x-kubernetes-group-version-kind"] = kinds.into();
        }
        let unions = UNIONS.binary_search_by(|(other, _)| (*other).cmp(message.name)).ok();
        let unions = unions.and_then(|place| serde_json::from_str::<Value>(UNIONS.get(place)?.1).ok());
        if let Some(unions) = unions {
            schema["x-kubernetes-unions"] = json!([unions]);
        }
        schema
    }

    /// As which kinds objects of a message are sent.
    fn kinds(&self, message: &'static MessageSchema) -> Vec<Value> {
        if matches!(message.name, "meta.v1.DeleteOptions" | "meta.v1.WatchEvent") {
            let kind = |(group, version): (&str, &str)| json!({"group": group, "kind": message.short_name(), "version": version});
            let others = self
                .group_versions
                .iter()
                .map(|(group, version)| (group.as_str(), version.as_str()));
            let core = ("", "v1");
            return std::iter::once(core)
                .chain(others.filter(|other| *other != core))
                .map(kind)
                .collect();
        }
        KINDS
            .iter()
            .filter(|kind| std::ptr::eq(kind.message, message))
            .map(|kind| json!({"group": kind.group, "kind": kind.kind, "version": kind.version}))
            .collect()
    }

    fn properties(
        &mut self,
        message: &'static MessageSchema,
        name: &str,
        properties: &mut Map<String, Value>,
        required: &mut Vec<&'static str>,
    ) {
        for field in message.fields {
            match field.message() {
                Some(inlined) if field.inlined => self.properties(inlined, name, properties, required),
                _ if field.json.is_empty() => {}
                _ => {
                    properties.insert(field.json.to_owned(), self.property(field, name));
                    if field.required {
                        required.push(field.json);
                    }
                }
            }
        }
    }

    fn property(&mut self, field: &FieldSchema, owner: &str) -> Value {
        let mut value = self.value(field.ty);
        let known = facts::enum_values(field.type_name);
        if let Some(known) = known {
            value["enum"] = known.into();
        }
        let mut property = match field.container {
            Container::One => value,
            Container::List => json!({"type": "array", "items": value}),
            Container::Map => json!({"type": "object", "additionalProperties": value}),
        };
        let mut more = Map::new();
        let element = matches!(field.ty, Type::Message(_)) && field.json == "items" && owner.ends_with("List");
        if let Some(text) = self.descriptions.of_field(owner, field.json) {
            let values = known
                .unwrap_or_default()
                .iter()
                .map(|value| format!("\n - `\"{value}\"`"));
            let values: String = values.collect();
            let heading = if values.is_empty() {
                ""
            } else {
                "\n\nPossible enum values:"
            };
            more.insert("description".into(), format!("{text}{heading}{values}").into());
        } else if element {
            more.insert("description".into(), "The objects of the list.".into());
        } else if owner.ends_with(".WatchEvent") && field.json == "object" {
            let text = "The object as it is now, as it was before it was deleted, or the Status of an error.";
            more.insert("description".into(), text.into());
        }
        let default = field.default.and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(default) = default.or_else(|| zero(field))
            && self.dialect == Dialect::V3
        {
            more.insert("default".into(), default);
        }
        extensions(field, &mut more);
        // Beside a reference, version 3 ignores everything.
        if self.dialect == Dialect::V3 && property.get("$ref").is_some() && !more.is_empty() {
            property = json!({"allOf": [property]});
        }
        if let Value::Object(members) = &mut property {
            members.append(&mut more);
        }
        property
    }

    fn value(&mut self, ty: Type) -> Value {
        match ty {
            Type::String => json!({"type": "string"}),
            Type::Bool => json!({"type": "boolean"}),
            Type::Int32 => json!({"type": "integer", "format": "int32"}),
            Type::Int64 => json!({"type": "integer", "format": "int64"}),
            Type::Double => json!({"type": "number", "format": "double"}),
            Type::Bytes => json!({"type": "string", "format": "byte"}),
            Type::Message(message) if message.special == Some(Special::List) => self.special(Special::List),
            Type::Message(message) => {
                let name = self.add(message);
                self.dialect.reference(&name)
            }
            _ => json!({}),
        }
    }

    fn special(&self, special: Special) -> Value {
        match (special, self.dialect) {
            (Special::Quantity, Dialect::V3) => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            (Special::IntOrString, Dialect::V3) => {
                json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
            }
            (Special::IntOrString, Dialect::V2) => json!({"type": "string", "format": "int-or-string"}),
            (Special::Time | Special::MicroTime, _) => json!({"type": "string", "format": "date-time"}),
            (Special::Quantity | Special::Duration | Special::GroupVersion, _) => json!({"type": "string"}),
            (Special::List, _) => json!({"type": "array", "items": {"type": "string"}}),
            (Special::Raw | Special::Unknown, _) => json!({"type": "object"}),
            _ => json!({}),
        }
    }
}

/// What is said of messages that k8s-openapi has no schema for.
fn own_words(message: &MessageSchema) -> Option<&'static str> {
    match message.name {
        "meta.v1.WatchEvent" => Some("One change in a watch."),
        "runtime.RawExtension" => Some("Any object."),
        _ => None,
    }
}

/// What Go has in a field that nobody set, where it shows.
fn zero(field: &FieldSchema) -> Option<Value> {
    if field.pointer || field.container != Container::One {
        return None;
    }
    match field.ty {
        Type::Message(message) => message.special.is_none().then(|| json!({})),
        _ if field.omitempty => None,
        Type::String => Some("".into()),
        Type::Bool => Some(false.into()),
        Type::Int32 | Type::Int64 | Type::Double => Some(0.into()),
        _ => None,
    }
}

fn extensions(field: &FieldSchema, into: &mut Map<String, Value>) {
    let list_type = match (field.container, field.list_type) {
        (Container::List, Some(ListType::Atomic)) => Some("atomic"),
        (Container::One, Some(ListType::Atomic)) if matches!(field.ty, Type::Bytes) => Some("atomic"),
        (Container::List, Some(ListType::Set)) => Some("set"),
        (Container::List, Some(ListType::Map)) => Some("map"),
        _ => None,
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    let map_keys = (!field.list_map_keys.is_empty()).then(|| Value::from(field.list_map_keys));
    let map_type = (field.atomic && field.container != Container::List).then(|| "atomic".into());
    let extensions = [
        ("x-kubernetes-list-type", list_type.map(Value::from)),
        ("x-kubernetes-list-map-keys", map_keys),
        ("x-kubernetes-map-type", map_type),
        ("x-kubernetes-patch-strategy", text(field.patch_strategy)),
        ("x-kubernetes-patch-merge-key", text(field.patch_merge_key)),
    ];
    for (name, value) in extensions {
        if let Some(value) = value {
            into.insert(name.into(), value);
        }
    }
}

/// The name of a message in OpenAPI: `core.v1.Pod` is `io.k8s.api.core.v1.Pod`.
pub(super) fn name(message: &MessageSchema) -> String {
    let short = message.short_name();
    match message.name.split('.').next().unwrap_or_default() {
        "meta" => format!("io.k8s.apimachinery.pkg.apis.{}", message.name),
        "runtime" => format!("io.k8s.apimachinery.pkg.runtime.{short}"),
        "intstr" => format!("io.k8s.apimachinery.pkg.util.intstr.{short}"),
        "quantity" => format!("io.k8s.apimachinery.pkg.api.resource.{short}"),
        "apiextensions" => format!("io.k8s.apiextensions-apiserver.pkg.apis.{}", message.name),
        "apiregistration" => format!("io.k8s.kube-aggregator.pkg.apis.{}", message.name),
        _ => format!("io.k8s.api.{}", message.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubewire_client::wire::schema;

    #[test]
    fn refers_to_everything_inside() {
        let mut schemas = Schemas::new(Dialect::V3, Vec::new());
        assert_eq!(
            schemas.add(schema::message("core.v1.Pod").unwrap()),
            "io.k8s.api.core.v1.Pod"
        );
        let document = schemas.into_value();
        let containers = &document["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(
            containers["items"]["$ref"],
            "#/components/schemas/io.k8s.api.core.v1.Container"
        );
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        let pod = &document["io.k8s.api.core.v1.Pod"];
        assert_eq!(
            pod["x-kubernetes-group-version-kind"],
            json!([{"group": "", "kind": "Pod", "version": "v1"}])
        );
        assert_eq!(pod["properties"]["kind"]["type"], "string");
        assert!(
            pod["properties"]["spec"]["description"]
                .as_str()
                .is_some_and(|text| text.contains("pod"))
        );
        assert_eq!(pod["properties"]["spec"]["default"], json!({}));
        let text = document.to_string();
        for piece in text.split("#/components/schemas/").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(document.get(name).is_some(), "{name}");
        }
    }
}
