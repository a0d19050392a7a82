//! Makes the same calls as the program on client-go, with the same arguments.

use std::any::Any;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{Binding, Pod, ServiceAccount};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions};
use kubewire_client::api::{FieldValidation, VersionMatch};
use kubewire_client::streams::LogOptions;
use kubewire_client::wire::{EncodedObject, Encoding, Message};
use kubewire_client::{Api, Client, ListOptions, Object, Patch, PatchOptions, WriteOptions};
use serde_json::json;

use super::{Record, only_metadata};

const NAMESPACE: &str = "the-namespace";
const NAME: &str = "the-name";

/// A kind, and how to make a call on it.
pub(crate) struct Kind {
    names: [&'static str; 3],
    pub(crate) call: for<'a> fn(Client, &'a Record) -> BoxFuture<'a, ()>,
}

impl Kind {
    pub(crate) fn is_of(&self, record: &Record) -> bool {
        self.names == [&record.group, &record.version, &record.kind]
    }
}

pub(crate) const fn kind<K: Object>() -> Kind {
    Kind {
        names: [K::GROUP, K::VERSION, K::KIND],
        call: |client, record| call::<K>(client, record).boxed(),
    }
}

async fn call<K: Object>(client: Client, record: &Record) {
    let namespace = if record.namespaced { NAMESPACE } else { "" };
    assert_eq!(record.namespaced, K::NAMESPACED, "{}", K::KIND);
    let api = Api::<K>::namespaced(client, namespace);
    let object = K::decode(&EncodedObject {
        encoding: Encoding::Protobuf,
        bytes: only_metadata(&metadata()),
    })
    .unwrap();
    let (list, write, delete) = options(record.options);
    let patch = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let mut patch_options = PatchOptions::default();
    (patch_options.write, patch_options.force) = (write.clone(), record.options);
    // Every call is refused; what it sent is what counts.
    match record.call.as_str() {
        "Get" if record.options => drop(api.get_not_older(NAME, &"5".into()).await),
        "Get" => drop(api.get(NAME).await),
        "List" => drop(api.list(&list).await),
        "Watch" => drop(api.watch(&list).await),
        "Create" => drop(api.create(&object, &write).await),
        "Update" => drop(api.update(&object, &write).await),
        "UpdateStatus" => drop(api.update_status(&object, &write).await),
        "Patch" => drop(api.patch(NAME, &patch, &patch_options).await),
        "Delete" => drop(api.delete(NAME, &delete).await),
        "DeleteCollection" => drop(api.delete_collection(&delete, &list).await),
        "GetScale" => drop(api.get_scale(NAME).await),
        "UpdateScale" => {
            let scale = Scale {
                metadata: metadata(),
                ..Default::default()
            };
            drop(api.update_scale(NAME, &scale, &write).await);
        }
        _ => special(&api, &object, record, &write).await,
    }
}

/// Calls that one kind alone has.
async fn special(
    api: &(dyn Any + Send + Sync),
    object: &(dyn Any + Send + Sync),
    record: &Record,
    write: &WriteOptions,
) {
    if let (Some(api), Some(pod)) = (api.downcast_ref::<Api<Pod>>(), object.downcast_ref::<Pod>()) {
        return match record.call.as_str() {
            "EvictV1" => {
                let eviction = Eviction {
                    metadata: metadata(),
                    ..Default::default()
                };
                drop(api.evict(NAME, &eviction, &WriteOptions::default()).await);
            }
            "Bind" => {
                let binding = Binding {
                    metadata: metadata(),
                    ..Default::default()
                };
                drop(api.bind(NAME, &binding, write).await);
            }
            "UpdateEphemeralContainers" => drop(api.update_ephemeral_containers(pod, write).await),
            "UpdateResize" => drop(api.update_resize(pod, write).await),
            "GetLogs" => drop(api.logs(NAME, &log_options(record.options)).await),
            other => panic!("unknown call {other}"),
        };
    }
    if let Some(api) = api.downcast_ref::<Api<ServiceAccount>>() {
        let mut request = TokenRequest::zero();
        request.metadata = metadata();
        request.spec.get_or_insert_default().bound_object_ref = Some(Default::default());
        return drop(api.create_token(NAME, &request, write).await);
    }
    let api = api.downcast_ref::<Api<CertificateSigningRequest>>().unwrap();
    let request = object.downcast_ref().unwrap();
    assert_eq!(record.call, "UpdateApproval");
    drop(api.update_approval(request, write).await);
}

fn metadata() -> ObjectMeta {
    ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        ..ObjectMeta::default()
    }
}

/// Nothing set, or everything.
fn options(all: bool) -> (ListOptions, WriteOptions, DeleteOptions) {
    if !all {
        return Default::default();
    }
    let list = ListOptions::default()
        .with_labels("app in (a,b)")
        .with_fields("metadata.name=x")
        .with_resource_version("5".into())
        .with_version_match(VersionMatch::NotOlderThan)
        .with_timeout(Duration::from_secs(30))
        .with_limit(10)
        .with_continue("token/+=")
        .with_bookmarks()
        .with_initial_events(true);
    let write = WriteOptions::default()
        .with_dry_run()
        .with_field_manager("the manager")
        .with_field_validation(FieldValidation::Strict);
    let delete = DeleteOptions {
        dry_run: Some(vec!["All".to_owned()]),
        grace_period_seconds: Some(5),
        propagation_policy: Some("Foreground".to_owned()),
        preconditions: Some(Preconditions {
            uid: Some("the-uid".to_owned()),
            resource_version: Some("7".to_owned()),
        }),
        ..DeleteOptions::default()
    };
    (list, write, delete)
}

fn log_options(all: bool) -> LogOptions {
    let mut options = LogOptions::default();
    if all {
        options = options
            .with_container("web")
            .with_follow()
            .with_previous()
            .with_timestamps();
        options = options.with_since(Duration::from_secs(30)).with_tail_lines(5);
        options.limit_bytes = Some(30);
    }
    options
}
