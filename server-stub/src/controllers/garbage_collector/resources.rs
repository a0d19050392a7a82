//! What is followed: one informer for each resource.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kubewire_client::dynamic::ApiResource;
use kubewire_client::metadata::MetadataApi;
use kubewire_client::rest::Client;
use kubewire_client::{Gvr, ObjectKey};
use kubewire_informers::shared_informer::{InformerOptions, SharedInformer};
use kubewire_informers::{CachedObject, Controller};

use super::metadata::{Metadata, MetadataSource};
use crate::generic::discovery::GroupDiscovery;
use crate::generic::hooks::HookError;

/// The index of dependents by the uids of their owners.
const BY_OWNER: &str = "owner";

/// An object to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// Its resource, as a place in [`Resources`].
    pub(super) resource: usize,
    pub(super) key: ObjectKey,
    pub(super) uid: String,
}

/// All resources that are followed.
pub(super) struct Resources(Vec<Resource>);

pub(super) struct Resource {
    api: ApiResource,
    client: Client,
    informer: SharedInformer<Metadata>,
}

impl Resources {
    /// Informers for all that can be listed, watched and deleted, in the preferred version of each group. Events own
    /// nothing and are owned by nobody.
    pub(super) fn new(groups: &[GroupDiscovery], client: &Client) -> Result<Self, HookError> {
        let mut resources = Vec::new();
        for group in groups {
            let mut seen = HashSet::new();
            for version in &group.versions {
                for resource in &version.resources {
                    let has = |verb: &str| resource.verbs.iter().any(|own| own == verb);
                    let collected = ["list", "watch", "delete"].into_iter().all(has) && resource.name != "events";
                    if collected && seen.insert(&resource.name) {
                        let gvr = Gvr {
                            group: group.name.clone().into(),
                            version: version.version.clone().into(),
                            resource: resource.name.clone().into(),
                        };
                        let api = ApiResource::new(gvr, resource.kind.clone(), resource.namespaced);
                        resources.push(Resource::new(api, client)?);
                    }
                }
            }
        }
        Ok(Self(resources))
    }

    /// Puts every object into the controller's queue that may have to go, or to lose a reference.
    pub(super) fn feed(self: &Arc<Self>, controller: &mut Controller<Item>) -> Result<(), HookError> {
        for (index, resource) in self.0.iter().enumerate() {
            let all = self.clone();
            controller.watch(&resource.informer, move |object| all.affected(index, object))?;
        }
        for resource in &self.0 {
            resource.informer.start();
        }
        Ok(())
    }

    pub(super) fn get(&self, item: &Item) -> Option<MetadataApi> {
        self.0
            .get(item.resource)
            .map(|resource| resource.api(&item.key.namespace))
    }

    /// The object that a reference means, as seen from a namespace; nothing for an unknown kind.
    pub(super) fn owner(&self, reference: &OwnerReference, namespace: &str) -> Option<Item> {
        let group = reference.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let resource = self.0.iter().position(|resource| {
            let gvk = resource.api.gvk();
            *gvk.group == *group && *gvk.kind == *reference.kind
        })?;
        let namespaced = self.0.get(resource)?.api.namespaced;
        let namespace = if namespaced { namespace } else { "" };
        Some(Item {
            resource,
            key: ObjectKey::new(namespace, reference.name.clone()),
            uid: reference.uid.clone(),
        })
    }

    /// Whether the object is known to be there.
    pub(super) fn is_cached(&self, item: &Item) -> bool {
        let resource = self.0.get(item.resource);
        let cached = resource.and_then(|resource| resource.informer.lister().get(&item.key));
        cached.is_some_and(|object| object.uid() == item.uid)
    }

    /// The objects that refer to this owner.
    pub(super) fn dependents(&self, uid: &str) -> Vec<(Item, CachedObject<Metadata>)> {
        let mut dependents = Vec::new();
        for (index, resource) in self.0.iter().enumerate() {
            let found = resource.informer.lister().by_index(BY_OWNER, uid).unwrap_or_default();
            dependents.extend(found.into_iter().map(|object| (item(index, &object), object)));
        }
        dependents
    }

    pub(super) async fn shutdown(&self) {
        join_all(self.0.iter().map(|resource| resource.informer.shutdown())).await;
    }

    /// What a change of an object concerns: itself, its dependents when it is going or gone, and then its owners, for
    /// which it may have been the last dependent.
    fn affected(&self, resource: usize, object: &CachedObject<Metadata>) -> Vec<Item> {
        let this = item(resource, object);
        let owners = match object.decode() {
            Ok(metadata) => metadata.owners().to_vec(),
            Err(_) => Vec::new(),
        };
        let gone = !self.is_cached(&this);
        let mut items = Vec::new();
        if gone || object.is_deleting() {
            items.extend(self.dependents(object.uid()).into_iter().map(|(item, _)| item));
            items.extend(owners.iter().filter_map(|owner| self.owner(owner, object.namespace())));
        }
        if !gone && (object.is_deleting() || !owners.is_empty()) {
            items.push(this);
        }
        items
    }
}

impl Resource {
    fn new(api: ApiResource, client: &Client) -> Result<Self, HookError> {
        let source = MetadataSource {
            api: MetadataApi::new(client.clone(), &api),
            resource: api.gvr.to_string(),
        };
        let informer = SharedInformer::new(Arc::new(source), InformerOptions::default());
        informer.add_object_index(BY_OWNER, |metadata: &Metadata| {
            metadata.owners().iter().map(|owner| owner.uid.clone()).collect()
        })?;
        Ok(Self {
            api,
            client: client.clone(),
            informer,
        })
    }

    fn api(&self, namespace: &str) -> MetadataApi {
        MetadataApi::namespaced(self.client.clone(), &self.api, namespace)
    }
}

fn item(resource: usize, object: &CachedObject<Metadata>) -> Item {
    Item {
        resource,
        key: object.key(),
        uid: object.uid().to_owned(),
    }
}
