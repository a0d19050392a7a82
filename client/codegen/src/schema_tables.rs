//! Emits the runtime schema: one file per group and version, one static per message, one line per field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};

use crate::facts::{Facts, Field, Message, Schema};
use crate::output::Output;

const FOLDER: &str = "client/src/wire/schema/generated";

/// Adds the tables of every message and kind.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let schema = &facts.schema;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut statics = BTreeSet::new();
    for (name, message) in &schema.messages {
        let (module, item) = place(name)?;
        ensure!(
            statics.insert((module.clone(), item.clone())),
            "two messages are called {item}"
        );
        let file = files.entry(module.clone()).or_default();
        emit_message(schema, name, &module, &item, message, file).with_context(|| format!("message {name}"))?;
    }
    for (module, source) in &files {
        output.add(
            &format!("{FOLDER}/{module}.rs"),
            &format!("{}{source}", uses(source, files.keys())),
        );
    }
    output.add(&format!("{FOLDER}/mod.rs"), &tables(schema, files.keys())?);
    Ok(())
}

/// The imports that a file needs.
fn uses<'a>(source: &str, modules: impl Iterator<Item = &'a String>) -> String {
    let others: Vec<&str> = modules
        .map(String::as_str)
        .filter(|module| source.contains(&format!("&{module}::")))
        .collect();
    let mut uses = String::new();
    if !others.is_empty() {
        let _ = writeln!(uses, "use super::{{{}}};", others.join(", "));
    }
    uses += "#[allow(unused_imports)] // not every file has every shape\n";
    uses += "use crate::wire::schema::build::{inline, list, map, message, one, pointer};\n";
    uses += "#[allow(unused_imports)]\n";
    uses += "use crate::wire::schema::{MessageSchema, Special, Type::*};\n\n";
    uses
}

fn emit_message(
    schema: &Schema,
    name: &str,
    module: &str,
    item: &str,
    message: &Message,
    file: &mut String,
) -> Result<()> {
    writeln!(file, "pub(super) static {item}: MessageSchema = message(\"{name}\", &[")?;
    for field in &message.fields {
        let line = field_line(schema, module, field).with_context(|| format!("field {:?}", field.json))?;
        writeln!(file, "{line},")?;
    }
    write!(file, "])")?;
    if let Some(special) = &message.special {
        write!(file, ".special(Special::{})", special_name(special)?)?;
    }
    if message.json_only {
        write!(file, ".json_only()")?;
    }
    if message.map_type.as_deref() == Some("atomic") {
        write!(file, ".atomic()")?;
    }
    let order = wire_order(message);
    if !order.is_sorted() {
        write!(file, ".wire_order(&{order:?})")?;
    }
    writeln!(file, ";\n")?;
    Ok(())
}

/// Places of the fields that protobuf has, by number.
fn wire_order(message: &Message) -> Vec<usize> {
    let numbered = message.fields.iter().enumerate();
    let mut numbered: Vec<(u32, usize)> = numbered
        .filter_map(|(place, field)| Some((field.number?, place)))
        .collect();
    numbered.sort_unstable();
    numbered.into_iter().map(|(_, place)| place).collect()
}

fn special_name(special: &str) -> Result<&'static str> {
    Ok(match special {
        "quantity" => "Quantity",
        "time" => "Time",
        "microtime" => "MicroTime",
        "duration" => "Duration",
        "intorstring" => "IntOrString",
        "raw" => "Raw",
        "list" => "List",
        "schema_or_bool" => "SchemaOrBool",
        "schema_or_array" => "SchemaOrArray",
        "schema_or_strings" => "SchemaOrStrings",
        "unknown" => "Unknown",
        "groupversion" => "GroupVersion",
        other => bail!("unknown special form {other}"),
    })
}

/// `list("containers", 2, Message(&CONTAINER)).required()` and so on.
fn field_line(schema: &Schema, module: &str, field: &Field) -> Result<String> {
    let number = field.number.unwrap_or(0);
    if field.inlined {
        return Ok(format!("inline({number}, {})", reference(schema, module, &field.ty)?));
    }
    let value = field.ty.strip_prefix("map<string,").and_then(|ty| ty.strip_suffix('>'));
    let constructor = match (value, field.repeated, field.pointer) {
        (Some(_), _, _) => "map",
        (_, true, _) => "list",
        (_, _, true) => "pointer",
        _ => "one",
    };
    let ty = type_of(schema, module, value.unwrap_or(&field.ty))?;
    let json = match &field.json {
        Some(json) if !field.no_json => json,
        _ => "",
    };
    let mut line = format!("{constructor}({json:?}, {number}, {ty})");
    for (set, call) in [
        (field.omitempty, ".omitempty()"),
        (field.omitzero, ".omitzero()"),
        (field.required, ".required()"),
    ] {
        if set {
            line += call;
        }
    }
    if let Some(default) = &field.default {
        write!(line, ".default({:?})", default.to_string())?;
    }
    if let Some(strategy) = &field.patch_strategy {
        write!(
            line,
            ".patch({strategy:?}, {:?})",
            field.patch_merge_key.as_deref().unwrap_or_default()
        )?;
    }
    match field.list_type.as_deref() {
        Some("atomic") => line += ".atomic_list()",
        Some("set") => line += ".set()",
        Some("map") => write!(line, ".keyed(&{:?})", field.list_map_keys)?,
        Some(other) => bail!("unknown list type {other}"),
        None => {}
    }
    if field.map_type.as_deref() == Some("atomic") {
        line += ".atomic()";
    }
    if let Some(name) = &field.type_name {
        write!(line, ".named({:?})", short(name))?;
    }
    if let Some(name) = &field.container_name {
        write!(line, ".container_named({:?})", short(name))?;
    }
    Ok(line)
}

fn type_of(schema: &Schema, module: &str, ty: &str) -> Result<String> {
    Ok(match ty {
        "string" => "String".to_owned(),
        "bool" => "Bool".to_owned(),
        "int32" => "Int32".to_owned(),
        "int64" => "Int64".to_owned(),
        "double" => "Double".to_owned(),
        "bytes" => "Bytes".to_owned(),
        "any" => "Any".to_owned(),
        message => format!("Message({})", reference(schema, module, message)?),
    })
}

/// `&POD_SPEC` or `&core_v1::POD_SPEC`.
fn reference(schema: &Schema, from: &str, message: &str) -> Result<String> {
    ensure!(
        schema.messages.contains_key(message),
        "message {message} is not in the schema"
    );
    let (module, item) = place(message)?;
    Ok(if module == from {
        format!("&{item}")
    } else {
        format!("&{module}::{item}")
    })
}

/// Module and name of a message's static.
fn place(message: &str) -> Result<(String, String)> {
    let (package, name) = message.rsplit_once('.').context("a message outside packages")?;
    Ok((package.replace('.', "_"), screaming_snake(name)))
}

/// `CSIDriverSpec` → `CSI_DRIVER_SPEC`.
fn screaming_snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(index + 1);
        let begins_word = letter.is_uppercase()
            && before.is_some_and(|before| !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase()));
        if begins_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

/// `core.v1.Protocol` → `v1.Protocol`.
fn short(name: &str) -> &str {
    match name.split_once('.') {
        Some((_, rest)) if rest.contains('.') => rest,
        _ => name,
    }
}

/// The index of messages and kinds.
fn tables<'a>(schema: &Schema, modules: impl Iterator<Item = &'a String>) -> Result<String> {
    let mut source = String::from("//! The tables of every message.\n\nuse super::{KindSchema, MessageSchema};\n\n");
    for module in modules {
        writeln!(source, "mod {module};")?;
    }
    writeln!(
        source,
        "\n/// Every message, sorted by name.\npub static MESSAGES: &[&MessageSchema] = &["
    )?;
    for name in schema.messages.keys() {
        writeln!(source, "{},", reference(schema, "", name)?)?;
    }
    writeln!(source, "];\n")?;

    let mut kinds: Vec<_> = schema.kinds.iter().collect();
    kinds.sort_by_key(|kind| (&kind.group, &kind.version, &kind.kind));
    writeln!(
        source,
        "/// Every kind, sorted by group, version and kind.\npub static KINDS: &[KindSchema] = &["
    )?;
    for kind in kinds {
        let items = kind.items.as_deref();
        writeln!(
            source,
            "{},",
            kind_line(schema, &kind.group, &kind.version, &kind.kind, &kind.message, items)?
        )?;
    }
    writeln!(
        source,
        "];\n\n/// Kinds that exist in every group and version.\npub(super) static META_KINDS: &[KindSchema] = &["
    )?;
    for (kind, message) in &schema.meta_kinds {
        writeln!(source, "{},", kind_line(schema, "", "", kind, message, None)?)?;
    }
    writeln!(source, "];\n")?;
    writeln!(
        source,
        "const fn kind(group: &'static str, version: &'static str, kind: &'static str, message: &'static MessageSchema, \
         items: Option<&'static MessageSchema>) -> KindSchema {{ KindSchema {{ group, version, kind, message, items }} }}"
    )?;
    Ok(source)
}

fn kind_line(
    schema: &Schema,
    group: &str,
    version: &str,
    kind: &str,
    message: &str,
    items: Option<&str>,
) -> Result<String> {
    let items = match items {
        Some(items) => format!("Some({})", reference(schema, "", items)?),
        None => "None".to_owned(),
    };
    Ok(format!(
        "kind({group:?}, {version:?}, {kind:?}, {}, {items})",
        reference(schema, "", message)?
    ))
}
