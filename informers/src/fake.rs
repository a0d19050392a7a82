//! A collection whose every request the test answers itself, so that nothing happens by chance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};
use kubewire_client::api::EachObject;
use kubewire_client::transport::{Body, Transport, TransportError};
use kubewire_client::wire::{EncodedEvent, EncodedList, EncodedObject, Encoding};
use kubewire_client::{Api, Client, Decode, Error, ListOptions, Object};
use tokio::sync::{mpsc, oneshot};

use crate::cache::{CachedObject, EntryOptions};
use crate::reflector::{EventStream, ListWatch};

type Reply<T> = oneshot::Sender<Result<T, Error>>;

enum Request {
    List(ListCall),
    Watch(WatchCall),
}

/// A list request that waits for an answer.
pub(crate) struct ListCall {
    pub(crate) options: ListOptions,
    reply: Reply<EncodedList>,
}

/// A watch request that waits for an answer.
pub(crate) struct WatchCall {
    pub(crate) options: ListOptions,
    reply: Reply<EventStream>,
}

/// The server's end of a watch; dropping it closes the watch before its time.
pub(crate) struct Events {
    sender: mpsc::UnboundedSender<Result<EncodedEvent, Error>>,
    lasting: Duration,
}

/// The requests of a [`FakeSource`], in order.
pub(crate) struct Requests(mpsc::UnboundedReceiver<Request>);

/// Hands every request to the test.
pub(crate) struct FakeSource {
    requests: mpsc::UnboundedSender<Request>,
    streams_lists: bool,
}

/// A source that refuses streaming lists by itself, so that tests meet plain ones.
pub(crate) fn source() -> (Arc<FakeSource>, Requests) {
    source_that(false)
}

/// A source that hands requests for streaming lists to the test too.
pub(crate) fn streaming_source() -> (Arc<FakeSource>, Requests) {
    source_that(true)
}

fn source_that(streams_lists: bool) -> (Arc<FakeSource>, Requests) {
    let (requests, receiver) = mpsc::unbounded_channel();
    let source = FakeSource {
        requests,
        streams_lists,
    };
    (Arc::new(source), Requests(receiver))
}

#[async_trait]
impl ListWatch for FakeSource {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        let (reply, answer) = oneshot::channel();
        let options = options.clone();
        self.requests.send(Request::List(ListCall { options, reply })).ok();
        let mut list = answer.await.expect("the test answers every request")?;
        std::mem::take(&mut list.items).into_iter().for_each(each);
        Ok(list)
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        if options.send_initial_events == Some(true) && !self.streams_lists {
            return Err(refusal(422, "Invalid"));
        }
        let (reply, answer) = oneshot::channel();
        let options = options.clone();
        self.requests.send(Request::Watch(WatchCall { options, reply })).ok();
        answer.await.expect("the test answers every request")
    }

    fn describe(&self) -> String {
        "configmaps".to_owned()
    }
}

impl Requests {
    pub(crate) async fn list(&mut self) -> ListCall {
        match self.0.recv().await.unwrap() {
            Request::List(call) => call,
            Request::Watch(call) => panic!("a watch where a list was expected: {:?}", call.options),
        }
    }

    pub(crate) async fn watch(&mut self) -> WatchCall {
        match self.0.recv().await.unwrap() {
            Request::Watch(call) => call,
            Request::List(call) => panic!("a list where a watch was expected: {:?}", call.options),
        }
    }

    /// True where a request waits.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

impl ListCall {
    pub(crate) fn version(&self) -> &str {
        self.options
            .resource_version
            .as_ref()
            .map_or("", |version| version.as_str())
    }

    pub(crate) fn answer(self, version: &str, items: impl Into<Vec<EncodedObject>>) {
        self.answer_page(version, items, None);
    }

    pub(crate) fn answer_page(self, version: &str, items: impl Into<Vec<EncodedObject>>, token: Option<&str>) {
        let list = EncodedList {
            resource_version: version.into(),
            continue_token: token.map(str::to_owned),
            remaining_item_count: None,
            items: items.into(),
        };
        self.reply.send(Ok(list)).ok();
    }

    pub(crate) fn fail(self, error: Error) {
        self.reply.send(Err(error)).ok();
    }
}

impl WatchCall {
    pub(crate) fn version(&self) -> &str {
        self.options
            .resource_version
            .as_ref()
            .map_or("", |version| version.as_str())
    }

    pub(crate) fn accept(self) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        let stream = futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        self.reply.send(Ok(stream.boxed())).ok();
        let lasting = self.options.timeout.unwrap();
        Events { sender, lasting }
    }

    pub(crate) fn fail(self, error: Error) {
        self.reply.send(Err(error)).ok();
    }
}

impl Events {
    pub(crate) fn added(&self, object: EncodedObject) {
        self.send(EncodedEvent::Added(object));
    }

    pub(crate) fn modified(&self, object: EncodedObject) {
        self.send(EncodedEvent::Modified(object));
    }

    pub(crate) fn deleted(&self, object: EncodedObject) {
        self.send(EncodedEvent::Deleted(object));
    }

    pub(crate) fn bookmark(&self, version: &str) {
        self.send(EncodedEvent::Bookmark {
            resource_version: version.into(),
            initial_events_end: false,
        });
    }

    pub(crate) fn initial_events_end(&self, version: &str) {
        self.send(EncodedEvent::Bookmark {
            resource_version: version.into(),
            initial_events_end: true,
        });
    }

    pub(crate) fn fail(self, error: Error) {
        self.sender.send(Err(error)).ok();
    }

    /// Closes the watch when its time has come.
    pub(crate) async fn end(self) {
        tokio::time::sleep(self.lasting).await;
    }

    /// True where the client has given up the watch.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }

    fn send(&self, event: EncodedEvent) {
        self.sender.send(Ok(event)).ok();
    }
}

/// A config map `shop/<name>` at a version, with a uid made of its name.
pub(crate) fn object(name: &str, version: u64) -> EncodedObject {
    reborn(name, name, version)
}

/// Like [`object`], with a uid of its own.
pub(crate) fn reborn(name: &str, uid: &str, version: u64) -> EncodedObject {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map.metadata.namespace = Some("shop".to_owned());
    map.metadata.uid = Some(uid.to_owned());
    map.metadata.resource_version = Some(version.to_string());
    map.metadata.labels = Some(BTreeMap::from([("app".to_owned(), name.to_owned())]));
    map.encode(Encoding::Protobuf).unwrap()
}

pub(crate) fn cached(object: &EncodedObject) -> CachedObject<ConfigMap> {
    CachedObject::new(object, &(), EntryOptions::default()).unwrap()
}

/// `name@version`, for short comparisons.
pub(crate) fn short<K: Decode>(object: &CachedObject<K>) -> String {
    format!("{}@{}", object.name(), object.resource_version())
}

/// A refusal.
pub(crate) fn refusal(code: i32, reason: &str) -> Error {
    let status = Status {
        code: Some(code),
        reason: Some(reason.to_owned()),
        message: Some(format!("refused: {reason}")),
        ..Default::default()
    };
    Error::from_status("list configmaps", status, None)
}

/// The refusal of a version that the server has not reached.
pub(crate) fn too_large() -> Error {
    let cause = StatusCause {
        reason: Some("ResourceVersionTooLarge".to_owned()),
        ..Default::default()
    };
    let status = Status {
        code: Some(504),
        reason: Some("Timeout".to_owned()),
        details: Some(StatusDetails {
            causes: Some(vec![cause]),
            retry_after_seconds: Some(1),
            ..Default::default()
        }),
        ..Default::default()
    };
    Error::from_status("list configmaps", status, None)
}

/// What a client says of a watch whose last frame is cut off.
pub(crate) async fn truncated() -> Error {
    struct Truncating;
    #[async_trait]
    impl Transport for Truncating {
        async fn send(&self, _: http::Request<bytes::Bytes>) -> Result<http::Response<Body>, TransportError> {
            let half_a_frame = futures::stream::iter([Ok(bytes::Bytes::from_static(b"\0\0\x01\0\x0a\x08MODI"))]);
            let response = http::Response::builder().header("content-type", "application/vnd.kubernetes.protobuf");
            Ok(response.body(half_a_frame.boxed()).unwrap())
        }
    }
    let api = Api::<ConfigMap>::new(Client::with_transport(Arc::new(Truncating)));
    let mut events = api.watch_encoded(&ListOptions::default()).await.unwrap();
    events.next().await.unwrap().unwrap_err()
}

/// What a client says when nobody listens.
pub(crate) async fn connection_refused() -> Error {
    struct Refusing;
    #[async_trait]
    impl Transport for Refusing {
        async fn send(&self, _: http::Request<bytes::Bytes>) -> Result<http::Response<Body>, TransportError> {
            Err(TransportError::connect("connection refused"))
        }
    }
    let api = Api::<ConfigMap>::new(Client::with_transport(Arc::new(Refusing)));
    // Of a watch, because the client tries lists again by itself.
    api.watch_encoded(&ListOptions::default()).await.unwrap_err()
}
