//! Tokens of an OpenID Connect issuer, refreshed when they expire: the auth provider `oidc` of a kubeconfig.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request, Uri};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::credentials::{Credential, CredentialError, basic, bearer};
use super::kubeconfig::Origin;
use super::{AuthProvider, Config, ConfigError, PemSource, Secret, TlsOptions};
use crate::transport::{TransportError, collect, connect};

/// A token that expires so soon counts as expired: clocks differ.
const EXPIRY_DELTA: SignedDuration = SignedDuration::from_secs(10);
/// Longest time for one request to the issuer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often the issuer may say that its discovery document is elsewhere, as in Go.
const REDIRECTS: usize = 10;

const ISSUER: &str = "idp-issuer-url";
const CLIENT_ID: &str = "client-id";
const CLIENT_SECRET: &str = "client-secret";
const CA: &str = "idp-certificate-authority";
const CA_DATA: &str = "idp-certificate-authority-data";
const ID_TOKEN: &str = "id-token";
const REFRESH_TOKEN: &str = "refresh-token";

type Settings = BTreeMap<String, Secret>;

/// Tokens of an OpenID Connect issuer, as client-go's auth provider `oidc` has them.
///
/// The id token is sent until ten seconds before it expires, which is read from the token itself; then a new one comes
/// by the refresh token from the issuer's token endpoint. New tokens are written to the kubeconfig file that the old
/// ones came from; where that fails, they are kept in memory and a warning is logged. Clones share their tokens, and
/// only one refresh is under way at a time.
#[derive(Clone)]
pub struct OidcCredentials(Arc<Provider>);

struct Provider {
    issuer: String,
    client_id: String,
    tls: TlsOptions,
    of: String,
    origin: Option<Origin>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// As they are in the kubeconfig.
    settings: Settings,
    /// What is sent, and until when.
    current: Option<(HeaderValue, Timestamp)>,
}

impl OidcCredentials {
    /// The tokens of an auth provider called `oidc`; `of` names the user in errors.
    ///
    /// # Errors
    /// Where `idp-issuer-url` or `client-id` is missing, or `idp-certificate-authority-data` is not base64.
    pub fn new(provider: &AuthProvider, of: &str) -> Result<Self, ConfigError> {
        Self::of_file(provider, None, of)
    }

    pub(super) fn of_file(provider: &AuthProvider, origin: Option<Origin>, of: &str) -> Result<Self, ConfigError> {
        let invalid = |reason: String| ConfigError::invalid("auth-provider", Some(of), reason);
        match provider.name.as_str() {
            "oidc" => {}
            name @ ("gcp" | "azure") => {
                let reason = format!("{name:?} is no longer built in: set up its exec credential plugin instead");
                return Err(invalid(reason));
            }
            name => return Err(invalid(format!("no Auth Provider found for name {name:?}"))),
        }
        let settings = &provider.config;
        let required =
            |name| setting(settings, name).ok_or_else(|| invalid(format!("the oidc provider must have {name}")));
        let data = setting(settings, CA_DATA).map(|data| {
            let bytes = STANDARD.decode(data).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| invalid(format!("{CA_DATA} is not base64 of PEM text")))
        });
        let ca = match (data, setting(settings, CA)) {
            (Some(text), _) => Some(PemSource::Inline(text?.into())),
            (None, Some(path)) => Some(PemSource::File(PathBuf::from(path))),
            (None, None) => None,
        };
        Ok(Self(Arc::new(Provider {
            issuer: required(ISSUER)?.to_owned(),
            client_id: required(CLIENT_ID)?.to_owned(),
            tls: TlsOptions {
                ca,
                ..TlsOptions::default()
            },
            of: of.to_owned(),
            origin,
            state: Arc::new(Mutex::new(State {
                settings: settings.clone(),
                current: None,
            })),
        })))
    }

    /// The token to send now. Cancel safe: a refresh under way goes on, as the issuer may take a refresh token only
    /// once.
    pub(super) async fn get(&self) -> Result<Credential, CredentialError> {
        let mut state = self.0.state.clone().lock_owned().await;
        if state.current.is_none() {
            state.current = known(&state.settings);
        }
        if let Some((header, expires)) = &state.current
            && is_valid(*expires)
        {
            return Ok(Some(header.clone()).into());
        }
        let provider = self.0.clone();
        let refreshed = tokio::spawn(async move { provider.refresh(state).await });
        match refreshed.await {
            Ok(header) => header.map(|header| Some(header).into()),
            Err(_) => Err(self.0.failed("the runtime is shutting down")),
        }
    }
}

impl Provider {
    async fn refresh(&self, mut state: OwnedMutexGuard<State>) -> Result<HeaderValue, CredentialError> {
        let mut settings = self.newest(&state.settings).await;
        let mut token = known(&settings).filter(|(_, expires)| is_valid(*expires));
        if token.is_none() {
            let issued = self.ask(&settings).await?;
            settings.insert(ID_TOKEN.to_owned(), issued.id_token);
            if let Some(token) = issued.refresh_token.filter(|token| !token.expose().is_empty()) {
                settings.insert(REFRESH_TOKEN.to_owned(), token);
            }
            self.save(&settings).await;
            token = known(&settings);
        }
        state.settings = settings;
        state.current = token;
        let header = state.current.as_ref().map(|(header, _)| header.clone());
        header.ok_or_else(|| self.failed("the issuer's id_token is no JWT with an expiry"))
    }

    /// What the file has, where somebody else refreshed the tokens meanwhile.
    async fn newest(&self, settings: &Settings) -> Settings {
        if let Some(origin) = self.origin.clone()
            && let Ok(Ok(Some(written))) = tokio::task::spawn_blocking(move || origin.auth_provider()).await
            && known(&written).is_some_and(|(_, expires)| is_valid(expires))
        {
            return written;
        }
        settings.clone()
    }

    async fn save(&self, settings: &Settings) {
        let Some(origin) = self.origin.clone() else { return };
        let settings = settings.clone();
        let written = tokio::task::spawn_blocking(move || origin.set_auth_provider(&settings)).await;
        // The task itself fails only where the runtime is shutting down.
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, user = %self.of, "new tokens are kept in memory only");
        }
    }

    /// Has the issuer give new tokens for the refresh token.
    async fn ask(&self, settings: &Settings) -> Result<Issued, CredentialError> {
        let refresh_token = setting(settings, REFRESH_TOKEN)
            .ok_or_else(|| self.failed("No valid id-token, and cannot refresh without refresh-token"))?;
        let endpoint = self.token_endpoint().await?;
        let secret = setting(settings, CLIENT_SECRET).unwrap_or_default();

        // Some issuers want the client's name and secret in the header, some in the form; only trying tells.
        let form = form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
        let in_header = basic(&escaped(&self.client_id), &escaped(secret).into());
        let in_header = in_header.map_err(|error| self.failed(error.to_string()))?;
        let first = self.issued(&endpoint, form.clone(), Some(in_header)).await;
        if first.is_ok() {
            return first;
        }
        let mut names = vec![("client_id", self.client_id.as_str())];
        if !secret.is_empty() {
            names.push(("client_secret", secret));
        }
        self.issued(&endpoint, format!("{form}&{}", self::form(&names)), None)
            .await
    }

    async fn token_endpoint(&self) -> Result<Uri, CredentialError> {
        #[derive(Deserialize)]
        struct Metadata {
            token_endpoint: Option<String>,
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let invalid = |_| self.failed("idp-issuer-url is not a URL");
        let text = self.document(url.parse().map_err(invalid)?).await?;
        let metadata: Option<Metadata> = serde_json::from_slice(&text).ok();
        let endpoint = metadata.and_then(|metadata| metadata.token_endpoint?.parse().ok());
        endpoint.ok_or_else(|| self.failed("the issuer's discovery document has no token_endpoint"))
    }

    /// The discovery document, wherever the issuer says that it is.
    async fn document(&self, mut url: Uri) -> Result<Bytes, CredentialError> {
        let what = "the discovery document";
        for _ in 0..REDIRECTS {
            let answer = self.exchange(what, &url, Request::get("/").body(Bytes::new())).await?;
            let code = answer.status();
            if code.is_success() {
                return Ok(answer.into_body());
            }
            let elsewhere = answer.headers().get(LOCATION).filter(|_| code.is_redirection());
            let elsewhere = elsewhere.and_then(|location| beside(&url, location.to_str().ok()?));
            url = elsewhere.ok_or_else(|| self.failed(format!("{what}: the issuer answered {code}")))?;
        }
        Err(self.failed(format!(
            "{what} is nowhere to be found: stopped after {REDIRECTS} redirects"
        )))
    }

    async fn issued(
        &self,
        endpoint: &Uri,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Issued, CredentialError> {
        let mut request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = self
            .exchange("the token endpoint", endpoint, request.body(form.into()))
            .await?;
        let code = answer.status();
        let text = answer.into_body();
        let refusal: Refusal = serde_json::from_slice(&text).unwrap_or_default();
        if !code.is_success() || refusal.error.is_some() {
            let words = [refusal.error, refusal.error_description];
            let words: Vec<_> = words.into_iter().flatten().collect();
            return Err(self.failed(format!("failed to refresh token: {code} {}", words.join(": "))));
        }
        serde_json::from_slice(&text).map_err(|_| {
            self.failed(
                "token response did not contain an id_token: the login must ask for the scope openid, \
                 and the issuer must give id tokens for refresh tokens",
            )
        })
    }

    /// Sends a request to a URL over a connection of its own.
    async fn exchange(
        &self,
        what: &str,
        url: &Uri,
        request: http::Result<Request<Bytes>>,
    ) -> Result<http::Response<Bytes>, CredentialError> {
        let mut request = request.map_err(|error| self.failed(format!("{what}: {error}")))?;
        *request.uri_mut() = url.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        let scheme = url.scheme_str().unwrap_or_default();
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let config = Config::new(format!("{scheme}://{authority}")).with_tls(self.tls.clone());

        // Certificates are read from files.
        let transport = tokio::task::spawn_blocking(move || connect(&config)).await;
        let transport = transport.map_err(|_| self.failed("the runtime is shutting down"))?;
        let transport = transport.map_err(|error| self.failed(format!("{what}: {error}")))?;
        let exchange = async {
            let (head, body) = transport.send(request).await?.into_parts();
            Ok::<_, TransportError>(http::Response::from_parts(head, collect(body).await?))
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(answer) => answer.map_err(|error| self.unreachable(what, &error)),
            Err(_) => Err(self.failed(format!("{what}: no answer within {TIMEOUT:?}"))),
        }
    }

    fn unreachable(&self, what: &str, error: &TransportError) -> CredentialError {
        let mut words = format!("{what}: {error}");
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            words = format!("{words}: {error}");
            source = error.source();
        }
        self.failed(words)
    }

    fn failed(&self, reason: impl Into<String>) -> CredentialError {
        CredentialError::Oidc {
            issuer: self.issuer.clone(),
            of: self.of.clone(),
            reason: reason.into(),
        }
    }
}

impl fmt::Debug for OidcCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcCredentials")
            .field("issuer", &self.0.issuer)
            .field("client_id", &self.0.client_id)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Issued {
    id_token: Secret,
    refresh_token: Option<Secret>,
}

/// RFC 6749, 5.2.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<String>,
    error_description: Option<String>,
}

/// A setting that is there and not empty.
fn setting<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    settings.get(name).map(Secret::expose).filter(|text| !text.is_empty())
}

/// The id token as a header, and its expiry; `None` where there is none that can be read.
fn known(settings: &Settings) -> Option<(HeaderValue, Timestamp)> {
    let token = setting(settings, ID_TOKEN)?;
    Some((bearer(token)?, expiry(token)?))
}

/// The claim `exp`. Whether the token is genuine is for the API server to find out.
fn expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let [_, payload, _] = token.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Timestamp::from_second(claims.exp as i64).ok()
}

/// What a redirect from `url` points at: another URL, or another path of the same server.
fn beside(url: &Uri, location: &str) -> Option<Uri> {
    let mut parts = location.parse::<Uri>().ok()?.into_parts();
    if parts.authority.is_none() {
        parts.scheme = url.scheme().cloned();
        parts.authority = url.authority().cloned();
    }
    Uri::from_parts(parts).ok()
}

fn is_valid(expires: Timestamp) -> bool {
    Timestamp::now() + EXPIRY_DELTA < expires
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    fields.join("&")
}

fn escaped(text: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_name_a_server_or_a_path() {
        let url = Uri::from_static("https://issuer:8443/realm/.well-known/openid-configuration");
        let to = |location| beside(&url, location).map(|url| url.to_string());
        assert_eq!(to("https://other/a?b=c").as_deref(), Some("https://other/a?b=c"));
        assert_eq!(to("/a").as_deref(), Some("https://issuer:8443/a"));
        assert_eq!(to("a b"), None);
    }
}
