//! Tokens of service accounts: signed by this server for a while and for an audience, bound to a pod, a secret or a node
//! if wanted, and worthless as soon as the account or what they are bound to is gone (KEP 1205).

mod claims;
mod discovery;
mod keys;
mod legacy;
mod validate;

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

pub(crate) use claims::Reference;
pub(crate) use discovery::install as install_discovery;
pub use keys::KeyError;

use self::claims::{Claims, Private};
use self::keys::{PublicKey, SigningKey};
use crate::generic::clock::{Clock, Ids};
use crate::registry::stores::Stores;

/// Seconds that a kubelet asks for where it knows how to renew a token. Older programs do not read it again, so it
/// really lives longer.
const WARN_ONLY_EXPIRATION: i64 = 60 * 60 + 7;
/// Seconds that such a token lives.
const EXTENDED_EXPIRATION: i64 = 365 * 24 * 60 * 60;

/// Issues tokens of service accounts and knows them again.
pub struct ServiceAccountTokens {
    config: TokenConfig,
    key: SigningKey,
    public_keys: Vec<PublicKey>,
    clock: Clock,
    ids: Ids,
    /// Where accounts and what tokens are bound to are looked up; nobody is known before it is there.
    stores: OnceLock<Arc<Stores>>,
}

/// How tokens are issued.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenConfig {
    /// Names of the issuer: new tokens have the first, the others are accepted.
    pub issuers: Vec<String>,
    /// What this server is called by those who issue tokens for it.
    pub api_audiences: Vec<String>,
    /// The longest life of a token in seconds. Default: none.
    pub max_expiration: Option<i64>,
    /// Whether pods' tokens live for a year although less was asked for.
    pub extend_expiration: bool,
}

/// What a token is issued for.
pub(crate) struct Grant {
    pub(crate) namespace: String,
    pub(crate) account: Reference,
    pub(crate) pod: Option<Reference>,
    pub(crate) secret: Option<Reference>,
    pub(crate) node: Option<Reference>,
    pub(crate) audiences: Vec<String>,
    /// Seconds.
    pub(crate) expiration: i64,
}

/// A new token.
pub(crate) struct IssuedToken {
    pub(crate) token: String,
    /// By which audit logs and users know it.
    pub(crate) credential_id: String,
    /// When its owner should have another.
    pub(crate) expiration: Timestamp,
}

impl ServiceAccountTokens {
    /// Signs with the key of `signing_pem`, a new one if there is none, and accepts what that key or one of
    /// `public_pems` has signed.
    ///
    /// # Errors
    /// There is no usable key in a file.
    pub fn new(
        config: TokenConfig,
        signing_pem: Option<&[u8]>,
        public_pems: &[Vec<u8>],
        (clock, ids): (Clock, Ids),
    ) -> Result<Self, KeyError> {
        let key = match signing_pem {
            Some(pem) => SigningKey::from_pem(pem)?,
            None => SigningKey::from_pem(Self::new_key()?.as_bytes())?,
        };
        let mut public_keys = Vec::new();
        for pem in public_pems {
            public_keys.extend(PublicKey::all_of_pem(pem)?);
        }
        if public_keys.is_empty() {
            public_keys.push(key.public().clone());
        }
        Ok(Self {
            config,
            key,
            public_keys,
            clock,
            ids,
            stores: OnceLock::new(),
        })
    }

    /// A new key in PEM.
    ///
    /// # Errors
    /// There is not enough randomness.
    pub fn new_key() -> Result<String, KeyError> {
        SigningKey::generate()
    }

    /// From now on accounts are looked up here.
    pub(crate) fn look_up_in(&self, stores: Arc<Stores>) {
        // The first stores are the server's own.
        let _ = self.stores.set(stores);
    }

    /// How tokens are issued.
    pub(crate) fn config(&self) -> &TokenConfig {
        &self.config
    }

    /// Issues a token.
    pub(crate) fn issue(&self, grant: Grant) -> Result<IssuedToken, KeyError> {
        let now = self.clock.now().as_second();
        let asked = grant.expiration;
        let extended = self.config.extend_expiration
            && grant.pod.is_some()
            && asked == WARN_ONLY_EXPIRATION
            && self.is_for_this_server(&grant.audiences);
        let lifetime = match extended {
            true => self.config.max_expiration.unwrap_or(EXTENDED_EXPIRATION).max(asked),
            false => asked,
        };
        let claims = Claims {
            sub: user_name(&grant.namespace, &grant.account.name),
            aud: grant.audiences,
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime),
            iss: self.config.issuers.first().cloned().unwrap_or_default(),
            jti: self.ids.uid(),
            kubernetes: Private {
                namespace: grant.namespace,
                node: grant.node,
                pod: grant.pod,
                secret: grant.secret,
                serviceaccount: grant.account,
                warnafter: extended.then(|| now.saturating_add(asked)),
            },
        };
        let text = serde_json::to_vec(&claims).map_err(|error| KeyError::Sign(error.to_string()))?;
        Ok(IssuedToken {
            token: self.key.sign(&text)?,
            credential_id: credential_id(&claims),
            expiration: Timestamp::from_second(now.saturating_add(asked)).unwrap_or(Timestamp::MAX),
        })
    }

    fn is_for_this_server(&self, audiences: &[String]) -> bool {
        audiences
            .iter()
            .all(|audience| self.config.api_audiences.contains(audience))
    }
}

/// The groups that the accounts of a namespace are in.
pub(crate) fn groups_of(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ]
}

fn user_name(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

fn credential_id(claims: &Claims) -> String {
    format!("JTI={}", claims.jti)
}

impl fmt::Debug for ServiceAccountTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccountTokens({:?})", self.key)
    }
}
