//! `AdmissionReview`: the question, and whether the answer is one to it.

use k8s_openapi::api::authentication::v1::UserInfo as ReviewedUser;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kubewire_client::Gvk;
use kubewire_client::types::admission::v1::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use kubewire_client::types::meta::v1::{GroupVersionKind, GroupVersionResource};
use serde_json::Value;

use super::call::CallError;
use super::matching::Invocation;
use super::{Objects, Resource, Webhook, name_of};

const GROUP: &str = "admission.k8s.io";

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
    pub(super) fn verify(&self, body: &[u8]) -> Result<AdmissionResponse, CallError> {
        let invalid = |why: String| CallError::Failed(format!("received invalid webhook response: {why}"));
        let document: Value = serde_json::from_slice(body).map_err(|error| {
            CallError::Failed(format!(
                "failed to call webhook: couldn't get version/kind; json parse error: {error}"
            ))
        })?;
        let text = |field: &str| document[field].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
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
        let response: AdmissionResponse = serde_json::from_value(response)
            .map_err(|error| CallError::Failed(format!("failed to call webhook: {error}")))?;
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
        }
        Ok(response)
    }
}

fn request(uid: &str, invocation: &Invocation<'_>, objects: Objects<'_>) -> AdmissionRequest {
    let attributes = invocation.attributes;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let raw = |object: Option<&Value>| object.map(|object| RawExtension(in_version(object, invocation)));
    // The name may have been in the object only.
    let name = match attributes.name.as_str() {
        "" => {
            let named = objects.new.or(objects.old);
            named
                .and_then(|object| object["metadata"]["name"].as_str())
                .unwrap_or_default()
        }
        name => name,
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
        namespace: some(&attributes.namespace),
        operation: name_of(invocation.operation).to_owned(),
        user_info: user(attributes),
        object: raw(objects.new),
        old_object: raw(objects.old),
        dry_run: Some(attributes.dry_run),
        options: (!attributes.options.is_null()).then(|| RawExtension(attributes.options.clone())),
    }
}

/// The object as one of the kind that the webhook wants: versions of these differ in nothing but their name.
fn in_version(object: &Value, invocation: &Invocation<'_>) -> Value {
    let mut object = object.clone();
    if invocation.kind != &invocation.attributes.kind {
        object["apiVersion"] = invocation.kind.api_version().into();
    }
    object
}

fn kind(kind: &Gvk) -> GroupVersionKind {
    GroupVersionKind {
        group: kind.group.to_string(),
        version: kind.version.to_string(),
        kind: kind.kind.to_string(),
    }
}

fn resource(resource: &Resource) -> GroupVersionResource {
    GroupVersionResource {
        group: resource.group.clone(),
        version: resource.version.clone(),
        resource: resource.resource.clone(),
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
