//! Continue tokens: where the next page of a list starts, in the format of kube-apiserver.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, Status};
use serde::{Deserialize, Serialize};

use crate::status::ApiError;

const FORMAT: &str = "meta.k8s.io/v1";

/// A place in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The version of the list; `None` for the newest, which does not fit the earlier pages.
    pub(super) revision: Option<u64>,
    /// The first key that is not in the earlier pages.
    pub(super) from: String,
}

#[derive(Serialize, Deserialize)]
struct Token {
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

/// The token for the place behind a key; `prefix` is what the keys of the list start with.
pub(super) fn token(last_key: &str, prefix: &str, revision: u64) -> String {
    let start = format!("/{}\0", last_key.strip_prefix(prefix).unwrap_or(last_key));
    encode(&Token {
        v: FORMAT.to_owned(),
        rv: revision.cast_signed(),
        start,
    })
}

/// Reads a token of a list whose keys start with `prefix`.
pub(super) fn place(token: &str, prefix: &str) -> Result<Place, ApiError> {
    let token = decode(token).map_err(|reason| ApiError::bad_request(format!("invalid continue token: {reason}")))?;
    Ok(Place {
        revision: u64::try_from(token.rv).ok(),
        from: format!("{prefix}{}", token.start.strip_prefix('/').unwrap_or(&token.start)),
    })
}

/// The answer when the version of a token is forgotten, with a token for those who can do with the newest state.
pub(super) fn expired(token: &str) -> ApiError {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                   list without the continue parameter, or use the continue token in this response to retrieve the \
                   remainder of the results. Continuing with the provided token results in an inconsistent list - \
                   objects that were created, modified, or deleted between the time the first chunk was returned and \
                   now may show up in the list.";
    let error = ApiError::resource_expired(message);
    let Ok(token) = decode(token) else {
        return error;
    };
    ApiError::from(Status {
        metadata: ListMeta {
            continue_: Some(encode(&Token { rv: -1, ..token })),
            ..ListMeta::default()
        },
        ..error.status().clone()
    })
}

fn encode(token: &Token) -> String {
    // A struct of a number and texts can always be written.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(token).unwrap_or_default())
}

fn decode(token: &str) -> Result<Token, String> {
    let invalid = |reason: &dyn std::fmt::Display| format!("continue key is not valid: {reason}");
    let json = URL_SAFE_NO_PAD.decode(token).map_err(|error| match error {
        base64::DecodeError::InvalidByte(at, _) => invalid(&format!("illegal base64 data at input byte {at}")),
        base64::DecodeError::InvalidLength(at) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            invalid(&format!("illegal base64 data at input byte {at}"))
        }
        base64::DecodeError::InvalidPadding => invalid(&"illegal base64 data"),
    })?;
    let decoded: Token = serde_json::from_slice(&json).map_err(|error| invalid(&error))?;
    if decoded.v != FORMAT {
        return Err(format!(
            "continue key is not valid: server does not recognize this encoded version {:?}",
            decoded.v
        ));
    }
    if decoded.rv == 0 {
        return Err(format!(
            "continue key is not valid: incorrect encoded start resourceVersion (version {FORMAT})"
        ));
    }
    if decoded.start.is_empty() {
        return Err(format!(
            "continue key is not valid: encoded start key empty (version {FORMAT})"
        ));
    }
    // No way out of the prefix.
    let mut parts = decoded.start.split('/');
    if parts.any(|part| part == "." || part == "..") || decoded.start.starts_with("//") {
        return Err(format!("continue key is not valid: {}", decoded.start));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_format_of_kube_apiserver() {
        let token = token("/registry/pods/ns/a", "/registry/pods/", 7);
        let json = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert_eq!(json, br#"{"v":"meta.k8s.io/v1","rv":7,"start":"/ns/a\u0000"}"#);
        let read = place(&token, "/registry/pods/").unwrap();
        assert_eq!((read.revision, &*read.from), (Some(7), "/registry/pods/ns/a\0"));
    }

    #[test]
    fn an_expired_token_comes_back_without_version() {
        let error = expired(&token("/p/a", "/p/", 7));
        let again = error.status().metadata.continue_.clone().unwrap();
        assert_eq!((error.code(), place(&again, "/p/").unwrap().revision), (410, None));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "***",
            "e30",
            "",
            &encode(&Token {
                v: FORMAT.into(),
                rv: 1,
                start: "../x".into(),
            }),
        ] {
            assert_eq!(place(bad, "/p/").unwrap_err().code(), 400, "{bad}");
        }
    }
}
