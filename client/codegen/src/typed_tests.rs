//! Emits the list of types that the test of the typed codec goes through.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::facts::Facts;
use crate::output::Output;

/// Adds the list: every message with a Rust type that has the codec.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let mut source = String::from(
        "//! Every message with its Rust type.\n\nuse super::{Typed, typed};\n\npub(crate) static TYPES: &[Typed] = &[\n",
    );
    for (name, rust) in facts.types() {
        let message = facts
            .schema
            .messages
            .get(name)
            .with_context(|| format!("{name} is not in the schema"))?;
        let list_of_strings = rust.rust.starts_with("Vec<");
        if message.json_only || list_of_strings || name == "meta.v1.Patch" {
            continue;
        }
        let path = rust.path().replace("crate::", "kubewire_client::");
        writeln!(source, "{}typed::<{path}>({name:?}),", rust.versions.gate()?)?;
    }
    source += "];\n";
    output.add("client/tests/typed_codec/generated/mod.rs", &source);
    Ok(())
}
