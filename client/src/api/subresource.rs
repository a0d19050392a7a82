//! Parts and actions of an object at a path of their own: scale, eviction, binding, tokens, approval.

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{Binding, Pod, ServiceAccount};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde::{Serialize, de::DeserializeOwned};

use super::{Api, Outgoing, Patch, PatchOptions, WriteOptions, in_envelope};
use crate::error::Error;
use crate::object::Object;
use crate::rest::Verb;
use crate::wire::{self, Encoding, Envelope, Message, WireError};

/// A built-in kind that a subresource takes or gives.
pub trait SubresourceBody: k8s_openapi::Resource + Message + Serialize + DeserializeOwned + Sync {}

impl<T: k8s_openapi::Resource + Message + Serialize + DeserializeOwned + Sync> SubresourceBody for T {}

/// Any subresource, by name. The common ones have methods of their own.
impl<K: Object> Api<K> {
    /// Reads a subresource of an object.
    pub async fn get_subresource<S: SubresourceBody>(&self, name: &str, subresource: &str) -> Result<S, Error> {
        let answer = self.endpoint.get(name, Some(subresource)).await?;
        self.decode_as(Verb::Get, &answer)
    }

    /// Sends a body to a subresource by `POST`: an action on the object. What comes back depends on the action.
    pub async fn create_subresource<S: SubresourceBody, R: SubresourceBody>(
        &self,
        name: &str,
        subresource: &str,
        body: &S,
        options: &WriteOptions,
    ) -> Result<R, Error> {
        let encode = |encoding| encode(body, encoding);
        let answer = self.endpoint.create_subresource(name, subresource, &encode, options);
        self.decode_as(Verb::Create, &answer.await?)
    }

    /// Replaces a subresource of an object.
    pub async fn update_subresource<S: SubresourceBody>(
        &self,
        name: &str,
        subresource: &str,
        body: &S,
        options: &WriteOptions,
    ) -> Result<S, Error> {
        let outgoing = Outgoing {
            name: Some(name),
            generate_name: None,
            namespace: None,
            encode: &|encoding| encode(body, encoding),
        };
        let answer = self.endpoint.update(&outgoing, Some(subresource), options).await?;
        self.decode_as(Verb::Update, &answer)
    }

    /// Changes parts of a subresource of an object.
    pub async fn patch_subresource<S: SubresourceBody>(
        &self,
        name: &str,
        subresource: &str,
        patch: &Patch,
        options: &PatchOptions,
    ) -> Result<S, Error> {
        let answer = self.endpoint.patch(name, Some(subresource), patch, options).await?;
        self.decode_as(Verb::Patch, &answer)
    }

    /// Reads how many replicas an object has and is to have.
    pub async fn get_scale(&self, name: &str) -> Result<Scale, Error> {
        self.get_subresource(name, "scale").await
    }

    /// Sets how many replicas an object is to have.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = kubewire_server_stub::testing::Server::start(Default::default()).await?;
    /// # let clientset = server.clientset();
    /// # let deployment = serde_json::json!({
    /// #     "metadata": {"name": "web"},
    /// #     "spec": {
    /// #         "selector": {"matchLabels": {"app": "web"}},
    /// #         "template": {
    /// #             "metadata": {"labels": {"app": "web"}},
    /// #             "spec": {"containers": [{"name": "web", "image": "nginx"}]},
    /// #         },
    /// #     },
    /// # });
    /// # clientset.apps_v1().deployments("default").create(&serde_json::from_value(deployment)?, &Default::default()).await?;
    /// let deployments = clientset.apps_v1().deployments("default");
    /// let mut scale = deployments.get_scale("web").await?;
    /// scale.spec.get_or_insert_default().replicas = Some(3);
    /// deployments.update_scale("web", &scale, &Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update_scale(&self, name: &str, scale: &Scale, options: &WriteOptions) -> Result<Scale, Error> {
        self.update_subresource(name, "scale", scale, options).await
    }

    /// Changes how many replicas an object is to have.
    pub async fn patch_scale(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<Scale, Error> {
        self.patch_subresource(name, "scale", patch, options).await
    }

    fn decode_as<S: SubresourceBody>(&self, verb: Verb, answer: &Envelope) -> Result<S, Error> {
        wire::decode(&answer.object).map_err(|error| self.endpoint.wire_error(verb, error))
    }
}

/// What can be asked of pods only.
impl Api<Pod> {
    /// Asks for a pod's deletion where no disruption budget forbids it: 429 says that one does, and that it is worth
    /// trying again.
    pub async fn evict(&self, name: &str, eviction: &Eviction, options: &WriteOptions) -> Result<Status, Error> {
        self.create_subresource(name, "eviction", eviction, options).await
    }

    /// Assigns a pod to the node that `binding.target` names, as a scheduler does.
    pub async fn bind(&self, name: &str, binding: &Binding, options: &WriteOptions) -> Result<Status, Error> {
        self.create_subresource(name, "binding", binding, options).await
    }

    /// Adds ephemeral containers to a running pod (KEP-277).
    pub async fn update_ephemeral_containers(&self, pod: &Pod, options: &WriteOptions) -> Result<Pod, Error> {
        self.replace(pod, Some("ephemeralcontainers"), options).await
    }

    /// Changes the resources of a running pod's containers (KEP-1287).
    pub async fn update_resize(&self, pod: &Pod, options: &WriteOptions) -> Result<Pod, Error> {
        self.replace(pod, Some("resize"), options).await
    }
}

/// What can be asked of service accounts only.
impl Api<ServiceAccount> {
    /// Makes a token of a service account, for the audiences and the time that `request` names.
    pub async fn create_token(
        &self,
        name: &str,
        request: &TokenRequest,
        options: &WriteOptions,
    ) -> Result<TokenRequest, Error> {
        self.create_subresource(name, "token", request, options).await
    }
}

/// What can be asked of certificate signing requests only.
impl Api<CertificateSigningRequest> {
    /// Stores the conditions `Approved` and `Denied`.
    pub async fn update_approval(
        &self,
        request: &CertificateSigningRequest,
        options: &WriteOptions,
    ) -> Result<CertificateSigningRequest, Error> {
        self.replace(request, Some("approval"), options).await
    }
}

fn encode<S: SubresourceBody>(body: &S, encoding: Encoding) -> Result<bytes::Bytes, WireError> {
    Ok(in_envelope(S::API_VERSION, S::KIND, wire::encode(body, encoding)?))
}
