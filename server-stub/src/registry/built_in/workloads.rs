//! Deployments and their like.

use super::rules::Rules;
use crate::registry::strategy::GarbageCollection;

pub(super) const DEPLOYMENT: Rules = Rules { ..Rules::COUNTED };

pub(super) const REPLICA_SET: Rules = Rules { ..Rules::COUNTED };

pub(super) const STATEFUL_SET: Rules = Rules { ..Rules::COUNTED };

pub(super) const DAEMON_SET: Rules = Rules { ..Rules::COUNTED };

pub(super) const REPLICATION_CONTROLLER: Rules = Rules {
    garbage_collection: GarbageCollection::Orphan,
    ..Rules::COUNTED
};
