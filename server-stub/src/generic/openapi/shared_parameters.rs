//! In OpenAPI 2, parameters that mean the same everywhere stand once, in `parameters`, and operations refer to them.

use serde_json::{Map, Value, json};

use super::endpoint::fingerprint;

/// Moves them there.
pub(super) fn share(document: &mut Value) {
    let mut shared = Map::new();
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for item in items {
        let Some(members) = item.as_object_mut() else { continue };
        for (member, value) in members {
            let parameters = if member == "parameters" {
                Some(value)
            } else {
                value.get_mut("parameters")
            };
            for parameter in parameters.and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(name) = shared_name(parameter) {
                    let reference = json!({"$ref": format!("#/parameters/{name}")});
                    shared.insert(name, std::mem::replace(parameter, reference));
                }
            }
        }
    }
    document["parameters"] = shared.into();
}

/// The name under which a parameter stands; `None` where it stays in its place: bodies of one kind, and what is said
/// differently from kind to kind.
fn shared_name(parameter: &Value) -> Option<String> {
    let (name, place) = (parameter["name"].as_str()?, parameter["in"].as_str()?);
    let stays = match (place, name) {
        (_, "name") | ("query", "dryRun" | "fieldValidation") => true,
        ("body", _) => {
            let schema = parameter["schema"]["$ref"].as_str().unwrap_or_default();
            !schema.starts_with("#/definitions/io.k8s.apimachinery")
        }
        _ => false,
    };
    (!stays).then(|| format!("{name}-{}", fingerprint(parameter.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parameter_stands_once() {
        let limit = json!({"name": "limit", "in": "query", "type": "integer"});
        let name = json!({"name": "name", "in": "path", "required": true, "type": "string"});
        let mut document = json!({"paths": {
            "/a": {"get": {"parameters": [limit]}, "parameters": [name]},
            "/b": {"parameters": [limit]},
        }});
        share(&mut document);
        let paths = &document["paths"];
        assert_eq!(paths["/a"]["parameters"], json!([name]));
        assert_eq!(paths["/a"]["get"]["parameters"], paths["/b"]["parameters"]);
        let shared = document["parameters"].as_object().unwrap();
        let (key, value) = shared.iter().next().unwrap();
        assert_eq!((shared.len(), value), (1, &limit));
        assert_eq!(paths["/b"]["parameters"][0]["$ref"], format!("#/parameters/{key}"));
    }
}
