//! What can be done at one path by one method, before it is written as OpenAPI 2 or 3.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::parameters::Parameter;

/// What bodies and answers of built-in resources can be written in.
pub(super) const MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
/// Those of custom resources.
pub(super) const CUSTOM_MEDIA_TYPES: &[&str] = &["application/json", "application/yaml"];
pub(super) const ANY_MEDIA_TYPE: &[&str] = &["*/*"];

/// One operation.
pub(super) struct Route {
    pub(super) path: String,
    /// The member of the path's item, such as `get`.
    pub(super) method: &'static str,
    pub(super) tag: String,
    /// What it does, for people.
    pub(super) description: String,
    pub(super) id: String,
    pub(super) consumes: &'static [&'static str],
    pub(super) produces: &'static [&'static str],
    pub(super) body: Option<Body>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) answers: &'static [(&'static str, &'static str)],
    /// What a good answer holds.
    pub(super) schema: Schema,
    /// The action in the API's words: `list`, `post`, `deletecollection` …
    pub(super) action: Option<&'static str>,
    /// Group, version and kind.
    pub(super) kind: Option<[String; 3]>,
}

/// What a request holds.
pub(super) struct Body {
    pub(super) schema: String,
    pub(super) required: bool,
}

/// The schema of an answer.
#[derive(Clone)]
pub(super) enum Schema {
    Text,
    /// A schema of the document.
    Named(String),
}

impl Route {
    /// A route that reads something without parameters.
    pub(super) fn reading(path: impl Into<String>, tag: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            method: "get",
            tag: tag.into(),
            description: String::new(),
            id: id.into(),
            consumes: MEDIA_TYPES,
            produces: MEDIA_TYPES,
            body: None,
            parameters: Vec::new(),
            answers: &[("200", "OK")],
            schema: Schema::Text,
            action: None,
            kind: None,
        }
    }

    /// The operation, without those of its parameters that all operations of the path share.
    fn write(&self, dialect: Dialect, shared: &[&Parameter]) -> Value {
        let answer = |(code, text): &(&str, &str)| {
            let response = dialect.response(text, &self.schema, self.produces);
            ((*code).to_owned(), response)
        };
        let mut responses: Map<String, Value> = self.answers.iter().map(answer).collect();
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        let mut operation = json!({
            "tags": [self.tag],
            "description": self.description,
            "operationId": self.id,
            "responses": responses,
        });
        if dialect == Dialect::V2 {
            if !self.consumes.is_empty() {
                operation["consumes"] = self.consumes.into();
            }
            operation["produces"] = self.produces.into();
            operation["schemes"] = json!(["https"]);
        }
        let mut own: Vec<_> = self.parameters.iter().filter(|own| !shared.contains(own)).collect();
        own.sort_by_key(|parameter| parameter.name.as_ref());
        if !own.is_empty() {
            operation["parameters"] = own.into_iter().map(|own| dialect.parameter(own)).collect();
        }
        if let Some(body) = &self.body {
            dialect.add_body(&mut operation, body, self.consumes);
        }
        if let Some(action) = self.action {
            operation["x-kubernetes-action"] = action.into();
        }
        if let Some([group, version, kind]) = &self.kind {
            operation["x-kubernetes-group-version-kind"] = json!({"group": group, "version": version, "kind": kind});
        }
        operation
    }
}

/// The `paths` of a document: routes by path, with what all routes of a path have in common beside them.
pub(super) fn paths(dialect: Dialect, routes: &[Route]) -> Map<String, Value> {
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in routes {
        by_path.entry(&route.path).or_default().push(route);
    }
    let item = |(path, routes): (&str, Vec<&Route>)| {
        let mut shared = shared(&routes);
        shared.sort_by_key(|parameter| (parameter.name.as_ref(), parameter.place.name()));
        let written = |route: &&Route| (route.method.to_owned(), route.write(dialect, &shared));
        let mut item: Map<String, Value> = routes.iter().map(written).collect();
        if !shared.is_empty() {
            let parameters = shared.iter().map(|parameter| dialect.parameter(parameter));
            item.insert("parameters".to_owned(), parameters.collect());
        }
        (path.to_owned(), item.into())
    };
    by_path.into_iter().map(item).collect()
}

fn shared<'a>(routes: &[&'a Route]) -> Vec<&'a Parameter> {
    let Some((first, others)) = routes.split_first() else {
        return Vec::new();
    };
    let everywhere = |wanted: &&Parameter| others.iter().all(|route| route.parameters.contains(wanted));
    first.parameters.iter().filter(everywhere).collect()
}
