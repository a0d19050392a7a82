//! Resources without stored objects: reviews, which answer a question, and states that are made up when somebody asks.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::header::USER_AGENT;
use jiff::Timestamp;
use kubewire_client::Gvk;
use kubewire_client::selector::{FieldSelector, LabelSelector, SelectorError};
use kubewire_client::wire::schema::{self, KindSchema};
use serde_json::{Value, json};

use super::answer;
use super::body;
use super::decode::decode;
use super::group_version::deprecation;
use super::negotiation::{ALL_FORMATS, Accepted, Offer};
use super::options::{ListOptions, Query, WriteOptions, manager_or_user_agent};
use super::resource::BodyKind;
use crate::filters::WarningRecorder;
use crate::generic::clock::Clock;
use crate::generic::request::{RequestBody, RequestInfo, Response, UserInfo};
use crate::registry::facts::ResourceFacts;
use crate::registry::managed_fields::{FieldManager, Shape};
use crate::status::{ApiError, GroupResource};

/// A question to a virtual resource.
pub struct Question<'a> {
    /// Who asks.
    pub user: &'a Arc<UserInfo>,
    /// The namespace of the path, empty for cluster-scoped resources.
    pub namespace: &'a str,
    /// The body: an object of the resource's kind.
    pub object: Value,
}

/// What a resource without stored objects can do; the verbs in its facts decide which of these is called.
#[async_trait]
pub trait VirtualResource: Send + Sync {
    /// Answers a review with the same object, its status filled in.
    async fn create(&self, question: Question<'_>) -> Result<Value, ApiError> {
        let _ = question;
        Err(ApiError::method_not_allowed())
    }

    /// All objects that there are at this moment.
    async fn list(&self) -> Result<Vec<Value>, ApiError> {
        Err(ApiError::method_not_allowed())
    }
}

/// A virtual resource in its place.
pub(crate) struct Virtual {
    pub(crate) facts: &'static ResourceFacts,
    pub(crate) resource: Arc<dyn VirtualResource>,
    pub(crate) clock: Clock,
}

impl Virtual {
    /// Answers a request for it.
    pub(crate) async fn serve(
        &self,
        info: &RequestInfo,
        user: &Arc<UserInfo>,
        head: &http::request::Parts,
        request_body: RequestBody,
    ) -> Result<Response, ApiError> {
        let facts = self.facts;
        let cannot_be_named = facts.verbs == ["create"] && !info.name.is_empty();
        if info.parts.len() > 2 || facts.namespaced == info.namespace.is_empty() || cannot_be_named {
            return Err(ApiError::unknown_path());
        }
        if info.parts.len() > 1 && !facts.verbs.contains(&"get") {
            return Err(ApiError::unknown_path());
        }
        let resource = GroupResource::new(facts.group, facts.plural);
        let in_place = info.verb != "create" || info.name.is_empty();
        // What is made up when somebody asks cannot be followed; one of them is got instead.
        let verb = match info.verb.as_str() {
            "watch" if facts.verbs.contains(&"list") && !info.name.is_empty() => "get",
            verb => verb,
        };
        let known = if verb == "watch" { "list" } else { verb };
        if !facts.verbs.contains(&known) || !in_place {
            return Err(ApiError::method_not_allowed());
        }
        WarningRecorder::of(&head.extensions).extend(deprecation(info));
        let offer = Offer {
            formats: ALL_FORMATS,
            protobuf_objects: true,
            views: false,
            streams: false,
        };
        let accepted = offer.negotiate(&head.headers, head.uri.query())?;
        match verb {
            "create" => {
                let options = WriteOptions::parse(
                    &Query::parse(head.uri.query().unwrap_or_default()),
                    "CreateOptions",
                    false,
                )?;
                let format = body::format(&head.headers)?;
                let bytes = body::read(&head.headers, request_body).await?;
                let kind = self.kind(facts.kind)?;
                let decoded = decode(&bytes, format, BodyKind::BuiltIn(kind), options.field_validation)?;
                WarningRecorder::of(&head.extensions).extend(decoded.warnings);
                let namespace = info.namespace.as_str();
                let mut object = decoded.object;
                let agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
                let manager = manager_or_user_agent(options.field_manager.as_deref(), agent.unwrap_or_default());
                set_namespace(&info.namespace, &mut object)?;
                attribute(kind, None, Some(&manager), self.clock.now(), &mut object);
                let answer = self
                    .resource
                    .create(Question {
                        user,
                        namespace,
                        object,
                    })
                    .await?;
                self.write(StatusCode::CREATED, answer, facts.kind, accepted)
            }
            "watch" => Err(ApiError::method_not_supported(&resource, "watch")),
            "list" => {
                let is_chosen = selection(&Query::parse(head.uri.query().unwrap_or_default()))?;
                let mut items = self.resource.list().await?;
                items.retain(is_chosen);
                let list = json!({ "metadata": {}, "items": items });
                self.write(StatusCode::OK, list, facts.list_kind.unwrap_or_default(), accepted)
            }
            "get" => {
                let items = self.resource.list().await?;
                let object = items.into_iter().find(|item| item["metadata"]["name"] == *info.name);
                let object = object.ok_or_else(|| ApiError::not_found(&resource, &info.name))?;
                self.write(StatusCode::OK, object, facts.kind, accepted)
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn kind(&self, kind: &str) -> Result<&'static KindSchema, ApiError> {
        let gvk = Gvk::from_api_version(&self.facts.api_version(), kind);
        schema::kind(&gvk).ok_or_else(|| ApiError::internal(format!("no schema of {gvk}")))
    }

    fn write(&self, code: StatusCode, mut object: Value, kind: &str, accepted: Accepted) -> Result<Response, ApiError> {
        object["kind"] = kind.into();
        object["apiVersion"] = self.facts.api_version().into();
        let body = answer::document(&object, self.kind(kind)?, accepted.format, accepted.pretty)?;
        Ok(answer::answer(code, accepted.format, body))
    }
}

/// The namespace is that of the request; what is in none loses the one that it names.
fn set_namespace(namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    let given = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    if namespace.is_empty() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        return Ok(());
    }
    if !given.is_empty() && given != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(message));
    }
    object["metadata"]["namespace"] = namespace.into();
    Ok(())
}

/// Says in a new object who wrote it, as in those that are stored.
pub(super) fn attribute(
    kind: &KindSchema,
    subresource: Option<&str>,
    manager: Option<&str>,
    now: Timestamp,
    object: &mut Value,
) {
    let Some(manager) = manager else { return };
    let gvk = Gvk::new(kind.group, kind.version, kind.kind);
    object["apiVersion"] = gvk.api_version().into();
    object["kind"] = kind.kind.into();
    let fields = FieldManager {
        shape: Shape::of_message(kind.message),
        kind: kind.kind,
        api_version: &gvk.api_version(),
        subresource,
        has_status: false,
        now,
    };
    fields.update(&Value::Null, object, manager);
}

/// Which objects without labels the selectors in a query mean.
fn selection(query: &Query) -> Result<impl Fn(&Value) -> bool + use<>, ApiError> {
    const FIELDS: [&str; 2] = ["metadata.name", "metadata.namespace"];
    let options = ListOptions::parse(query, false)?;
    let unreadable = |error: SelectorError| ApiError::bad_request(error.to_string());
    let labels: LabelSelector = options.label_selector.parse().map_err(unreadable)?;
    let fields: FieldSelector = options.field_selector.parse().map_err(unreadable)?;
    let mut unknown = fields
        .requirements()
        .iter()
        .map(|requirement| requirement.field.as_str());
    if let Some(field) = unknown.find(|field| !FIELDS.contains(field)) {
        let known = FIELDS.map(|field| format!("{field:?}")).join(", ");
        let message = format!("{field:?} is not a known field selector: only {known}");
        return Err(ApiError::bad_request(message));
    }
    Ok(move |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        labels.matches(|_| None) && fields.matches(|field| if field == "metadata.name" { name } else { "" })
    })
}
