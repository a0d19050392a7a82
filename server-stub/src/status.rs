//! Errors as clients see them: a `Status` with the code, reason, details and message of kube-apiserver.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};

use crate::field_error::quote;

pub use crate::field_error::{FieldError, FieldErrorKind};

/// An API group and a plural resource name.
///
/// Displays as `deployments.apps`, and as `pods` in the core group.
///
/// ```
/// use kubewire_server_stub::status::GroupResource;
///
/// assert_eq!(GroupResource::new("apps", "deployments").to_string(), "deployments.apps");
/// assert_eq!(GroupResource::new("", "pods").to_string(), "pods");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupResource {
    /// The API group, empty for the core group.
    pub group: Cow<'static, str>,
    /// The plural name.
    pub resource: Cow<'static, str>,
}

impl GroupResource {
    /// Names a resource of a group (`""` is the core group).
    pub fn new(group: impl Into<Cow<'static, str>>, resource: impl Into<Cow<'static, str>>) -> Self {
        Self {
            group: group.into(),
            resource: resource.into(),
        }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(&self.resource, &self.group))
    }
}

/// A request that failed, with everything the client is told about it.
///
/// The constructors follow `k8s.io/apimachinery/pkg/api/errors`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: Box<Status>,
}

/// The message for a path at which there is nothing.
pub(crate) const UNKNOWN_PATH: &str = "the server could not find the requested resource";

impl ApiError {
    /// An error with a code, a reason (empty for none) and a message.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let status = Status {
            code: Some(i32::from(code)),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            message: Some(message.into()),
            status: Some("Failure".to_owned()),
            ..Default::default()
        };
        Self {
            status: Box::new(status),
        }
    }

    /// An error that another server has worded.
    pub(crate) fn from_status(status: Status) -> Self {
        Self {
            status: Box::new(status),
        }
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.status
            .code
            .and_then(|code| u16::try_from(code).ok())
            .unwrap_or(500)
    }

    /// The machine-readable reason, empty when the server does not know one.
    pub fn reason(&self) -> &str {
        self.status.reason.as_deref().unwrap_or_default()
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        self.status.message.as_deref().unwrap_or_default()
    }

    /// The whole answer.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Seconds after which the client should try again: the `Retry-After` header.
    pub fn retry_after(&self) -> Option<u32> {
        let seconds = self.status.details.as_ref()?.retry_after_seconds?;
        u32::try_from(seconds).ok().filter(|&seconds| seconds > 0)
    }

    /// The same error in other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.status.message = Some(message.into());
        self
    }

    /// Adds a cause to the details; an empty reason or field is left out.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: impl Into<String>, field: &str) -> Self {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let cause = StatusCause {
            reason: some(reason),
            message: Some(message.into()),
            field: some(field),
        };
        self.details_mut().causes.get_or_insert_default().push(cause);
        self
    }

    /// Tells the client to wait before it tries again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        self.details_mut().retry_after_seconds = Some(seconds).filter(|seconds| *seconds > 0);
        self
    }

    /// The same error without the advice to try again.
    #[must_use]
    pub(crate) fn without_retry(mut self) -> Self {
        self.details_mut().retry_after_seconds = None;
        self
    }

    /// 404: no such object.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} {} not found", quote(name))).about(resource, name)
    }

    /// 404 for a path or resource that the server does not serve.
    pub fn unknown_path() -> Self {
        Self::new(404, "NotFound", UNKNOWN_PATH).with_empty_details()
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{resource} {} already exists", quote(name)),
        )
        .about(resource, name)
    }

    /// 409: several generated names in a row were taken.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str) -> Self {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for the object",
            quote(name)
        );
        Self::new(409, "AlreadyExists", message)
            .about(resource, name)
            .with_retry_after(1)
    }

    /// 409: the write is based on something that is no longer so.
    pub fn conflict(resource: &GroupResource, name: &str, message: impl fmt::Display) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {resource} {}: {message}", quote(name)),
        )
        .about(resource, name)
    }

    /// 422: the object breaks rules. `kind` is the kind's name, not the plural.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: Vec<FieldError>) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let subject = format!("{} {} is invalid", dotted(kind, group), quote(name));
        let message = match texts.as_slice() {
            [] => subject,
            [one] => format!("{subject}: {one}"),
            many => format!("{subject}: [{}]", many.join(", ")),
        };
        let resource = GroupResource::new(group.to_owned(), kind.to_owned());
        let error = Self::new(422, "Invalid", message).about(&resource, name);
        errors
            .iter()
            .fold(error, |error, e| error.with_cause(e.kind.reason(), e.body(), &e.field))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 403: the user or a policy does not allow it. An empty resource or name is left out of the message.
    pub fn forbidden(resource: &GroupResource, name: &str, message: impl fmt::Display) -> Self {
        let text = match (resource.resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {message}"),
            (false, true) => format!("{resource} is forbidden: {message}"),
            (false, false) => format!("{resource} {} is forbidden: {message}", quote(name)),
        };
        Self::new(403, "Forbidden", text).about(resource, name)
    }

    /// 401: the server does not know who asks.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 405: the resource has no such verb.
    pub fn method_not_supported(resource: &GroupResource, verb: &str) -> Self {
        let message = format!("{verb} is not supported on resources of kind \"{resource}\"");
        Self::new(405, "MethodNotAllowed", message).about(resource, "")
    }

    /// 405: the path does not answer this HTTP method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_empty_details()
    }

    /// 410: what was asked for is no longer available.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, "Gone", message)
    }

    /// 410: the resource version or continue token is too old.
    pub fn resource_expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 504: the resource version lies in the future; the client may try again in a second.
    pub fn too_large_resource_version(wanted: u64, current: u64) -> Self {
        Self::timeout(format!("Too large resource version: {wanted}, current: {current}"), 1).with_cause(
            "ResourceVersionTooLarge",
            "Too large resource version",
            "",
        )
    }

    /// 504: the request took too long.
    pub fn timeout(message: impl fmt::Display, retry_after_seconds: u32) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {message}")).with_retry_after(retry_after_seconds)
    }

    /// 500: the operation did not finish in time and may be tried again.
    pub fn server_timeout(resource: &GroupResource, verb: &str, retry_after_seconds: u32) -> Self {
        let message =
            format!("The {verb} operation against {resource} could not be completed at this time, please try again.");
        Self::new(500, "ServerTimeout", message)
            .about(resource, verb)
            .with_retry_after(retry_after_seconds)
    }

    /// 429: the client sends more than its share.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(429, "TooManyRequests", message).with_retry_after(retry_after_seconds)
    }

    /// 503: the server or what it depends on is not ready.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 413: the body is longer than `limit` bytes.
    pub fn request_entity_too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// 415: the body's media type is not one of `accepted`.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    /// 415: no method of the path takes such a body.
    pub fn no_such_consumer() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with_empty_details()
    }

    /// 406: the resource cannot be shown in the way the `Accept` header demands.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        Self::new(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {accepted}"),
        )
    }

    /// 406: no media type of the `Accept` header is served on this path.
    pub fn no_such_representation(available: &[&str]) -> Self {
        let message = format!(
            "406: Not Acceptable\n\nAvailable representations: {}",
            available.join(", ")
        );
        Self::new(406, "NotAcceptable", message).with_empty_details()
    }

    /// 422: a patch that cannot be applied to the object.
    pub fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message).with_empty_details()
    }

    /// 501: part of the Kubernetes API that this server does not have.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "NotImplemented", message)
    }

    /// 500: the server's own fault, as kube-apiserver words it.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}")).with_cause(
            "",
            message.to_string(),
            "",
        )
    }

    /// 500 without a reason: how kube-apiserver shows an error that it did not classify.
    pub fn unclassified(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// Sets the uid in the details.
    #[must_use]
    pub fn with_uid(mut self, uid: &str) -> Self {
        self.details_mut().uid = Some(uid.to_owned());
        self
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let details = self.details_mut();
        details.group = some(&resource.group);
        details.kind = some(&resource.resource);
        details.name = some(name);
        self
    }

    fn with_empty_details(mut self) -> Self {
        self.details_mut();
        self
    }

    fn details_mut(&mut self) -> &mut StatusDetails {
        self.status.details.get_or_insert_default()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for ApiError {}

impl From<Status> for ApiError {
    /// Takes an answer of another server over as it is.
    fn from(status: Status) -> Self {
        Self {
            status: Box::new(status),
        }
    }
}

/// `name.group`, or `name` alone in the core group.
fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn not_found_names_the_object() {
        let error = ApiError::not_found(&GroupResource::new("apps", "deployments"), "web");
        assert_eq!(error.message(), "deployments.apps \"web\" not found");
        assert_eq!((error.code(), error.reason()), (404, "NotFound"));
        let details = error.status().details.as_ref().unwrap();
        assert_eq!(details.group.as_deref(), Some("apps"));
        assert_eq!(details.name.as_deref(), Some("web"));
    }

    #[test]
    fn invalid_lists_each_error_once_in_the_message() {
        let required = FieldError::required("data[tls.crt]", "");
        let one = ApiError::invalid("", "Secret", "s2", vec![required.clone()]);
        assert_eq!(one.message(), "Secret \"s2\" is invalid: data[tls.crt]: Required value");
        let more = vec![required.clone(), required, FieldError::invalid("a", json!(-1), "no")];
        let many = ApiError::invalid("apps", "Deployment", "x", more);
        assert_eq!(
            many.message(),
            "Deployment.apps \"x\" is invalid: [data[tls.crt]: Required value, a: Invalid value: -1: no]"
        );
        assert_eq!(
            many.status().details.as_ref().unwrap().causes.as_ref().unwrap().len(),
            3
        );
    }

    #[test]
    fn forbidden_leaves_out_what_is_empty() {
        let pods = GroupResource::new("", "pods");
        assert_eq!(
            ApiError::forbidden(&GroupResource::default(), "", "no").message(),
            "forbidden: no"
        );
        assert_eq!(ApiError::forbidden(&pods, "", "no").message(), "pods is forbidden: no");
        assert_eq!(
            ApiError::forbidden(&pods, "a", "no").message(),
            "pods \"a\" is forbidden: no"
        );
    }

    #[test]
    fn retry_after_comes_from_the_details() {
        assert_eq!(ApiError::too_large_resource_version(9, 3).retry_after(), Some(1));
        assert_eq!(ApiError::bad_request("x").retry_after(), None);
    }
}
