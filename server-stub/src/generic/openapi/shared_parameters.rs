//! In OpenAPI 2, parameters that mean the same everywhere stand once, in `parameters`, and operations refer to them.

use serde_json::{Map, Value, json};

use super::endpoint::fingerprint;

/// What references to them begin with.
const REFERENCE: &str = "#/parameters/";

/// Moves them there.
pub(super) fn share(document: &mut Value) {
    let mut shared = Map::new();
    for parameter in parameters_of(&mut document["paths"]) {
        if let Some(name) = shared_name(parameter) {
            let reference = json!({"$ref": format!("{REFERENCE}{name}")});
            shared.insert(name, std::mem::replace(parameter, reference));
        }
    }
    document["parameters"] = shared.into();
}

/// Puts the parameters that a document shares back into their places: names of theirs are its own.
pub(super) fn resolve(document: &mut Value) {
    let Value::Object(shared) = document["parameters"].take() else {
        return;
    };
    for parameter in parameters_of(&mut document["paths"]) {
        let name = parameter["$ref"].as_str().and_then(|name| name.strip_prefix(REFERENCE));
        if let Some(itself) = name.and_then(|name| shared.get(name)) {
            *parameter = itself.clone();
        }
    }
}

/// All parameters of paths and of their operations.
fn parameters_of(paths: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
    let members = items.filter_map(Value::as_object_mut).flatten();
    let lists = members.filter_map(|(member, value)| match member.as_str() {
        "parameters" => Some(value),
        _ => value.get_mut("parameters"),
    });
    lists.filter_map(Value::as_array_mut).flatten()
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
