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
        CredentialSource::Exec(self.credentials("v1", "Never"))
    }

    fn credentials(&self, version: &str, mode: &str) -> ExecCredentials {
        let user = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/{version}, command: sh, args: ['{}', --pin=1234567],
               interactiveMode: {mode}, provideClusterInfo: true, env: [{{name: GREETING, value: hello}}]}}",
            self.folder.path().join("plugin.sh").display()
        );
        let cluster = "server: 'https://h', certificate-authority-data: Q0E=,
            extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]";
        match resolve(cluster, &user).unwrap().credentials {
            Credentials::Exec(exec) => exec,
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn runs(&self) -> usize {
        self.read("runs").lines().count()
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

    assert!(source.can_be_renewed());
    source.reject(&credential).await;
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
async fn copies_of_a_configuration_share_what_was_printed() {
    let plugin = Plugin::printing(r#"{"token":"t"}"#);
    let config = Config::new("https://h").with_credentials(Credentials::Exec(plugin.credentials("v1", "Never")));
    let sources = [&config, &config.clone()].map(|config| CredentialSource::new(&config.credentials).unwrap());
    let (one, other) = tokio::join!(sources[0].get(), sources[1].get());
    assert!(one.unwrap() == other.unwrap());
    assert_eq!(plugin.runs(), 1);
}

#[tokio::test]
async fn the_plugin_is_told_about_the_cluster() {
    for version in ["v1", "v1beta1"] {
        let plugin = Plugin::new(&format!(
            r#"printf %s "$KUBERNETES_EXEC_INFO" > info; printf %s "$GREETING" > greeting
echo '{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/{version}","status":{{"token":"t"}}}}'"#
        ));
        plugin.credentials(version, "Never").get().await.unwrap();
        assert_eq!(plugin.read("greeting"), "hello");
        let info: serde_json::Value = serde_json::from_str(&plugin.read("info")).unwrap();
        let wanted = serde_json::json!({
            "apiVersion": format!("client.authentication.k8s.io/{version}"),
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
}

/// What the plugin got as standard input, and what it was told of it.
#[tokio::test]
async fn standard_input_goes_to_plugins_that_may_ask() {
    let status =
        r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}'"#;
    let ours = fs::read_link("/proc/self/fd/0").map(|link| link.display().to_string());
    for (mode, terminal, interactive) in [
        ("Never", true, false),
        ("IfAvailable", false, false),
        ("IfAvailable", true, true),
        ("Always", true, true),
    ] {
        let plugin = Plugin::new(&format!(
            r#"printf %s "$KUBERNETES_EXEC_INFO" > info; readlink /proc/self/fd/0 > stdin; {status}"#
        ));
        let has_terminal: fn() -> bool = if terminal { || true } else { || false };
        let exec = plugin.credentials("v1", mode).with_terminal(has_terminal);
        exec.get().await.unwrap();
        let info: serde_json::Value = serde_json::from_str(&plugin.read("info")).unwrap();
        assert_eq!(info["spec"]["interactive"], interactive, "{mode} {terminal}");
        // Where there is no such folder the plugin could not look either.
        if let Ok(ours) = &ours {
            let wanted = if interactive { ours } else { "/dev/null" };
            assert_eq!(plugin.read("stdin").trim(), wanted, "{mode} {terminal}");
        }
    }
}

#[tokio::test]
async fn a_plugin_that_must_ask_needs_a_terminal() {
    let plugin = Plugin::printing(r#"{"token":"t"}"#);
    let always = plugin.credentials("v1", "Always");
    let error = always.with_terminal(|| false).get().await.err().unwrap().to_string();
    let words = "exec plugin cannot support interactive mode: standard input is not a terminal";
    assert!(error.ends_with(words), "{error}");

    let kubeconfig = kubeconfig(
        "server: 'https://h'",
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}",
    );
    let mut exec = kubeconfig.users[0].user.exec.clone().unwrap();
    exec.stdin_unavailable = Some("it holds a manifest".to_owned());
    let exec = ExecCredentials::new(&exec, &Cluster::default(), "user").unwrap();
    let error = exec.with_terminal(|| true).get().await.err().unwrap().to_string();
    let words = "exec plugin cannot support interactive mode: standard input is unavailable: it holds a manifest";
    assert!(error.ends_with(words), "{error}");
}

#[tokio::test]
async fn the_end_of_standard_error_is_part_of_the_error() {
    let plugin = Plugin::new(
        "for i in $(seq 2500); do echo a >&2; done; echo \"log in: $GREETING, pin ${1#--pin=}\" >&2; exit 1",
    );
    let error = plugin.source().get().await.err().unwrap().to_string();
    assert!(error.ends_with("a\na\nlog in: [hidden], pin [hidden]"), "{error}");
    assert!(error.len() < 4200, "{}", error.len());
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
