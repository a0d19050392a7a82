//! What a batch of deltas changes in the store, and what handlers are to be told of it.

use kubewire_client::Decode;

use super::queue::Notification;
use crate::cache::{CachedObject, Objects};
use crate::delta_fifo::{Batch, Delta, DeltaKind};

/// Applies a batch to the store. `initial` where it brings the first list.
pub(super) fn apply<K: Decode>(objects: &mut Objects<K>, batch: Batch<K>, initial: bool) -> Vec<Notification<K>> {
    objects.reserve(if initial { batch.len() } else { 0 });
    let mut changes = Changes {
        objects,
        initial,
        notifications: Vec::with_capacity(batch.len()),
    };
    if batch.is_replacement() {
        changes.delete_what_is_not_in(&batch);
    }
    for delta in batch.into_deltas() {
        match delta.kind {
            DeltaKind::Deleted => changes.delete(&delta.object, true),
            DeltaKind::DeletedFinalStateUnknown => changes.delete(&delta.object, false),
            DeltaKind::Added | DeltaKind::Updated | DeltaKind::Replaced => changes.put(delta),
        }
    }
    changes.notifications
}

struct Changes<'a, K: Decode> {
    objects: &'a mut Objects<K>,
    initial: bool,
    notifications: Vec<Notification<K>>,
}

impl<K: Decode> Changes<'_, K> {
    fn delete_what_is_not_in(&mut self, batch: &Batch<K>) {
        let gone: Vec<_> = self
            .objects
            .iter()
            .filter(|object| !batch.contains(object))
            .cloned()
            .collect();
        for object in gone {
            self.delete(&object, false);
        }
    }

    fn delete(&mut self, last: &CachedObject<K>, final_state_known: bool) {
        let Some(known) = self.objects.remove_like(last) else {
            return;
        };
        // Where another object has taken the name meanwhile, the end of the one we knew was missed.
        let same = known.is_same_object(last);
        self.notifications.push(Notification::Delete {
            object: if same { last.clone() } else { known },
            final_state_known: same && final_state_known,
        });
    }

    fn put(&mut self, Delta { kind, object }: Delta<K>) {
        let add = |object| Notification::Add {
            object,
            is_in_initial_list: self.initial && kind == DeltaKind::Replaced,
        };
        match self.objects.get_like(&object).cloned() {
            // A list has what we have; the entry stays, and what it has decoded.
            Some(known) if known.is_same_state(&object) => return,
            Some(known) if known.is_same_object(&object) => self.notifications.push(Notification::Update {
                old: known,
                new: object.clone(),
            }),
            Some(known) => {
                self.notifications.push(Notification::Delete {
                    object: known,
                    final_state_known: false,
                });
                self.notifications.push(add(object.clone()));
            }
            None => self.notifications.push(add(object.clone())),
        }
        self.objects.insert(object);
    }
}
