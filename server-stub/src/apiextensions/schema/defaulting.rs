//! Defaulting: what an object leaves out and the schema has a default for.

use serde_json::{Map, Value};

use super::Schema;

impl Schema {
    /// Fills in defaults, also for nulls where there may be none.
    pub(crate) fn apply_defaults(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, property) in &self.properties {
                    if let Some(default) = &property.default
                        && members
                            .get(name)
                            .is_none_or(|value| value.is_null() && !property.nullable)
                    {
                        members.insert(name.clone(), default.clone());
                    }
                }
                self.for_each_member(members, |schema, value| {
                    if let Some(default) = &schema.default
                        && value.is_null()
                        && !schema.nullable
                    {
                        *value = default.clone();
                    }
                    schema.apply_defaults(value);
                });
            }
            Value::Array(elements) => {
                let Some(items) = &self.items else { return };
                for element in elements {
                    if let Some(default) = &items.default
                        && element.is_null()
                        && !items.nullable
                    {
                        *element = default.clone();
                    }
                    items.apply_defaults(element);
                }
            }
            _ => {}
        }
    }

    /// Takes out nulls where there may be none and no default stands for them.
    pub(crate) fn drop_nulls(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, value| {
                    let schema = self.properties.get(name).or(self.additional_schema());
                    let stays = |schema: &Self| schema.nullable || schema.default.is_some();
                    !value.is_null() || schema.is_none_or(stays)
                });
                self.for_each_member(members, |schema, value| schema.drop_nulls(value));
            }
            Value::Array(elements) => {
                let Some(items) = &self.items else { return };
                elements.iter_mut().for_each(|element| items.drop_nulls(element));
            }
            _ => {}
        }
    }

    fn for_each_member(&self, members: &mut Map<String, Value>, mut visit: impl FnMut(&Self, &mut Value)) {
        for (name, value) in members {
            if let Some(schema) = self.properties.get(name).or(self.additional_schema()) {
                visit(schema, value);
            }
        }
    }
}
