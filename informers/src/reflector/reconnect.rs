//! Whether a server that was out of reach is still the one we know.

use kubewire_client::wire::{EncodedObject, ObjectHeader};
use kubewire_client::{Decode, ListOptions, ResourceVersion};

use super::{ReflectorError, ReflectorStore, Session, State};

impl<K: Decode, S: ReflectorStore<K>> Session<'_, K, S> {
    /// One object's list tells at little cost.
    ///
    /// A server that lost its state counts its versions anew, and they mean nothing to us even where they have come
    /// past ours. But no object has a uid that another one had: a server that shows one we know has the history we know.
    pub(super) async fn reconnect_state(&mut self) -> State {
        let one = ListOptions::default().with_limit(1);
        let mut first = None;
        let mut each = |object| _ = first.get_or_insert(object);
        match self.reflector.source.list(&one, &mut each).await {
            Ok(list) => {
                let known = self.last_version.clone();
                let same =
                    !self.went_back(&known, &list.resource_version) && first.is_some_and(|object| self.knows(&object));
                if same { State::Watch } else { State::List }
            }
            Err(error) if error.is_transport() || error.is_timeout() => {
                self.fail(error).await;
                State::Reconnect
            }
            Err(error) => {
                self.fail(error).await;
                State::List
            }
        }
    }

    fn knows(&self, object: &EncodedObject) -> bool {
        let object = ObjectHeader::parse(object);
        object.is_ok_and(|object| !object.uid.is_empty() && self.reflector.store.has(&object))
    }

    /// True where the server is at an older version than is known to have been: it has another history.
    pub(super) fn went_back(&mut self, known: &ResourceVersion, current: &ResourceVersion) -> bool {
        if !is_older(current, known) {
            return false;
        }
        self.report(ReflectorError::WentBack {
            resource: self.reflector.describe(),
            known: known.clone(),
            current: current.clone(),
        });
        self.version_unavailable = true;
        true
    }
}

/// True where both versions are numbers and the first is the smaller one.
pub(super) fn is_older(version: &ResourceVersion, than: &ResourceVersion) -> bool {
    matches!((version.as_number(), than.as_number()), (Some(version), Some(than)) if version < than)
}
