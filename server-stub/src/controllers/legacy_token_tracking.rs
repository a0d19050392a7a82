//! Since when the use of legacy tokens of service accounts is tracked (KEP-2799): a ConfigMap that controllers elsewhere
//! read before they clean up.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Clientset, Error, WriteOptions};

use crate::generic::clock::Clock;
use crate::generic::hooks::PostStartHook;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-apiserver-legacy-service-account-token-tracking";
/// The day since when, as `2026-01-02`.
const SINCE: &str = "since";

/// How often the ConfigMap is looked after.
const PERIOD: Duration = Duration::from_secs(60);

pub(super) fn hook() -> PostStartHook {
    PostStartHook::new("start-legacy-token-tracking-controller", |context| async move {
        let (clientset, clock) = (context.clientset().clone(), context.clock.clone());
        let stop = context.lifecycle.shutdown_initiated.clone();
        super::system_namespaces::ensure(&clientset, NAMESPACE).await?;
        ensure(&clientset, &clock).await?;
        context.tasks.spawn(async move {
            while tokio::time::timeout(PERIOD, stop.cancelled()).await.is_err() {
                if let Err(error) = ensure(&clientset, &clock).await {
                    tracing::warn!(%error, "{NAMESPACE}/{NAME}");
                }
            }
        });
        Ok(())
    })
}

/// Creates the ConfigMap where it is missing, and sets the day where there is none.
async fn ensure(clientset: &Clientset, clock: &Clock) -> Result<(), Error> {
    let maps = clientset.core_v1().config_maps(NAMESPACE);
    let today = clock.now().strftime("%Y-%m-%d").to_string();
    let written = match maps.get(NAME).await {
        Err(error) if error.is_not_found() => {
            let map = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    namespace: Some(NAMESPACE.to_owned()),
                    ..ObjectMeta::default()
                },
                data: Some([(SINCE.to_owned(), today)].into()),
                ..ConfigMap::default()
            };
            maps.create(&map, &WriteOptions::default()).await
        }
        Err(error) => return Err(error),
        Ok(map) if has_day(&map) => return Ok(()),
        Ok(mut map) => {
            map.data.get_or_insert_default().insert(SINCE.to_owned(), today);
            maps.update(&map, &WriteOptions::default()).await
        }
    };
    match written {
        // Another server was faster.
        Err(error) if !error.is_already_exists() && !error.is_conflict() => Err(error),
        _ => Ok(()),
    }
}

fn has_day(map: &ConfigMap) -> bool {
    let since = map.data.as_ref().and_then(|data| data.get(SINCE));
    since.is_some_and(|since| since.parse::<jiff::civil::Date>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Options, Server};

    #[tokio::test]
    async fn the_day_of_the_first_start_stays() {
        let server = Server::start(Options::default()).await.unwrap();
        let clientset = server.clientset();
        let maps = clientset.core_v1().config_maps(NAMESPACE);
        let mut map = maps.get(NAME).await.unwrap();
        assert!(has_day(&map), "{map:?}");
        let day = |map: &ConfigMap| map.data.as_ref().unwrap()[SINCE].clone();
        let later = Clock::fixed("2100-01-02T03:04:05Z".parse().unwrap());
        ensure(&clientset, &later).await.unwrap();
        assert_eq!(day(&maps.get(NAME).await.unwrap()), day(&map));
        map.data = None;
        maps.update(&map, &WriteOptions::default()).await.unwrap();
        ensure(&clientset, &later).await.unwrap();
        assert_eq!(day(&maps.get(NAME).await.unwrap()), "2100-01-02");
        server.shutdown().await.unwrap();
    }
}
