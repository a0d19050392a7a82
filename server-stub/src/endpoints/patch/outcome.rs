//! What a patch has made of an object: read as an object of its kind, with what is odd about it.

use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use kubewire_client::wire::transcode::JsonDocument;
use serde_json::Value;

use super::shown::patched_text;
use super::{Patch, malformed, unstructured};
use crate::endpoints::decode::{foreign_kind, no_object};
use crate::endpoints::options::FieldValidation;
use crate::endpoints::resource::BodyKind;
use crate::go_value::go_map;
use crate::status::{ApiError, FieldError};

pub(super) struct Outcome<'a> {
    /// What the object must be.
    pub(super) kind: BodyKind<'a>,
    pub(super) validation: FieldValidation,
    /// What is odd about the patch itself.
    pub(super) odd: Vec<String>,
}

impl Outcome<'_> {
    /// The object after the patch, and warnings.
    pub(super) fn of(&self, patch: &Patch, current: &Value) -> Result<(Value, Vec<String>), ApiError> {
        let mut patched = patch.apply(current, self.kind)?;
        let message = self.kind.schema().map(|kind| kind.message);
        // A text as long as the object, which only errors show.
        let shown = |patched: &Value| match patch {
            Patch::Strategic(patch) => go_map(&Value::Object(patch.clone())),
            _ => patched_text(patched, current, message),
        };
        let invalid = |patched: &Value, detail: String| {
            let error = FieldError::invalid("patch", shown(patched).into(), detail);
            ApiError::invalid("", "", "", vec![error])
        };
        match (patch, message) {
            (Patch::Strategic(_), Some(message)) => {
                let restored = unstructured::restore(message, &mut patched);
                restored.map_err(|detail| invalid(&patched, detail))?;
                // The kind of the object is known, whatever the patch says.
                patched["kind"] = current["kind"].clone();
                patched["apiVersion"] = current["apiVersion"].clone();
            }
            _ => self.check_kind(&patched, || shown(&patched))?,
        }
        let typed = JsonDocument::from_value(&patched).and_then(|document| self.kind.typed(&document));
        let (object, found) = typed.map_err(|error| invalid(&patched, error.to_string()))?;
        // Without a version nothing in it is known.
        let (object, found) = match &patched["apiVersion"] {
            Value::String(version) if !version.is_empty() => (object, found),
            _ => (Value::Null, unknown_members(&patched)),
        };
        let problems: Vec<String> = self.odd.iter().cloned().chain(found).collect();
        match self.validation {
            FieldValidation::Strict if !problems.is_empty() => {
                let detail = format!("strict decoding error: {}", problems.join(", "));
                Err(invalid(&patched, detail))
            }
            FieldValidation::Ignore => Ok((object, Vec::new())),
            _ => Ok((object, problems)),
        }
    }

    /// Fails where the patch has made another kind of it.
    fn check_kind(&self, patched: &Value, shown: impl Fn() -> String) -> Result<(), ApiError> {
        let invalid = |detail: String| {
            let error = FieldError::invalid("patch", shown().into(), detail);
            Err(ApiError::invalid("", "", "", vec![error]))
        };
        let unreadable = |detail: String| format!("couldn't get version/kind; json parse error: {detail}");
        if !patched.is_object() {
            return invalid(unreadable(no_object(malformed::description(patched))));
        }
        let mut texts = ["apiVersion", "kind"].into_iter().map(|name| (name, &patched[name]));
        if let Some((name, value)) = texts.find(|(_, value)| !value.is_string() && !value.is_null()) {
            let what = malformed::description(value);
            return invalid(unreadable(format!(
                "json: cannot unmarshal {what} into Go struct field .{name} of type string"
            )));
        }
        let text = |name: &str| patched[name].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let BodyKind::Custom(custom) = self.kind else {
            if api_version.is_empty() {
                return Ok(());
            }
            let kind = if kind.is_empty() { self.kind.kind() } else { kind };
            let Some(reason) = foreign_kind(api_version, kind, self.kind) else {
                return Ok(());
            };
            // An object of the other kind is made first.
            let other = schema::kind(&Gvk::from_api_version(api_version, kind));
            let document = JsonDocument::from_value(patched);
            return match (other, document) {
                (Some(other), Ok(document)) => invalid(
                    document
                        .typed(other.message)
                        .map_or_else(|error| error.to_string(), |_| reason),
                ),
                _ => invalid(reason),
            };
        };
        if kind.is_empty() {
            return invalid(format!("Object 'Kind' is missing in '{}'", shown()));
        }
        if api_version.is_empty() {
            let message = "Object 'apiVersion' is missing in 'object has no apiVersion field'";
            return Err(ApiError::internal(message));
        }
        let name = patched["metadata"]["name"].as_str().unwrap_or_default();
        let must_be = |field: &str, given: &str, wanted: &str| {
            (given != wanted).then(|| FieldError::invalid(field, given.into(), format!("must be {wanted}")))
        };
        let wrong_kind = must_be("kind", kind, &custom.kind);
        let wrong_version = must_be("apiVersion", api_version, &custom.api_version());
        let errors: Vec<FieldError> = wrong_kind.into_iter().chain(wrong_version).collect();
        match errors.is_empty() {
            true => Ok(()),
            false => {
                let claimed = Gvk::from_api_version(api_version, kind);
                Err(ApiError::invalid(&claimed.group, kind, name, errors))
            }
        }
    }
}

/// The members beside the kind and version, in the words of warnings.
fn unknown_members(patched: &Value) -> Vec<String> {
    let members = patched.as_object().into_iter().flat_map(|members| members.keys());
    let members = members.filter(|name| !matches!(name.as_str(), "apiVersion" | "kind"));
    members.map(|name| format!("unknown field {name:?}")).collect()
}
