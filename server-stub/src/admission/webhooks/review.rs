//! `AdmissionReview`: the question, and whether the answer is one to it.

use k8s_openapi::api::authentication::v1::UserInfo as ReviewedUser;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kubewire_client::types::admission::v1::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use kubewire_client::types::meta::v1::{GroupVersionKind, GroupVersionResource};
use kubewire_client::wire::transcode::JsonDocument;
use kubewire_client::{Gvk, Gvr};
use serde_json::Value;

use super::call::CallError;
use super::matching::Invocation;
use super::{Objects, Webhook, name_of};
use crate::endpoints::no_object;
use crate::registry::Operation;

const GROUP: &str = "admission.k8s.io";
const NAMESPACES: Gvr = Gvr::new("", "v1", "namespaces");

/// A question to a webhook.
pub(super) struct Review {
    uid: String,
    version: &'static str,
    request: Vec<u8>,
}

impl Review {
    /// # Errors
    /// The webhook reads no version of the question that there is.
    pub(super) fn new(webhook: &Webhook, invocation: &Invocation<'_>, objects: Objects<'_>) -> Result<Self, CallError> {
        let known = |version: &String| ["v1", "v1beta1"].into_iter().find(|known| known == version);
        let Some(version) = webhook.review_versions.iter().find_map(known) else {
            let message = "could not create admission objects: webhook does not accept known AdmissionReview versions \
                           (v1, v1beta1)";
            return Err(CallError::Failed(message.to_owned()));
        };
        let uid = invocation.attributes.ids.uid();
        let review = AdmissionReview {
            request: Some(request(&uid, invocation, objects)),
            ..AdmissionReview::default()
        };
        let broken = |error| CallError::Failed(format!("could not create admission objects: {error}"));
        let mut review = serde_json::to_value(review).map_err(broken)?;
        review["apiVersion"] = format!("{GROUP}/{version}").into();
        // They are always there, whatever they are.
        for field in ["object", "oldObject", "options"] {
            if review["request"][field].is_null() {
                review["request"][field] = Value::Null;
            }
        }
        Ok(Self {
            uid,
            version,
            request: review.to_string().into_bytes(),
        })
    }

    pub(super) fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    /// The answer, if it is one to this question.
    ///
    /// `mutating` says whether it may change the object.
    pub(super) fn verify(&self, body: &[u8], mutating: bool) -> Result<AdmissionResponse, CallError> {
        let invalid = |why: String| CallError::Failed(format!("received invalid webhook response: {why}"));
        let unreadable = |why: String| CallError::Failed(format!("failed to call webhook: {why}"));
        let no_kind = |why: String| unreadable(format!("couldn't get version/kind; json parse error: {why}"));
        let document = JsonDocument::parse(body).map_err(|error| no_kind(error.to_string()))?;
        match document.description() {
            "object" | "null" => {}
            other => return Err(no_kind(no_object(other))),
        }
        let (api_version, kind) = document.type_meta();
        check_kind(api_version, kind, self.version).map_err(unreadable)?;
        let (api_version, kind) = (or_slash(api_version), kind.to_owned());
        let document: Value = serde_json::from_slice(body).map_err(|error| no_kind(error.to_string()))?;
        let mut response = document["response"].clone();
        if !response.is_object() {
            return Err(invalid("webhook response was absent".to_owned()));
        }
        // What our own types demand and Go's do without.
        for (field, missing) in [("uid", Value::from("")), ("allowed", Value::from(false))] {
            if response[field].is_null() {
                response[field] = missing;
            }
        }
        let mut response: AdmissionResponse =
            serde_json::from_value(response).map_err(|error| unreadable(error.to_string()))?;
        if self.version == "v1" {
            if response.uid != self.uid {
                let (wanted, got) = (&self.uid, &response.uid);
                return Err(invalid(format!("expected response.uid={wanted:?}, got {got:?}")));
            }
            let wanted = format!("{GROUP}/v1");
            if (api_version.as_str(), kind.as_str()) != (wanted.as_str(), "AdmissionReview") {
                return Err(invalid(format!(
                    "expected webhook response of {wanted}, Kind=AdmissionReview, got {api_version}, Kind={kind}"
                )));
            }
            return Ok(response);
        }
        // The old version had one type of patches only, and took no notice of those of webhooks that judge.
        response.patch = response.patch.filter(|_| mutating);
        response.patch_type = response.patch.as_ref().map(|_| "JSONPatch".to_owned());
        Ok(response)
    }
}

/// Fails for an answer of another kind than the question's, unless it names none.
fn check_kind(api_version: &str, kind: &str, asked: &str) -> Result<(), String> {
    let Some(version) = api_version
        .strip_prefix(GROUP)
        .and_then(|version| version.strip_prefix('/'))
    else {
        return match (api_version, kind) {
            ("", _) | (_, "") => Ok(()),
            _ => Err(format!(
                "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\""
            )),
        };
    };
    match (version, asked) {
        ("v1beta1", "v1") => {
            Err("converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion".to_owned())
        }
        _ => Ok(()),
    }
}

/// A version as Go shows it where there is none.
fn or_slash(api_version: &str) -> String {
    match api_version {
        "" => "/".to_owned(),
        version => version.to_owned(),
    }
}

fn request(uid: &str, invocation: &Invocation<'_>, objects: Objects<'_>) -> AdmissionRequest {
    let attributes = invocation.attributes;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let raw = |object: Option<&Value>| object.map(|object| RawExtension(object.clone()));
    // The name of a new object may be in the object only.
    let created = objects.new.filter(|_| invocation.operation == Operation::Create);
    let own_name = created.and_then(|object| object["metadata"]["name"].as_str());
    let name = match attributes.name.as_str() {
        "" => own_name.unwrap_or_default(),
        name => name,
    };
    // A namespace is in itself.
    let namespace = match attributes.namespace.as_str() {
        "" if attributes.resource == NAMESPACES => name,
        namespace => namespace,
    };
    AdmissionRequest {
        uid: uid.to_owned(),
        kind: kind(invocation.kind),
        resource: resource(invocation.resource),
        sub_resource: some(&attributes.subresource),
        request_kind: Some(kind(&attributes.kind)),
        request_resource: Some(resource(&attributes.resource)),
        request_sub_resource: some(&attributes.subresource),
        name: some(name),
        namespace: some(namespace),
        operation: name_of(invocation.operation).to_owned(),
        user_info: user(attributes),
        object: raw(objects.new),
        old_object: raw(objects.old),
        dry_run: Some(attributes.dry_run),
        options: options(invocation),
    }
}

/// The options of the operation, whichever request led to it.
fn options(invocation: &Invocation<'_>) -> Option<RawExtension> {
    let kind = match invocation.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => return None,
    };
    let mut options = invocation.attributes.options.clone();
    options["kind"] = kind.into();
    options["apiVersion"] = "meta.k8s.io/v1".into();
    Some(RawExtension(options))
}

fn kind(kind: &Gvk) -> GroupVersionKind {
    GroupVersionKind {
        group: kind.group.to_string(),
        version: kind.version.to_string(),
        kind: kind.kind.to_string(),
    }
}

fn resource(resource: &Gvr) -> GroupVersionResource {
    GroupVersionResource {
        group: resource.group.to_string(),
        version: resource.version.to_string(),
        resource: resource.resource.to_string(),
    }
}

fn user(attributes: &super::Attributes) -> ReviewedUser {
    let user = &attributes.user;
    ReviewedUser {
        username: Some(user.name.clone()),
        uid: (!user.uid.is_empty()).then(|| user.uid.clone()),
        groups: (!user.groups.is_empty()).then(|| user.groups.clone()),
        extra: (!user.extra.is_empty()).then(|| user.extra.clone()),
    }
}
