//! Credential plugins, as shell scripts that count their runs.
#![cfg(unix)]

use std::fs;

use super::*;
use crate::config::credentials::{Credential, CredentialSource};

struct Plugin {
    folder: tempfile::TempDir,
}

impl Plugin {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("cd {}; echo run >> runs; {script}", folder.path().display());
        fs::write(folder.path().join("plugin.sh"), script).unwrap();
        Self { folder }
    }

    /// A plugin that prints this status.
    fn printing(status: &str) -> Self {
        Self::new(&format!(
            r#"echo '{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{status}}}'"#
        ))
    }

    fn source(&self) -> CredentialSource {
        let user = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: ['{}'], interactiveMode: Never,
               provideClusterInfo: true, env: [{{name: GREETING, value: hello}}]}}",
            self.folder.path().join("plugin.sh").display()
        );
        let cluster = "server: 'https://h', certificate-authority-data: Q0E=,
            extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]";
        CredentialSource::new(&resolve(cluster, &user).unwrap().credentials).unwrap()
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs"))
            .unwrap()
            .lines()
            .count()
    }
}

fn header(credential: &Credential) -> &str {
    credential.authorization.as_ref().unwrap().to_str().unwrap()
}

#[tokio::test]
async fn a_token_is_kept_until_the_server_rejects_it() {
    let plugin = Plugin::printing(r#"{"token":"t","expirationTimestamp":"2999-01-01T00:00:00Z"}"#);
    let source = plugin.source();
    let credential = source.get().await.unwrap();
    assert_eq!(header(&credential), "Bearer t");
    source.get().await.unwrap();
    assert_eq!(plugin.runs(), 1);

    assert!(source.reject(&credential).await);
    source.get().await.unwrap();
    assert_eq!(plugin.runs(), 2);

    // What was rejected has been replaced since: the newer one stays.
    source.reject(&Credential::default()).await;
    source.get().await.unwrap();
    assert_eq!(plugin.runs(), 2);
}

#[tokio::test]
async fn an_expired_token_is_asked_for_again() {
    let plugin = Plugin::printing(r#"{"token":"t","expirationTimestamp":"2001-01-01T00:00:00Z"}"#);
    let source = plugin.source();
    source.get().await.unwrap();
    source.get().await.unwrap();
    assert_eq!(plugin.runs(), 2);
}

#[tokio::test]
async fn the_plugin_is_told_about_the_cluster() {
    let plugin = Plugin::new(
        r#"printf %s "$KUBERNETES_EXEC_INFO" > info; printf %s "$GREETING" > greeting
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}'"#,
    );
    plugin.source().get().await.unwrap();
    let read = |name: &str| fs::read_to_string(plugin.folder.path().join(name)).unwrap();
    assert_eq!(read("greeting"), "hello");
    let info: serde_json::Value = serde_json::from_str(&read("info")).unwrap();
    let wanted = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {
            "interactive": false,
            "cluster": {
                "server": "https://h",
                "certificate-authority-data": "Q0E=",
                "config": {"audience": "x"},
            },
        },
    });
    assert_eq!(info, wanted);
}

#[tokio::test]
async fn a_client_certificate_is_taken() {
    let plugin = Plugin::printing(r#"{"clientCertificateData":"CERT","clientKeyData":"KEY"}"#);
    let credential = plugin.source().get().await.unwrap();
    assert_eq!(credential.authorization, None);
    assert_eq!(credential.identity.unwrap().certificate, b"CERT");
}

#[tokio::test]
async fn failures_are_told_without_secrets() {
    let table = [
        (Plugin::new("exit 3"), "exit status: 3"),
        (
            Plugin::new("echo s3cr3t"),
            "it printed no valid ExecCredential: line 1, column 1",
        ),
        (
            Plugin::new(r#"echo '{"kind":"ExecCredential","apiVersion":"other/v1"}'"#),
            "it printed other/v1 ExecCredential, wanted client.authentication.k8s.io/v1 ExecCredential",
        ),
        (Plugin::printing("null"), "it printed no status"),
        (
            Plugin::printing("{}"),
            "it printed neither a token nor a client certificate",
        ),
        (
            Plugin::printing(r#"{"clientKeyData":"s3cr3t"}"#),
            "it printed only one of clientCertificateData and clientKeyData",
        ),
    ];
    for (plugin, reason) in table {
        let error = plugin.source().get().await.err().unwrap();
        assert_eq!(
            error.to_string(),
            format!(r#"run credential plugin "sh" of user "u": {reason}"#)
        );
    }
}

#[tokio::test]
async fn a_missing_plugin_shows_its_install_hint() {
    let user =
        "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: /nowhere/at/all, installHint: get it}";
    let source = CredentialSource::new(&resolve_user(user).unwrap().credentials).unwrap();
    let error = source.get().await.err().unwrap().to_string();
    assert!(
        error.contains("/nowhere/at/all") && error.ends_with("get it"),
        "{error}"
    );
}
