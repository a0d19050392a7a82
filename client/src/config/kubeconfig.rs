//! The kubeconfig file: its shape, and the text of one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ConfigError, Secret};

/// A kubeconfig file's content: clusters, users, and contexts that pair them.
///
/// Empty strings and nulls count as absent, as in client-go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Kubeconfig {
    /// Always `v1`.
    #[serde(rename = "apiVersion", default = "v1")]
    pub api_version: String,
    /// Always `Config`.
    #[serde(default = "config_kind")]
    pub kind: String,
    /// Where API servers are.
    #[serde(default, deserialize_with = "null_is_default")]
    pub clusters: Vec<NamedCluster>,
    /// How to be let in.
    #[serde(default, deserialize_with = "null_is_default")]
    pub users: Vec<NamedAuthInfo>,
    /// Pairs of cluster and user.
    #[serde(default, deserialize_with = "null_is_default")]
    pub contexts: Vec<NamedContext>,
    /// The context used where none is asked for.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
    /// Data of other tools, kept as it is.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<NamedExtension>,
}

/// A cluster and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedCluster {
    /// Name that contexts refer to.
    pub name: String,
    /// The cluster.
    #[serde(default, deserialize_with = "null_is_default")]
    pub cluster: Cluster,
}

/// A user and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedAuthInfo {
    /// Name that contexts refer to.
    pub name: String,
    /// The user.
    #[serde(default, deserialize_with = "null_is_default")]
    pub user: AuthInfo,
}

/// A context and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedContext {
    /// Name to ask for.
    pub name: String,
    /// The context.
    #[serde(default, deserialize_with = "null_is_default")]
    pub context: Context,
}

/// Data of another tool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedExtension {
    /// Name of the tool or of the format.
    pub name: String,
    /// Whatever the tool wants.
    #[serde(default)]
    pub extension: serde_json::Value,
}

/// Where an API server is and how to recognise it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Cluster {
    /// Base URL.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Name expected in the server's certificate instead of the URL's host.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// Accepts any server certificate.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub insecure_skip_tls_verify: bool,
    /// PEM file of certificate authorities.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<PathBuf>,
    /// Base64 of the PEM text of certificate authorities; instead of the file.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub certificate_authority_data: Option<String>,
    /// Proxy; may hold a password.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<Secret>,
    /// Asks for no compressed answers; this client never takes any.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub disable_compression: bool,
    /// Data of other tools, kept as it is.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<NamedExtension>,
}

/// How to be let in; client-go's name for a user entry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct AuthInfo {
    /// PEM file of the client certificate.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// Base64 of the PEM text of the client certificate; instead of the file.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub client_certificate_data: Option<String>,
    /// PEM file of the client key.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// Base64 of the PEM text of the client key; instead of the file.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub client_key_data: Option<Secret>,
    /// Bearer token.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// File of a bearer token; goes before `token` once it could be read.
    #[serde(
        rename = "tokenFile",
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub token_file: Option<PathBuf>,
    /// User to act as.
    #[serde(rename = "as", deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
    /// User id to act as.
    #[serde(
        rename = "as-uid",
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub impersonate_uid: Option<String>,
    /// Groups to act as.
    #[serde(
        rename = "as-groups",
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub impersonate_groups: Vec<String>,
    /// Further facts about the user to act as.
    #[serde(
        rename = "as-user-extra",
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub impersonate_user_extra: BTreeMap<String, Vec<String>>,
    /// Name for basic authentication.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password for basic authentication.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Program that prints credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecConfig>,
    /// Built-in credential plugin of old clients; of these only `oidc` is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_provider: Option<AuthProvider>,
    /// Data of other tools, kept as it is.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<NamedExtension>,
    /// Where the entry was read, and where new tokens of its auth provider go.
    #[serde(skip)]
    pub(super) origin: Option<Origin>,
}

/// The file that a user entry was read from, and the entry's name.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) file: PathBuf,
    pub(super) user: String,
}

impl AuthInfo {
    /// A user known by a bearer token.
    pub fn with_token(token: impl Into<Secret>) -> Self {
        Self {
            token: Some(token.into()),
            ..Self::default()
        }
    }

    /// A user known by a client certificate; both are PEM text.
    pub fn with_client_certificate(certificate: &str, key: &Secret) -> Self {
        Self {
            client_certificate_data: Some(STANDARD.encode(certificate)),
            client_key_data: Some(Secret::new(STANDARD.encode(key.expose()))),
            ..Self::default()
        }
    }
}

/// A pair of cluster and user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Context {
    /// The cluster's name.
    #[serde(deserialize_with = "null_is_default")]
    pub cluster: String,
    /// The user's name; empty for anonymous access.
    #[serde(deserialize_with = "null_is_default")]
    pub user: String,
    /// Namespace where the program names none.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Data of other tools, kept as it is.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<NamedExtension>,
}

/// A program that prints credentials (KEP-541). Arguments and environment count as secret: some hold passwords.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ExecConfig {
    /// `client.authentication.k8s.io/v1` or `/v1beta1`.
    #[serde(deserialize_with = "null_is_default")]
    pub api_version: String,
    /// The program: a path, or a name to look up in `PATH`.
    #[serde(deserialize_with = "null_is_default")]
    pub command: String,
    /// Its arguments.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Secret>,
    /// Environment variables besides our own.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<ExecEnv>,
    /// What to tell the user where the program is not installed.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub install_hint: Option<String>,
    /// Whether the program is told about the cluster.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub provide_cluster_info: bool,
    /// `Never`, `IfAvailable` or `Always`: whether the program may read standard input.
    #[serde(deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub interactive_mode: Option<String>,
    /// Why the program cannot have our standard input although that is a terminal: somebody else reads from it. Not
    /// part of the file.
    #[serde(skip)]
    pub stdin_unavailable: Option<String>,
}

/// An environment variable of an [`ExecConfig`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecEnv {
    /// Name.
    pub name: String,
    /// Value.
    #[serde(default, deserialize_with = "null_is_default")]
    pub value: Secret,
}

/// Built-in credential plugin of old clients, such as `oidc`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthProvider {
    /// Name of the plugin.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Its settings and tokens.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Secret>,
}

impl Default for Kubeconfig {
    fn default() -> Self {
        Self {
            api_version: v1(),
            kind: config_kind(),
            clusters: Vec::new(),
            users: Vec::new(),
            contexts: Vec::new(),
            current_context: None,
            extensions: Vec::new(),
        }
    }
}

impl Kubeconfig {
    /// A kubeconfig of one cluster, one user and one context, all called `name`; `ca` is PEM text.
    ///
    /// ```
    /// use kubewire_client::config::{AuthInfo, Kubeconfig};
    ///
    /// let kubeconfig = Kubeconfig::for_cluster("dev", "https://127.0.0.1:6443", None, AuthInfo::with_token("t0ken"));
    /// assert!(kubeconfig.to_yaml()?.contains("current-context: dev"));
    /// # Ok::<(), kubewire_client::config::ConfigError>(())
    /// ```
    pub fn for_cluster(name: &str, server: &str, ca: Option<&str>, user: AuthInfo) -> Self {
        let cluster = Cluster {
            server: Some(server.to_owned()),
            certificate_authority_data: ca.map(|pem| STANDARD.encode(pem)),
            ..Cluster::default()
        };
        let context = Context {
            cluster: name.to_owned(),
            user: name.to_owned(),
            ..Context::default()
        };
        let name = name.to_owned();
        Self {
            clusters: vec![NamedCluster {
                name: name.clone(),
                cluster,
            }],
            users: vec![NamedAuthInfo {
                name: name.clone(),
                user,
            }],
            contexts: vec![NamedContext {
                name: name.clone(),
                context,
            }],
            current_context: Some(name),
            ..Self::default()
        }
    }

    /// Reads YAML or JSON. Relative paths in it stay relative.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text, "kubeconfig")
    }

    pub(super) fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        let parsed = parsed.map_err(|error| ConfigError::Parse {
            origin: origin.to_owned(),
            line: error.location().map_or(0, |location| location.line()),
            column: error.location().map_or(0, |location| location.column()),
        })?;
        let kubeconfig = parsed.unwrap_or_default();
        kubeconfig.check(origin)?;
        Ok(kubeconfig)
    }

    /// What no YAML parser can see.
    fn check(&self, origin: &str) -> Result<(), ConfigError> {
        if (self.api_version.as_str(), self.kind.as_str()) != ("v1", "Config") {
            let reason = format!("{:?} of version {:?} is no kubeconfig", self.kind, self.api_version);
            return Err(ConfigError::invalid("kind", Some(origin), reason));
        }
        let clusters = self.clusters.iter().map(|entry| entry.name.as_str()).collect();
        let users = self.users.iter().map(|entry| entry.name.as_str()).collect();
        let contexts = self.contexts.iter().map(|entry| entry.name.as_str()).collect();
        let lists: [(_, Vec<&str>); 3] = [("clusters", clusters), ("users", users), ("contexts", contexts)];
        for (field, mut names) in lists {
            names.sort_unstable();
            if let Some([name, ..]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
                return Err(ConfigError::invalid(
                    field,
                    Some(origin),
                    format!("{name:?} is there twice"),
                ));
            }
        }
        Ok(())
    }

    /// The YAML text, secrets included.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        // One line a value: tools that read no whole YAML know nothing of folded text.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        serde_saphyr::to_string_with_options(self, options).map_err(|error| ConfigError::Serialize(error.to_string()))
    }
}

fn v1() -> String {
    "v1".to_owned()
}

fn config_kind() -> String {
    "Config".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// `None` for null and for empty text.
fn some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default + PartialEq,
{
    Ok(Option::deserialize(deserializer)?.filter(|value| *value != T::default()))
}
