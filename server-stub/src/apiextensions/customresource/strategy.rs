//! What differs between custom resources when objects are written.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::CustomKind;
use super::json_path::JsonPath;
use crate::apiextensions::schema::{NO_FIELD, is_blocking};
use crate::registry::WriteContext;
use crate::registry::managed_fields::Shape;
use crate::registry::strategy::{Strategy, Update, keep, separate_status};
use crate::registry::validation::metadata;
use crate::status::FieldError;

/// The behaviour of the objects of one kind.
#[derive(Debug)]
pub(crate) struct CustomResourceStrategy {
    kind: Arc<CustomKind>,
    has_rules: bool,
}

impl CustomResourceStrategy {
    pub(crate) fn new(kind: Arc<CustomKind>) -> Self {
        Self {
            has_rules: kind.schema.has_rules_inside(),
            kind,
        }
    }

    fn errors(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let schema = &self.kind.schema;
        let mut errors = schema.validate(new, old, "");
        errors.extend(schema.embedded_errors(new));
        self.add_others(&mut errors, new);
        errors
    }

    /// A write of the status says nothing about the rest of the object, and messages are about the status alone.
    fn status_errors(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(schema), Some(status)) = (self.kind.schema.properties.get("status"), new.get("status")) {
            let found = schema.validate(status, old.get("status"), "");
            errors.extend(found.into_iter().map(|mut error| {
                if error.field != NO_FIELD {
                    error.field = format!("status.{}", error.field);
                }
                error
            }));
        }
        self.add_others(&mut errors, new);
        errors
    }

    fn add_others(&self, errors: &mut Vec<FieldError>, new: &Value) {
        if let Some(scale) = &self.kind.scale {
            errors.extend(scale.validate(new));
        }
        errors.extend(self.kind.schema.repeated_elements(new));
        if self.has_rules && errors.iter().any(is_blocking) {
            let detail = "some validation rules were not checked because the object was invalid; \
                          correct the existing errors to complete validation";
            errors.push(FieldError::invalid(NO_FIELD, Value::Null, detail));
        }
    }
}

#[async_trait]
impl Strategy for CustomResourceStrategy {
    fn shape(&self) -> Option<Shape<'_>> {
        Some(self.kind.shape())
    }

    fn has_status(&self) -> bool {
        self.kind.has_status
    }

    fn default_object(&self, object: &mut Value) {
        self.kind.schema.apply_defaults(object);
    }

    fn prepare_for_create(&self, object: &mut Value, _: &WriteContext) {
        if self.kind.has_status {
            keep(object, None, "status");
        }
    }

    fn kept_metadata(&self, subresource: &str) -> &'static [&'static str] {
        match subresource {
            "status" => &["labels", "annotations", "finalizers", "ownerReferences"],
            _ => &[],
        }
    }

    fn prepare_for_update(&self, change: &mut Update<'_>) {
        if self.kind.has_status {
            separate_status(change);
        }
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        self.errors(object, None)
    }

    fn validate_update(&self, new: &Value, old: &Value, subresource: Option<&str>) -> Vec<FieldError> {
        // kube-apiserver looks at the metadata twice, too.
        let mut errors = metadata::fixed(new, old);
        errors.extend(match subresource {
            Some("status") => self.status_errors(new, old),
            _ => self.errors(new, Some(old)),
        });
        errors
    }

    fn has_generation(&self) -> bool {
        true
    }

    /// Everything but metadata counts, and the status where that is kept apart.
    fn spec_changed(&self, new: &Value, old: &Value) -> bool {
        let is_counted = |name: &str| name != "metadata" && !(self.kind.has_status && name == "status");
        let counted = |object: &Value| {
            let members = object.as_object().into_iter().flatten();
            let members = members.filter(|(name, _)| is_counted(name));
            members
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Vec<_>>()
        };
        counted(new) != counted(old)
    }

    fn allow_unconditional_update(&self) -> bool {
        false
    }

    fn has_field(&self, field: &str) -> bool {
        self.kind.selectable_fields.iter().any(|known| known == field)
    }

    fn field<'a>(&self, object: &'a Value, field: &str) -> Option<Cow<'a, str>> {
        let path = JsonPath::parse(&format!(".{field}"))?;
        Some(match path.first(object) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(other) => Cow::Owned(other.to_string()),
        })
    }

    fn unknown_field(&self, field: &str, _: &[&str]) -> String {
        format!("field label not supported: {field}")
    }
}
