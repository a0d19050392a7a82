//! Whose token is it, and does it still count? In the words of kube-apiserver, which clients see in token reviews.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::claims::{Claims, Reference};
use super::{ServiceAccountTokens, credential_id, groups_of, legacy, user_name};
use crate::authentication::{AuthenticationError, CREDENTIAL_ID};
use crate::field_error::quote;
use crate::generic::request::UserInfo;
use crate::registry::StoredObject;
use crate::registry::validation::values::text;
use crate::status::ApiError;

/// Seconds by which clocks may differ, and that something which is being deleted still counts.
const LEEWAY: i64 = 60;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Header {
    alg: String,
    kid: String,
}

impl ServiceAccountTokens {
    /// Whose token it is, and those of the wanted audiences that it is for; `None` where somebody else issued it.
    ///
    /// # Errors
    /// It is one of ours but does not count.
    pub(crate) async fn authenticate(
        &self,
        token: &str,
        wanted: &[String],
    ) -> Result<Option<(UserInfo, Vec<String>)>, AuthenticationError> {
        let Some((message, signature)) = token.rsplit_once('.') else {
            return Ok(None);
        };
        let Some((header, claims)) = message.split_once('.') else {
            return Ok(None);
        };
        let text = claims;
        let is_ours = |claims: &Claims| claims.iss == legacy::ISSUER || self.config.issuers.contains(&claims.iss);
        let Some(mut claims) = decode::<Claims>(claims).filter(is_ours) else {
            return Ok(None);
        };
        let is_legacy = claims.iss == legacy::ISSUER;
        if is_legacy && claims.aud.is_empty() {
            claims.aud.clone_from(&self.config.api_audiences);
        }
        let header: Header = decode(header).unwrap_or_default();
        self.verify(&header, message, signature)?;
        let audiences: Vec<String> = wanted
            .iter()
            .filter(|wanted| claims.aud.contains(wanted))
            .cloned()
            .collect();
        if audiences.is_empty() {
            let (own, wanted) = (quoted(&claims.aud), quoted(wanted));
            return Err(wrong(format!(
                "token audiences {own} is invalid for the target audiences {wanted}"
            )));
        }
        if is_legacy {
            return Ok(Some((self.legacy_user(token, text).await?, audiences)));
        }
        self.check_time(&claims)?;
        self.check_objects(&claims).await?;
        Ok(Some((user(&claims), audiences)))
    }

    fn verify(&self, header: &Header, message: &str, signature: &str) -> Result<(), AuthenticationError> {
        let mut keys = self
            .public_keys
            .iter()
            .filter(|key| header.kid.is_empty() || key.id() == header.kid)
            .peekable();
        if keys.peek().is_none() {
            return Err(wrong("invalid signature, no keys found".to_owned()));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        match keys.any(|key| key.algorithm() == header.alg && key.verify(message.as_bytes(), &signature)) {
            true => Ok(()),
            false => Err(wrong("go-jose/go-jose: error in cryptographic primitive".to_owned())),
        }
    }

    fn check_time(&self, claims: &Claims) -> Result<(), AuthenticationError> {
        let now = self.clock.now().as_second();
        let why = if claims.nbf > now + LEEWAY {
            "service account token is not valid yet"
        } else if claims.exp < now - LEEWAY {
            "service account token has expired"
        } else if claims.iat > now + LEEWAY {
            "service account token is issued in the future"
        } else {
            return Ok(());
        };
        Err(wrong(why.to_owned()))
    }

    /// The account, and what the token is bound to, must still be there.
    async fn check_objects(&self, claims: &Claims) -> Result<(), AuthenticationError> {
        let private = &claims.kubernetes;
        let namespace = private.namespace.as_str();
        let invalidated = || wrong("service account token has been invalidated".to_owned());
        let account = &private.serviceaccount;
        let found = self.get("serviceaccounts", namespace, &account.name).await;
        let found = found.map_err(|error| wrong(error.message().to_owned()))?;
        if !self.counts(&found.document()) {
            return Err(invalidated());
        }
        same_uid(&found, account, "service account UID", "claim")?;
        let bound = [
            (&private.secret, "secrets", namespace, "secret"),
            (&private.pod, "pods", namespace, "pod"),
            // The node of a pod goes away with it, sooner or later.
            (
                if private.pod.is_none() { &private.node } else { &None },
                "nodes",
                "",
                "node",
            ),
        ];
        for (reference, resource, namespace, kind) in bound {
            let Some(reference) = reference else { continue };
            let found = self
                .get(resource, namespace, &reference.name)
                .await
                .map_err(|_| invalidated())?;
            if !self.counts(&found.document()) {
                return Err(invalidated());
            }
            same_uid(
                &found,
                reference,
                &format!("{kind} UID"),
                &format!("service account {kind} ref claim"),
            )?;
        }
        Ok(())
    }

    pub(super) async fn get(
        &self,
        resource: &'static str,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<StoredObject>, ApiError> {
        let store = self.stores.get().and_then(|stores| stores.get("", resource));
        let store = store.ok_or_else(|| ApiError::internal(format!("{resource} are not stored")))?;
        store.get_written(namespace, name).await
    }

    /// Whether an object is not about to be gone.
    fn counts(&self, object: &Value) -> bool {
        let deleted = text(object, "/metadata/deletionTimestamp").parse::<Timestamp>();
        deleted.is_ok_and(|at| at.as_second() >= self.clock.now().as_second() - LEEWAY)
            || text(object, "/metadata/deletionTimestamp").is_empty()
    }
}

fn same_uid(found: &StoredObject, reference: &Reference, what: &str, whose: &str) -> Result<(), AuthenticationError> {
    let (own, claimed) = (&found.header().uid, &reference.uid);
    match own == claimed {
        true => Ok(()),
        false => Err(wrong(format!("{what} ({own}) does not match {whose} ({claimed})"))),
    }
}

fn user(claims: &Claims) -> UserInfo {
    let private = &claims.kubernetes;
    let mut user = UserInfo {
        name: user_name(&private.namespace, &private.serviceaccount.name),
        uid: private.serviceaccount.uid.clone(),
        groups: groups_of(&private.namespace),
        ..UserInfo::default()
    };
    let mut add = |key: String, value: String| user.extra.insert(key, vec![value]);
    for (kind, reference) in [("pod", &private.pod), ("node", &private.node)] {
        if let Some(reference) = reference {
            add(
                format!("authentication.kubernetes.io/{kind}-name"),
                reference.name.clone(),
            );
            if kind == "pod" || !reference.uid.is_empty() {
                add(
                    format!("authentication.kubernetes.io/{kind}-uid"),
                    reference.uid.clone(),
                );
            }
        }
    }
    if !claims.jti.is_empty() {
        add(CREDENTIAL_ID.to_owned(), credential_id(claims));
    }
    user
}

pub(super) fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|one| quote(one)).collect();
    format!("[{}]", quoted.join(" "))
}

pub(super) fn wrong(why: String) -> AuthenticationError {
    AuthenticationError(why)
}
