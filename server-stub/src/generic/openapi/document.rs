//! Whole documents.

use kubewire_client::wire::schema;
use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::operations::{Operations, capital, group_words};
use super::schemas::Schemas;
use crate::registry::facts::{self, GroupFacts};

/// The OpenAPI 3 document of one version of a group; `None` for one that is not served.
pub(super) fn v3(group: &str, version: &str) -> Option<Value> {
    let mut schemas = Schemas::new(Dialect::V3);
    let mut paths = Map::new();
    let facts = facts::groups().iter().find(|facts| facts.group == group)?;
    facts
        .versions
        .iter()
        .find(|facts| facts.served && facts.version == version)?;
    add_version(Dialect::V3, facts, version, &mut schemas, &mut paths);
    let scheme = json!({"BearerToken": {
        "type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header",
    }});
    Some(json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": paths,
        "components": {"schemas": schemas.into_value(), "securitySchemes": scheme},
    }))
}

/// The OpenAPI 2 document of everything that is built in.
pub(super) fn v2() -> Value {
    let mut schemas = Schemas::new(Dialect::V2);
    let mut paths = Map::new();
    for group in facts::groups() {
        for version in group.versions.iter().filter(|version| version.served) {
            add_version(Dialect::V2, group, version.version, &mut schemas, &mut paths);
        }
    }
    json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": schemas.into_value()})
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "1.37"})
}

/// `/api/v1` or `/apis/<group>/<version>`.
pub(super) fn root(group: &str, version: &str) -> String {
    match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    }
}

fn add_version(
    dialect: Dialect,
    group: &'static GroupFacts,
    version: &str,
    schemas: &mut Schemas,
    paths: &mut Map<String, Value>,
) {
    let (name, root) = (group.group, root(group.group, version));
    if let Some(list) = schema::message("meta.v1.APIResourceList") {
        let list = schemas.add(list);
        let short = if name.is_empty() {
            "core"
        } else {
            name.split('.').next().unwrap_or(name)
        };
        let get = json!({
            "tags": [format!("{short}_{version}")],
            "description": "get available resources",
            "operationId": format!("get{}{}APIResources", group_words(name), capital(version)),
            "responses": {"200": dialect.response("OK", &list), "401": {"description": "Unauthorized"}},
        });
        paths.insert(format!("{root}/"), json!({"get": get}));
    }
    let own = facts::resources()
        .iter()
        .filter(|facts| facts.served && facts.group == name && facts.version == version);
    for facts in own {
        let mut operations = Operations {
            dialect,
            schemas,
            resource: facts.into(),
        };
        operations.add_to(&root, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubectl looks for before it leaves the validation of fields to the server.
    #[test]
    fn patches_take_field_validation() {
        let document = v3("apps", "v1").unwrap();
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
        assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters
                .iter()
                .any(|p| p["name"] == "fieldValidation" && p["in"] == "query")
        );
        assert!(v3("apps", "v9").is_none());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = v2();
        let text = document.to_string();
        let mut references = text.split("#/definitions/").skip(1).peekable();
        assert!(references.peek().is_some());
        for reference in references {
            let name = reference.split('"').next().unwrap();
            assert!(
                document["definitions"].get(name).is_some_and(Value::is_object),
                "{name}"
            );
        }
    }
}
