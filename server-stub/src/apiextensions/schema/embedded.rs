//! Whole objects inside of objects (`x-kubernetes-embedded-resource`): their kind, version and metadata.

use serde_json::Value;

use super::{Schema, member};
use crate::registry::validation::metadata::dns1035_name;
use crate::status::FieldError;

impl Schema {
    /// What is wrong with the kinds and versions of embedded objects.
    pub(crate) fn embedded_errors(&self, value: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.visit_embedded(value, "", &mut |object, path| identity(object, path, &mut errors));
        errors
    }

    /// Visits the embedded objects in a value with their paths, outer ones first.
    fn visit_embedded(&self, value: &Value, path: &str, visit: &mut impl FnMut(&Value, &str)) {
        if self.embedded_resource && value.is_object() {
            visit(value, path);
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(schema) = self.properties.get(name).or(self.additional_schema()) {
                        schema.visit_embedded(value, &member(path, name), visit);
                    }
                }
            }
            Value::Array(elements) => {
                let Some(items) = &self.items else { return };
                for (index, element) in elements.iter().enumerate() {
                    items.visit_embedded(element, &format!("{path}[{index}]"), visit);
                }
            }
            _ => {}
        }
    }

    /// Lets `type_metadata` look at the metadata of embedded objects, which may change it. The root is left to others.
    pub(crate) fn for_each_embedded_metadata<E>(
        &self,
        value: &mut Value,
        path: &str,
        type_metadata: &mut impl FnMut(&mut Value, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.embedded_resource
            && !path.is_empty()
            && let Some(metadata) = value.get_mut("metadata")
        {
            type_metadata(metadata, &member(path, "metadata"))?;
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(schema) = self.properties.get(name).or(self.additional_schema()) {
                        schema.for_each_embedded_metadata(value, &member(path, name), type_metadata)?;
                    }
                }
            }
            Value::Array(elements) => {
                let Some(items) = &self.items else { return Ok(()) };
                for (index, element) in elements.iter_mut().enumerate() {
                    items.for_each_embedded_metadata(element, &format!("{path}[{index}]"), type_metadata)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn identity(object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let field = member(path, "apiVersion");
    match text("apiVersion") {
        "" => errors.push(FieldError::required(field, "")),
        version if version.matches('/').count() > 1 => {
            let detail = format!("unexpected GroupVersion string: {version}");
            errors.push(FieldError::invalid(field, version.into(), detail));
        }
        _ => {}
    }
    let field = member(path, "kind");
    match text("kind") {
        "" => errors.push(FieldError::required(field, "")),
        kind => {
            let broken = dns1035_name(&kind.to_lowercase(), false);
            if !broken.is_empty() {
                let detail = format!("may have mixed case, but should otherwise match: {}", broken.join(","));
                errors.push(FieldError::invalid(field, kind.into(), detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn embedded_objects_have_a_kind_and_a_version() {
        let embedded = json!({"type": "object", "x-kubernetes-embedded-resource": true});
        let schema = Schema::parse(&json!({"properties": {"list": {"type": "array", "items": embedded}}}));
        let value = json!({"list": [{"apiVersion": "v1", "kind": "Pod"}, {"kind": "x y", "apiVersion": "a/b/c"}, {}]});
        let errors: Vec<String> = schema.embedded_errors(&value).iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert_eq!(
            errors[0],
            "list[1].apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c"
        );
        assert_eq!(
            errors[2..],
            ["list[2].apiVersion: Required value", "list[2].kind: Required value"]
        );
    }
}
