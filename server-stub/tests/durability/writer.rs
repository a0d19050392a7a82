//! A writer with some keys of its own: it knows what is there, and finds out what became of a write whose answer is
//! lost before it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Api, Clientset, Error, WriteOptions};
use tokio_util::sync::CancellationToken;

use crate::history::{Done, History, Write, key_and_value, version};

const KEYS: usize = 5;

pub(crate) struct Writer {
    number: usize,
    api: Api<ConfigMap>,
    acknowledged: Arc<AtomicU64>,
    /// The newest version that any writer was told.
    newest: Arc<AtomicU64>,
}

impl Writer {
    pub(crate) fn new(
        number: usize,
        clientset: Clientset,
        acknowledged: Arc<AtomicU64>,
        newest: Arc<AtomicU64>,
    ) -> Self {
        Self {
            number,
            api: clientset.core_v1().config_maps("default"),
            acknowledged,
            newest,
        }
    }

    /// Creates, changes and deletes until it is stopped.
    pub(crate) async fn run(self, stop: CancellationToken) -> Vec<History> {
        let mut histories: Vec<History> = (0..KEYS)
            .map(|key| History {
                key: format!("writer-{}-{key}", self.number),
                writes: Vec::new(),
            })
            .collect();
        let mut there: Vec<Option<ConfigMap>> = vec![None; KEYS];
        let mut round = 0;
        while !stop.is_cancelled() {
            let (history, current) = (&mut histories[round % KEYS], &mut there[round % KEYS]);
            let value = (current.is_none() || !round.is_multiple_of(7)).then(|| format!("{}-{round}", self.number));
            let done = self.write(&history.key, current, value.as_deref()).await;
            history.writes.push(Write { value, done });
            round += 1;
        }
        histories
    }

    async fn write(&self, key: &str, current: &mut Option<ConfigMap>, value: Option<&str>) -> Option<Done> {
        let options = WriteOptions::default();
        let result = match (current.as_ref(), value) {
            (None, Some(value)) => self.api.create(&object(key, value, None), &options).await.map(Some),
            (Some(old), Some(value)) => self
                .api
                .update(&object(key, value, Some(old)), &options)
                .await
                .map(Some),
            (_, None) => self.api.delete(key, &Default::default()).await.map(|_| None),
        };
        match result {
            Ok(new) => {
                let version = new.as_ref().map(version);
                if let Some(version) = version {
                    let before = current.as_ref().map(self::version).unwrap_or_default();
                    assert!(version > before, "{key}: version {version} after {before}");
                    self.newest.fetch_max(version, Ordering::SeqCst);
                }
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                *current = new;
                Some(Done::Acknowledged(version))
            }
            Err(error) => self.find_out(key, current, value, error).await,
        }
    }

    /// Whether a write without an answer was done.
    async fn find_out(
        &self,
        key: &str,
        current: &mut Option<ConfigMap>,
        value: Option<&str>,
        error: Error,
    ) -> Option<Done> {
        // The server would not say these if all that it acknowledged were there.
        let wrong = error.is_conflict() || error.is_already_exists() || error.is_not_found();
        assert!(!wrong, "{key}: an acknowledged write is not there: {error:?}");
        let found = loop {
            match self.api.get(key).await {
                Ok(found) => break Some(found),
                Err(error) if error.is_not_found() => break None,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let shown = |object: &Option<ConfigMap>| object.as_ref().and_then(key_and_value).map(|(_, value)| value);
        if shown(&found).as_deref() == value {
            *current = found;
            return Some(Done::Found);
        }
        assert_eq!(
            shown(&found),
            shown(current),
            "{key}: neither the old nor the new value"
        );
        assert_eq!(
            found.as_ref().map(version),
            current.as_ref().map(version),
            "{key}: the version changed"
        );
        None
    }
}

pub(crate) fn object(key: &str, value: &str, old: Option<&ConfigMap>) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(key.to_owned()),
            resource_version: old.and_then(|old| old.metadata.resource_version.clone()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}
