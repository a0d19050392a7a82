//! Lists of type `set` and `map`: no element twice.

use serde_json::{Map, Value};

use super::{Schema, member};
use crate::status::FieldError;

impl Schema {
    /// The elements that occur twice.
    pub(crate) fn repeated_elements(&self, value: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        visit(self, value, "", &mut errors);
        errors
    }
}

fn visit(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let (below, path) = match (schema.properties.get(name), schema.additional_schema()) {
                    (Some(property), _) => (property, member(path, name)),
                    (None, Some(values)) => (values, format!("{path}[{name}]")),
                    (None, None) => continue,
                };
                visit(below, value, &path, errors);
            }
        }
        Value::Array(elements) => {
            let keys: Vec<Value> = match schema.list_type.as_deref() {
                Some("set") => elements.clone(),
                Some("map") => elements.iter().map(|element| keys_of(schema, element)).collect(),
                _ => Vec::new(),
            };
            for (index, key) in keys.iter().enumerate() {
                // Each value is reported once, where it occurs for the second time.
                if keys.iter().take(index).filter(|other| *other == key).count() == 1 {
                    errors.push(FieldError::duplicate(format!("{path}[{index}]"), key.clone()));
                }
            }
            if let Some(items) = &schema.items {
                for (index, element) in elements.iter().enumerate() {
                    visit(items, element, &format!("{path}[{index}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn keys_of(schema: &Schema, element: &Value) -> Value {
    let key = |key: &String| element.get(key).map(|value| (key.clone(), value.clone()));
    Value::Object(schema.list_map_keys.iter().filter_map(key).collect::<Map<_, _>>())
}
