//! The rules for `metadata`: `k8s.io/apimachinery/pkg/api/validation`.

use kubewire_client::Gvk;
use kubewire_client::validation::{self, qualified_name};
use kubewire_client::wire::schema;
use serde_json::{Map, Value, json};

use crate::status::FieldError;

/// Says what is wrong with a name; `prefix` for the start of a generated name.
pub type NameRule = fn(name: &str, prefix: bool) -> Vec<String>;

/// A DNS subdomain: most kinds.
pub fn subdomain_name(name: &str, prefix: bool) -> Vec<String> {
    validation::dns1123_subdomain(&masked(name, prefix))
}

/// A DNS label that may start with a digit.
pub fn label_name(name: &str, prefix: bool) -> Vec<String> {
    validation::dns1123_label(&masked(name, prefix))
}

/// A DNS label that starts with a letter.
pub fn dns1035_name(name: &str, prefix: bool) -> Vec<String> {
    validation::dns1035_label(&masked(name, prefix))
}

/// Anything that can stand in a path: the kinds of RBAC.
pub fn path_segment_name(name: &str, _: bool) -> Vec<String> {
    validation::path_segment(name)
}

/// A prefix may end with a dash, since something follows.
fn masked(name: &str, prefix: bool) -> String {
    match name.strip_suffix('-') {
        Some(start) if prefix && !start.is_empty() => format!("{start}a"),
        _ => name.to_owned(),
    }
}

/// The most bytes that the annotations of an object may have.
const ANNOTATIONS_MAX: usize = 256 * 1024;

/// The rules for the metadata of any object.
pub(in crate::registry) fn validate(object: &Value, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
    let empty = Map::new();
    let metadata = object.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
    let mut errors = Vec::new();
    if !text("generateName").is_empty() {
        let wrong = rule(text("generateName"), true).into_iter();
        errors.extend(wrong.map(|e| FieldError::invalid("metadata.generateName", json!(text("generateName")), e)));
    }
    match text("name") {
        "" => errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        )),
        name => {
            let wrong = rule(name, false).into_iter();
            errors.extend(wrong.map(|e| FieldError::invalid("metadata.name", json!(name), e)));
        }
    }
    match (namespaced, text("namespace")) {
        (true, "") => errors.push(FieldError::required("metadata.namespace", "")),
        (true, namespace) => {
            let wrong = validation::dns1123_label(namespace).into_iter();
            errors.extend(wrong.map(|e| FieldError::invalid("metadata.namespace", json!(namespace), e)));
        }
        (false, "") => {}
        (false, _) => errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type")),
    }
    let generation = metadata.get("generation").and_then(Value::as_i64).unwrap_or_default();
    errors.extend(not_negative("metadata.generation", generation));
    errors.extend(labels(metadata.get("labels"), "metadata.labels"));
    errors.extend(annotations(metadata.get("annotations"), "metadata.annotations"));
    errors.extend(owner_references(metadata.get("ownerReferences")));
    errors.extend(finalizers(object));
    errors
}

/// The rules for a change of metadata. `new` has got what cannot be changed from `old` already.
pub(in crate::registry) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = fixed(new, old);
    let object = new;
    let new = new.get("metadata");
    if let Some(prefix) = new
        .and_then(|metadata| metadata.get("generateName"))
        .and_then(Value::as_str)
    {
        errors.extend(invalid(
            "metadata.generateName",
            prefix,
            path_segment_name(prefix, true),
        ));
    }
    errors.extend(labels(new.and_then(|m| m.get("labels")), "metadata.labels"));
    errors.extend(annotations(
        new.and_then(|m| m.get("annotations")),
        "metadata.annotations",
    ));
    errors.extend(owner_references(new.and_then(|m| m.get("ownerReferences"))));
    errors.extend(finalizers(object));
    errors
}

/// The rules for metadata that no update changes.
pub(crate) fn fixed(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (new, old) = (new.get("metadata"), old.get("metadata"));
    let field = |metadata: Option<&Value>, name: &str| metadata.and_then(|m| m.get(name)).cloned().unwrap_or_default();
    if !field(old, "deletionTimestamp").is_null() {
        errors.extend(no_new_finalizers(&field(new, "finalizers"), &field(old, "finalizers")));
    }
    for name in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let (new, old) = (field(new, name), field(old, name));
        if new != old {
            let shown = if new.is_null() && name.starts_with('n') {
                json!("")
            } else {
                new
            };
            errors.push(FieldError::invalid(
                format!("metadata.{name}"),
                shown,
                "field is immutable",
            ));
        }
    }
    errors
}

/// The rules for a map of labels.
pub(in crate::registry) fn labels(labels: Option<&Value>, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        errors.extend(invalid(field, key, qualified_name(key)));
        let value = value.as_str().unwrap_or_default();
        errors.extend(invalid(field, value, validation::label_value(value)));
    }
    errors
}

/// The rules for annotations.
pub(in crate::registry) fn annotations(annotations: Option<&Value>, field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        // Upstream accepts capitals in the domain here.
        errors.extend(invalid(field, key, qualified_name(&key.to_lowercase())));
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_MAX {
        errors.push(FieldError::too_long(field, ANNOTATIONS_MAX));
    }
    errors
}

/// "must be greater than or equal to 0".
pub(in crate::registry) fn not_negative(field: &str, value: i64) -> Option<FieldError> {
    (value < 0).then(|| FieldError::invalid(field, json!(value), "must be greater than or equal to 0"))
}

fn invalid<'a>(field: &'a str, value: &'a str, wrong: Vec<String>) -> impl Iterator<Item = FieldError> + 'a {
    let error = move |detail| FieldError::invalid(field, json!(value), detail);
    wrong.into_iter().map(error)
}

fn owner_references(references: Option<&Value>) -> Vec<FieldError> {
    const FIELD: &str = "metadata.ownerReferences";
    let mut errors = Vec::new();
    let mut controller: Option<String> = None;
    let references = references
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (index, reference) in references.iter().enumerate() {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default();
        let path = format!("{FIELD}[{index}]");
        let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
        if text("apiVersion").is_empty() {
            let field = format!("{path}.apiVersion");
            errors.push(FieldError::required(field, "must not be empty"));
        } else if version.is_empty() {
            let detail = "version must not be empty";
            errors.push(FieldError::invalid(
                format!("{path}.apiVersion"),
                json!(text("apiVersion")),
                detail,
            ));
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                errors.push(FieldError::required(format!("{path}.{field}"), "must not be empty"));
            }
        }
        if (group, text("kind")) == ("", "Event") {
            let detail = format!("{}, Kind=Event is disallowed from being an owner", text("apiVersion"));
            errors.push(FieldError::invalid(path, Value::Null, detail).shown_as(shown_reference(reference)));
        }
        if reference.get("controller").and_then(Value::as_bool) == Some(true) {
            let this = format!("{}/{}", text("kind"), text("name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let all: Vec<String> = references.iter().map(shown_reference).collect();
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    );
                    let error = FieldError::invalid(FIELD, Value::Null, detail);
                    errors.push(error.shown_as(format!("[{}]", all.join(","))));
                }
            }
        }
    }
    errors
}

/// A reference as JSON, its fields in the order of the type.
fn shown_reference(reference: &Value) -> String {
    super::values::ordered(
        reference,
        &["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"],
    )
}

fn finalizers(object: &Value) -> Vec<FieldError> {
    const FIELD: &str = "metadata.finalizers";
    let mut errors = Vec::new();
    let names: Vec<&str> = object.pointer("/metadata/finalizers").map(texts).unwrap_or_default();
    let any_will_do = is_of_extension(object);
    for (index, name) in names.iter().enumerate() {
        match any_will_do {
            true => errors.extend(invalid(FIELD, name, qualified_name(name))),
            false => errors.extend(finalizer_name(name, FIELD, &format!("{FIELD}[{index}]"))),
        }
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(FIELD, json!(names), detail));
    }
    errors
}

/// Custom resources and some others have finalizers without a domain, too.
fn is_of_extension(object: &Value) -> bool {
    const OTHERS: [&str; 7] = [
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "admissionregistration.k8s.io",
        "coordination.k8s.io",
        "node.k8s.io",
        "policy",
        "storagemigration.k8s.io",
    ];
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let gvk = Gvk::from_api_version(&text("apiVersion"), &text("kind"));
    let is_event = gvk.group.is_empty() && gvk.kind == "Event";
    is_event || OTHERS.contains(&&*gvk.group) || schema::kind(&gvk).is_none() && !gvk.kind.is_empty()
}

/// The rules for the name of a finalizer, at the field of the list and that of the element.
pub(in crate::registry) fn finalizer_name(name: &str, list: &str, element: &str) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = invalid(list, name, qualified_name(name)).collect();
    if !name.contains('/') && !["orphan", "foregroundDeletion", "kubernetes"].contains(&name) {
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(element, json!(name), detail));
    }
    errors
}

fn no_new_finalizers(new: &Value, old: &Value) -> Option<FieldError> {
    let old = texts(old);
    let mut added: Vec<&str> = texts(new).into_iter().filter(|name| !old.contains(name)).collect();
    added.sort_unstable();
    (!added.is_empty()).then(|| {
        let quoted: Vec<String> = added.iter().map(|name| format!("{name:?}")).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            quoted.join(", ")
        );
        FieldError::forbidden("metadata.finalizers", detail)
    })
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
