//! Ends namespaces: deletes what is in a namespace that is being deleted, then takes off its finalizer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kubewire_client::rest::{Request, Verb};
use kubewire_client::{Clientset, Error};
use kubewire_informers::{CachedObject, EventHandlerFuncs};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::generic::delegation::DelegationTarget;
use crate::generic::discovery::GroupDiscovery;
use crate::generic::hooks::PostStartHook;

/// How soon a namespace is looked at again whose content takes its time, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// `grace` is how long a namespace is left as it is: whoever has not heard yet that it is being deleted may still make
/// objects in it.
pub(super) fn hook(resources: Arc<dyn DelegationTarget>, grace: Duration) -> PostStartHook {
    PostStartHook::new("start-namespace-controller", move |context| {
        let resources = resources.clone();
        async move {
            let (sender, receiver) = mpsc::unbounded_channel();
            let informer = context.informers.informer::<Namespace>();
            let (added, updated) = (sender.clone(), sender);
            informer.add_handler(
                EventHandlerFuncs::new()
                    .on_add(move |namespace, _| send_if_deleted(&added, namespace))
                    .on_update(move |_, namespace| send_if_deleted(&updated, namespace)),
            )?;
            let controller = Controller {
                clientset: context.clientset().clone(),
                resources,
                grace,
            };
            let stop = context.lifecycle.shutdown_initiated.clone();
            context.tasks.spawn(async move {
                tokio::select! {
                    () = Arc::new(controller).run(receiver) => {}
                    () = stop.cancelled() => {}
                }
            });
            informer.start();
            Ok(())
        }
    })
}

fn send_if_deleted(queue: &mpsc::UnboundedSender<String>, namespace: &CachedObject<Namespace>) {
    if namespace.header().deleting {
        // Nobody listens any more while the server stops.
        let _ = queue.send(namespace.key().name.clone());
    }
}

struct Controller {
    clientset: Clientset,
    resources: Arc<dyn DelegationTarget>,
    grace: Duration,
}

impl Controller {
    /// Works on many namespaces at once, on each one at a time. Dropping the future stops all of them.
    async fn run(self: Arc<Self>, mut queue: mpsc::UnboundedReceiver<String>) {
        let (mut under_way, mut tasks) = (HashSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                Some(name) = queue.recv() => {
                    if under_way.insert(name.clone()) {
                        let controller = self.clone();
                        tasks.spawn(async move {
                            controller.finish(&name).await;
                            name
                        });
                    }
                }
                Some(done) = tasks.join_next() => {
                    if let Ok(name) = done {
                        under_way.remove(&name);
                    }
                }
                else => return,
            }
        }
    }

    /// Tries until the namespace is gone.
    async fn finish(&self, name: &str) {
        tokio::time::sleep(self.grace).await;
        let mut delay = RETRY.0;
        loop {
            match self.try_finish(name).await {
                Ok(true) => return,
                Ok(false) => tracing::debug!(namespace = name, "content is still there"),
                Err(error) => tracing::warn!(namespace = name, %error, "end the namespace"),
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(RETRY.1);
        }
    }

    /// True once there is nothing left to do.
    async fn try_finish(&self, name: &str) -> Result<bool, Error> {
        let api = self.clientset.core_v1().namespaces();
        let mut namespace = match api.get(name).await {
            Err(error) if error.is_not_found() => return Ok(true),
            namespace => namespace?,
        };
        if namespace.metadata.deletion_timestamp.is_none() {
            return Ok(true);
        }
        if self.delete_content(name).await? {
            return Ok(false);
        }
        let finalizers = namespace
            .spec
            .get_or_insert_default()
            .finalizers
            .get_or_insert_default();
        finalizers.retain(|finalizer| finalizer != "kubernetes");
        self.finalize(&namespace, name).await?;
        Ok(true)
    }

    /// Deletes every object in the namespace; whether any is still there.
    async fn delete_content(&self, namespace: &str) -> Result<bool, Error> {
        let mut left = false;
        for path in collections(&self.resources.groups(), namespace) {
            let request = |verb| Request::new(verb, path.clone(), path.clone());
            if self.is_empty(request(Verb::List)).await? {
                continue;
            }
            self.clientset
                .client()
                .send(request(Verb::DeleteCollection))
                .await?
                .bytes()
                .await?;
            left |= !self.is_empty(request(Verb::List)).await?;
        }
        Ok(left)
    }

    async fn is_empty(&self, list: Request) -> Result<bool, Error> {
        let list = self
            .clientset
            .client()
            .send(list.param("limit", "1").json_only())
            .await?
            .bytes()
            .await?;
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap_or_default();
        Ok(list["items"].as_array().is_none_or(Vec::is_empty))
    }

    async fn finalize(&self, namespace: &Namespace, name: &str) -> Result<(), Error> {
        let path = format!("/api/v1/namespaces/{name}/finalize");
        let body = serde_json::to_vec(namespace).unwrap_or_default();
        let request = Request::new(Verb::Update, path, format!("finalizers of namespace {name:?}"))
            .body("application/json", body)
            .json_only();
        match self.clientset.client().send(request).await {
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            response => response?.bytes().await.map(drop),
        }
    }
}

/// The paths of what can be listed and deleted in a namespace, in the preferred version of each group.
fn collections(groups: &[GroupDiscovery], namespace: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for group in groups {
        let mut seen = HashSet::new();
        for version in &group.versions {
            let root = match group.name.as_str() {
                "" => format!("/api/{}", version.version),
                name => format!("/apis/{name}/{}", version.version),
            };
            for resource in &version.resources {
                let has = |verb: &str| resource.verbs.iter().any(|v| v == verb);
                let fits =
                    resource.namespaced && !resource.name.contains('/') && has("list") && has("deletecollection");
                if fits && seen.insert(&resource.name) {
                    paths.push(format!("{root}/namespaces/{namespace}/{}", resource.name));
                }
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http_body_util::Full;
    use kubewire_client::{Client, transport};
    use tokio::time::Instant;

    use super::*;
    use crate::generic::delegation::NotFound;

    /// A server without namespaces, which tells when it is asked.
    #[derive(Clone)]
    struct Empty(mpsc::UnboundedSender<Instant>);

    impl tower_service::Service<http::Request<Bytes>> for Empty {
        type Response = http::Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Bytes>) -> Self::Future {
            self.0.send(Instant::now()).unwrap();
            let mut gone = http::Response::new(Full::default());
            *gone.status_mut() = http::StatusCode::NOT_FOUND;
            ready(Ok(gone))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_is_left_as_it_is_for_a_while() {
        let (asked, mut times) = mpsc::unbounded_channel();
        let client = Client::with_transport(transport::from_service(Empty(asked)));
        let grace = Duration::from_secs(5);
        let controller = Controller {
            clientset: Clientset::from_client(client),
            resources: Arc::new(NotFound),
            grace,
        };
        let (queue, names) = mpsc::unbounded_channel();
        let start = Instant::now();
        queue.send("shop".to_owned()).unwrap();
        drop(queue);
        Arc::new(controller).run(names).await;
        assert_eq!(times.recv().await.unwrap() - start, grace);
    }
}
