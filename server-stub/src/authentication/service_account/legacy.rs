//! Tokens of old: kept in a secret of type `kubernetes.io/service-account-token`, without an end. They count for as long
//! as the secret has them (KEP 2799 tells of their end).

use serde::Deserialize;
use serde_json::{Value, json};

use super::validate::{decode, wrong};
use super::{ServiceAccountTokens, groups_of, user_name};
use crate::authentication::AuthenticationError;
use crate::generic::request::UserInfo;
use crate::registry::validation::values::{get, put, text};
use crate::registry::{UpdateOptions, WriteContext};

/// Who issued them.
pub(super) const ISSUER: &str = "kubernetes/serviceaccount";
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// What such a token says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    sub: String,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    namespace: String,
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name")]
    account: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid")]
    uid: String,
}

impl ServiceAccountTokens {
    /// Whose token it is; its signature is that of one of our keys.
    pub(super) async fn legacy_user(&self, token: &str, claims: &str) -> Result<UserInfo, AuthenticationError> {
        let claims: Claims = decode(claims).unwrap_or_default();
        claims.check()?;
        let namespace = claims.namespace.as_str();
        let invalidated = |_| wrong("Token has been invalidated".to_owned());
        let secret = self
            .get("secrets", namespace, &claims.secret)
            .await
            .map_err(invalidated)?;
        let secret = secret.document();
        if !text(&secret, "/metadata/deletionTimestamp").is_empty() {
            return Err(wrong("Token has been invalidated".to_owned()));
        }
        if stored_token(&secret).as_deref() != Some(token.as_bytes()) {
            return Err(wrong("Token does not match server's copy".to_owned()));
        }
        let account = self.get("serviceaccounts", namespace, &claims.account).await;
        let account = account.map_err(|error| wrong(error.message().to_owned()))?;
        if !text(&account.document(), "/metadata/deletionTimestamp").is_empty() {
            let name = &claims.account;
            return Err(wrong(format!("ServiceAccount {namespace}/{name} has been deleted")));
        }
        let (own, claimed) = (&account.header().uid, &claims.uid);
        if own != claimed {
            return Err(wrong(format!(
                "ServiceAccount UID ({own}) does not match claim ({claimed})"
            )));
        }
        if !get(&secret, "/metadata/labels")[INVALID_SINCE].is_null() {
            let (secret, account) = (&claims.secret, &claims.account);
            return Err(wrong(format!(
                "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked \
                 invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the \
                 '{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
            )));
        }
        self.note_use(namespace, &claims.secret, &secret).await;
        Ok(UserInfo {
            name: user_name(namespace, &claims.account),
            uid: claims.uid.clone(),
            groups: groups_of(namespace),
            ..UserInfo::default()
        })
    }

    /// Keeps the day on which the token was last used. It is no harm if that fails.
    async fn note_use(&self, namespace: &str, name: &str, secret: &Value) {
        let today = self.clock.now().strftime("%Y-%m-%d").to_string();
        let Some(store) = self.stores.get().and_then(|stores| stores.get("", "secrets")) else {
            return;
        };
        if get(secret, "/metadata/labels")[LAST_USED] == today.as_str() {
            return;
        }
        let context = WriteContext {
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            field_manager: Some("kube-apiserver".to_owned()),
            ..WriteContext::default()
        };
        let note = |current: &Value| {
            let mut secret = current.clone();
            put(&mut secret, &["metadata", "labels", LAST_USED], json!(today));
            Ok(secret)
        };
        let noted = store.update(&context, namespace, name, None, note, UpdateOptions::default());
        if let Err(error) = noted.await {
            tracing::warn!(%error, secret = name, namespace, "the use of a token could not be noted in its secret");
        }
    }
}

impl Claims {
    /// Everything must be there, and be of one account.
    fn check(&self) -> Result<(), AuthenticationError> {
        let claims = [
            ("sub", &self.sub),
            ("namespace", &self.namespace),
            ("secretName", &self.secret),
            ("serviceAccountName", &self.account),
            ("serviceAccountUID", &self.uid),
        ];
        if let Some((name, _)) = claims.iter().find(|(_, value)| value.is_empty()) {
            return Err(wrong(format!("{name} claim is missing")));
        }
        match self.sub == user_name(&self.namespace, &self.account) {
            true => Ok(()),
            false => Err(wrong("sub claim is invalid".to_owned())),
        }
    }
}

fn stored_token(secret: &Value) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let token = text(secret, "/data/token");
    base64::engine::general_purpose::STANDARD.decode(token).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::TokenConfig;
    use super::*;
    use crate::generic::clock::{Clock, Ids};
    use crate::registry::service_ranges::ServiceRanges;
    use crate::registry::stores::Stores;
    use crate::storage::Storage;
    use crate::storage::memory::MemoryStorage;

    const AUDIENCE: &str = "https://kubernetes.default.svc";

    struct Setup {
        tokens: ServiceAccountTokens,
        stores: Arc<Stores>,
        uid: String,
    }

    impl Setup {
        async fn new() -> Self {
            let config = TokenConfig {
                issuers: vec![AUDIENCE.to_owned()],
                api_audiences: vec![AUDIENCE.to_owned()],
                ..TokenConfig::default()
            };
            let sources = (Clock::default(), Ids::default());
            let tokens = ServiceAccountTokens::new(config, None, &[], sources).unwrap();
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
            let stores = Arc::new(Stores::open(&storage, &ServiceRanges::default(), Default::default()));
            tokens.look_up_in(stores.clone());
            let accounts = stores.get("", "serviceaccounts").unwrap();
            let account = json!({ "metadata": { "name": "robot" } });
            let made = accounts.create(&WriteContext::default(), "ns", account).await.unwrap();
            let uid = made.header().uid.clone();
            Self { tokens, stores, uid }
        }

        /// A token with claims that may differ from those that fit.
        fn token(&self, other: &[(&str, &str)]) -> String {
            let mut claims = json!({
                "iss": ISSUER,
                "sub": "system:serviceaccount:ns:robot",
                "kubernetes.io/serviceaccount/namespace": "ns",
                "kubernetes.io/serviceaccount/secret.name": "token",
                "kubernetes.io/serviceaccount/service-account.name": "robot",
                "kubernetes.io/serviceaccount/service-account.uid": self.uid,
            });
            for (claim, value) in other {
                claims[*claim] = json!(value);
            }
            self.tokens.key.sign(claims.to_string().as_bytes()).unwrap()
        }

        async fn keep(&self, token: &str) {
            use base64::Engine as _;
            let token = base64::engine::general_purpose::STANDARD.encode(token);
            let annotations = json!({ "kubernetes.io/service-account.name": "robot" });
            let secret = json!({
                "metadata": { "name": "token", "annotations": annotations },
                "type": "kubernetes.io/service-account-token",
                "data": { "token": token },
            });
            let secrets = self.stores.get("", "secrets").unwrap();
            secrets.create(&WriteContext::default(), "ns", secret).await.unwrap();
        }

        async fn refused(&self, token: &str) -> String {
            let answer = self.tokens.authenticate(token, &[AUDIENCE.to_owned()]).await;
            answer.unwrap_err().0
        }
    }

    #[tokio::test]
    async fn a_token_counts_while_its_secret_has_it() {
        let setup = Setup::new().await;
        let token = setup.token(&[]);
        assert_eq!(setup.refused(&token).await, "Token has been invalidated");
        setup.keep(&token).await;
        let (user, audiences) = setup
            .tokens
            .authenticate(&token, &[AUDIENCE.to_owned()])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (user.name.as_str(), &user.uid),
            ("system:serviceaccount:ns:robot", &setup.uid)
        );
        assert_eq!(audiences, [AUDIENCE]);
        let secrets = setup.stores.get("", "secrets").unwrap();
        let used = secrets.get("ns", "token", None).await.unwrap().document();
        assert!(!get(&used, "/metadata/labels")[LAST_USED].is_null());
        let another = setup.token(&[("jti", "another")]);
        assert_eq!(setup.refused(&another).await, "Token does not match server's copy");
        let mark = |secret: &Value| {
            let mut secret = secret.clone();
            put(&mut secret, &["metadata", "labels", INVALID_SINCE], json!("2026-01-01"));
            Ok(secret)
        };
        let (context, options) = (WriteContext::default(), UpdateOptions::default());
        secrets
            .update(&context, "ns", "token", None, mark, options)
            .await
            .unwrap();
        assert!(setup.refused(&token).await.contains("has been marked invalid"));
    }

    #[tokio::test]
    async fn a_token_says_whose_it_is() {
        let setup = Setup::new().await;
        for (claim, value, told) in [
            ("sub", "system:serviceaccount:ns:other", "sub claim is invalid"),
            (
                "kubernetes.io/serviceaccount/namespace",
                "",
                "namespace claim is missing",
            ),
            (
                "kubernetes.io/serviceaccount/secret.name",
                "",
                "secretName claim is missing",
            ),
        ] {
            assert_eq!(setup.refused(&setup.token(&[(claim, value)])).await, told);
        }
    }
}
