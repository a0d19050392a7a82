//! From a kubeconfig and a context to a [`Config`].

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::environment::read_text;
use super::exec::ExecCredentials;
use super::kubeconfig::{AuthInfo, Cluster, Context};
use super::{
    ClientCertificate, Config, ConfigError, Credentials, Impersonate, Kubeconfig, OidcCredentials, PemSource, Secret,
};

/// What to take from a kubeconfig instead of what its `current-context` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KubeconfigOptions {
    /// Context to use. Default: `current-context`.
    pub context: Option<String>,
    /// Cluster to use. Default: the context's.
    pub cluster: Option<String>,
    /// User to act as. Default: the context's.
    pub user: Option<String>,
}

impl KubeconfigOptions {
    /// Context to use.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Cluster to use.
    #[must_use]
    pub fn with_cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = Some(cluster.into());
        self
    }

    /// User to act as.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }
}

pub(super) fn config(kubeconfig: &Kubeconfig, options: &KubeconfigOptions) -> Result<Config, ConfigError> {
    let (context, context_name) = context(kubeconfig, options)?;
    let referrer = context_name.map(|name| format!("context {name:?}"));

    let cluster_name = options.cluster.as_deref().unwrap_or(&context.cluster);
    let cluster = find(&kubeconfig.clusters, |entry| entry.name == cluster_name)
        .map(|entry| &entry.cluster)
        .ok_or_else(|| missing("cluster", cluster_name, options.cluster.is_none(), &referrer))?;
    let mut config = for_cluster(cluster, &format!("cluster {cluster_name:?}"))?;

    if let Some(namespace) = &context.namespace {
        config.namespace.clone_from(namespace);
    }
    let user_name = options.user.as_deref().unwrap_or(&context.user);
    if !user_name.is_empty() {
        let user = find(&kubeconfig.users, |entry| entry.name == user_name)
            .map(|entry| &entry.user)
            .ok_or_else(|| missing("user", user_name, options.user.is_none(), &referrer))?;
        add_user(&mut config, user, cluster, &format!("user {user_name:?}"))?;
    }
    Ok(config)
}

/// The context asked for; a caller who names the cluster needs none.
fn context<'a>(
    kubeconfig: &'a Kubeconfig,
    options: &'a KubeconfigOptions,
) -> Result<(Context, Option<&'a str>), ConfigError> {
    let Some(name) = options.context.as_deref().or(kubeconfig.current_context.as_deref()) else {
        return match options.cluster {
            Some(_) => Ok((Context::default(), None)),
            None => Err(ConfigError::NoCurrentContext),
        };
    };
    let found = find(&kubeconfig.contexts, |entry| entry.name == name).ok_or_else(|| {
        missing(
            "context",
            name,
            options.context.is_none(),
            &Some("current-context".to_owned()),
        )
    })?;
    Ok((found.context.clone(), Some(name)))
}

fn find<T>(entries: &[T], is_it: impl Fn(&T) -> bool) -> Option<&T> {
    entries.iter().find(|entry| is_it(entry))
}

fn missing(kind: &'static str, name: &str, referred: bool, referrer: &Option<String>) -> ConfigError {
    ConfigError::Missing {
        kind,
        name: name.to_owned(),
        referrer: referrer.clone().filter(|_| referred),
    }
}

fn for_cluster(cluster: &Cluster, of: &str) -> Result<Config, ConfigError> {
    let server = cluster
        .server
        .as_deref()
        .ok_or_else(|| ConfigError::invalid("server", Some(of), "is not set"))?;
    let mut config = Config::new(server);
    config.tls.ca = pem(
        "certificate-authority-data",
        of,
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
    )?;
    config.tls.insecure_skip_verify = cluster.insecure_skip_tls_verify;
    config.tls.server_name.clone_from(&cluster.tls_server_name);
    config.proxy.clone_from(&cluster.proxy_url);
    Ok(config)
}

/// Like client-go, adds nothing to a plain http connection: anybody on the way could read it.
fn add_user(config: &mut Config, user: &AuthInfo, cluster: &Cluster, of: &str) -> Result<(), ConfigError> {
    if config.base_url()?.scheme_str() != Some("https") {
        tracing::warn!(server = %config.server, user = %of, "credentials are not sent over plain http");
        return Ok(());
    }
    let certificate = pem(
        "client-certificate-data",
        of,
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
    )?;
    if let Some(certificate) = certificate {
        let data = user.client_key_data.as_ref().map(Secret::expose);
        let key = pem("client-key-data", of, data, user.client_key.as_deref())?
            .ok_or_else(|| ConfigError::invalid("client-key", Some(of), "a client certificate needs its key"))?;
        config.tls.identity = Some(ClientCertificate { certificate, key });
    }
    config.credentials = credentials(user, cluster, of)?;
    config.impersonate = impersonate(user, of)?;
    Ok(())
}

fn credentials(user: &AuthInfo, cluster: &Cluster, of: &str) -> Result<Credentials, ConfigError> {
    if let (Some(path), None) = (&user.token_file, &user.token) {
        read_text("token", path)?;
    }
    let bearer = match (&user.token_file, &user.token) {
        (Some(path), fallback) => Some(Credentials::TokenFile {
            path: path.clone(),
            fallback: fallback.clone(),
        }),
        (None, Some(token)) => Some(Credentials::Token(token.clone())),
        (None, None) => None,
    };
    let basic = user.username.as_ref().map(|username| Credentials::Basic {
        username: username.clone(),
        password: user.password.clone().unwrap_or_default(),
    });
    match (bearer, basic, &user.exec, &user.auth_provider) {
        (Some(_), Some(_), ..) => Err(ConfigError::invalid(
            "token",
            Some(of),
            "a token and a username cannot be used together",
        )),
        (Some(credentials), None, ..) | (None, Some(credentials), ..) => Ok(credentials),
        (None, None, Some(exec), None) => Ok(Credentials::Exec(ExecCredentials::new(exec, cluster, of)?)),
        (None, None, Some(_), Some(_)) => Err(ConfigError::invalid(
            "exec",
            Some(of),
            "exec and auth-provider cannot be used together",
        )),
        (None, None, None, Some(provider)) => {
            let oidc = OidcCredentials::of_file(provider, user.origin.clone(), of)?;
            Ok(Credentials::Oidc(oidc))
        }
        (None, None, None, None) => Ok(Credentials::None),
    }
}

fn impersonate(user: &AuthInfo, of: &str) -> Result<Option<Impersonate>, ConfigError> {
    let more = user.impersonate_uid.is_some()
        || !user.impersonate_groups.is_empty()
        || !user.impersonate_user_extra.is_empty();
    match &user.impersonate {
        Some(name) => Ok(Some(Impersonate {
            user: name.clone(),
            uid: user.impersonate_uid.clone(),
            groups: user.impersonate_groups.clone(),
            extra: user.impersonate_user_extra.clone(),
        })),
        None if more => Err(ConfigError::invalid(
            "as",
            Some(of),
            "must be set where as-uid, as-groups or as-user-extra is",
        )),
        None => Ok(None),
    }
}

/// Data or a file; like client-go, not both: one of them may be out of date.
fn pem(
    field: &'static str,
    of: &str,
    data: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<PemSource>, ConfigError> {
    let Some(data) = data else {
        return Ok(file.map(|path| PemSource::File(PathBuf::from(path))));
    };
    if file.is_some() {
        return Err(ConfigError::invalid(field, Some(of), "is set, and so is the file"));
    }
    // The decoder's errors quote the offending byte: say no more than that it is wrong.
    let data: String = data.split_whitespace().collect();
    let bytes = STANDARD
        .decode(data)
        .map_err(|_| ConfigError::invalid(field, Some(of), "is not valid base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::invalid(field, Some(of), "is not PEM text"))?;
    Ok(Some(PemSource::Inline(Secret::new(text))))
}
