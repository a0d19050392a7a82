//! The old form: a list of groups, and one document for each group version.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde::Deserialize;

use super::catalog::{ApiGroup, ApiVersion, DiscoveredResource, Subresource};
use super::read_json;
use crate::dynamic::ApiResource;
use crate::error::Error;
use crate::resource::{Gvk, Gvr};
use crate::rest::{Client, Request, Verb};
use crate::wire::WireError;

/// Group versions that are asked for at a time.
const PARALLEL: usize = 8;

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    versions: Vec<String>,
}

/// The core group, from the `APIVersions` at `/api`.
pub(super) async fn core(client: &Client, text: &[u8]) -> Result<Vec<ApiGroup>, Error> {
    let versions: Versions = read(text)?;
    Ok(vec![group(client, "", versions.versions).await?])
}

/// The other groups, from the `APIGroupList` at `/apis`.
pub(super) async fn groups(client: &Client, text: &[u8]) -> Result<Vec<ApiGroup>, Error> {
    let list: meta::APIGroupList = read(text)?;
    let groups = list.groups.into_iter().map(|found| async move {
        let preferred = found.preferred_version.map(|preferred| preferred.version);
        let others = found.versions.into_iter().map(|version| version.version);
        let mut versions: Vec<String> = preferred.iter().cloned().collect();
        versions.extend(others.filter(|version| Some(version) != preferred.as_ref()));
        group(client, &found.name, versions).await
    });
    stream::iter(groups).buffered(PARALLEL).try_collect().await
}

async fn group(client: &Client, name: &str, versions: Vec<String>) -> Result<ApiGroup, Error> {
    let mut group = ApiGroup {
        name: name.to_owned(),
        versions: Vec::new(),
    };
    for version in versions {
        // One group whose server is down must not hide the others.
        let (fresh, resources) = match resources(client, name, &version).await {
            Ok(resources) => (true, resources),
            Err(error) if error.is_not_found() || error.code().is_some_and(|code| code >= 500) => {
                tracing::warn!(group = name, %version, %error, "discovery is incomplete");
                (false, Vec::new())
            }
            Err(error) => return Err(error),
        };
        group.versions.push(ApiVersion {
            version,
            fresh,
            resources,
        });
    }
    Ok(group)
}

async fn resources(client: &Client, group: &str, version: &str) -> Result<Vec<DiscoveredResource>, Error> {
    let path = match group {
        "" => format!("/api/{version}"),
        _ => format!("/apis/{group}/{version}"),
    };
    let about = format!("the resources at {path}");
    let request = Request::new(Verb::Get, path, about).json_only();
    let list: meta::APIResourceList = read_json(client, request).await?;
    let mut found: Vec<DiscoveredResource> = Vec::new();
    // A subresource stands anywhere in the list; its resource may come later.
    let (subresources, resources): (Vec<_>, Vec<_>) = list.resources.into_iter().partition(|r| r.name.contains('/'));
    for resource in resources {
        let prefix = format!("{}/", resource.name);
        let of_resource = subresources.iter().filter_map(|sub| {
            let own = |text: &Option<String>, inherited: &str| text.clone().unwrap_or_else(|| inherited.to_owned());
            Some(Subresource {
                name: sub.name.strip_prefix(&prefix)?.to_owned(),
                kind: Gvk {
                    group: own(&sub.group, group).into(),
                    version: own(&sub.version, version).into(),
                    kind: sub.kind.clone().into(),
                },
                verbs: sub.verbs.clone(),
            })
        });
        let subresources = of_resource.collect();
        let gvr = Gvr {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            resource: resource.name.into(),
        };
        found.push(DiscoveredResource {
            resource: ApiResource::new(gvr, resource.kind, resource.namespaced),
            singular: resource.singular_name,
            short_names: resource.short_names.unwrap_or_default(),
            categories: resource.categories.unwrap_or_default(),
            verbs: resource.verbs,
            subresources,
        });
    }
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::wire("read the list of API groups", WireError::Json(error)))
}
