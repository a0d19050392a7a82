//! Claims and ingresses without a class get the one that is marked as the default.

use serde_json::{Value, json};

use super::Attributes;
use crate::registry::validation::values::{get, put, text};
use crate::status::ApiError;

/// Fills in a new claim's storage class.
pub(super) async fn set_storage_class(attributes: &Attributes<'_>, claim: &mut Value) -> Result<(), ApiError> {
    let annotated = get(claim, "/metadata/annotations").get("volume.beta.kubernetes.io/storage-class");
    if !get(claim, "/spec/storageClassName").is_null() || annotated.is_some() {
        return Ok(());
    }
    let mark = "storageclass.kubernetes.io/is-default-class";
    if let Some(class) = marked(attributes, ("storage.k8s.io", "storageclasses"), mark)
        .await?
        .pop()
    {
        put(claim, &["spec", "storageClassName"], json!(class));
    }
    Ok(())
}

/// Fills in a new ingress's class.
pub(super) async fn set_ingress_class(attributes: &Attributes<'_>, ingress: &mut Value) -> Result<(), ApiError> {
    let annotated = get(ingress, "/metadata/annotations").get("kubernetes.io/ingress.class");
    if !get(ingress, "/spec/ingressClassName").is_null() || annotated.is_some() {
        return Ok(());
    }
    let mark = "ingressclass.kubernetes.io/is-default-class";
    if let Some(class) = marked(attributes, ("networking.k8s.io", "ingressclasses"), mark)
        .await?
        .pop()
    {
        put(ingress, &["spec", "ingressClassName"], json!(class));
    }
    Ok(())
}

/// The names of the classes with the mark, the newest last, and by name where they are of one age.
async fn marked(
    attributes: &Attributes<'_>,
    (group, plural): (&'static str, &'static str),
    mark: &str,
) -> Result<Vec<String>, ApiError> {
    let classes = attributes.list(group, plural).await?;
    let mut marked: Vec<(String, std::cmp::Reverse<String>)> = classes
        .iter()
        .map(|class| class.document())
        .filter(|class| get(class, "/metadata/annotations").get(mark).and_then(Value::as_str) == Some("true"))
        .map(|class| {
            let name = std::cmp::Reverse(text(&class, "/metadata/name").to_owned());
            (text(&class, "/metadata/creationTimestamp").to_owned(), name)
        })
        .collect();
    marked.sort();
    Ok(marked.into_iter().map(|(_, name)| name.0).collect())
}
