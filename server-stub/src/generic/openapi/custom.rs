//! Custom resources in the documents.

use kubewire_client::wire::schema;
use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::document::root;
use super::operations::{Described, Operations, Subresource};
use super::route::{Route, paths};
use super::schemas::{Schemas, client_group_versions};

/// The custom resources of one version of a group.
#[derive(Clone, Debug)]
pub struct CustomOpenApi {
    /// The group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kinds.
    pub kinds: Vec<CustomOpenApiKind>,
}

/// One custom resource.
#[derive(Clone, Debug)]
pub struct CustomOpenApiKind {
    /// The plural name.
    pub plural: String,
    /// The kind of an object.
    pub kind: String,
    /// The kind of a list.
    pub list_kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with objects.
    pub verbs: &'static [&'static str],
    /// The names of subresources with what can be done there.
    pub subresources: Vec<(&'static str, &'static [&'static str])>,
    /// The schema of the definition.
    pub schema: Value,
    /// Fields that a field selector may name.
    pub selectable_fields: Vec<String>,
}

impl CustomOpenApi {
    /// The OpenAPI 3 document.
    pub fn v3(&self) -> Value {
        let (schemas, paths) = self.parts(Dialect::V3);
        json!({
            "openapi": "3.0.0",
            "info": { "title": "Kubernetes CRD Swagger", "version": "v0.1.0" },
            "paths": paths,
            "components": { "schemas": schemas },
        })
    }

    /// What is theirs of an OpenAPI 2 document.
    pub fn v2(&self) -> Value {
        let (definitions, paths) = self.parts(Dialect::V2);
        json!({ "paths": paths, "definitions": definitions })
    }

    fn parts(&self, dialect: Dialect) -> (Value, Map<String, Value>) {
        let mut schemas = Schemas::new(dialect, client_group_versions());
        let mut routes: Vec<Route> = Vec::new();
        let (group, version) = (self.group.as_str(), self.version.as_str());
        for kind in &self.kinds {
            add_schemas(dialect, group, version, kind, &mut schemas);
            let subresources = kind.subresources.iter().map(|&(name, verbs)| Subresource {
                name,
                verbs,
                kind: match name {
                    "scale" => ("autoscaling", "v1", "Scale"),
                    _ => (group, version, &kind.kind),
                },
            });
            let operations = Operations {
                schemas: &mut schemas,
                resource: Described {
                    group,
                    version,
                    plural: &kind.plural,
                    kind: &kind.kind,
                    list_kind: Some(&kind.list_kind),
                    namespaced: kind.namespaced,
                    verbs: kind.verbs,
                    subresources: subresources.collect(),
                    returns_deleted_object: false,
                    custom_schema: Some(schema_name),
                },
                root: root(group, version),
            };
            routes.extend(operations.routes());
        }
        (schemas.into_value(), paths(dialect, &routes))
    }
}

/// `com.example.gold.v1.Widget` for `gold.example.com/v1`.
fn schema_name(group: &str, version: &str, kind: &str) -> String {
    let reversed: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

fn add_schemas(dialect: Dialect, group: &str, version: &str, kind: &CustomOpenApiKind, schemas: &mut Schemas) {
    const OBJECT: &str = "io.k8s.api.core.v1.ConfigMap";
    const LIST: &str = "io.k8s.api.core.v1.ConfigMapList";
    const CONVENTIONS: &str = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
    let mut reference = |message: &str| {
        let name = schema::message(message).map(|message| schemas.add(message));
        dialect.reference(&name.unwrap_or_default())
    };
    let (object_meta, list_meta) = (reference("meta.v1.ObjectMeta"), reference("meta.v1.ListMeta"));
    let text = |owner: &str, field: &str| json!({ "type": "string", "description": schemas.description(owner, field) });
    let referring = |owner: &str, reference: Value| {
        let description = schemas.description(owner, "metadata");
        match dialect {
            Dialect::V3 => json!({ "description": description, "allOf": [reference] }),
            Dialect::V2 => {
                let mut reference = reference;
                reference["description"] = description.into();
                reference
            }
        }
    };
    let identity = [
        ("apiVersion", text(OBJECT, "apiVersion")),
        ("kind", text(OBJECT, "kind")),
        ("metadata", referring(OBJECT, object_meta)),
    ];
    let mut object = kind.schema.clone();
    simplify(&mut object, dialect, &identity);
    let name = schema_name(group, version, &kind.kind);
    for (field, schema) in &identity {
        object["properties"][field] = schema.clone();
    }
    let items = format!("List of {}. More info: {CONVENTIONS}", kind.plural);
    let gvk = |kind: &str| json!([{ "group": group, "version": version, "kind": kind }]);
    object["x-kubernetes-group-version-kind"] = gvk(&kind.kind);
    let mut list = json!({
        "description": format!("{} is a list of {}", kind.list_kind, kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text(LIST, "apiVersion"),
            "kind": text(LIST, "kind"),
            "metadata": referring(LIST, list_meta),
            "items": { "type": "array", "items": dialect.reference(&name), "description": items },
        },
        "x-kubernetes-group-version-kind": gvk(&kind.list_kind),
    });
    if !kind.selectable_fields.is_empty() {
        let field = |path: &String| json!({ "fieldPath": path });
        let fields: Vec<Value> = kind.selectable_fields.iter().map(field).collect();
        object["x-kubernetes-selectable-fields"] = fields.clone().into();
        list["x-kubernetes-selectable-fields"] = fields.into();
    }
    schemas.insert(name, object);
    schemas.insert(schema_name(group, version, &kind.list_kind), list);
}

/// What OpenAPI 2 cannot say is left out: there, a looser schema is better than a wrong one. What objects inside of
/// objects have in common (`identity`) is added.
fn simplify(schema: &mut Value, dialect: Dialect, identity: &[(&str, Value)]) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let flag = |members: &Map<String, Value>, name: &str| members.get(name).is_some_and(|value| *value == true);
    let int_or_string = flag(members, "x-kubernetes-int-or-string");
    if dialect == Dialect::V2 {
        let loose = flag(members, "nullable") || int_or_string;
        for name in ["allOf", "anyOf", "oneOf", "not", "nullable", "default"] {
            members.remove(name);
        }
        if loose || flag(members, "x-kubernetes-preserve-unknown-fields") {
            for name in ["type", "items", "properties", "additionalProperties"] {
                members.remove(name);
            }
        }
    } else if int_or_string && !members.contains_key("anyOf") {
        members.insert("anyOf".to_owned(), json!([{ "type": "integer" }, { "type": "string" }]));
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = members.get_mut(name) {
            simplify(inner, dialect, identity);
        }
    }
    if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
        properties
            .values_mut()
            .for_each(|property| simplify(property, dialect, identity));
    }
    if flag(members, "x-kubernetes-embedded-resource") {
        for (name, property) in identity {
            schema["properties"][name] = property.clone();
        }
        schema["required"] = required_of_embedded(&schema["required"]);
    }
}

fn required_of_embedded(required: &Value) -> Value {
    let mut names = required.as_array().cloned().unwrap_or_default();
    for name in ["kind", "apiVersion"] {
        if !names.iter().any(|known| known == name) {
            names.push(name.into());
        }
    }
    names.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widgets() -> CustomOpenApi {
        CustomOpenApi {
            group: "gold.example.com".to_owned(),
            version: "v1".to_owned(),
            kinds: vec![CustomOpenApiKind {
                plural: "widgets".to_owned(),
                kind: "Widget".to_owned(),
                list_kind: "WidgetList".to_owned(),
                namespaced: true,
                verbs: &["get", "list", "patch"],
                subresources: vec![("scale", &["get"])],
                schema: json!({ "type": "object", "properties": {
                    "spec": { "type": "object", "properties": {
                        "size": { "type": "integer" },
                        "port": { "x-kubernetes-int-or-string": true },
                        "maybe": { "type": "string", "nullable": true },
                        "pod": { "type": "object", "x-kubernetes-embedded-resource": true,
                            "x-kubernetes-preserve-unknown-fields": true },
                    } },
                } }),
                selectable_fields: vec!["spec.size".to_owned()],
            }],
        }
    }

    #[test]
    fn a_document_of_its_own() {
        let document = widgets().v3();
        let widget = &document["components"]["schemas"]["com.example.gold.v1.Widget"];
        assert_eq!(widget["properties"]["spec"]["properties"]["size"]["type"], "integer");
        assert_eq!(widget["x-kubernetes-group-version-kind"][0]["kind"], "Widget");
        let pod = &widget["properties"]["spec"]["properties"]["pod"];
        assert_eq!(pod["required"], json!(["kind", "apiVersion"]));
        assert!(pod["properties"]["metadata"]["allOf"][0]["$ref"].is_string());
        let patch = &document["paths"]["/apis/gold.example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"];
        assert!(patch["requestBody"]["content"]["application/merge-patch+json"].is_object());
        assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_null());
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn version_2_is_looser() {
        let document = widgets().v2();
        let spec = &document["definitions"]["com.example.gold.v1.Widget"]["properties"]["spec"]["properties"];
        assert_eq!(spec["maybe"], json!({}));
        assert_eq!(spec["port"], json!({ "x-kubernetes-int-or-string": true }));
    }
}
