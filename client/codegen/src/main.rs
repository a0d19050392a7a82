//! Generates the typed codec, the runtime schema, the clientset and the resource tables from `client/schema`.
//!
//! `cargo run -p kubewire-codegen` writes the files, `-- --check` fails where one on disk differs.

mod clientset;
mod facts;
mod objects;
mod output;
mod own;
mod request_tests;
mod resource_tables;
mod schema_tables;
mod structs;
mod typed;
mod typed_tests;

use std::path::Path;

use anyhow::Result;

use crate::facts::Facts;
use crate::output::Output;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let facts = Facts::load(&root.join("client/schema"))?;
    let mut output = Output::default();
    structs::emit(&facts, &root.join("client/codegen/docs.json"), &mut output)?;
    typed::emit(&facts, &mut output)?;
    typed_tests::emit(&facts, &mut output)?;
    objects::emit(&facts, &mut output)?;
    request_tests::emit(&facts, &mut output)?;
    schema_tables::emit(&facts, &mut output)?;
    resource_tables::emit(&facts, &mut output)?;
    clientset::emit(&facts, &mut output)?;
    let check = std::env::args().any(|argument| argument == "--check");
    if check {
        output.check(&root)
    } else {
        output.write(&root)
    }
}
