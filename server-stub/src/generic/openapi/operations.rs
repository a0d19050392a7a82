//! What can be done with a resource, as routes.

use kubewire_client::Gvk;
use kubewire_client::wire::schema;

use super::parameters::{self, Parameter};
use super::route::{ANY_MEDIA_TYPE, Body, CUSTOM_MEDIA_TYPES, MEDIA_TYPES, Route, Schema};
use super::schemas::Schemas;
use super::words::{capital, group_words, tag, with_article};
use crate::registry::built_in;
use crate::registry::facts::ResourceFacts;

/// Answers with a list or with a watch.
const WATCHABLE: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const LOG_MEDIA_TYPES: &[&str] = &[
    "text/plain",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
const CUSTOM_PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];

const OK: &[(&str, &str)] = &[("200", "OK")];
const OK_OR_CREATED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created")];
const OK_OR_ACCEPTED: &[(&str, &str)] = &[("200", "OK"), ("202", "Accepted")];
const OK_CREATED_OR_ACCEPTED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created"), ("202", "Accepted")];

/// Makes the routes of one resource.
pub(super) struct Operations<'a> {
    pub(super) schemas: &'a mut Schemas,
    pub(super) resource: Described<'a>,
    /// `/apis/apps/v1`.
    pub(super) root: String,
}

/// What the routes of a resource depend on.
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
    /// Whether a deletion answers with the object.
    pub(super) returns_deleted_object: bool,
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

impl Subresource<'_> {
    /// Whether requests become connections, such as those of `exec`.
    fn connects(&self) -> bool {
        self.kind.2.ends_with("Options")
    }
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
            // A deleted namespace is still there, and what is said of it leaves that out.
            returns_deleted_object: facts.kind != "Namespace" && built_in::returns_deleted_object(facts),
            custom_schema: None,
        }
    }
}

impl Operations<'_> {
    /// All routes.
    pub(super) fn routes(mut self) -> Vec<Route> {
        let Described {
            plural,
            namespaced,
            verbs,
            ..
        } = self.resource;
        let root = self.root.clone();
        let has = |verb: &str| verbs.contains(&verb);
        let custom = self.resource.custom_schema.is_some();
        let within = if namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{root}{within}/{plural}");
        let object = format!("{collection}/{{name}}");
        let mut routes = Vec::new();
        if has("list") {
            routes.push(self.list(&collection));
            if namespaced {
                routes.push(self.list(&format!("{root}/{plural}")));
            }
        }
        if has("create") {
            routes.push(self.create(&collection, ""));
        }
        if has("deletecollection") {
            routes.push(self.delete_collection(&collection));
        }
        let own = (self.resource.group, self.resource.version, self.resource.kind);
        routes.extend(self.object(&object, verbs, "", own));
        if has("watch") && !custom {
            if namespaced {
                routes.push(self.watch(&format!("{root}/watch/{plural}")));
            }
            routes.push(self.watch(&format!("{root}/watch{within}/{plural}")));
            routes.push(self.watch(&format!("{root}/watch{within}/{plural}/{{name}}")));
        }
        for sub in self.resource.subresources.clone() {
            let path = format!("{object}/{}", sub.name);
            if sub.connects() {
                routes.extend(self.connect(&path, &sub));
                continue;
            }
            routes.extend(self.object(&path, sub.verbs, sub.name, sub.kind));
            if sub.verbs.contains(&"create") {
                let mut route = self.create(&path, sub.name);
                self.set_kind(&mut route, sub.kind);
                routes.push(route);
            }
        }
        routes
    }

    fn list(&mut self, path: &str) -> Route {
        let can_watch = self.resource.verbs.contains(&"watch") && self.resource.custom_schema.is_none();
        let kind = self.resource.kind;
        let mut route = self.route(path, "get", "list", &format!("{kind}{}", self.everywhere(path)));
        let or_watch = if can_watch { " or watch" } else { "" };
        route.description = format!("list{or_watch} objects of kind {kind}");
        route.action = Some("list");
        self.add_query(&mut route, parameters::LIST);
        if self.resource.custom_schema.is_none() {
            route.produces = WATCHABLE;
        }
        let list_kind = self.resource.list_kind.unwrap_or(kind);
        route.schema = Schema::Named(self.schema((self.resource.group, self.resource.version, list_kind)));
        route
    }

    /// The paths that only watch: older than `?watch=true`, and still served.
    fn watch(&mut self, path: &str) -> Route {
        let kind = self.resource.kind;
        let one = path.ends_with("{name}");
        let end = if one {
            String::new()
        } else {
            format!("List{}", self.everywhere(path))
        };
        let mut route = self.route(path, "get", "watch", &format!("{kind}{end}"));
        (route.action, route.description) = match one {
            true => (
                Some("watch"),
                format!("watch changes to an object of kind {kind}. deprecated: list with watch and a fieldSelector."),
            ),
            false => (
                Some("watchlist"),
                format!("watch changes to objects of kind {kind}. deprecated: list with watch."),
            ),
        };
        self.add_query(&mut route, parameters::LIST);
        route.produces = WATCHABLE;
        route.schema = Schema::Named(self.schema(("", "v1", "WatchEvent")));
        route
    }

    fn create(&mut self, path: &str, subresource: &str) -> Route {
        let kind = self.resource.kind;
        let mut route = self.route(path, "post", "create", &format!("{kind}{}", capital(subresource)));
        route.description = match subresource {
            "" => format!("create {}", with_article(kind)),
            subresource => format!("create {subresource} of {}", with_article(kind)),
        };
        route.action = Some("post");
        route.answers = OK_CREATED_OR_ACCEPTED;
        self.add_query(&mut route, parameters::WRITE);
        self.set_kind(&mut route, (self.resource.group, self.resource.version, kind));
        route
    }

    fn delete_collection(&mut self, path: &str) -> Route {
        let kind = self.resource.kind;
        let mut route = self.route(path, "delete", "delete", kind);
        let (group, version) = (group_words(self.resource.group), capital(self.resource.version));
        let scope = if self.resource.namespaced { "Namespaced" } else { "" };
        route.id = format!("delete{group}{version}Collection{scope}{kind}");
        route.description = format!("delete collection of {kind}");
        route.action = Some("deletecollection");
        route.schema = Schema::Named(self.schema(("", "v1", "Status")));
        match self.resource.custom_schema {
            Some(_) => self.add_query(&mut route, parameters::LIST),
            None => {
                self.add_query(&mut route, parameters::DELETE_COLLECTION);
                self.add_delete_body(&mut route);
            }
        }
        route
    }

    /// The routes of one object, or of a subresource of it.
    fn object(&mut self, path: &str, verbs: &[&str], subresource: &str, kind: Kind<'_>) -> Vec<Route> {
        let resource = self.resource.kind;
        let custom = self.resource.custom_schema.is_some();
        let name = format!("{resource}{}", capital(subresource));
        let part = match subresource {
            "" => String::new(),
            subresource => format!("{subresource} of "),
        };
        let mut routes = Vec::new();
        for verb in ["get", "update", "delete", "patch"]
            .into_iter()
            .filter(|verb| verbs.contains(verb))
        {
            let route = match verb {
                "get" => {
                    let mut route = self.route(path, "get", "read", &name);
                    route.description = format!("read {part}the specified {resource}");
                    self.set_kind(&mut route, kind);
                    route.body = None;
                    match subresource {
                        "log" => {
                            let options = schema::message("core.v1.PodLogOptions");
                            route
                                .parameters
                                .extend(options.into_iter().flat_map(parameters::options));
                            (route.produces, route.schema) = (LOG_MEDIA_TYPES, Schema::Text);
                        }
                        _ if custom => self.add_query(&mut route, &["resourceVersion"]),
                        _ => {}
                    }
                    route
                }
                "update" => {
                    let mut route = self.route(path, "put", "replace", &name);
                    route.description = format!("replace {part}the specified {resource}");
                    route.answers = OK_OR_CREATED;
                    self.add_query(&mut route, parameters::WRITE);
                    self.set_kind(&mut route, kind);
                    route
                }
                "delete" => {
                    let mut route = self.route(path, "delete", "delete", &name);
                    route.description = format!("delete {part}{}", with_article(resource));
                    route.answers = OK_OR_ACCEPTED;
                    self.add_query(&mut route, parameters::DELETE);
                    let answer = match self.resource.returns_deleted_object {
                        true => kind,
                        false => ("", "v1", "Status"),
                    };
                    route.schema = Schema::Named(self.schema(answer));
                    self.add_delete_body(&mut route);
                    route
                }
                _ => {
                    let mut route = self.route(path, "patch", "patch", &name);
                    route.description = format!("partially update {part}the specified {resource}");
                    route.answers = if custom { OK } else { OK_OR_CREATED };
                    self.add_query(&mut route, parameters::PATCH);
                    self.set_kind(&mut route, kind);
                    route.consumes = if custom { CUSTOM_PATCH_TYPES } else { PATCH_TYPES };
                    route.body = Some(Body {
                        schema: self.schema(("", "v1", "Patch")),
                        required: true,
                    });
                    route
                }
            };
            routes.push(Route {
                action: Some(route.method),
                ..route
            });
        }
        routes
    }

    /// Connections: the routes of a subresource such as `exec`, and those below `proxy`.
    fn connect(&mut self, path: &str, sub: &Subresource<'_>) -> Vec<Route> {
        const EVERY_METHOD: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch"];
        let proxies = sub.name == "proxy";
        let methods = if proxies { EVERY_METHOD } else { &["get", "post"] };
        let kind = self.resource.kind;
        let below = proxies.then(|| (format!("{path}/{{path}}"), "WithPath"));
        let mut routes = Vec::new();
        for (path, suffix) in std::iter::once((path.to_owned(), "")).chain(below) {
            for &method in methods {
                let verb = format!("connect{{gv}}{}", capital(method));
                let mut route = self.route(&path, method, &verb, &format!("{kind}{}{suffix}", capital(sub.name)));
                route.description = format!("connect {} requests to {} of {kind}", method.to_uppercase(), sub.name);
                route.action = Some("connect");
                (route.consumes, route.produces) = (ANY_MEDIA_TYPE, ANY_MEDIA_TYPE);
                route.kind = Some([sub.kind.0, sub.kind.1, sub.kind.2].map(str::to_owned));
                route
                    .parameters
                    .retain(|parameter| parameter.name != "pretty" && parameter.name != "name");
                route
                    .parameters
                    .push(parameters::path("name", format!("name of the {}", sub.kind.2)));
                if !suffix.is_empty() {
                    route.parameters.push(parameters::path("path", "path to the resource"));
                }
                let options = schema::message(&format!("core.{}.{}", sub.kind.1, sub.kind.2));
                route
                    .parameters
                    .extend(options.into_iter().flat_map(parameters::options));
                routes.push(route);
            }
        }
        routes
    }

    /// A route with what all have in common. `{gv}` in the verb is where group and version stand, otherwise behind it.
    fn route(&self, path: &str, method: &'static str, verb: &str, object: &str) -> Route {
        let Described {
            group, version, kind, ..
        } = self.resource;
        let descriptions = self.schemas.descriptions();
        let words = format!("{}{}", group_words(group), capital(version));
        let id = match verb.contains("{gv}") {
            true => verb.replace("{gv}", &words),
            false => format!("{verb}{words}"),
        };
        let (mut parameters, mut scope) = (Vec::<Parameter>::new(), "");
        if path.contains("{namespace}") {
            let text = "the namespace of the objects";
            parameters.push(parameters::path("namespace", text));
            scope = "Namespaced";
        }
        if path.contains("{name}") {
            parameters.push(parameters::path("name", format!("name of the {kind}")));
        }
        parameters.extend(parameters::query(&["pretty"], descriptions));
        let custom = self.resource.custom_schema.is_some();
        Route {
            method,
            consumes: if custom { CUSTOM_MEDIA_TYPES } else { ANY_MEDIA_TYPE },
            produces: if custom { CUSTOM_MEDIA_TYPES } else { MEDIA_TYPES },
            parameters,
            kind: Some([group, version, kind].map(str::to_owned)),
            ..Route::reading(path, tag(group, Some(version)), format!("{id}{scope}{object}"))
        }
    }

    /// The end of the ids of routes over all namespaces.
    fn everywhere(&self, path: &str) -> &'static str {
        match self.resource.namespaced && !path.contains("{namespace}") {
            true => "ForAllNamespaces",
            false => "",
        }
    }

    fn add_query(&self, route: &mut Route, names: &[&'static str]) {
        route
            .parameters
            .extend(parameters::query(names, self.schemas.descriptions()));
    }

    /// The kind that a route reads and answers with.
    fn set_kind(&mut self, route: &mut Route, kind: Kind<'_>) {
        let schema = self.schema(kind);
        route.schema = Schema::Named(schema.clone());
        route.body = Some(Body { schema, required: true });
        // Routes of custom resources always name the resource's kind, even where it is the scale that is read.
        if self.resource.custom_schema.is_none() {
            route.kind = Some([kind.0, kind.1, kind.2].map(str::to_owned));
        }
    }

    fn add_delete_body(&mut self, route: &mut Route) {
        route.body = Some(Body {
            schema: self.schema(("", "v1", "DeleteOptions")),
            required: false,
        });
    }

    /// The name of a kind's schema, which becomes part of the document.
    fn schema(&mut self, (group, version, kind): Kind<'_>) -> String {
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
