//! Emits the list of kinds that the test of requests goes through.

use std::fmt::Write;

use anyhow::Result;

use crate::facts::Facts;
use crate::objects::typed_resources;
use crate::output::Output;

/// Adds the list: every kind with a Rust type and a path.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let mut source = String::from(
        "//! Every kind with its Rust type.\n\nuse super::{Kind, kind};\n\npub(crate) static KINDS: &[Kind] = &[\n",
    );
    for (_, rust) in typed_resources(facts) {
        writeln!(source, "{}kind::<k8s_openapi::{}>(),", rust.versions.gate()?, rust.rust)?;
    }
    source += "];\n";
    output.add("client/tests/requests/generated/mod.rs", &source);
    Ok(())
}
