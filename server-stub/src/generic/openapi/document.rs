//! Whole documents.

use kubewire_client::wire::schema;
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::operations::Operations;
use super::route::{Route, Schema, paths};
use super::schemas::{self, Schemas};
use super::words::{capital, group_words, tag};
use crate::registry::facts::{self, GroupFacts, VersionFacts};

/// What one OpenAPI 3 document is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// `/version`.
    Version,
    /// `/.well-known/openid-configuration`.
    Issuer,
    /// `/openid/v1/jwks`.
    Keys,
    /// The versions of the core group.
    CoreVersions,
    /// The groups.
    Groups,
    /// The versions of a group.
    Group(&'static GroupFacts),
    /// The resources of one version of a group.
    Resources(&'static GroupFacts, &'static str),
}

impl Subject {
    /// Everything that is built in.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let fixed = [
            Self::Version,
            Self::Issuer,
            Self::Keys,
            Self::CoreVersions,
            Self::Groups,
        ];
        let groups = facts::groups().iter().flat_map(|group| {
            let served = || group.versions.iter().filter(|version| version.served);
            let itself = (!group.group.is_empty() && served().next().is_some()).then_some(Self::Group(group));
            let versions = served().map(|version: &VersionFacts| Self::Resources(group, version.version));
            itself.into_iter().chain(versions)
        });
        fixed.into_iter().chain(groups)
    }

    /// Its name in the index, such as `apis/apps/v1`.
    pub(super) fn path(self) -> String {
        match self {
            Self::Version => "version".to_owned(),
            Self::Issuer => ".well-known/openid-configuration".to_owned(),
            Self::Keys => "openid/v1/jwks".to_owned(),
            Self::CoreVersions => "api".to_owned(),
            Self::Groups => "apis".to_owned(),
            Self::Group(group) => format!("apis/{}", group.group),
            Self::Resources(group, version) => root(group.group, version).trim_start_matches('/').to_owned(),
        }
    }

    /// The OpenAPI 3 document.
    pub(super) fn v3(self) -> Value {
        let group_version = match self {
            Self::Resources(group, version) => vec![(group.group.to_owned(), version.to_owned())],
            _ => Vec::new(),
        };
        let mut schemas = Schemas::new(Dialect::V3, group_version);
        let routes = self.routes(&mut schemas);
        let scheme = json!({"BearerToken": bearer_token()});
        let mut document = json!({
            "openapi": "3.0.0",
            "info": info(),
            "paths": paths(Dialect::V3, &routes),
            "components": {"securitySchemes": scheme},
        });
        if !schemas.is_empty() {
            document["components"]["schemas"] = schemas.into_value();
        }
        document
    }

    fn routes(self, schemas: &mut Schemas) -> Vec<Route> {
        let path = format!("/{}/", self.path());
        let described = |description: &str, route: Route| Route {
            description: description.to_owned(),
            ..route
        };
        let listing = |route: Route, message: &str, schemas: &mut Schemas| Route {
            schema: schema::message(message).map_or(Schema::Text, |message| Schema::Named(schemas.add(message))),
            ..route
        };
        match self {
            Self::Version => {
                let route = Route {
                    consumes: &["application/json"],
                    produces: &["application/json"],
                    schema: Schema::Named(schemas.add_version_info()),
                    ..Route::reading(path, "version", "getCodeVersion")
                };
                vec![described("get the version information for this server", route)]
            }
            Self::Issuer => {
                let route = Route {
                    consumes: &[],
                    produces: &["application/json"],
                    ..Route::reading(path, "WellKnown", "getServiceAccountIssuerOpenIDConfiguration")
                };
                let text = "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'";
                vec![described(text, route)]
            }
            Self::Keys => {
                let route = Route {
                    consumes: &[],
                    produces: &["application/jwk-set+json"],
                    ..Route::reading(path, "openid", "getServiceAccountIssuerOpenIDKeyset")
                };
                let text =
                    "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)";
                vec![described(text, route)]
            }
            Self::CoreVersions => {
                let route = Route::reading(path, "core", "getCoreAPIVersions");
                let route = listing(route, "meta.v1.APIVersions", schemas);
                vec![described("get available API versions", route)]
            }
            Self::Groups => {
                let route = Route::reading(path, "apis", "getAPIVersions");
                let route = listing(route, "meta.v1.APIGroupList", schemas);
                vec![described("get available API versions", route)]
            }
            Self::Group(group) => {
                let id = format!("get{}APIGroup", group_words(group.group));
                let route = Route::reading(path, tag(group.group, None), id);
                let route = listing(route, "meta.v1.APIGroup", schemas);
                vec![described("get information of a group", route)]
            }
            Self::Resources(group, version) => {
                let id = format!("get{}{}APIResources", group_words(group.group), capital(version));
                let route = Route::reading(path, tag(group.group, Some(version)), id);
                let route = listing(route, "meta.v1.APIResourceList", schemas);
                let mut routes = vec![described("get available resources", route)];
                let own = facts::resources()
                    .iter()
                    .filter(|facts| facts.served && facts.group == group.group && facts.version == version);
                for facts in own {
                    let operations = Operations {
                        schemas,
                        resource: facts.into(),
                        root: root(group.group, version),
                    };
                    routes.extend(operations.routes());
                }
                routes
            }
        }
    }
}

/// The OpenAPI 2 document of everything that is built in. Its parameters are not shared yet.
pub(super) fn v2() -> Value {
    let mut schemas = Schemas::new(Dialect::V2, schemas::every_group_version());
    let routes: Vec<Route> = Subject::all()
        .flat_map(|subject| subject.routes(&mut schemas))
        .collect();
    json!({
        "swagger": "2.0",
        "info": info(),
        "paths": paths(Dialect::V2, &routes),
        "definitions": schemas.into_value(),
        "securityDefinitions": {"BearerToken": bearer_token()},
        "security": [{"BearerToken": []}],
    })
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "1.37"})
}

fn bearer_token() -> Value {
    json!({"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header"})
}

/// `/api/v1` or `/apis/<group>/<version>`.
pub(super) fn root(group: &str, version: &str) -> String {
    match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v3(path: &str) -> Value {
        let subject = Subject::all().find(|subject| subject.path() == path);
        subject.unwrap_or_else(|| panic!("no document of {path}")).v3()
    }

    /// What kubectl looks for before it leaves the validation of fields to the server.
    #[test]
    fn patches_take_field_validation() {
        let document = v3("apis/apps/v1");
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
        assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters
                .iter()
                .any(|p| p["name"] == "fieldValidation" && p["in"] == "query" && p["description"].is_string())
        );
        assert!(!Subject::all().any(|subject| subject.path() == "apis/apps/v9"));
    }

    #[test]
    fn parameters_of_all_operations_stand_beside_them() {
        let document = v3("api/v1");
        let names = |parameters: &Value| -> Vec<String> {
            let parameters = parameters.as_array().into_iter().flatten();
            parameters
                .filter_map(|p| Some(p["name"].as_str()?.to_owned()))
                .collect()
        };
        let path = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"];
        assert_eq!(names(&path["parameters"]), ["name", "namespace", "pretty"]);
        assert_eq!(
            names(&path["put"]["parameters"]),
            ["dryRun", "fieldManager", "fieldValidation"]
        );
        let exec = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/exec"];
        let expected = [
            "command",
            "container",
            "name",
            "namespace",
            "stderr",
            "stdin",
            "stdout",
            "tty",
        ];
        assert_eq!(names(&exec["parameters"]), expected);
        assert_eq!(exec["post"]["operationId"], "connectCoreV1PostNamespacedPodExec");
        assert_eq!(exec["post"]["x-kubernetes-action"], "connect");
    }

    #[test]
    fn what_is_no_resource_is_described_too() {
        for path in [
            "version",
            "api",
            "apis",
            "apis/apps",
            "openid/v1/jwks",
            ".well-known/openid-configuration",
        ] {
            let document = v3(path);
            let get = &document["paths"][format!("/{path}/")]["get"];
            assert!(get["operationId"].is_string(), "{path}: {document}");
        }
        let info = &v3("version")["components"]["schemas"]["io.k8s.apimachinery.pkg.version.Info"];
        assert_eq!(info["properties"]["gitVersion"]["type"], "string");
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
