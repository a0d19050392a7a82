//! A second server of ours as an extension API server: requests reach it through the aggregator, as the user who sent
//! them, over pooled connections; and the APIService says whether it answers.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceCondition, ServiceReference};
use kubewire_client::api::WatchEvent;
use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Clientset, ListOptions, Patch, PatchOptions, WriteOptions};
use kubewire_informers::SharedInformerFactory;
use kubewire_server_stub::app;
use kubewire_server_stub::generic::certificates::Authority;
use kubewire_server_stub::generic::clock::{Clock, Ids};
use kubewire_server_stub::testing::{Options, Server};
use serde_json::json;
use tokio::task::JoinHandle;

/// An extension API server behind the service `extension` in `default`.
struct Extension {
    clientset: Clientset,
    ca_pem: String,
    port: u16,
    stop: tokio_util::sync::CancellationToken,
    running: JoinHandle<()>,
}

impl Extension {
    /// Starts it; it believes what `main` says about users.
    async fn start(main: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::default();
        let authority = Authority::new("extension-ca", &clock).unwrap();
        let names = ["extension.default.svc", "localhost"];
        let pair = authority.server("extension", &names, &[[127, 0, 0, 1].into()]).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut options = app::Options::default();
        options.secure_serving.any_free_port = true;
        options.secure_serving.tls_cert_file = Some(file("tls.crt", &pair.certificate_pem));
        options.secure_serving.tls_private_key_file = Some(file("tls.key", &pair.key_pem));
        options.request_header.requestheader_client_ca_file = Some(file("front-proxy.crt", main.ca_pem()));
        options.request_header.requestheader_allowed_names = vec!["front-proxy-client".to_owned()];
        let server = app::Server::prepare(&options, clock, Ids::default()).await.unwrap();
        Self {
            clientset: server.loopback().clone(),
            ca_pem: authority.certificate_pem().to_owned(),
            port: server.address().port(),
            stop: server.lifecycle().shutdown_initiated.clone(),
            running: tokio::spawn(async move { server.run().await.unwrap() }),
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    /// Has `main` send requests for a version of a group here, and waits until it does.
    async fn take_over(&self, main: &Clientset, api_service: &str) {
        let api = main.apiregistration_v1().api_services();
        let mut object = api.get(api_service).await.unwrap();
        let spec = object.spec.as_mut().unwrap();
        spec.service = Some(ServiceReference {
            namespace: Some("default".to_owned()),
            name: Some("extension".to_owned()),
            port: Some(self.port.into()),
        });
        spec.ca_bundle = Some(ByteString(self.ca_pem.clone().into_bytes()));
        api.update(&object, &WriteOptions::default()).await.unwrap();
        let condition = wait_for(main, api_service, |condition| {
            condition.reason.as_deref() == Some("Passed")
        })
        .await;
        assert_eq!(condition.status, "True");
        assert_eq!(condition.message.as_deref(), Some("all checks passed"));
    }
}

/// A name for this machine in the main server, so that its aggregator finds the extension.
async fn external_name(main: &Clientset, port: u16) {
    let service = Service {
        metadata: ObjectMeta {
            name: Some("extension".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some("ExternalName".to_owned()),
            external_name: Some("localhost".to_owned()),
            ports: Some(vec![ServicePort {
                port: port.into(),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    main.core_v1()
        .services("default")
        .create(&service, &WriteOptions::default())
        .await
        .unwrap();
}

/// The condition `Available` of an APIService, once it is as wanted.
async fn wait_for(
    clientset: &Clientset,
    name: &str,
    wanted: impl Fn(&APIServiceCondition) -> bool,
) -> APIServiceCondition {
    let factory = SharedInformerFactory::new(clientset.clone());
    let informer = factory.informer::<APIService>();
    let mut events = informer.events().unwrap();
    factory.start();
    while let Some(event) = events.next().await {
        let object = event.object();
        if object.name() != name {
            continue;
        }
        let object = object.decode().unwrap();
        let conditions = object.status.as_ref().and_then(|status| status.conditions.clone());
        let mut conditions = conditions.into_iter().flatten();
        if let Some(condition) = conditions.find(|condition| condition.type_ == "Available" && wanted(condition)) {
            factory.shutdown().await;
            return condition;
        }
    }
    panic!("the informer ended");
}

async fn get(clientset: &Clientset, path: &str) -> String {
    let request = Request::new(Verb::Get, path, "read a document").json_only();
    let answer = clientset.client().send(request).await.unwrap();
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

fn cron_job(name: &str) -> CronJob {
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}
    }))
    .unwrap()
}

#[tokio::test]
async fn an_extension_server_serves_its_group_through_the_aggregator() {
    let server = Server::start(Options::default()).await.unwrap();
    let main = Clientset::new(&server.client_config()).unwrap();
    let extension = Extension::start(&server).await;
    external_name(&main, extension.port).await;
    extension.take_over(&main, "v1.batch").await;

    // Writes go to the extension, and watches come from it.
    let jobs = main.batch_v1().cron_jobs("default");
    let created = jobs
        .create(&cron_job("nightly"), &WriteOptions::default())
        .await
        .unwrap();
    let there = extension
        .clientset
        .batch_v1()
        .cron_jobs("default")
        .get("nightly")
        .await
        .unwrap();
    assert_eq!(there, created);
    let mut watch = jobs.watch(&ListOptions::default()).await.unwrap();
    match watch.next().await.unwrap().unwrap() {
        WatchEvent::Added(job) => assert_eq!(job, created),
        other => panic!("{other:?}"),
    }
    extension
        .clientset
        .batch_v1()
        .cron_jobs("default")
        .delete("nightly", &Default::default())
        .await
        .unwrap();
    assert!(matches!(watch.next().await.unwrap().unwrap(), WatchEvent::Deleted(_)));
    let missing = jobs.get("nightly").await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");

    // It knows who asks.
    extension.take_over(&main, "v1.authentication.k8s.io").await;
    let review = main.authentication_v1().self_subject_reviews();
    let review = review
        .create(&SelfSubjectReview::default(), &WriteOptions::default())
        .await
        .unwrap();
    let user = review.status.unwrap().user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("kubernetes-admin"));
    assert!(user.groups.unwrap().contains(&"system:masters".to_owned()));

    // Discovery shows what the extension has.
    let discovery = get(&main, "/apis/batch/v1").await;
    assert!(discovery.contains("cronjobs/status"), "{discovery}");
    let groups = get(&main, "/apis").await;
    assert!(groups.contains(r#""groupVersion":"batch/v1""#), "{groups}");

    // Without the extension the group is not there, and the APIService says why.
    extension.stop().await;
    drop(watch);
    let error = jobs.get("nightly").await.unwrap_err();
    assert_eq!(error.code(), Some(503), "{error}");
    let why = wait_for(&main, "v1.batch", |condition| condition.status == "False").await;
    assert_eq!(why.reason.as_deref(), Some("FailedDiscoveryCheck"));
    let message = why.message.unwrap();
    assert!(message.contains("/apis/batch/v1: dial tcp localhost:"), "{message}");
    let error = jobs.get("nightly").await.unwrap_err();
    assert_eq!(error.code(), Some(503), "{error}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_api_service_that_becomes_local_is_available() {
    let server = Server::start(Options::default()).await.unwrap();
    let main = Clientset::new(&server.client_config()).unwrap();
    let services = main.apiregistration_v1().api_services();
    let spec = json!({
        "group": "far.example.com", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10,
        "service": {"name": "nobody", "namespace": "default"}, "insecureSkipTLSVerify": true,
    });
    let name = "v1.far.example.com";
    let service: APIService = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
    services.create(&service, &WriteOptions::default()).await.unwrap();
    let missing = wait_for(&main, name, |condition| condition.status == "False").await;
    assert_eq!(missing.reason.as_deref(), Some("ServiceNotFound"));
    let local = json!({"spec": {"service": null, "insecureSkipTLSVerify": null}});
    services
        .patch(name, &Patch::Merge(local), &PatchOptions::default())
        .await
        .unwrap();
    let available = wait_for(&main, name, |condition| condition.status == "True").await;
    assert_eq!(available.reason.as_deref(), Some("Local"));
    // It stands in the group, although nobody serves it.
    assert!(get(&main, "/apis").await.contains("far.example.com/v1"));
    server.shutdown().await.unwrap();
}
