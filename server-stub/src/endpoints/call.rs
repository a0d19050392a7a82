//! One request for a resource, taken apart.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use kubewire_client::Gvr;
use kubewire_client::selector::{FieldSelector, LabelSelector, SelectorError};
use kubewire_client::wire::schema::KindSchema;
use serde_json::Value;

use super::answer::{self, ListMeta};
use super::group_version::Endpoints;
use super::negotiation::{ALL_FORMATS, Accepted, Format, Offer, View};
use super::options::{DeleteOptions, ListOptions, Query, WriteOptions, manager_or_user_agent, parse_resource_version};
use super::resource::{BodyKind, Resource};
use super::table::{IncludeObject, TableConvertor, partial_metadata, partial_metadata_value, partial_schema};
use crate::admission::{AdmissionPlugins, Attributes, webhooks};
use crate::audit::AuditContext;
use crate::authentication::ServiceAccountTokens;
use crate::filters::WarningRecorder;
use crate::generic::clock::{Clock, Ids};
use crate::generic::metrics::Metrics;
use crate::generic::request::{RequestInfo, Response, UserInfo};
use crate::registry::stores::Stores;
use crate::registry::{ListQuery, RequestAdmission, StoredObject, WriteContext};
use crate::status::ApiError;

pub(crate) struct Call<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) info: &'a RequestInfo,
    pub(crate) user: &'a Arc<UserInfo>,
    pub(crate) headers: &'a HeaderMap,
    /// What the client should know although its request goes through, or beside the error.
    pub(crate) warnings: WarningRecorder,
    pub(crate) query: Query,
    /// Of all resources.
    pub(crate) stores: &'a Arc<Stores>,
    pub(crate) service_account_tokens: &'a ServiceAccountTokens,
    admission: &'a Arc<AdmissionPlugins>,
    pub(crate) audit: AuditContext,
    pub(crate) clock: &'a Clock,
    pub(crate) ids: &'a Ids,
    pub(crate) metrics: &'a Metrics,
    raw_query: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        resource: &'a Resource,
        info: &'a RequestInfo,
        user: &'a Arc<UserInfo>,
        head: &'a http::request::Parts,
        endpoints: &'a Endpoints,
    ) -> Self {
        Self {
            resource,
            info,
            user,
            headers: &head.headers,
            warnings: WarningRecorder::of(&head.extensions),
            query: Query::parse(head.uri.query().unwrap_or_default()),
            stores: &endpoints.stores,
            service_account_tokens: &endpoints.service_account_tokens,
            admission: &endpoints.admission,
            audit: AuditContext::of(&head.extensions),
            clock: &endpoints.clock,
            ids: &endpoints.ids,
            metrics: &endpoints.metrics,
            raw_query: head.uri.query(),
        }
    }

    /// The namespace of the object; none for cluster-scoped resources.
    pub(crate) fn namespace(&self) -> &str {
        if self.resource.info().namespaced {
            &self.info.namespace
        } else {
            ""
        }
    }

    pub(crate) fn subresource(&self) -> Option<&str> {
        Some(self.info.subresource.as_str()).filter(|name| !name.is_empty())
    }

    /// The kind that a request body must be: the subresource's where it has one of its own.
    pub(crate) fn body_kind(&self) -> Result<BodyKind<'_>, ApiError> {
        self.resource.body_kind(&self.info.subresource)
    }

    /// How the answer is to be written.
    pub(crate) fn accepted(&self) -> Result<Accepted, ApiError> {
        self.offer().negotiate(self.headers, self.raw_query)
    }

    /// How the events of a watch are to be written.
    pub(crate) fn accepted_stream(&self) -> Result<Accepted, ApiError> {
        self.offer().negotiate_stream(self.headers, self.raw_query)
    }

    fn offer(&self) -> Offer<'static> {
        Offer {
            formats: ALL_FORMATS,
            protobuf_objects: self.resource.custom().is_none(),
            views: true,
            streams: matches!(self.info.verb.as_str(), "list" | "watch"),
        }
    }

    /// What admission has to know.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            stores: self.stores,
            plugins: self.admission,
            resource: self.resource.group_resource(),
            namespace: self.namespace(),
            name: &self.info.name,
        }
    }

    pub(crate) fn write_context(&self, options: &WriteOptions) -> WriteContext {
        self.context(options, options.document())
    }

    /// The context of a deletion.
    pub(crate) fn delete_context(&self, options: &DeleteOptions) -> WriteContext {
        self.context(&WriteOptions::dry_run(options.dry_run), options.document())
    }

    /// `shown` are the options as webhooks get to see them.
    fn context(&self, options: &WriteOptions, shown: Value) -> WriteContext {
        WriteContext {
            user: self.user.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            warnings: self.warnings.clone(),
            dry_run: options.dry_run,
            field_manager: Some(manager_or_user_agent(
                options.field_manager.as_deref(),
                self.user_agent(),
            )),
            subresource: self.subresource().map(str::to_owned),
            admission: self
                .admission
                .of_request(&self.resource.group_resource(), self.stores, || {
                    self.webhook_attributes(options.dry_run, shown)
                }),
        }
    }

    /// Who is asked about a connection to what an object stands for.
    pub(crate) fn connect_admission(&self) -> RequestAdmission {
        let resource = self.resource.group_resource();
        self.admission
            .of_request(&resource, self.stores, || self.webhook_attributes(false, Value::Null))
    }

    /// What webhooks are told of the request.
    fn webhook_attributes(&self, dry_run: bool, options: Value) -> webhooks::Attributes {
        let info = self.resource.info();
        let kind = self.body_kind().map(|kind| kind.gvk());
        webhooks::Attributes {
            kind: kind.unwrap_or_else(|_| self.resource.gvk()),
            resource: Gvr {
                group: info.group.clone(),
                version: info.version.clone(),
                resource: info.resource.clone(),
            },
            subresource: self.info.subresource.clone(),
            equivalents: self.resource.equivalents.clone(),
            namespace: self.info.namespace.clone(),
            name: self.info.name.clone(),
            options,
            dry_run,
            user: self.user.clone(),
            warnings: self.warnings.clone(),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        }
    }

    fn user_agent(&self) -> &str {
        let agent = self.headers.get(http::header::USER_AGENT);
        agent.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What a list, a watch or a deletion of many selects.
    pub(crate) fn list_query(&self, options: ListOptions) -> Result<ListQuery, ApiError> {
        let unreadable = |error: SelectorError| ApiError::bad_request(error.to_string());
        let label_selector: LabelSelector = options.label_selector.parse().map_err(unreadable)?;
        let mut field_selector: FieldSelector = options.field_selector.parse().map_err(unreadable)?;
        // What compares nothing with nothing is passed over.
        let requirements = field_selector.requirements().iter();
        let meant = requirements.filter(|requirement| !(requirement.field.is_empty() && requirement.value.is_empty()));
        field_selector = FieldSelector::new(meant.cloned());
        if self.info.parts.len() > 1 {
            let named = FieldSelector::equal_to("metadata.name", &self.info.name);
            let both = field_selector.requirements().iter().chain(named.requirements());
            field_selector = FieldSelector::new(both.cloned());
        }
        let version = parse_resource_version(&options.resource_version).map_err(|error| match &*self.info.verb {
            "watch" => ApiError::unclassified(error),
            _ => ApiError::bad_request(format!("invalid resource version: {error}")),
        })?;
        Ok(ListQuery {
            label_selector,
            field_selector,
            limit: options
                .limit
                .and_then(|limit| u64::try_from(limit).ok())
                .unwrap_or_default(),
            continue_token: options.continue_token,
            resource_version: version,
            resource_version_match: options.version_match,
            allow_watch_bookmarks: options.allow_bookmarks,
            send_initial_events: options.send_initial_events,
            timeout: options.timeout_seconds.map(Duration::from_secs),
        })
    }

    pub(crate) fn table(&self, view: View) -> Result<TableConvertor, ApiError> {
        let version = match view {
            View::Table(version) | View::PartialObjectMetadata(version) | View::PartialObjectMetadataList(version) => {
                version
            }
            View::Object => super::negotiation::MetaVersion::V1,
        };
        Ok(TableConvertor {
            kind: self.resource.kind.clone(),
            version,
            include: IncludeObject::parse(&self.query)?,
            now: self.clock.now(),
        })
    }

    /// Answers with one stored object in the view that the client asked for.
    pub(crate) fn object(&self, code: StatusCode, object: &StoredObject) -> Result<Response, ApiError> {
        let accepted = self.accepted()?;
        let (format, pretty) = (accepted.format, accepted.pretty);
        let body = match accepted.view {
            View::Object => answer::object(object, self.resource.info(), format, pretty)?,
            View::Table(_) => {
                let meta = ListMeta {
                    resource_version: match object.resource_version() {
                        // Not stored: a dry run.
                        0 => String::new(),
                        version => version.to_string(),
                    },
                    ..ListMeta::default()
                };
                let table = self.table(accepted.view)?.table([object], &meta, true)?;
                answer::text(table.into(), format, pretty)?
            }
            View::PartialObjectMetadata(version) => partial(object, version, format, pretty)?,
            View::PartialObjectMetadataList(_) => {
                let kind = self.resource.go_type();
                let message =
                    format!("you requested PartialObjectMetadataList, but the requested object is not a list ({kind})");
                return Err(ApiError::new(406, "NotAcceptable", message));
            }
        };
        Ok(answer::answer(code, format, body))
    }

    /// The metadata of a document that is not stored, as an object in protobuf.
    pub(crate) fn partial_protobuf(&self, partial: &Value) -> Result<bytes::Bytes, ApiError> {
        let message = kubewire_client::wire::transcode::value_to_protobuf(partial_schema()?, partial)?;
        let api_version = partial["apiVersion"].as_str().unwrap_or_default();
        Ok(answer::enveloped(api_version, "PartialObjectMetadata", message))
    }

    /// Answers with a document that is not stored.
    pub(crate) fn document(&self, code: StatusCode, document: &Value, kind: &KindSchema) -> Result<Response, ApiError> {
        let accepted = self.accepted()?;
        let body = answer::document(document, kind, accepted.format, accepted.pretty)?;
        Ok(answer::answer(code, accepted.format, body))
    }
}

fn partial(
    object: &StoredObject,
    version: super::negotiation::MetaVersion,
    format: Format,
    pretty: bool,
) -> Result<bytes::Bytes, ApiError> {
    if format != Format::Protobuf {
        return answer::text(partial_metadata(object, version)?.into(), format, pretty);
    }
    let document = partial_metadata_value(&object.document(), version);
    let message = kubewire_client::wire::transcode::value_to_protobuf(partial_schema()?, &document)?;
    Ok(answer::enveloped(
        version.api_version(),
        "PartialObjectMetadata",
        message,
    ))
}
