//! Tells extension API servers whom this server lets in: the config map that they read when they start.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kubewire_client::{Api, Error, WriteOptions};

use super::system_namespaces;
use crate::authentication::RequestHeaderConfig;
use crate::generic::hooks::PostStartHook;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// What extension API servers have to know.
#[derive(Clone)]
pub struct ClusterAuthentication {
    /// The authorities (PEM) of client certificates.
    pub client_ca_pem: String,
    /// How this server says who the user is.
    pub request_header: Arc<RequestHeaderConfig>,
}

pub(super) fn hook(authentication: ClusterAuthentication) -> PostStartHook {
    PostStartHook::new("start-cluster-authentication-info-controller", move |context| {
        let data = data(&authentication);
        async move {
            system_namespaces::ensure(context.clientset(), NAMESPACE).await?;
            publish(&context.clientset().core_v1().config_maps(NAMESPACE), data).await?;
            Ok(())
        }
    })
}

/// Writes what is missing and replaces what has changed; other keys stay.
async fn publish(api: &Api<ConfigMap>, data: BTreeMap<String, String>) -> Result<(), Error> {
    let options = WriteOptions::default();
    loop {
        let desired = ConfigMap {
            metadata: ObjectMeta {
                name: Some(NAME.to_owned()),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data.clone()),
            ..ConfigMap::default()
        };
        match api.create(&desired, &options).await {
            Err(error) if error.is_already_exists() => {}
            result => return result.map(drop),
        }
        let mut known = match api.get(NAME).await {
            Err(error) if error.is_not_found() => continue,
            known => known?,
        };
        known.data.get_or_insert_default().extend(data.clone());
        match api.update(&known, &options).await {
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            result => return result.map(drop),
        }
    }
}

fn data(authentication: &ClusterAuthentication) -> BTreeMap<String, String> {
    let header = &authentication.request_header;
    let list = |names: &[String]| serde_json::Value::from(names).to_string();
    let rows = [
        ("client-ca-file", authentication.client_ca_pem.clone()),
        ("requestheader-client-ca-file", header.client_ca_pem.clone()),
        ("requestheader-allowed-names", list(&header.allowed_names)),
        ("requestheader-username-headers", list(&header.username_headers)),
        ("requestheader-uid-headers", list(&header.uid_headers)),
        ("requestheader-group-headers", list(&header.group_headers)),
        (
            "requestheader-extra-headers-prefix",
            list(&header.extra_headers_prefixes),
        ),
    ];
    let said = rows
        .into_iter()
        .filter(|(key, value)| *key != "requestheader-uid-headers" || value != "[]");
    said.map(|(key, value)| (key.to_owned(), value)).collect()
}
