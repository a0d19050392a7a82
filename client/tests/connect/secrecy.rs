//! Whatever the secrets are and however a request ends: neither logs nor errors nor `Debug` show them.
#![cfg(unix)]

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kubewire_client::backoff::ExponentialOptions;
use kubewire_client::config::{Kubeconfig, KubeconfigOptions};
use kubewire_client::{Client, Config};
use parking_lot::Mutex;
use proptest::prelude::*;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::logged::logged;
use crate::server::{Authority, Seen, Server};
use crate::version;

/// How an exchange with the server, or with the issuer of tokens, ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Success,
    Unauthorized,
    Failure,
    Nonsense,
    Untrusted,
    Unreachable,
}

const ENDS: [End; 6] = [
    End::Success,
    End::Unauthorized,
    End::Failure,
    End::Nonsense,
    End::Untrusted,
    End::Unreachable,
];

/// A server and an issuer on a thread of their own, where nobody listens to logs.
struct Others {
    url: String,
    ca: String,
    end: Arc<Mutex<End>>,
    id_token: Arc<Mutex<String>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Others {
    fn start() -> Self {
        let authority = Authority::new();
        let (end, id_token) = (Arc::new(Mutex::new(End::Success)), Arc::<Mutex<String>>::default());
        let (told, token) = (end.clone(), id_token.clone());
        let ca = authority.pem();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let url = Arc::<Mutex<String>>::default();
                let own_url = url.clone();
                let answer = move |seen: &Seen| match (*told.lock(), seen.path.as_str()) {
                    (_, path) if path.ends_with("openid-configuration") => {
                        (200, format!(r#"{{"token_endpoint": "{}/token"}}"#, own_url.lock()))
                    }
                    (End::Success, "/token") => (200, format!(r#"{{"id_token": "{}"}}"#, token.lock())),
                    (End::Success, _) => (200, "{}".to_owned()),
                    (End::Unauthorized, _) => (401, r#"{"error": "invalid_grant"}"#.to_owned()),
                    (End::Nonsense, _) => (200, "<html>".to_owned()),
                    _ => (500, "broken".to_owned()),
                };
                let server = Server::start("127.0.0.1", authority.server(), answer).await;
                *url.lock() = server.url("127.0.0.1");
                sender.send(url.lock().clone()).unwrap();
                stopped.await.ok();
            });
        });
        Self {
            url: started.recv().unwrap(),
            ca,
            end,
            id_token,
            _stop: stop,
        }
    }

    /// The cluster of a kubeconfig, as far as it is to be found and believed.
    fn cluster(&self, end: End) -> String {
        let url = match end {
            End::Unreachable => "https://127.0.0.1:1",
            _ => &self.url,
        };
        let ca = match end {
            End::Untrusted => Authority::new().pem(),
            _ => self.ca.clone(),
        };
        format!(
            r#"{{"server": "{url}", "certificate-authority-data": "{}"}}"#,
            STANDARD.encode(ca)
        )
    }
}

/// Users of a kubeconfig with the secret in every place that has one.
fn users(secret: &str, others: &Others, folder: &Path) -> Vec<String> {
    let token_file = folder.join("token");
    std::fs::write(&token_file, secret).unwrap();
    let exec = |credential: &str| {
        let script = format!(
            "echo {secret}-is-on-stderr >/dev/null; cat {}/{credential}",
            folder.display()
        );
        format!(
            r#"{{"exec": {{"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
                "args": ["-c", "{script}"], "env": [{{"name": "P", "value": "{secret}"}}]}}}}"#
        )
    };
    let credential = |status: &str| {
        format!(r#"{{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {status}}}"#)
    };
    let files = [
        ("good", credential(&format!(r#"{{"token": "{secret}"}}"#))),
        (
            "bad-key",
            credential(&format!(
                r#"{{"clientCertificateData": "{secret}", "clientKeyData": "{secret}"}}"#
            )),
        ),
        ("nonsense", format!("{secret}, not JSON")),
    ];
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let issuer = |id_token: &str| {
        format!(
            r#"{{"auth-provider": {{"name": "oidc", "config": {{"idp-issuer-url": "{}", "client-id": "c",
                "idp-certificate-authority-data": "{}", "client-secret": "{secret}", "refresh-token": "{secret}",
                "id-token": "{id_token}"}}}}}}"#,
            others.url,
            STANDARD.encode(&others.ca)
        )
    };
    let mut users = vec![
        format!(r#"{{"token": "{secret}"}}"#),
        format!(r#"{{"token": "{secret}\n"}}"#),
        format!(r#"{{"tokenFile": "{}"}}"#, token_file.display()),
        format!(r#"{{"username": "me", "password": "{secret}"}}"#),
        issuer(""),
        issuer(&format!("{secret}.{secret}.{secret}")),
    ];
    users.extend(files.iter().map(|(name, _)| exec(name)));
    users
}

/// What all ways of showing a configuration and its failures say.
fn shown(cluster: &str, user: &str) -> String {
    let text = format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{{"name": "c", "context": {{"cluster": "k", "user": "u"}}}}],
            "clusters": [{{"name": "k", "cluster": {cluster}}}], "users": [{{"name": "u", "user": {user}}}]}}"#
    );
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let mut shown = format!("{kubeconfig:?}");
    let config = match Config::from_kubeconfig(&kubeconfig, &KubeconfigOptions::default()) {
        Ok(config) => config.with_retries(ExponentialOptions::default().with_max_tries(Some(0))),
        Err(error) => return shown + &format!("{error} {error:?}"),
    };
    shown += &format!("{config:?}");
    let client = match Client::new(&config) {
        Ok(client) => client,
        Err(error) => return shown + &format!("{error} {error:?}"),
    };
    shown += &format!("{client:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Err(error) = runtime.unwrap().block_on(version(&client)) {
        shown += &format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown += &format!("{error} {error:?}");
            source = error.source();
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_is_ever_shown(secret in "[a-zA-Z0-9]{16,40}") {
        let folder = tempfile::tempdir().unwrap();
        let others = Others::start();
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp": 9000000000}"#);
        *others.id_token.lock() = format!("e30.{claims}.{secret}");
        let hidden = [
            secret.clone(),
            STANDARD.encode(&secret),
            STANDARD.encode(format!("me:{secret}")),
            STANDARD.encode(format!("c:{secret}")),
        ];
        for user in users(&secret, &others, folder.path()) {
            for end in ENDS {
                *others.end.lock() = end;
                let cluster = others.cluster(end);
                let mut all = String::new();
                let log = logged(LevelFilter::TRACE, FmtSpan::FULL, || all = shown(&cluster, &user));
                prop_assert!(log.contains("http.request.method") || all.contains("rror"), "nothing was logged: {}", all);
                all += &log;
                for secret in &hidden {
                    prop_assert!(!all.contains(secret), "{:?} with {}:\n{}", end, user, all);
                }
            }
        }
    }
}
