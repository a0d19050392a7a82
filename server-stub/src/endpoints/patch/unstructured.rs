//! A strategic merge patch is applied to a tree of plain values, which kube-apiserver turns into an object by a
//! converter of its own: what has the wrong type is refused in other words than where JSON is decoded.

use kubewire_client::wire::schema::{Container, FieldSchema, MessageSchema, Type};
use serde_json::{Number, Value};

/// Checks the types in a tree, and makes integers of whole numbers where those are wanted. What is written in a form of
/// its own, such as times and quantities, is left to decoding.
pub(super) fn restore(message: &MessageSchema, tree: &mut Value) -> Result<(), String> {
    if message.special.is_some() || tree.is_null() {
        return Ok(());
    }
    if !tree.is_object() {
        return Err(format!("cannot restore struct from: {}", kind(tree)));
    }
    for field in message.fields {
        if field.inlined {
            field.message().map_or(Ok(()), |inner| restore(inner, tree))?;
        } else if let Some(value) = tree.get_mut(field.json) {
            restore_field(field, value)?;
        }
    }
    Ok(())
}

fn restore_field(field: &FieldSchema, value: &mut Value) -> Result<(), String> {
    let found = kind(value);
    match (field.container, value) {
        (_, Value::Null) => Ok(()),
        (Container::One, value) => restore_value(field, value),
        (Container::List, Value::Array(elements)) => elements
            .iter_mut()
            .try_for_each(|element| restore_value(field, element)),
        (Container::List, _) => Err(format!("cannot restore slice from {found}")),
        (Container::Map, Value::Object(members)) => {
            members.values_mut().try_for_each(|member| restore_value(field, member))
        }
        (Container::Map, _) => Err(format!("cannot restore map from {found}")),
    }
}

fn restore_value(field: &FieldSchema, value: &mut Value) -> Result<(), String> {
    let wanted = match field.ty {
        Type::Message(message) => return restore(message, value),
        Type::Bytes if !value.is_null() && !value.is_string() => {
            return Err(format!("cannot restore slice from {}", kind(value)));
        }
        Type::Any | Type::Bytes => return Ok(()),
        Type::String => "string",
        Type::Bool => "bool",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Double => "float64",
        _ => return Ok(()),
    };
    let name = if field.type_name.is_empty() {
        wanted
    } else {
        field.type_name
    };
    let is_integer = matches!(field.ty, Type::Int32 | Type::Int64);
    match value {
        Value::Null => Ok(()),
        Value::String(_) if wanted == "string" => Ok(()),
        Value::Bool(_) if wanted == "bool" => Ok(()),
        Value::Number(_) if wanted == "float64" => Ok(()),
        Value::Number(number) if is_integer => match whole(number) {
            Some(integer) => {
                *value = integer.into();
                Ok(())
            }
            None => Err(format!("cannot convert float64 to {name}")),
        },
        Value::Number(number) if !number.is_f64() && wanted == "string" => {
            Err(format!("cannot convert int64 to {name}"))
        }
        _ => Err(format!("unrecognized type: {wanted}")),
    }
}

fn whole(number: &Number) -> Option<i64> {
    let float = || {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
    };
    #[allow(clippy::cast_possible_truncation)] // it is whole and small
    number.as_i64().or_else(|| float().map(|float| float as i64))
}

/// The kind of a value in Go.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use kubewire_client::wire::schema;
    use serde_json::json;

    use super::*;

    #[test]
    fn in_the_words_of_the_converter() {
        let refused =
            |message: &str, mut tree: Value| restore(schema::message(message).unwrap(), &mut tree).unwrap_err();
        let config_map = |tree| refused("core.v1.ConfigMap", tree);
        assert_eq!(config_map(json!({"data": []})), "cannot restore map from slice");
        assert_eq!(config_map(json!({"data": {"a": 1}})), "cannot convert int64 to string");
        assert_eq!(config_map(json!({"data": {"a": 1.5}})), "unrecognized type: string");
        assert_eq!(config_map(json!({"immutable": "x"})), "unrecognized type: bool");
        assert_eq!(
            config_map(json!({"binaryData": {"x": 5}})),
            "cannot restore slice from int64"
        );
        assert_eq!(
            config_map(json!({"metadata": "x"})),
            "cannot restore struct from: string"
        );
        assert_eq!(
            config_map(json!({"metadata": {"ownerReferences": "x"}})),
            "cannot restore slice from string"
        );
        let spec = |tree| refused("apps.v1.DeploymentSpec", tree);
        assert_eq!(spec(json!({"replicas": "3"})), "unrecognized type: int32");
        assert_eq!(spec(json!({"replicas": 2.5})), "cannot convert float64 to int32");
    }

    #[test]
    fn whole_numbers_become_integers() {
        let mut tree = json!({"replicas": 2.0});
        restore(schema::message("apps.v1.DeploymentSpec").unwrap(), &mut tree).unwrap();
        assert_eq!(tree.to_string(), r#"{"replicas":2}"#);
    }
}
