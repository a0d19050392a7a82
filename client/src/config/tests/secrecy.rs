//! No secret may be shown.

use super::*;
use crate::config::credentials::CredentialSource;

const SECRET: &str = "s3cr3t";

#[test]
fn debug_hides_secrets() {
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, SECRET);
    let users = [
        format!("token: {SECRET}"),
        format!("token: {SECRET}, tokenFile: /f"),
        format!("username: me, password: {SECRET}"),
        format!("client-certificate: /c, client-key-data: {encoded}"),
        format!(
            "exec: {{command: x, apiVersion: client.authentication.k8s.io/v1beta1, provideClusterInfo: true,
               args: [--password, {SECRET}], env: [{{name: P, value: {SECRET}}}]}}"
        ),
        format!(
            "auth-provider: {{name: oidc, config: {{idp-issuer-url: 'https://i', client-id: c, client-secret: {SECRET},
               id-token: {SECRET}, refresh-token: {SECRET}}}}}"
        ),
    ];
    for user in users {
        let kubeconfig = kubeconfig(
            &format!("server: 'https://h', proxy-url: 'http://me:{SECRET}@p'"),
            &user,
        );
        let config = Config::from_kubeconfig(&kubeconfig, &KubeconfigOptions::default()).unwrap();
        for shown in [format!("{kubeconfig:?}"), format!("{config:#?}")] {
            assert!(!shown.contains(SECRET) && !shown.contains(&encoded), "{shown}");
        }
    }
}

#[test]
fn an_old_plugins_tokens_are_hidden() {
    let kubeconfig = kubeconfig(
        "server: h",
        &format!("auth-provider: {{name: oidc, config: {{id-token: {SECRET}}}}}"),
    );
    assert!(!format!("{kubeconfig:?}").contains(SECRET));
}

#[test]
fn parse_errors_quote_nothing() {
    let broken = [
        format!("users: {SECRET}"),
        format!("users: [{{name: u, user: {SECRET}}}]"),
        format!("users: [{{name: u, user: {{token: {SECRET}, as-groups: {SECRET}}}}}]"),
        format!("users: [{{name: u, user: {{token: '{SECRET}"),
        format!("users: [{{name: u, user: {{token: {SECRET}, token: {SECRET}}}}}]"),
    ];
    for text in broken {
        let error = Kubeconfig::from_yaml(&text).expect_err(&text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn use_errors_quote_nothing() {
    let config = |credentials| Config::new("https://h").with_credentials(credentials);
    let broken = [
        config(Credentials::token(format!("{SECRET}\n"))),
        Config::new("https://h").with_proxy(format!("ftp://me:{SECRET}@p")),
        Config::new("https://h").with_proxy(format!("http://me:{SECRET}@p:notaport")),
        Config::new(format!("https://me:{SECRET}@h")),
        Config::new("https://h").with_ca_pem(SECRET),
        Config::new("https://h").with_ca_pem(format!(
            "-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----"
        )),
    ];
    for config in broken {
        let error = crate::transport::connect(&config)
            .err()
            .expect("the configuration is broken");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn headers_are_marked_as_sensitive() {
    for credentials in [Credentials::token(SECRET), Credentials::basic("me", SECRET)] {
        let credential = CredentialSource::new(&credentials).unwrap().get().await.unwrap();
        let header = credential.authorization.unwrap();
        assert!(header.is_sensitive());
        assert!(!format!("{header:?}").contains(SECRET));
    }
}
