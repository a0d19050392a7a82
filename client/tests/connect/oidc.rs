//! The auth provider `oidc`, with an issuer and an API server on this machine.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kubewire_client::config::Kubeconfig;
use kubewire_client::{Client, Config};
use parking_lot::Mutex;

use crate::server::{Answer, Authority, Seen, Server};
use crate::version;

const LONG_AGO: i64 = 1_000_000_000;
const FAR_AWAY: i64 = 9_000_000_000;

fn id_token(name: &str, expires: i64) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"{name}","exp":{expires}}}"#);
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"none"}"#.to_owned()),
        part(claims),
        part("signed".to_owned())
    )
}

/// How the issuer wants to be told of the client.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Header,
    Form,
}

/// An issuer that takes each refresh token once, and gives `r2` for `r1` and so on.
struct Issuer {
    server: Server,
    /// The refresh token that it takes, by number, and how often it was asked for a token.
    state: Arc<Mutex<(usize, usize)>>,
}

impl Issuer {
    async fn start(authority: &Authority, style: Style, expires: i64) -> Self {
        let state = Arc::new(Mutex::new((1, 0)));
        let counts = state.clone();
        let port = Arc::new(Mutex::new(0));
        let own_port = port.clone();
        let answer = move |seen: &Seen| match seen.path.as_str() {
            "/realm/.well-known/openid-configuration" => {
                let endpoint = format!("https://127.0.0.1:{}/token", own_port.lock());
                (200, format!(r#"{{"issuer":"x","token_endpoint":"{endpoint}"}}"#))
            }
            "/token" => issue(seen, style, expires, &mut counts.lock()),
            _ => (404, String::new()),
        };
        let server = Server::start("127.0.0.1", authority.server(), answer).await;
        *port.lock() = server.address.port();
        Self { server, state }
    }
}

fn issue(seen: &Seen, style: Style, expires: i64, state: &mut (usize, usize)) -> Answer {
    let form = std::str::from_utf8(&seen.body).unwrap();
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    let wanted = match style {
        // Both are escaped before they are put together.
        Style::Header => seen.header("authorization") == format!("Basic {}", STANDARD.encode("the%20client:s3cr3t%2B")),
        Style::Form => form.contains("&client_id=the%20client&client_secret=s3cr3t%2B"),
    };
    if !wanted {
        return (401, r#"{"error":"invalid_client"}"#.to_owned());
    }
    let (current, asked) = state;
    *asked += 1;
    if !form.starts_with(&format!("grant_type=refresh_token&refresh_token=r{current}")) {
        return (
            400,
            r#"{"error":"invalid_grant","error_description":"used before"}"#.to_owned(),
        );
    }
    *current += 1;
    let token = id_token(&format!("new{asked}"), expires);
    (
        200,
        format!(r#"{{"access_token":"a","id_token":"{token}","refresh_token":"r{current}"}}"#),
    )
}

/// An API server that keeps the tokens it sees.
async fn api_server(authority: &Authority) -> (Server, Arc<Mutex<Vec<String>>>) {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let sink = tokens.clone();
    let answer = move |seen: &Seen| {
        sink.lock().push(seen.header("authorization").to_owned());
        (200, "{}".to_owned())
    };
    (Server::start("127.0.0.1", authority.server(), answer).await, tokens)
}

fn write_kubeconfig(path: &Path, authority: &Authority, server: &Server, issuer: &Server, tokens: &str) {
    let ca = STANDARD.encode(authority.pem());
    let text = format!(
        r#"
apiVersion: v1
kind: Config
current-context: c
contexts:
- name: c
  context: {{cluster: k, user: u}}
clusters:
- name: k
  cluster: {{server: "{}", certificate-authority: ca.pem}}
users:
- name: other
  user: {{token: t}}
- name: u
  user:
    auth-provider:
      name: oidc
      config: {{idp-issuer-url: "{}/realm/", client-id: the client, client-secret: s3cr3t+,
        idp-certificate-authority-data: {ca}, {tokens}}}
"#,
        server.url("127.0.0.1"),
        issuer.url("127.0.0.1"),
    );
    std::fs::write(path.with_file_name("ca.pem"), authority.pem()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What the kubeconfig has for the user's auth provider.
fn written(path: &Path, name: &str) -> String {
    let kubeconfig = Kubeconfig::from_yaml(&std::fs::read_to_string(path).unwrap()).unwrap();
    // A relative path stays one.
    assert_eq!(
        kubeconfig.clusters[0].cluster.certificate_authority.as_deref(),
        Some(Path::new("ca.pem"))
    );
    let user = kubeconfig.users.into_iter().find(|user| user.name == "u").unwrap().user;
    let settings = user.auth_provider.unwrap().config;
    settings[name].expose().to_owned()
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_and_written_back() {
    for style in [Style::Header, Style::Form] {
        let authority = Authority::new();
        let issuer = Issuer::start(&authority, style, FAR_AWAY).await;
        let (server, tokens) = api_server(&authority).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let old = id_token("old", LONG_AGO);
        let old = format!("id-token: {old}, refresh-token: r1");
        write_kubeconfig(&path, &authority, &server, &issuer.server, &old);

        let config = Config::from_kubeconfig_file(&path).unwrap();
        assert!(!format!("{config:?}").contains("r1"));
        let client = Client::new(&config).unwrap();
        // Ten requests of two clients at once: one refresh.
        let other = Client::new(&config).unwrap();
        let requests = (0..10).map(|index| version(if index % 2 == 0 { &client } else { &other }));
        futures::future::try_join_all(requests).await.unwrap();
        let new = id_token("new1", FAR_AWAY);
        assert_eq!(*tokens.lock(), vec![format!("Bearer {new}"); 10]);
        assert_eq!(issuer.state.lock().1, 1);
        assert_eq!(written(&path, "id-token"), new);
        assert_eq!(written(&path, "refresh-token"), "r2");
        assert_eq!(written(&path, "client-secret"), "s3cr3t+");
        // No lock and no half-written file is left behind.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[tokio::test]
async fn a_token_that_somebody_else_refreshed_is_taken_from_the_file() {
    let authority = Authority::new();
    let issuer = Issuer::start(&authority, Style::Header, FAR_AWAY).await;
    let (server, tokens) = api_server(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    write_kubeconfig(&path, &authority, &server, &issuer.server, "refresh-token: r1");
    // Both read the file now; the second one refreshes when the first one has written.
    let [one, other] = [(); 2].map(|()| Client::new(&Config::from_kubeconfig_file(&path).unwrap()).unwrap());
    version(&one).await.unwrap();
    version(&other).await.unwrap();
    assert_eq!(issuer.state.lock().1, 1);
    let tokens = tokens.lock();
    assert_eq!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_token_about_to_expire_is_refreshed_each_time() {
    let authority = Authority::new();
    let soon = jiff::Timestamp::now().as_second() + 5;
    let issuer = Issuer::start(&authority, Style::Header, soon).await;
    let (server, _) = api_server(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    write_kubeconfig(&path, &authority, &server, &issuer.server, "refresh-token: r1");
    let client = Client::new(&Config::from_kubeconfig_file(&path).unwrap()).unwrap();
    version(&client).await.unwrap();
    version(&client).await.unwrap();
    assert_eq!(
        issuer.state.lock().1,
        2,
        "the new refresh token was used the second time"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_nobody_out() {
    let authority = Authority::new();
    let issuer = Issuer::start(&authority, Style::Header, FAR_AWAY).await;
    let (server, tokens) = api_server(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    write_kubeconfig(&path, &authority, &server, &issuer.server, "refresh-token: r1");
    let client = Client::new(&Config::from_kubeconfig_file(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    version(&client).await.unwrap();
    version(&client).await.unwrap();
    assert_eq!(issuer.state.lock().1, 1);
    assert_eq!(tokens.lock().len(), 2);
}

#[tokio::test]
async fn refusals_are_told_without_secrets() {
    let authority = Authority::new();
    let issuer = Issuer::start(&authority, Style::Form, FAR_AWAY).await;
    let (server, _) = api_server(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let expired = format!("id-token: {}", id_token("old", LONG_AGO));
    for (settings, words) in [
        (
            "refresh-token: used",
            "failed to refresh token: 400 Bad Request invalid_grant: used before",
        ),
        (
            "extra-scopes: x",
            "No valid id-token, and cannot refresh without refresh-token",
        ),
        (
            expired.as_str(),
            "No valid id-token, and cannot refresh without refresh-token",
        ),
    ] {
        write_kubeconfig(&path, &authority, &server, &issuer.server, settings);
        let client = Client::new(&Config::from_kubeconfig_file(&path).unwrap()).unwrap();
        let error = version(&client).await.unwrap_err().to_string();
        assert!(error.ends_with(words), "{error}");
        assert!(
            error.contains(r#"get a token of user "u" from https://127.0.0.1"#),
            "{error}"
        );
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}
