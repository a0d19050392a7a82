//! Request bodies become objects: JSON, YAML or protobuf in, one document of the expected kind out.

use bytes::Bytes;
use kubewire_client::Gvk;
use kubewire_client::wire::schema::{self, KindSchema};
use kubewire_client::wire::transcode::{self, JsonDocument};
use kubewire_client::wire::{Encoding, Envelope, WireError};
use serde_json::Value;
use serde_saphyr::DuplicateKeyPolicy;

use super::negotiation::Format;
use super::options::FieldValidation;
use super::resource::BodyKind;
use crate::apiextensions::customresource::CustomKind;
use crate::status::ApiError;

/// A decoded object, and what was odd about its text.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    /// Unknown and duplicate fields, in the words of a warning.
    pub(crate) warnings: Vec<String>,
}

/// How much of a body an error quotes.
const QUOTED: usize = 30;

/// Why a body is no object of the expected kind.
enum Misfit {
    /// It is no object at all.
    Unrecognized(String),
    /// It is one of this kind and version.
    Unfit {
        kind: String,
        version: String,
        reason: String,
    },
    /// The error says all.
    Refused(ApiError),
}

/// Decodes a body that must be an object of `expected`.
pub(crate) fn decode(
    body: &Bytes,
    format: Format,
    expected: BodyKind<'_>,
    validation: FieldValidation,
) -> Result<Decoded, ApiError> {
    let wanted = expected.kind();
    try_decode(body, format, expected, validation).map_err(|misfit| match misfit {
        Misfit::Unrecognized(reason) => ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {wanted}): {reason} ({})",
            summarize(body)
        )),
        Misfit::Unfit { kind, version, reason } => ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {wanted}: {reason}"
        )),
        Misfit::Refused(error) => error,
    })
}

/// Decodes options that are a request's body; the error is the bare reason.
pub(crate) fn decode_options(body: &Bytes, format: Format, expected: BodyKind<'_>) -> Result<Value, ApiError> {
    let decoded = try_decode(body, format, expected, FieldValidation::Ignore);
    let decoded = decoded.map_err(|misfit| match misfit {
        Misfit::Unrecognized(reason) | Misfit::Unfit { reason, .. } => ApiError::bad_request(reason),
        Misfit::Refused(error) => error,
    })?;
    Ok(decoded.object)
}

fn try_decode(
    body: &Bytes,
    format: Format,
    expected: BodyKind<'_>,
    validation: FieldValidation,
) -> Result<Decoded, Misfit> {
    match format {
        Format::Json => decode_json(body, expected, validation, None),
        Format::Yaml => {
            let (json, repeated) = yaml_to_json(body).map_err(Misfit::Unrecognized)?;
            decode_json(&json, expected, validation, repeated)
        }
        Format::Protobuf => decode_protobuf(body, expected),
    }
}

/// `repeated` is what was wrong before the text became JSON.
fn decode_json(
    text: &[u8],
    expected: BodyKind<'_>,
    validation: FieldValidation,
    repeated: Option<String>,
) -> Result<Decoded, Misfit> {
    let unrecognized =
        |error: &str| Misfit::Unrecognized(format!("couldn't get version/kind; json parse error: {error}"));
    let document = JsonDocument::parse(text).map_err(|error| unrecognized(&error.to_string()))?;
    match document.description() {
        "object" | "null" => {}
        other => return Err(unrecognized(&no_object(other))),
    }
    let (version, kind) = document.type_meta();
    let version = if version.is_empty() {
        api_version(expected)
    } else {
        version.to_owned()
    };
    match expected {
        BodyKind::BuiltIn(_) => check_kind(&version, if kind.is_empty() { expected.kind() } else { kind }, expected)?,
        BodyKind::Custom(custom) => check_custom_kind(&document, text, custom)?,
    }
    let (object, problems) = expected.typed(&document).map_err(|error| unfit(expected, &error))?;
    let problems: Vec<String> = repeated.into_iter().chain(problems).collect();
    if validation == FieldValidation::Strict && !problems.is_empty() {
        let reason = format!("strict decoding error: {}", problems.join(", "));
        return Err(cannot_be_handled(expected.kind(), &expected.gvk().version, reason));
    }
    Ok(Decoded {
        object: with_type(object, expected),
        warnings: if validation == FieldValidation::Ignore {
            Vec::new()
        } else {
            problems
        },
    })
}

/// What Go says of JSON that is no object, when it looks for the kind.
pub(crate) fn no_object(what: &str) -> String {
    let target =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    format!("json: cannot unmarshal {what} into Go value of type {target}")
}

fn decode_protobuf(body: &Bytes, expected: BodyKind<'_>) -> Result<Decoded, Misfit> {
    let BodyKind::BuiltIn(built_in) = expected else {
        let error = ApiError::unsupported_media_type(&["application/json", "application/yaml"]);
        return Err(Misfit::Refused(error));
    };
    if !body.starts_with(kubewire_client::wire::envelope::MAGIC) {
        let reason = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
        return Err(Misfit::Unrecognized(reason.to_owned()));
    }
    let envelope = Envelope::decode(body).map_err(|error| Misfit::Unrecognized(go_words(&error)))?;
    let claimed_version = match envelope.api_version.as_str() {
        "" => api_version(expected),
        version => version.to_owned(),
    };
    let kind = if envelope.kind.is_empty() {
        built_in.kind
    } else {
        &envelope.kind
    };
    check_kind(&claimed_version, kind, expected)?;
    if envelope.object.encoding == Encoding::Json {
        return decode_json(&envelope.object.bytes, expected, FieldValidation::Ignore, None);
    }
    let object = transcode::protobuf_to_value(built_in.message, &envelope.object.bytes);
    let object = object.map_err(|error| unfit(expected, &error))?;
    Ok(Decoded {
        object: with_type(object, expected),
        warnings: Vec::new(),
    })
}

/// YAML as JSON text, and which key stands in it twice; the last one counts. Only the first document is read.
pub(super) fn yaml_to_json(body: &[u8]) -> Result<(Vec<u8>, Option<String>), String> {
    let text = std::str::from_utf8(body).map_err(|_| "yaml: invalid leading UTF-8 octet".to_owned())?;
    let text = first_document(text);
    let mut repeated = None;
    let value: Value = match serde_saphyr::from_str(text) {
        Err(error) => {
            repeated = repeated_key(&error);
            let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
            let lenient = repeated
                .is_some()
                .then(|| serde_saphyr::from_str_with_options(text, options));
            lenient
                .unwrap_or(Err(error))
                .map_err(|error| format!("yaml: {error}"))?
        }
        Ok(value) => value,
    };
    let json = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
    Ok((json, repeated))
}

/// The text up to the line that begins another document.
fn first_document(text: &str) -> &str {
    let mut at = 0;
    let mut has_begun = false;
    for line in text.split_inclusive('\n') {
        let is_marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if is_marker && has_begun {
            break;
        }
        has_begun |= !is_marker && !line.trim().is_empty() && !line.starts_with(['#', '%']);
        at += line.len();
    }
    text.get(..at).unwrap_or(text)
}

/// What Go says of a key that stands twice in a map.
fn repeated_key(error: &serde_saphyr::Error) -> Option<String> {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key, location } => {
            let (line, key) = (location.line(), key.as_deref().unwrap_or_default());
            Some(format!(
                "yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map"
            ))
        }
        _ => None,
    }
}

/// Fails where the body is of another kind than the path.
fn check_kind(api_version: &str, kind: &str, expected: BodyKind<'_>) -> Result<(), Misfit> {
    let claimed = Gvk::from_api_version(api_version, kind);
    let former_eviction = Gvk::new("policy", "v1beta1", "Eviction");
    if claimed == former_eviction && expected.gvk() == Gvk::new("policy", "v1", "Eviction") {
        // It is the same.
        return Ok(());
    }
    if let Some(reason) = foreign_kind(api_version, kind, expected) {
        return Err(cannot_be_handled(kind, &claimed.version, reason));
    }
    let message = |kind: &KindSchema| kind.message.name;
    if claimed == expected.gvk() || schema::kind(&claimed).map(message) == expected.schema().map(message) {
        return Ok(());
    }
    Err(Misfit::Refused(other_version(api_version, expected)))
}

/// Why an object of this kind is none of the expected one; `None` where it is one, be it in another version.
pub(super) fn foreign_kind(api_version: &str, kind: &str, expected: BodyKind<'_>) -> Option<String> {
    let claimed = Gvk::from_api_version(api_version, kind);
    let wanted = expected.gvk();
    // Options are read by those who know nothing else.
    let is_known = |_: &&KindSchema| wanted.kind != "DeleteOptions" || claimed.kind == wanted.kind;
    let Some(known) = schema::kind(&claimed).filter(is_known) else {
        return Some(format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\""
        ));
    };
    // Events of either group are the same inside, and so are scales of all groups.
    let inside = |gvk: &Gvk| match (&*gvk.group, &*gvk.kind) {
        ("events.k8s.io", _) | (_, "Scale") => String::new(),
        (group, _) => group.to_owned(),
    };
    let is_same = (inside(&claimed), &claimed.kind) == (inside(&wanted), &wanted.kind)
        || expected
            .schema()
            .is_some_and(|own| own.message.name == known.message.name);
    let package = wanted.group.split('.').next().filter(|package| !package.is_empty());
    let wanted = format!("{}.{}", package.unwrap_or("core"), wanted.kind);
    (!is_same).then(|| {
        format!(
            "converting ({}.{kind}) to ({wanted}): unknown conversion",
            claimed.version
        )
    })
}

/// The version must be that of the path; the kind is among the rules for custom resources.
fn check_custom_kind(document: &JsonDocument<'_>, text: &[u8], expected: &CustomKind) -> Result<(), Misfit> {
    let (api_version, kind) = document.type_meta();
    if kind.is_empty() {
        let reason = format!("Object 'Kind' is missing in '{}'", String::from_utf8_lossy(text));
        return Err(Misfit::Unrecognized(reason));
    }
    if api_version != expected.api_version() {
        return Err(Misfit::Refused(other_version(api_version, BodyKind::Custom(expected))));
    }
    expected.check_kind(kind, document).map_err(Misfit::Refused)
}

fn other_version(api_version: &str, expected: BodyKind<'_>) -> ApiError {
    ApiError::bad_request(format!(
        "the API version in the data ({api_version}) does not match the expected API version ({})",
        self::api_version(expected)
    ))
}

fn with_type(mut object: Value, expected: BodyKind<'_>) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert("kind".to_owned(), expected.kind().into());
        fields.insert("apiVersion".to_owned(), api_version(expected).into());
    }
    object
}

fn api_version(kind: BodyKind<'_>) -> String {
    kind.gvk().api_version()
}

fn unfit(expected: BodyKind<'_>, error: &WireError) -> Misfit {
    cannot_be_handled(expected.kind(), &expected.gvk().version, go_words(error))
}

fn cannot_be_handled(kind: &str, version: &str, reason: String) -> Misfit {
    Misfit::Unfit {
        kind: kind.to_owned(),
        version: version.to_owned(),
        reason,
    }
}

/// What Go says about the same bytes.
fn go_words(error: &WireError) -> String {
    match error {
        WireError::Truncated { .. } => "unexpected EOF".to_owned(),
        WireError::Value { path, reason } if path.is_empty() => reason.clone(),
        error => error.to_string(),
    }
}

/// The beginning of a body: as it stands where it looks like JSON, else in hexadecimal.
fn summarize(body: &[u8]) -> String {
    let Some(first) = body.first() else {
        return "<empty>".to_owned();
    };
    let quoted = body.get(..QUOTED).unwrap_or(body);
    let mut text = if *first == b'{' {
        String::from_utf8_lossy(quoted).into_owned()
    } else {
        quoted.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    if body.len() > QUOTED {
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_document_is_read() {
        assert_eq!(first_document("---\na: b\n---\nc: d\n"), "---\na: b\n");
        assert_eq!(first_document("# x\n---\na: |\n  ---\n"), "# x\n---\na: |\n  ---\n");
        let json = yaml_to_json(b"a: 1\n--- # more\nb: 2").unwrap().0;
        assert_eq!(json, br#"{"a":1}"#);
    }

    #[test]
    fn quotes_the_beginning() {
        assert_eq!(summarize(b""), "<empty>");
        assert_eq!(summarize(b"hello"), "68656c6c6f");
        assert_eq!(
            summarize(br#"{"apiVersion":"v1","kind":"ConfigMap"}"#),
            r#"{"apiVersion":"v1","kind":"Con ..."#
        );
    }
}
