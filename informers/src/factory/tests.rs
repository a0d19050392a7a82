//! A factory against a server that is a closure.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Secret};
use kubewire_client::dynamic::{ApiResource, DynamicObject};
use kubewire_client::transport::{Body, Transport, TransportError};
use kubewire_client::{Client, Clientset, Gvr, Object, ObjectKey};
use parking_lot::Mutex;

use super::{NotSyncedReason, Scope, SharedInformerFactory};
use crate::cache::CacheFormat;
use crate::reflector::ReflectorOptions;
use crate::shared_informer::EventHandlerFuncs;

/// Answers lists of config maps, keeps watches open, and refuses everything else.
#[derive(Default)]
struct Server {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Server {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError> {
        let uri = request.uri().to_string();
        self.asked.lock().push(uri.clone());
        if !uri.contains("/configmaps") {
            return Ok(answer(
                403,
                r#"{"kind":"Status","apiVersion":"v1","code":403,"reason":"Forbidden","message":"no secrets for you"}"#,
            ));
        }
        if uri.contains("watch=true") {
            let mut response = answer(200, "");
            *response.body_mut() = futures::stream::pending().boxed();
            return Ok(response);
        }
        Ok(answer(
            200,
            r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[
                {"metadata":{"name":"a","namespace":"shop","resourceVersion":"3"},"data":{"key":"value"}}]}"#,
        ))
    }
}

fn answer(code: u16, body: &'static str) -> http::Response<Body> {
    let body = futures::stream::iter([Ok(Bytes::from_static(body.as_bytes()))]).boxed();
    let response = http::Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(body).unwrap()
}

fn server() -> (Arc<Server>, Clientset) {
    let server = Arc::new(Server::default());
    let clientset = Clientset::from_client(Client::with_transport(server.clone()));
    (server, clientset)
}

fn quiet() -> ReflectorOptions {
    ReflectorOptions::default().with_error_handler(|_| ())
}

/// Proves F1 F4.
#[tokio::test(start_paused = true)]
async fn one_informer_per_type_and_namespace() {
    let (server, clientset) = server();
    let factory = SharedInformerFactory::new(clientset);
    let (one, other) = (factory.informer::<ConfigMap>(), factory.informer::<ConfigMap>());
    let scoped = factory.informer_in::<ConfigMap>("shop");
    let _nodes = factory.informer_in::<Node>("shop");
    assert_eq!(
        factory.informer::<Node>().describe(),
        "nodes",
        "nodes have no namespace"
    );
    factory.start();
    factory.start();
    one.wait_for_sync().await.unwrap();
    scoped.wait_for_sync().await.unwrap();
    assert_eq!((one.lister().len(), other.lister().len()), (1, 1));
    let map = other.lister().namespace("shop").get("a").unwrap().decode().unwrap();
    assert_eq!(map.data.as_ref().unwrap()["key"], "value");
    let asked = server.asked.lock().clone();
    let lists = |path: &str| {
        asked
            .iter()
            .filter(|uri| uri.starts_with(path) && !uri.contains("watch=true"))
            .count()
    };
    assert_eq!(
        (
            lists("/api/v1/configmaps?"),
            lists("/api/v1/namespaces/shop/configmaps?")
        ),
        (1, 1)
    );
    let stats = factory.stats();
    let names: Vec<_> = stats.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["configmaps", "configmaps in namespace shop", "nodes"]);
}

/// Proves F3.
#[tokio::test(start_paused = true)]
async fn informers_of_their_own_scope() {
    let (server, clientset) = server();
    let factory = SharedInformerFactory::builder(clientset).labels("tier=1").build();
    let web = || Scope::namespace("shop").with_labels("app=web");
    let informers = [
        factory.informer::<ConfigMap>(),
        factory.informer_of::<ConfigMap>(web()),
        factory.informer_of::<ConfigMap>(web()),
        factory.informer_of::<ConfigMap>(web().with_fields("metadata.name=a")),
        factory.informer_of::<ConfigMap>(Scope::all()),
    ];
    let maps = ApiResource::of::<ConfigMap>();
    let (dynamic, metadata) = (factory.dynamic_of(&maps, web()), factory.metadata_of(&maps, web()));
    let names: Vec<_> = factory.stats().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "configmaps",
        "configmaps in namespace shop with labels app=web",
        "configmaps in namespace shop with labels app=web",
        "configmaps in namespace shop with labels app=web with fields metadata.name=a",
        "configmaps with labels tier=1",
        "metadata of configmaps in namespace shop with labels app=web",
    ];
    assert_eq!(names, expected, "one of them shared, and one without a type");
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    let asked = server.asked.lock().clone();
    let selected = asked.iter().filter(|uri| uri.contains("labelSelector=app%3Dweb"));
    assert!(
        selected
            .clone()
            .all(|uri| uri.starts_with("/api/v1/namespaces/shop/configmaps?"))
    );
    assert!(
        selected
            .clone()
            .any(|uri| uri.contains("fieldSelector=metadata.name%3Da"))
    );
    assert!(asked.iter().any(|uri| uri.contains("labelSelector=tier%3D1")));
    drop((informers, dynamic, metadata));
}

#[tokio::test(start_paused = true)]
async fn settings_reach_the_informers() {
    let (server, clientset) = server();
    let factory = SharedInformerFactory::builder(clientset)
        .namespace("shop")
        .tweak_list_options(|options| options.label_selector = Some("app=web".to_owned()))
        .default_resync(Duration::ZERO)
        .custom_resync::<ConfigMap>(Duration::from_secs(30))
        .build();
    let (told, mut synced) = tokio::sync::mpsc::unbounded_channel();
    let handler = EventHandlerFuncs::new().on_sync(move |map| told.send(map.key().to_string()).unwrap());
    factory.informer::<ConfigMap>().add_handler(handler).unwrap();
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    assert_eq!(synced.recv().await.unwrap(), "shop/a");
    factory.shutdown().await;
    for asked in server.asked.lock().iter() {
        assert!(asked.starts_with("/api/v1/namespaces/shop/configmaps?"), "{asked}");
        assert!(asked.contains("labelSelector=app%3Dweb"), "{asked}");
    }
    let resync_of_others = factory.shared.settings.options_for::<Secret>(&Secret::gvr()).resync;
    assert_eq!(resync_of_others, Duration::ZERO);
}

/// Proves F5.
#[tokio::test(start_paused = true)]
async fn waiting_says_what_is_not_ready_and_why() {
    let (_server, clientset) = server();
    let factory = SharedInformerFactory::builder(clientset).reflector(quiet()).build();
    let _informers = (factory.informer::<ConfigMap>(), factory.informer::<Secret>());
    let error = factory.wait_for_cache_sync().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "caches are not ready: configmaps not started; secrets not started"
    );
    factory.start();
    let limit = Duration::from_secs(20);
    let error = factory.wait_for_cache_sync_timeout(limit).await.unwrap_err();
    let [secrets] = error.informers.as_slice() else {
        panic!("{error}")
    };
    assert_eq!(
        (secrets.informer.as_str(), secrets.reason),
        ("secrets", NotSyncedReason::TimedOut(limit))
    );
    assert!(error.to_string().ends_with("no secrets for you"), "{error}");
    let waiting = tokio::spawn({
        let factory = factory.clone();
        async move { factory.wait_for_cache_sync().await }
    });
    factory.shutdown().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(
        (error.informers.len(), error.informers[0].reason),
        (1, NotSyncedReason::Stopped)
    );
}

/// Proves F7.
#[tokio::test(start_paused = true)]
async fn dropping_the_factory_stops_its_informers() {
    let (_server, clientset) = server();
    let factory = SharedInformerFactory::new(clientset);
    let informer = factory.informer::<ConfigMap>();
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    drop(factory);
    assert!(informer.is_stopped());
    informer.shutdown().await;
}

/// Proves F6.
#[tokio::test(start_paused = true)]
async fn an_informer_that_nobody_uses_stops_and_is_made_anew() {
    let (server, clientset) = server();
    let factory = SharedInformerFactory::new(clientset);
    let registration = factory
        .informer::<ConfigMap>()
        .add_handler(EventHandlerFuncs::new())
        .unwrap();
    factory.start();
    registration.wait_for_sync().await.unwrap();
    let lister = factory.informer::<ConfigMap>().lister();
    registration.remove();
    assert_eq!((lister.len(), factory.stats().len()), (1, 1), "the lister keeps it");
    drop(lister);
    let again = factory.informer::<ConfigMap>();
    assert!(!again.is_stopped() && !again.is_started());
    factory.start();
    again.wait_for_sync().await.unwrap();
    let asked = server.asked.lock().clone();
    assert_eq!(asked.iter().filter(|uri| !uri.contains("watch=true")).count(), 2);
    factory.shutdown().await;
    assert!(factory.stats().is_empty(), "every task has ended");
    assert!(
        factory.informer::<ConfigMap>().is_stopped(),
        "a factory that is shut down starts nothing"
    );
}

/// Proves F2.
#[tokio::test(start_paused = true)]
async fn the_same_resource_in_three_ways() {
    let (server, clientset) = server();
    let resource = ApiResource::of::<ConfigMap>();
    let context = Arc::new(resource.clone());
    let factory = SharedInformerFactory::builder(clientset)
        .labels("app=web")
        .fields("metadata.name=a")
        .transform(|map: &mut ConfigMap| map.data = None)
        .custom_options_of::<DynamicObject>(&resource, move |mut options| {
            let paint = |object: &mut DynamicObject| object.data["data"]["colour"] = "red".into();
            options.reflector = options.reflector.with_transform_in(context.clone(), paint);
            options
        })
        .build();
    let (typed, dynamic) = (factory.informer::<ConfigMap>(), factory.dynamic_in(&resource, "shop"));
    let metadata = factory.metadata(&resource);
    assert!(
        metadata
            .describe()
            .starts_with("metadata of configmaps with labels app=web")
    );
    factory.start();
    factory.wait_for_cache_sync().await.unwrap();
    let key = ObjectKey::new("shop", "a");
    assert_eq!(
        typed.lister().get(&key).unwrap().decode().unwrap().data,
        None,
        "transformed"
    );
    let object = dynamic.lister().get(&key).unwrap().decode().unwrap();
    assert_eq!(
        (object.kind.as_str(), &object.data["data"]["key"]),
        ("ConfigMap", &"value".into())
    );
    assert_eq!(object.data["data"]["colour"], "red", "transformed in a way of its own");
    let object = metadata.lister().get(&key).unwrap().decode().unwrap();
    assert_eq!(object.metadata.name.as_deref(), Some("a"));
    for asked in server.asked.lock().iter() {
        assert!(asked.contains("labelSelector=app%3Dweb") && asked.contains("fieldSelector=metadata.name%3Da"));
    }
}

/// A resource that is not there, and an object that would not decode.
struct Odd;

#[async_trait]
impl Transport for Odd {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, TransportError> {
        let uri = request.uri().to_string();
        Ok(if uri.contains("sendInitialEvents") {
            answer(
                422,
                r#"{"kind":"Status","apiVersion":"v1","code":422,"reason":"Invalid"}"#,
            )
        } else if uri.contains("/widgets") {
            answer(
                404,
                r#"{"kind":"Status","apiVersion":"v1","code":404,"reason":"NotFound","message":"the server could not find the requested resource"}"#,
            )
        } else if uri.contains("continue=") {
            let mut response = answer(200, "");
            *response.body_mut() = futures::stream::pending().boxed();
            response
        } else {
            answer(
                200,
                r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"more"},"items":[
                    {"metadata":{"name":"odd","namespace":"shop","resourceVersion":"3"},"data":"no map"}]}"#,
            )
        })
    }
}

/// Proves F5.
#[tokio::test(start_paused = true)]
async fn waiting_names_a_missing_resource_and_an_undecodable_object() {
    let clientset = Clientset::from_client(Client::with_transport(Arc::new(Odd)));
    let factory = SharedInformerFactory::builder(clientset).reflector(quiet()).build();
    let widgets = ApiResource::new(Gvr::new("shop.example", "v1", "widgets"), "Widget", true);
    let _informers = (factory.dynamic(&widgets), factory.informer::<ConfigMap>());
    factory.start();
    let limit = Duration::from_secs(20);
    let error = factory.wait_for_cache_sync_timeout(limit).await.unwrap_err();
    let reasons: Vec<_> = error.informers.iter().map(ToString::to_string).collect();
    assert_eq!(reasons.len(), 2, "{error}");
    assert!(
        reasons[0].starts_with("configmaps not listed within 20s, last error: read configmaps: object \"shop/odd\""),
        "{error}"
    );
    assert!(
        reasons[1].starts_with("widgets.shop.example not listed within 20s"),
        "{error}"
    );
    assert!(reasons[1].ends_with("could not find the requested resource"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_objects_of_an_informer_go_with_it() {
    let (_server, clientset) = server();
    let factory = SharedInformerFactory::builder(clientset)
        .custom_options::<ConfigMap>(|mut options| {
            options.reflector = options.reflector.with_cache_format(CacheFormat::Decoded);
            options
        })
        .build();
    let informer = factory.informer::<ConfigMap>();
    factory.start();
    informer.wait_for_sync().await.unwrap();
    let map = {
        let map = informer.lister().list().remove(0);
        assert!(map.is_decoded());
        Arc::downgrade(&map.decode().unwrap())
    };
    assert!(map.upgrade().is_some());
    drop(informer);
    assert!(
        map.upgrade().is_none(),
        "the factory has not been asked for anything since"
    );
}
