//! A whole informer against a small server that breaks connections, compacts its history and loses its state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kubewire_client::api::EachObject;
use kubewire_client::wire::{EncodedEvent, EncodedList};
use kubewire_client::{Error, ListOptions};
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::{EventHandlerFuncs, InformerOptions, SharedInformer};
use crate::fake::{connection_refused, reborn, refusal, too_large, truncated};
use crate::reflector::{EventStream, ListWatch, ReflectorOptions};

/// Uid and version by name.
pub(super) type View = BTreeMap<String, (String, u64)>;

#[derive(Default)]
pub(super) struct Server(Mutex<State>);

#[derive(Default)]
struct State {
    objects: View,
    version: u64,
    /// How often the state was lost; part of the uids, which never come again.
    life: u32,
    history: Vec<(u64, EncodedEvent)>,
    /// Versions up to this one are forgotten.
    compacted: u64,
    /// How many requests find no server.
    refusing: u8,
    refusal: Option<i32>,
    delay: Option<u16>,
    breaks_off: bool,
    watches: Vec<mpsc::UnboundedSender<Result<EncodedEvent, Error>>>,
    /// So many faults were not missed by everybody.
    felt: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u32),
    Delete(u32),
    /// Like a put, of an object that would not decode.
    PutOdd(u32),
    Bookmark,
    /// The server ends every watch, as it does now and then.
    EndWatches,
    /// Every connection breaks, and so many requests find nobody.
    Break(u8),
    Compact,
    /// The server comes back without any object, and its versions begin anew.
    LoseState,
    /// So many milliseconds pass.
    Pass(u16),
    /// The next request is answered so late.
    Delay(u16),
    /// The next request is refused with this code.
    Refuse(i32),
    /// Every watch ends within a frame.
    Truncate,
    /// The next list, or stream of one, breaks off half-way.
    BreakOff,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..4_u32).prop_map(Step::Put),
        4 => (0..4_u32).prop_map(Step::Delete),
        1 => (0..4_u32).prop_map(Step::PutOdd),
        2 => Just(Step::Bookmark),
        2 => Just(Step::EndWatches),
        2 => (0..4_u8).prop_map(Step::Break),
        2 => Just(Step::Compact),
        1 => Just(Step::LoseState),
        1 => (1..2000_u16).prop_map(Step::Delay),
        2 => prop_oneof![Just(429), Just(500), Just(410)].prop_map(Step::Refuse),
        1 => Just(Step::Truncate),
        1 => Just(Step::BreakOff),
        6 => (1..2000_u16).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 0..60)
}

impl Server {
    async fn delay(&self) {
        let delay = {
            let state = &mut *self.0.lock();
            state.felt += u32::from(state.delay.is_some());
            state.delay.take()
        };
        tokio::time::sleep(Duration::from_millis(delay.unwrap_or_default().into())).await;
    }

    /// True where somebody watches.
    pub(super) fn is_watched(&self) -> bool {
        self.0.lock().watches.iter().any(|watch| !watch.is_closed())
    }

    /// How many faults ended a watch or were the answer to a request.
    pub(super) fn felt(&self) -> u32 {
        self.0.lock().felt
    }

    pub(super) fn objects(&self) -> View {
        self.0.lock().objects.clone()
    }

    pub(super) fn step(&self, step: &Step) {
        let state = &mut *self.0.lock();
        match step {
            Step::Put(name) => state.put(name.to_string(), b""),
            // data: an entry that ends too soon
            Step::PutOdd(name) => state.put(name.to_string(), b"\x12\x04\x0a\x09no"),
            Step::Delete(name) => state.delete(&name.to_string()),
            Step::Bookmark => {
                let resource_version = state.version.to_string().as_str().into();
                state.send(EncodedEvent::Bookmark {
                    resource_version,
                    initial_events_end: false,
                });
            }
            Step::EndWatches => drop(state.end_watches()),
            Step::Break(refusing) => state.break_connections(*refusing),
            Step::Compact => {
                state.compacted = state.version;
                state.history.clear();
            }
            Step::LoseState => {
                state.break_connections(1);
                *state = State {
                    life: state.life + 1,
                    refusing: 1,
                    felt: state.felt,
                    ..State::default()
                };
            }
            Step::Delay(millis) => state.delay = Some(*millis),
            Step::Refuse(code) => state.refusal = Some(*code),
            Step::Truncate => {
                for watch in state.end_watches() {
                    watch.send(Err(truncated().now_or_never().unwrap())).ok();
                }
            }
            Step::BreakOff => state.breaks_off = true,
            Step::Pass(_) => {}
        }
    }
}

impl State {
    fn put(&mut self, name: String, junk: &[u8]) {
        self.version += 1;
        let is_new = !self.objects.contains_key(&name);
        let uid = format!("{}-{}", self.life, self.version);
        let object = self.objects.entry(name.clone()).or_insert((uid, 0));
        object.1 = self.version;
        let mut encoded = reborn(&name, &object.0, self.version);
        encoded.bytes = [&encoded.bytes, junk].concat().into();
        let event = if is_new {
            EncodedEvent::Added
        } else {
            EncodedEvent::Modified
        };
        self.record(event(encoded));
    }

    fn delete(&mut self, name: &str) {
        if let Some((uid, _)) = self.objects.remove(name) {
            self.version += 1;
            self.record(EncodedEvent::Deleted(reborn(name, &uid, self.version)));
        }
    }

    fn record(&mut self, event: EncodedEvent) {
        self.history.push((self.version, event.clone()));
        self.send(event);
    }

    fn send(&mut self, event: EncodedEvent) {
        self.watches.retain(|watch| watch.send(Ok(event.clone())).is_ok());
    }

    fn initial_events(&self) -> impl Iterator<Item = EncodedEvent> {
        let objects = self.objects.iter();
        let added = objects.map(|(name, (uid, version))| EncodedEvent::Added(reborn(name, uid, *version)));
        added.chain([EncodedEvent::Bookmark {
            resource_version: self.version.to_string().as_str().into(),
            initial_events_end: true,
        }])
    }

    fn end_watches(&mut self) -> Vec<mpsc::UnboundedSender<Result<EncodedEvent, Error>>> {
        self.watches.retain(|watch| !watch.is_closed());
        self.felt += u32::from(!self.watches.is_empty());
        std::mem::take(&mut self.watches)
    }

    fn break_connections(&mut self, refusing: u8) {
        self.refusing = refusing;
        for watch in self.end_watches() {
            watch.send(Err(connection_refused().now_or_never().unwrap())).ok();
        }
    }

    fn answer(&mut self, options: &ListOptions) -> Result<u64, Error> {
        if self.refusing > 0 {
            self.refusing -= 1;
            return Err(connection_refused().now_or_never().unwrap());
        }
        self.felt += u32::from(self.refusal.is_some());
        match self.refusal.take() {
            Some(410) => return Err(refusal(410, "Expired")),
            Some(code) => return Err(refusal(code, "TooManyRequests")),
            None => {}
        }
        Ok(options
            .resource_version
            .as_ref()
            .and_then(|version| version.as_number())
            .unwrap_or(0))
    }
}

#[async_trait]
impl ListWatch for Server {
    async fn list(&self, options: &ListOptions, each: EachObject<'_>) -> Result<EncodedList, Error> {
        self.delay().await;
        let state = &mut *self.0.lock();
        if state.answer(options)? > state.version {
            return Err(too_large());
        }
        // The token says where to go on, and from which version it is.
        let token = options.continue_token.as_ref().and_then(|token| token.split_once('@'));
        let (after, version) = token.map_or(("", state.version), |(after, version)| {
            (after, version.parse().unwrap())
        });
        if token.is_some() && version != state.version {
            state.felt += 1;
            return Err(refusal(410, "Expired"));
        }
        let limit = options.limit.map_or(usize::MAX, |limit| limit.try_into().unwrap());
        let mut rest = state.objects.iter().filter(|(name, _)| name.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let last = page.last().map(|(name, _)| format!("{name}@{version}"));
        let objects = page.iter().map(|(name, (uid, version))| reborn(name, uid, *version));
        if std::mem::take(&mut state.breaks_off) {
            state.felt += 1;
            objects.take(page.len() / 2).for_each(each);
            return Err(truncated().now_or_never().unwrap());
        }
        objects.for_each(each);
        Ok(EncodedList {
            resource_version: version.to_string().as_str().into(),
            continue_token: last.filter(|_| rest.next().is_some()),
            remaining_item_count: None,
            items: Vec::new(),
        })
    }

    async fn watch(&self, options: &ListOptions) -> Result<EventStream, Error> {
        self.delay().await;
        let state = &mut *self.0.lock();
        let mut from = state.answer(options)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        if options.send_initial_events == Some(true) {
            if from > state.version {
                return Err(too_large());
            }
            from = state.version;
            let breaks_off = std::mem::take(&mut state.breaks_off);
            let count = if breaks_off {
                state.objects.len() / 2
            } else {
                usize::MAX
            };
            for event in state.initial_events().take(count) {
                sender.send(Ok(event)).ok();
            }
            if breaks_off {
                state.felt += 1;
                sender.send(Err(truncated().now_or_never().unwrap())).ok();
            }
        } else if from < state.compacted {
            state.felt += 1;
            return Err(refusal(410, "Expired"));
        }
        // Like a real server, this one waits in silence for a version that it has not reached.
        for (_, event) in state.history.iter().filter(|(version, _)| *version > from) {
            sender.send(Ok(event.clone())).ok();
        }
        state.watches.push(sender);
        Ok(futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))).boxed())
    }

    fn describe(&self) -> String {
        "configmaps".to_owned()
    }
}

/// A handler that keeps a view.
pub(super) fn viewer(view: Arc<Mutex<View>>) -> EventHandlerFuncs<ConfigMap> {
    let (added, updated, deleted) = (view.clone(), view.clone(), view);
    let put = |view: &Mutex<View>, object: &crate::CachedObject<ConfigMap>| {
        let version = object.header().resource_version.as_number().unwrap();
        view.lock()
            .insert(object.key().name.clone(), (object.header().uid.clone(), version))
    };
    EventHandlerFuncs::new()
        .on_add(move |object, _| assert_eq!(put(&added, object), None))
        .on_update(move |_, new| {
            let (_, old) = put(&updated, new).expect("known");
            assert!(old < new.resource_version().parse().unwrap(), "out of order: {new:?}");
        })
        .on_delete(move |object, _| assert!(deleted.lock().remove(&object.key().name).is_some()))
}

async fn follows(steps: Vec<Step>, streaming: bool) -> Result<(), TestCaseError> {
    let server = Arc::new(Server::default());
    let reflector = ReflectorOptions::default()
        .with_page_size(2)
        .with_streaming_list(streaming);
    let options = InformerOptions::default().with_reflector(reflector.with_error_handler(|_| ()));
    let informer = SharedInformer::<ConfigMap>::new(server.clone(), options);
    let (early, late) = (Arc::default(), Arc::default());
    informer.add_handler(viewer(Arc::clone(&early))).unwrap();
    informer.start();
    let half = steps.len() / 2;
    for (at, step) in steps.iter().enumerate() {
        server.step(step);
        if let Step::Pass(millis) = step {
            tokio::time::sleep(Duration::from_millis((*millis).into())).await;
        }
        if at == half {
            informer.add_handler(viewer(Arc::clone(&late))).unwrap();
        }
    }
    // Bookmarks come every minute or so.
    for _ in 0..10 {
        server.step(&Step::Bookmark);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let truth = server.0.lock().objects.clone();
    prop_assert!(informer.has_synced());
    prop_assert_eq!(informer.lister().len(), truth.len());
    prop_assert_eq!(&*early.lock(), &truth);
    if !steps.is_empty() {
        prop_assert_eq!(&*late.lock(), &truth);
    }
    informer.shutdown().await;
    prop_assert!(server.0.lock().watches.iter().all(mpsc::UnboundedSender::is_closed));
    Ok(())
}

proptest! {
    /// Proves I2.
    #[test]
    fn the_informer_follows_whatever_happens(steps in steps(), streaming: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(follows(steps, streaming))?;
    }
}
