//! Lists: out of the watch cache where it has the state that is asked for, else out of storage.

use std::sync::Arc;

use super::{Store, page, storage_error};
use crate::registry::cacher::Listed;
use crate::registry::object::StoredObject;
use crate::registry::query::{ListQuery, ListResult, VersionMatch};
use crate::status::ApiError;
use crate::storage::{KeyValue, RangeRequest, StorageError};

/// How many keys a page with selectors reads from storage at a time.
const CHUNK: usize = 1_000;

/// The state that a list shows.
enum State {
    /// The newest.
    MostRecent,
    /// What the cache has, at least this version.
    Cached(u64),
    /// This version.
    Exact(u64),
    /// Where another list stopped.
    Continued(page::Place),
}

impl Store {
    /// The objects of a namespace (`""` for all) that the query selects, or a page of them.
    ///
    /// # Errors
    /// 400 for a field selector or continue token that makes no sense, 410 when the version is forgotten, 504 when it
    /// does not come within a few seconds.
    pub async fn list(&self, namespace: &str, query: &ListQuery) -> Result<ListResult, ApiError> {
        let prefix = self.prefix(namespace, &query.field_selector);
        let selection = self.selection(query)?;
        // There is nothing to divide when any version will do, and where one object is named.
        let names_one = query.field_selector.required("metadata.name").is_some()
            && (prefix != self.info.keys_in("") || !self.info.namespaced);
        let limit = match query.resource_version {
            Some(0) if !self.info.is_event() => 0,
            _ if names_one => 0,
            _ => usize::try_from(query.limit).unwrap_or(usize::MAX),
        };
        match self.state(&prefix, query)? {
            State::Cached(version) => {
                self.wait_until(version).await?;
                Ok(self.first_page(&selection, limit, &prefix, query))
            }
            State::MostRecent => {
                self.cacher.wait_most_recent().await?;
                Ok(self.first_page(&selection, limit, &prefix, query))
            }
            State::Exact(revision) => {
                let place = page::Place {
                    revision: Some(revision),
                    from: prefix.clone(),
                };
                self.page(&prefix, place, &selection, limit, query).await
            }
            State::Continued(place) => self.page(&prefix, place, &selection, limit, query).await,
        }
    }

    fn state(&self, prefix: &str, query: &ListQuery) -> Result<State, ApiError> {
        if let Some(token) = query.continue_token.as_deref().filter(|token| !token.is_empty()) {
            if query.resource_version.is_some_and(|version| version > 0) {
                let message = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(message));
            }
            return Ok(State::Continued(page::place(token, prefix)?));
        }
        Ok(match (query.resource_version, query.resource_version_match) {
            (None, _) => State::MostRecent,
            (Some(version), Some(VersionMatch::Exact)) => State::Exact(version),
            // From before there was a choice: a page of a version means exactly that version.
            (Some(version), None) if version > 0 && query.limit > 0 => State::Exact(version),
            (Some(version), _) => State::Cached(version),
        })
    }

    /// A page of a state that the cache does not have any more.
    async fn page(
        &self,
        prefix: &str,
        place: page::Place,
        selection: &(dyn Fn(&StoredObject) -> bool + Sync),
        limit: usize,
        query: &ListQuery,
    ) -> Result<ListResult, ApiError> {
        let mut items = Vec::new();
        let mut from = place.from;
        let mut revision = place.revision;
        loop {
            let request = RangeRequest {
                prefix,
                from: &from,
                limit: if limit > 0 {
                    CHUNK.min(limit.saturating_add(1))
                } else {
                    0
                },
                revision,
            };
            let range = self.storage.range(&request).await.map_err(|error| match error {
                StorageError::Compacted { .. } if query.continue_token.is_some() => {
                    page::expired(query.continue_token.as_deref().unwrap_or_default())
                }
                StorageError::Future { wanted, current } => ApiError::too_large_resource_version(wanted, current),
                other => storage_error(other),
            })?;
            let at = *revision.get_or_insert(range.revision);
            let read = range.kvs.len();
            let mut behind = range.count;
            let mut last: Option<Arc<str>> = None;
            let mut cached = self.cached(&range.kvs).into_iter().peekable();
            for kv in range.kvs {
                if limit > 0 && items.len() == limit {
                    return Ok(self.with_rest(items, prefix, at, behind, query));
                }
                behind = behind.saturating_sub(1);
                while cached.next_if(|object| *object.key() < kv.key).is_some() {}
                let is_same = |object: &Arc<StoredObject>| {
                    *object.key() == kv.key && object.resource_version() == kv.mod_revision
                };
                last = Some(kv.key.clone());
                let object = match cached.next_if(is_same) {
                    Some(object) => object,
                    None => self.decode(&kv.key, kv.value, kv.mod_revision)?,
                };
                if selection(&object) {
                    items.push(object);
                }
            }
            if let Some(last) = last {
                from = format!("{last}\0");
            }
            if limit == 0 || behind == 0 || read == 0 {
                return Ok(ListResult {
                    items,
                    resource_version: at,
                    ..ListResult::default()
                });
            }
        }
    }

    /// What the cache has where these keys are.
    fn cached(&self, kvs: &[KeyValue]) -> Vec<Arc<StoredObject>> {
        match kvs {
            [first, .., last] => self.cacher.between(&first.key, &last.key),
            [one] => self.cacher.between(&one.key, &one.key),
            [] => Vec::new(),
        }
    }

    fn with_rest(
        &self,
        items: Vec<Arc<StoredObject>>,
        prefix: &str,
        revision: u64,
        behind: usize,
        query: &ListQuery,
    ) -> ListResult {
        let last = items.last().map(|object| object.key().to_string()).unwrap_or_default();
        ListResult {
            items,
            resource_version: revision,
            continue_token: Some(page::token(&last, prefix, revision, !self.info.is_event())),
            remaining: selects_all(query).then(|| i64::try_from(behind).unwrap_or(i64::MAX)),
        }
    }

    /// The first page out of the whole state.
    fn first_page(
        &self,
        selection: &(dyn Fn(&StoredObject) -> bool + Sync),
        limit: usize,
        prefix: &str,
        query: &ListQuery,
    ) -> ListResult {
        // Selectors are not asked while the cache is held: what they leave over is not known before.
        let most = if limit > 0 && selects_all(query) {
            limit
        } else {
            usize::MAX
        };
        let Listed {
            objects,
            total,
            revision,
        } = self.cacher.list(prefix, most);
        let mut selected = objects.into_iter().enumerate().filter(|(_, object)| selection(object));
        if limit == 0 {
            return ListResult {
                items: selected.map(|(_, object)| object).collect(),
                resource_version: revision,
                ..ListResult::default()
            };
        }
        let page: Vec<_> = selected.by_ref().take(limit).collect();
        let end = page.last().map(|(index, object)| (index + 1, object.key().clone()));
        let items = page.into_iter().map(|(_, object)| object).collect::<Vec<_>>();
        let (continue_token, remaining) = match end {
            Some((read, last)) if items.len() == limit && read < total => (
                Some(page::token(&last, prefix, revision, !self.info.is_event())),
                selects_all(query).then(|| i64::try_from(total - read).unwrap_or(i64::MAX)),
            ),
            _ => (None, None),
        };
        ListResult {
            items,
            resource_version: revision,
            continue_token,
            remaining,
        }
    }
}

fn selects_all(query: &ListQuery) -> bool {
    query.label_selector.is_empty() && query.field_selector.is_empty()
}
