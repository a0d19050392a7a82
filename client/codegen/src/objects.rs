//! Emits `Object` for every resource kind that k8s-openapi has a Rust type for.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;

use crate::facts::{Facts, Resource, RustType};
use crate::output::Output;

/// Adds one file with a line per kind.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let mut source =
        String::from("//! Every built-in resource kind as an [`Object`](crate::Object).\n\nuse super::object;\n\n");
    for (resource, rust) in typed_resources(facts) {
        let gate = rust.versions.gate()?;
        let Resource {
            group,
            version,
            kind,
            plural,
            namespaced,
            ..
        } = resource;
        writeln!(
            source,
            "{gate}object!(k8s_openapi::{}, {group:?}, {version:?}, {kind:?}, {plural:?}, {namespaced});",
            rust.rust
        )?;
    }
    output.add("client/src/object/generated/mod.rs", &source);
    Ok(())
}

/// Every resource with metadata, and its Rust type.
pub(crate) fn typed_resources(facts: &Facts) -> Vec<(&Resource, &RustType)> {
    let kinds: BTreeMap<(&str, &str, &str), &str> = facts
        .schema
        .kinds
        .iter()
        .filter(|kind| kind.obj)
        .map(|kind| {
            (
                (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()),
                kind.message.as_str(),
            )
        })
        .collect();
    let typed = |resource: &Resource| {
        let message = kinds.get(&(
            resource.group.as_str(),
            resource.version.as_str(),
            resource.kind.as_str(),
        ))?;
        facts.map.types.get(*message)
    };
    facts
        .resources
        .resources
        .iter()
        .filter_map(|resource| Some((resource, typed(resource)?)))
        .collect()
}
