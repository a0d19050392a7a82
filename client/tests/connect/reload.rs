//! Certificates in files that somebody rotates.

use std::time::Duration;

use kubewire_client::config::PemSource;
use kubewire_client::{Client, Config};

use crate::server::Authority;
use crate::version;

/// Files are looked at again after a minute. Only the clock jumps: while it stands still, nothing waits for the network.
async fn a_minute_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_new_client_certificate_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    let write = |name: &str| {
        let (certificate, key) = authority.issue(name);
        std::fs::write(file("tls.crt"), &certificate).unwrap();
        std::fs::write(file("tls.key"), key).unwrap();
        certificate
    };
    let first = write("first");
    let (server, seen) = authority.certificates_seen().await;
    let config = Config::new(server.url("127.0.0.1"))
        .with_ca_pem(authority.pem())
        .with_client_certificate(PemSource::File(file("tls.crt")), PemSource::File(file("tls.key")));
    let client = Client::new(&config).unwrap();
    version(&client).await.unwrap();

    let second = write("second");
    version(&client).await.unwrap();
    a_minute_later().await;
    version(&client).await.unwrap();
    assert_eq!(*seen.lock(), [first.clone(), first, second.clone()]);

    // A rotation that has come half-way changes nothing yet.
    std::fs::write(file("tls.crt"), authority.issue("third").0).unwrap();
    a_minute_later().await;
    version(&client).await.unwrap();
    assert_eq!(seen.lock().last(), Some(&second));
}

#[tokio::test]
async fn a_new_authority_is_trusted_and_the_old_one_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let (old, new) = (Authority::new(), Authority::new());
    std::fs::write(&file, old.pem()).unwrap();
    let (server, _) = old.certificates_seen().await;
    let config = Config::new(server.url("127.0.0.1")).with_ca_file(&file);
    let client = Client::new(&config).unwrap();
    version(&client).await.unwrap();

    std::fs::write(&file, new.pem()).unwrap();
    a_minute_later().await;
    let error = version(&client).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    *server.tls.lock() = new.server().into();
    version(&client).await.unwrap();
}
