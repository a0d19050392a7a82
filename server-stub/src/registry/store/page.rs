//! Continue tokens: where the next page of a list starts, in the format of kube-apiserver.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, Status};
use kubewire_client::wire::transcode::JsonDocument;
use serde::Serialize;
use serde_json::Value;

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

#[derive(Serialize)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

/// The token for the place behind a key; `prefix` is what the keys of the list start with. The watch cache of
/// kube-apiserver puts a slash before the place.
pub(super) fn token(last_key: &str, prefix: &str, revision: u64, is_cached: bool) -> String {
    let slash = if is_cached { "/" } else { "" };
    let start = format!("{slash}{}\0", last_key.strip_prefix(prefix).unwrap_or(last_key));
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
            continue_: Some(encode(&Token {
                rv: -1,
                start: token.start.trim_start_matches('/').to_owned(),
                v: token.v,
            })),
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
    let invalid = |reason: String| format!("continue key is not valid: {reason}");
    let json = from_base64(token).map_err(invalid)?;
    let document = JsonDocument::parse(&json).map_err(|error| invalid(error.to_string()))?;
    let (value, _) = document.untyped();
    let decoded = read(&value).map_err(invalid)?;
    if decoded.v != FORMAT {
        return Err(invalid(format!(
            "server does not recognize this encoded version {}",
            decoded.v
        )));
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

/// Go's decoder: bits behind the last byte are passed over, and errors name the place.
fn from_base64(token: &str) -> Result<Vec<u8>, String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if let Some(at) = token.bytes().position(|byte| !is_known(byte)) {
        return Err(corrupt(at));
    }
    let last = token.len().saturating_sub(1);
    LENIENT.decode(token).map_err(|_| corrupt(last))
}

fn read(value: &Value) -> Result<Token, String> {
    let unfit = |what: &str, at: &str| format!("json: cannot unmarshal {what} into Go {at}");
    let what = |value: &Value| match value {
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_f64() => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        _ => "object".to_owned(),
    };
    if !value.is_object() && !value.is_null() {
        return Err(unfit(&what(value), "value of type storage.continueToken"));
    }
    let field = |name: &str, ty: &str| format!("struct field continueToken.{name} of type {ty}");
    let text = |name: &str| match &value[name] {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        other => Err(unfit(&what(other), &field(name, "string"))),
    };
    let rv = match &value["rv"] {
        Value::Null => 0,
        other => other
            .as_i64()
            .ok_or_else(|| unfit(&what(other), &field("rv", "int64")))?,
    };
    Ok(Token {
        v: text("v")?,
        rv,
        start: text("start")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_format_of_kube_apiserver() {
        let token = token("/registry/pods/ns/a", "/registry/pods/", 7, true);
        let json = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert_eq!(json, br#"{"v":"meta.k8s.io/v1","rv":7,"start":"/ns/a\u0000"}"#);
        let read = place(&token, "/registry/pods/").unwrap();
        assert_eq!((read.revision, &*read.from), (Some(7), "/registry/pods/ns/a\0"));
    }

    #[test]
    fn an_expired_token_comes_back_without_version() {
        let error = expired(&token("/p/a", "/p/", 7, true));
        let again = error.status().metadata.continue_.clone().unwrap();
        let place = place(&again, "/p/").unwrap();
        assert_eq!((error.code(), place.revision, &*place.from), (410, None, "/p/a\0"));
        let json = URL_SAFE_NO_PAD.decode(&again).unwrap();
        assert_eq!(json, br#"{"v":"meta.k8s.io/v1","rv":-1,"start":"a\u0000"}"#);
    }

    #[test]
    fn errors_are_in_the_words_of_go() {
        let message = |token: &str| decode(token).map(drop).unwrap_err();
        let encoded = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let invalid = |reason: &str| format!("continue key is not valid: {reason}");
        assert_eq!(
            message("garbage"),
            invalid("invalid character '\\u0081' looking for beginning of value")
        );
        assert_eq!(message(&encoded("{")), invalid("unexpected end of JSON input"));
        assert_eq!(message("ab*d"), invalid("illegal base64 data at input byte 2"));
        assert_eq!(
            message(&encoded("{}")),
            invalid("server does not recognize this encoded version ")
        );
        assert_eq!(
            message(&encoded(r#"{"v":"meta.k8s.io/v1","rv":"x"}"#)),
            invalid("json: cannot unmarshal string into Go struct field continueToken.rv of type int64")
        );
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
