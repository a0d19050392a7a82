//! A credential program whose token or certificate the server no longer takes.
#![cfg(unix)]

use std::path::Path;
use std::sync::Arc;

use kubewire_client::config::{Credentials, ExecConfig, ExecCredentials};
use kubewire_client::{Client, Config};
use parking_lot::Mutex;

use crate::server::{Authority, Server};
use crate::version;

/// A program that prints the file `status`.
fn program(folder: &Path) -> Credentials {
    let script = format!(
        r#"cd {}; echo run >> runs; printf '{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":'; cat status; echo '}}'"#,
        folder.display()
    );
    let mut config = ExecConfig::default();
    config.api_version = "client.authentication.k8s.io/v1".to_owned();
    config.command = "sh".to_owned();
    config.args = vec!["-c".into(), script.as_str().into()];
    config.interactive_mode = Some("Never".to_owned());
    Credentials::Exec(ExecCredentials::new(&config, &Default::default(), "user").unwrap())
}

fn runs(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("runs")).unwrap().lines().count()
}

/// One thread: were the program waited for in a blocking way, the server could not answer meanwhile.
#[tokio::test]
async fn a_token_that_the_server_refuses_is_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let status = folder.path().join("status");
    std::fs::write(&status, r#"{"token":"old"}"#).unwrap();
    let authority = Authority::new();
    let good = Arc::new(Mutex::new("Bearer old".to_owned()));
    let wanted = good.clone();
    let server = Server::start("127.0.0.1", authority.server(), move |seen| {
        let code = if seen.header("authorization") == *wanted.lock() {
            200
        } else {
            401
        };
        (code, "{}".to_owned())
    });
    let server = server.await;
    let config = Config::new(server.url("127.0.0.1")).with_ca_pem(authority.pem());
    let client = Client::new(&config.with_credentials(program(folder.path()))).unwrap();
    version(&client).await.unwrap();

    std::fs::write(&status, r#"{"token":"new"}"#).unwrap();
    "Bearer new".clone_into(&mut good.lock());
    futures::future::try_join_all((0..8).map(|_| version(&client)))
        .await
        .unwrap();
    assert_eq!(
        runs(folder.path()),
        2,
        "eight refusals of the same token are one reason to ask again"
    );

    "Bearer newer".clone_into(&mut good.lock());
    let error = version(&client).await.unwrap_err();
    assert!(
        error.is_unauthorized(),
        "the same token again is not sent twice: {error}"
    );
    assert_eq!(runs(folder.path()), 3);
}

#[tokio::test]
async fn a_certificate_that_is_replaced_makes_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let status = folder.path().join("status");
    let authority = Authority::new();
    let print = |name: &str, expires: &str| {
        let (certificate, key) = authority.issue(name);
        let text = serde_json::json!({
            "clientCertificateData": certificate, "clientKeyData": key, "expirationTimestamp": expires,
        });
        std::fs::write(&status, text.to_string()).unwrap();
        certificate
    };
    let (server, seen) = authority.certificates_seen().await;
    let config = Config::new(server.url("127.0.0.1")).with_ca_pem(authority.pem());
    let client = Client::new(&config.with_credentials(program(folder.path()))).unwrap();

    let first = print("first", "2001-01-01T00:00:00Z");
    version(&client).await.unwrap();
    let second = print("second", "2999-01-01T00:00:00Z");
    version(&client).await.unwrap();
    version(&client).await.unwrap();
    assert_eq!(*seen.lock(), [first, second.clone(), second]);
    assert_eq!(runs(folder.path()), 2);
}
