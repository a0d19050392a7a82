//! Which resource holds the objects of a kind, as the server's own discovery says.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kubewire_client::discovery::{Discovery, MapperError, RestMapper};
use kubewire_client::dynamic::ApiResource;
use kubewire_client::{Client, Gvk};

use crate::generic::hooks::PostStartHook;

/// How long the mapper trusts what it knows: what is gone meanwhile is forgotten.
const RESET_INTERVAL: Duration = Duration::from_secs(30);

/// Asks the server itself, once it answers.
#[derive(Default)]
pub(crate) struct DiscoveryRestMapper(OnceLock<RestMapper>);

impl DiscoveryRestMapper {
    /// The hook that makes the mapper, and resets it every 30 s.
    pub(crate) fn hook(self: Arc<Self>) -> PostStartHook {
        PostStartHook::new("start-kube-apiserver-admission-initializer", move |context| {
            let own = self.clone();
            async move {
                own.follow(context.clientset().client().clone());
                let stop = context.lifecycle.shutdown_initiated.clone();
                context.tasks.spawn(async move {
                    while tokio::time::timeout(RESET_INTERVAL, stop.cancelled()).await.is_err() {
                        if let Some(mapper) = own.0.get() {
                            mapper.reset().await;
                        }
                    }
                });
                Ok(())
            }
        })
    }

    fn follow(&self, client: Client) {
        let _ = self.0.set(RestMapper::new(Discovery::new(client)));
    }

    /// The resource of a kind.
    ///
    /// # Errors
    /// The reason why it cannot be told, in the words of kube-apiserver where there is none.
    pub(crate) async fn resource_for_kind(&self, api_version: &str, kind: &str) -> Result<ApiResource, String> {
        let Some(mapper) = self.0.get() else {
            return Err("the server has not started".to_owned());
        };
        let found = mapper
            .resource_for_kind(&Gvk::from_api_version(api_version, kind))
            .await;
        found.map_err(|error| match error {
            MapperError::NoKind(_) => format!("no matches for kind {kind:?} in version {api_version:?}"),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::Config;
    use crate::generic::delegation::{DelegationTarget, Handler, NotFound};
    use crate::generic::discovery::GroupDiscovery;
    use crate::generic::lifecycle::LifecycleSignals;
    use crate::generic::request::{Request, RequestInfo, Response};
    use crate::generic::respond;
    use crate::generic::server::GenericApiServer;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Serves pods, and counts who asks what there is.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    #[async_trait::async_trait]
    impl Handler for Counted {
        async fn handle(&self, request: Request) -> Response {
            let answer = match RequestInfo::of(&request).path.as_str() {
                "/api" => {
                    self.0.fetch_add(1, Ordering::Relaxed);
                    json!({"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]})
                }
                "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}),
                "/api/v1" => json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [
                    {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get"]},
                ]}),
                _ => return NotFound.handle(request).await,
            };
            respond::document(&request, answer)
        }
    }

    impl DelegationTarget for Counted {
        fn groups(&self) -> Vec<GroupDiscovery> {
            Vec::new()
        }

        fn listed_paths(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_forgotten_after_half_a_minute() {
        let counted = Arc::new(Counted::default());
        let server = GenericApiServer::new("server", "", counted.clone());
        let lifecycle = LifecycleSignals::default();
        let prepared = server.prepare_run(Config::default(), lifecycle.clone()).unwrap();
        let mapper = Arc::new(DiscoveryRestMapper::default());
        assert!(mapper.resource_for_kind("v1", "Pod").await.is_err());
        let context = prepared.hook_context();
        mapper.clone().hook().run(context.clone()).await.unwrap();
        let asked = async || {
            let pods = mapper.resource_for_kind("v1", "Pod").await.unwrap();
            assert_eq!((&*pods.gvr.resource, pods.namespaced), ("pods", true));
            counted.0.load(Ordering::Relaxed)
        };
        assert_eq!((asked().await, asked().await), (1, 1));
        tokio::time::sleep(RESET_INTERVAL + Duration::from_secs(1)).await;
        assert_eq!((asked().await, asked().await), (2, 2));
        assert_eq!(
            mapper.resource_for_kind("v7", "Pod").await.unwrap_err(),
            "no matches for kind \"Pod\" in version \"v7\""
        );
        lifecycle.shutdown_initiated.cancel();
        context.tasks.close();
        context.tasks.wait().await;
    }
}
