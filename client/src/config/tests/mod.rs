mod client_go;
mod environment;
mod exec;
mod kubeconfig;
mod secrecy;
mod tls;

use super::*;

/// A kubeconfig whose cluster and user entries have these fields (YAML flow mappings).
fn kubeconfig(cluster: &str, user: &str) -> Kubeconfig {
    let text = format!(
        "
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{{name: c, context: {{cluster: k, user: u}}}}]
        clusters: [{{name: k, cluster: {{{cluster}}}}}]
        users: [{{name: u, user: {{{user}}}}}]
        "
    );
    Kubeconfig::from_yaml(&text).unwrap()
}

fn resolve(cluster: &str, user: &str) -> Result<Config, ConfigError> {
    Config::from_kubeconfig(&kubeconfig(cluster, user), &KubeconfigOptions::default())
}

fn resolve_user(user: &str) -> Result<Config, ConfigError> {
    resolve("server: 'https://h'", user)
}

fn inline(source: &PemSource) -> &str {
    match source {
        PemSource::Inline(text) => text.expose(),
        PemSource::File(path) => panic!("a file: {path:?}"),
    }
}
