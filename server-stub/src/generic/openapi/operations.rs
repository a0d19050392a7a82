//! The paths of a resource and what can be done there.

use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use serde_json::{Map, Value, json};

use super::dialect::{Dialect, MEDIA_TYPES};
use super::schemas::Schemas;
use crate::registry::facts::ResourceFacts;

const QUERY: &str = "query";

/// The parameters of lists and watches.
const LIST: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
];
const PATCH: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
];
const DELETE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
const PATCH_TYPES: [&str; 4] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

const CUSTOM_PATCH_TYPES: [&str; 3] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// Writes the paths of one resource.
pub(super) struct Operations<'a> {
    pub(super) dialect: Dialect,
    pub(super) schemas: &'a mut Schemas,
    pub(super) resource: Described<'a>,
}

/// What the paths of a resource depend on.
#[derive(Clone)]
pub(super) struct Described<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) plural: &'a str,
    pub(super) kind: &'a str,
    pub(super) list_kind: Option<&'a str>,
    pub(super) namespaced: bool,
    pub(super) verbs: &'a [&'a str],
    pub(super) subresources: Vec<Subresource<'a>>,
    /// The name of a kind's schema where that is not built in.
    pub(super) custom_schema: Option<fn(group: &str, version: &str, kind: &str) -> String>,
}

/// Group, version and kind.
type Kind<'a> = (&'a str, &'a str, &'a str);

/// A subresource: its name, its verbs and its kind.
#[derive(Clone)]
pub(super) struct Subresource<'a> {
    pub(super) name: &'a str,
    pub(super) verbs: &'a [&'a str],
    pub(super) kind: Kind<'a>,
}

impl From<&'static ResourceFacts> for Described<'static> {
    fn from(facts: &'static ResourceFacts) -> Self {
        let subresources = facts.subresources.iter().map(|sub| Subresource {
            name: sub.name,
            verbs: sub.verbs,
            kind: (sub.group, sub.version, sub.kind),
        });
        Self {
            group: facts.group,
            version: facts.version,
            plural: facts.plural,
            kind: facts.kind,
            list_kind: facts.list_kind,
            namespaced: facts.namespaced,
            verbs: facts.verbs,
            subresources: subresources.collect(),
            custom_schema: None,
        }
    }
}

/// One operation before it is written.
struct Operation<'a> {
    /// What it does, for people.
    description: String,
    /// The action in the API's words: `list`, `post`, `deletecollection` …
    action: &'a str,
    /// What stands before the kind in the operation's id.
    id: String,
    kind: &'a str,
    parameters: &'a [(&'a str, &'a str)],
    answers: &'a [(&'a str, &'a str)],
}

impl Operations<'_> {
    /// Adds the paths below `root` (`/apis/apps/v1`).
    pub(super) fn add_to(&mut self, root: &str, paths: &mut Map<String, Value>) {
        let plural = self.resource.plural;
        let (collection, scope) = match self.resource.namespaced {
            true => (format!("{root}/namespaces/{{namespace}}/{plural}"), "Namespaced"),
            false => (format!("{root}/{plural}"), ""),
        };
        if self.resource.namespaced && self.resource.verbs.contains(&"list") {
            let list = self.list("ForAllNamespaces", "");
            paths.insert(format!("{root}/{plural}"), self.path(vec![("get", list)], &[]));
        }
        let namespace: &[&str] = if self.resource.namespaced { &["namespace"] } else { &[] };
        let operations = self.collection(scope);
        if !operations.is_empty() {
            paths.insert(collection.clone(), self.path(operations, namespace));
        }
        let named = [&["name"], namespace].concat();
        let operations = self.object(
            scope,
            self.resource.verbs,
            "",
            (self.resource.group, self.resource.version, self.resource.kind),
        );
        if !operations.is_empty() {
            paths.insert(format!("{collection}/{{name}}"), self.path(operations, &named));
        }
        for sub in self.resource.subresources.clone() {
            let mut operations = self.object(scope, sub.verbs, sub.name, sub.kind);
            if sub.verbs.contains(&"create") {
                operations.push(("post", self.post(scope, sub.name, sub.kind)));
            }
            paths.insert(
                format!("{collection}/{{name}}/{}", sub.name),
                self.path(operations, &named),
            );
        }
    }

    fn path(&self, operations: Vec<(&str, Value)>, parameters: &[&str]) -> Value {
        let mut path: Map<String, Value> = operations
            .into_iter()
            .map(|(method, value)| (method.to_owned(), value))
            .collect();
        let named = parameters
            .iter()
            .map(|name| self.dialect.parameter(name, "path", "string"));
        let pretty = self.dialect.parameter("pretty", QUERY, "string");
        path.insert("parameters".to_owned(), named.chain([pretty]).collect());
        path.into()
    }

    fn collection(&mut self, scope: &str) -> Vec<(&'static str, Value)> {
        let has = |verb: &str| self.resource.verbs.contains(&verb);
        let (can_list, can_create, can_delete) = (has("list"), has("create"), has("deletecollection"));
        let mut operations = Vec::new();
        if can_list {
            operations.push(("get", self.list("", scope)));
        }
        if can_create {
            let own = (self.resource.group, self.resource.version, self.resource.kind);
            operations.push(("post", self.post(scope, "", own)));
        }
        if can_delete {
            let mut operation = self.operation(&Operation {
                description: format!("delete collection of {}", self.resource.kind),
                action: "deletecollection",
                id: format!("deleteCollection{{gv}}{scope}{}", self.resource.kind),
                kind: "Status",
                parameters: &[DELETE, LIST].concat(),
                answers: &[("200", "OK")],
            });
            self.delete_body(&mut operation);
            operations.push(("delete", operation));
        }
        operations
    }

    fn list(&mut self, suffix: &str, scope: &str) -> Value {
        let list_kind = self.resource.list_kind.unwrap_or(self.resource.kind);
        self.operation(&Operation {
            description: format!("list or watch objects of kind {}", self.resource.kind),
            action: "list",
            id: format!("list{{gv}}{scope}{}{suffix}", self.resource.kind),
            kind: list_kind,
            parameters: LIST,
            answers: &[("200", "OK")],
        })
    }

    fn post(&mut self, scope: &str, subresource: &str, kind: Kind<'_>) -> Value {
        let schema = self.schema(kind.0, kind.1, kind.2);
        let mut operation = self.operation(&Operation {
            description: match subresource {
                "" => format!("create {}", with_article(self.resource.kind)),
                subresource => format!("create {subresource} of {}", with_article(self.resource.kind)),
            },
            action: "post",
            id: format!("create{{gv}}{scope}{}{}", self.resource.kind, capital(subresource)),
            kind: &schema,
            parameters: WRITE,
            answers: &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
        });
        self.dialect.add_body(&mut operation, &["*/*"], &schema, true);
        set_kind(&mut operation, kind);
        operation
    }

    /// The operations on one object, or on a subresource of it.
    fn object(&mut self, scope: &str, verbs: &[&str], subresource: &str, kind: Kind<'_>) -> Vec<(&'static str, Value)> {
        let mut operations = Vec::new();
        let schema = self.schema(kind.0, kind.1, kind.2);
        let id = |verb: &str, this: &Self| format!("{verb}{{gv}}{scope}{}{}", this.resource.kind, capital(subresource));
        for &(verb, method, word, parameters) in &[
            ("get", "get", "read", &[][..]),
            ("update", "put", "replace", WRITE),
            ("patch", "patch", "patch", PATCH),
            ("delete", "delete", "delete", DELETE),
        ] {
            if !verbs.contains(&verb) {
                continue;
            }
            let answers: &[_] = match verb {
                "get" => &[("200", "OK")],
                "delete" => &[("200", "OK"), ("202", "Accepted")],
                _ => &[("200", "OK"), ("201", "Created")],
            };
            let mut operation = self.operation(&Operation {
                description: describe(verb, subresource, self.resource.kind),
                action: method,
                id: id(word, self),
                kind: if verb == "delete" { "Status" } else { &schema },
                parameters,
                answers,
            });
            match verb {
                "update" => self.dialect.add_body(&mut operation, &["*/*"], &schema, true),
                "patch" => {
                    let patch = self.schema("", "v1", "Patch");
                    let types = match self.resource.custom_schema {
                        None => &PATCH_TYPES[..],
                        Some(_) => &CUSTOM_PATCH_TYPES[..],
                    };
                    self.dialect.add_body(&mut operation, types, &patch, true);
                }
                "delete" => self.delete_body(&mut operation),
                _ => {}
            }
            set_kind(&mut operation, kind);
            operations.push((method, operation));
        }
        operations
    }

    fn delete_body(&mut self, operation: &mut Value) {
        let options = self.schema("", "v1", "DeleteOptions");
        self.dialect.add_body(operation, &["*/*"], &options, false);
    }

    fn operation(&mut self, operation: &Operation<'_>) -> Value {
        let (group, version) = (self.resource.group, self.resource.version);
        let short = if group.is_empty() {
            "core"
        } else {
            group.split('.').next().unwrap_or(group)
        };
        let id = operation
            .id
            .replace("{gv}", &format!("{}{}", group_words(group), capital(version)));
        let schema = match operation.kind {
            "Status" => self.schema("", "v1", "Status"),
            name if name.contains('.') => name.to_owned(),
            kind => self.schema(group, version, kind),
        };
        let parameters = operation
            .parameters
            .iter()
            .map(|(name, ty)| self.dialect.parameter(name, QUERY, ty));
        let answers = operation.answers.iter();
        let mut responses: Map<String, Value> = answers
            .map(|(code, text)| ((*code).to_owned(), self.dialect.response(text, &schema)))
            .collect();
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        let mut document = json!({
            "tags": [format!("{short}_{version}")],
            "description": operation.description,
            "operationId": id,
            "parameters": parameters.collect::<Vec<_>>(),
            "responses": responses,
            "x-kubernetes-action": operation.action,
        });
        if self.dialect == Dialect::V2 {
            document["produces"] = MEDIA_TYPES.as_slice().into();
            document["schemes"] = json!(["https"]);
        }
        set_kind(&mut document, (group, version, self.resource.kind));
        document
    }

    /// The name of a kind's schema, which becomes part of the document.
    fn schema(&mut self, group: &str, version: &str, kind: &str) -> String {
        if let Some(name) = self.resource.custom_schema
            && (group, version) == (self.resource.group, self.resource.version)
        {
            return name(group, version, kind);
        }
        let gvk = Gvk {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            kind: kind.to_owned().into(),
        };
        let message = schema::kind(&gvk).map(|kind| kind.message);
        match message.or_else(|| schema::message(&format!("meta.v1.{kind}"))) {
            Some(message) => self.schemas.add(message),
            None => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}"),
        }
    }
}

fn describe(verb: &str, subresource: &str, kind: &str) -> String {
    let part = match subresource {
        "" => String::new(),
        subresource => format!("{subresource} of "),
    };
    match verb {
        "get" => format!("read {part}the specified {kind}"),
        "update" => format!("replace {part}the specified {kind}"),
        "patch" => format!("partially update {part}the specified {kind}"),
        verb => format!("{verb} {part}{}", with_article(kind)),
    }
}

fn with_article(kind: &str) -> String {
    let vowel = kind.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

fn set_kind(operation: &mut Value, (group, version, kind): (&str, &str, &str)) {
    operation["x-kubernetes-group-version-kind"] = json!({"group": group, "version": version, "kind": kind});
}

/// `rbac.authorization.k8s.io` as `RbacAuthorization`.
pub(super) fn group_words(group: &str) -> String {
    match group.strip_suffix(".k8s.io").unwrap_or(group) {
        "" => "Core".to_owned(),
        group => group.split('.').map(capital).collect(),
    }
}

pub(super) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}
