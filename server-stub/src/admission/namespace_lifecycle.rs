//! Nothing is created in a namespace that does not exist, or that is being deleted.

use super::Attributes;
use crate::registry::validation::values::text;
use crate::status::ApiError;

/// Checks the namespace of a new object.
pub(super) async fn check(attributes: &Attributes<'_>, name: &str) -> Result<(), ApiError> {
    let namespace = attributes.namespace;
    if namespace.is_empty() {
        return Ok(());
    }
    let store = attributes.store("", "namespaces")?;
    let found = store.get_written("", namespace).await?;
    let phase = found.field("status.phase", |document| text(document, "/status/phase").to_owned());
    if &*phase != "Terminating" {
        return Ok(());
    }
    let message = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let cause = format!("namespace {namespace} is being terminated");
    let error = ApiError::forbidden(&attributes.resource, name, message);
    Err(error.with_cause("NamespaceTerminating", cause, "metadata.namespace"))
}
