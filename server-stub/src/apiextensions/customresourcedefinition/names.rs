//! The rules for the names of a kind.

use serde_json::Value;

use crate::registry::validation::metadata::dns1035_name;
use crate::registry::validation::values::{get, items, path_of, text};
use crate::status::FieldError;

/// The names at a place in a definition; all are `required` in the spec.
pub(super) fn validate(definition: &Value, pointer: &str, required: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let names = get(definition, pointer);
    let path = path_of(pointer);
    for field in ["plural", "singular", "kind", "listKind"] {
        let name = text(names, &format!("/{field}"));
        let field_path = format!("{path}.{field}");
        if name.is_empty() {
            if required {
                errors.push(FieldError::required(field_path, ""));
            }
            continue;
        }
        let is_kind = field.to_lowercase().ends_with("kind");
        let broken = match is_kind {
            true => dns1035_name(&name.to_lowercase(), false),
            false => dns1035_name(name, false),
        };
        if !broken.is_empty() {
            let mixed = "may have mixed case, but should otherwise match: ";
            let detail = format!("{}{}", if is_kind { mixed } else { "" }, broken.join(","));
            errors.push(FieldError::invalid(field_path, name.into(), detail));
        }
    }
    for list in ["shortNames", "categories"] {
        for (index, name) in items(names, &format!("/{list}")).iter().enumerate() {
            let broken = dns1035_name(name.as_str().unwrap_or_default(), false);
            if !broken.is_empty() {
                let field = format!("{path}.{list}[{index}]");
                errors.push(FieldError::invalid(field, name.clone(), broken.join(",")));
            }
        }
    }
    let (kind, list_kind) = (text(names, "/kind"), text(names, "/listKind"));
    if !kind.is_empty() && kind == list_kind {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(
            format!("{path}.listKind"),
            list_kind.into(),
            detail,
        ));
    }
    errors
}
