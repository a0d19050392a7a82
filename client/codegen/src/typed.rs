//! Emits the typed codec: one file per group and version, one line per field.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};

use crate::facts::{Facts, Field, FieldVersions, Message, RustType};
use crate::output::Output;

/// Types that k8s-openapi gives no `Default`, with the function that makes their zero value.
const ZERO: [(&str, &str); 3] = [
    (
        "authentication.v1.TokenRequestStatus",
        "special::zero_token_request_status()",
    ),
    ("meta.v1.Condition", "special::zero_condition()"),
    ("events.v1.EventSeries", "special::zero_event_series()"),
];

/// Adds the codec of every message that k8s-openapi has a Rust type for.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, rust) in facts.types() {
        let message = facts
            .schema
            .messages
            .get(name)
            .with_context(|| format!("{name} is not in the schema"))?;
        // List kinds are one generic type, written by hand beside the special forms; a patch has no protobuf content.
        let list = rust.rust.starts_with("List<");
        if list
            || rust.kind.as_deref() == Some("alias")
            || message.special.is_some()
            || message.json_only
            || name == "meta.v1.Patch"
        {
            continue;
        }
        let (package, _) = name.rsplit_once('.').context("a message outside packages")?;
        let file = files.entry(package.replace('.', "_")).or_default();
        emit_message(facts, name, message, rust, file).with_context(|| format!("message {name}"))?;
    }
    let mut modules = String::from("//! The typed codec of every built-in message.\n\n");
    for (package, source) in &files {
        writeln!(modules, "mod {package};")?;
        let uses = if source.contains("special::") {
            "use crate::wire::special;\n\n"
        } else {
            ""
        };
        output.add(
            &format!("client/src/wire/generated/{package}.rs"),
            &format!("{uses}{source}"),
        );
    }
    output.add("client/src/wire/generated/mod.rs", &modules);
    Ok(())
}

fn emit_message(facts: &Facts, name: &str, message: &Message, rust: &RustType, file: &mut String) -> Result<()> {
    file.push_str(&rust.versions.gate()?);
    let path = rust.path();
    let fields = fields(facts, message, rust)?;
    let zero = ZERO
        .iter()
        .find(|(zero, _)| *zero == name)
        .map(|(_, function)| *function);
    match (zero, rust.kind.as_deref()) {
        (Some(function), _) => writeln!(file, "message!({path} = {function}, {{\n{fields}}});\n")?,
        // A message without fields is an arbitrary JSON value in k8s-openapi.
        (None, Some("tuple")) => writeln!(file, "message!({path} = {path}(serde_json::json!({{}})), {{}});\n")?,
        (None, _) => writeln!(file, "message!({path} {{\n{fields}}});\n")?,
    }
    Ok(())
}

/// The lines of one message, highest field number first.
fn fields(facts: &Facts, message: &Message, rust: &RustType) -> Result<String> {
    let mut numbered: Vec<(u32, &Field)> = message
        .fields
        .iter()
        .filter_map(|field| Some((field.number?, field)))
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let mut lines = String::new();
    for (number, field) in numbered {
        if field.inlined {
            let inner = facts
                .schema
                .messages
                .get(&field.ty)
                .with_context(|| format!("inlined {}", field.ty))?;
            writeln!(lines, "{number} inline {{\n{}}}", fields(facts, inner, rust)?)?;
            continue;
        }
        let json = field
            .json
            .as_deref()
            .with_context(|| format!("field {number} has no JSON name"))?;
        let (identifier, ty) = rust
            .fields
            .get(json)
            .with_context(|| format!("field {json} has no Rust field"))?;
        let line = |ty| format!("{number} {}({identifier})\n", shape(facts, field, ty));
        match rust.field_versions.get(json) {
            None => lines += &line(ty),
            Some(FieldVersions { versions, ty: None }) => lines += &(versions.gate()? + &line(ty)),
            Some(FieldVersions { ty: Some(before), .. }) if shape(facts, field, before) == shape(facts, field, ty) => {
                lines += &line(ty);
            }
            Some(FieldVersions {
                versions,
                ty: Some(before),
            }) => {
                lines += &(versions.gate()? + &line(before));
                lines += &(versions.after()?.gate()? + &line(ty));
            }
        }
    }
    Ok(lines)
}

/// How a field is read and written: see `client/src/wire/shapes.rs`.
fn shape(facts: &Facts, field: &Field, rust: &str) -> &'static str {
    let optional = rust.starts_with("Option<");
    let special = facts
        .schema
        .messages
        .get(&field.ty)
        .and_then(|message| message.special.as_deref());
    let scalar = matches!(field.ty.as_str(), "string" | "bool" | "int32" | "int64" | "double");
    let number = scalar && field.ty != "string";
    match (field.ty.as_str(), optional) {
        (ty, true) if ty.starts_with("map<") => "optional_map",
        (ty, false) if ty.starts_with("map<") => "map",
        (_, true) if field.repeated && number => "optional_numbers",
        (_, false) if field.repeated && number => "numbers",
        (_, true) if field.repeated => "optional_repeated",
        (_, false) if field.repeated => "repeated",
        ("bytes", true) => "pointer",
        (_, true) if rust.starts_with("Option<Box<") => "boxed",
        (_, true) if field.pointer || special == Some("list") => "pointer",
        (_, true) if matches!(special, Some("time" | "microtime")) => "time",
        (_, true) if scalar && field.omitempty => "omitted",
        (_, true) => "shown",
        (_, false) if special == Some("quantity") => "zeroed",
        (_, false) => "value",
    }
}
