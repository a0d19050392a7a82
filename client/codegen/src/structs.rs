//! Emits the types of ours: one file per group and version, one line per field.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::facts::{Facts, Field, Kind, Message, RustType};
use crate::output::Output;
use crate::own::short;

const FOLDER: &str = "client/src/types/generated";

/// What is said about types and fields: by the type's name, then by the field's in JSON; "" is the type itself.
type Docs = BTreeMap<String, BTreeMap<String, String>>;

/// Adds the types of ours, with the documentation that stands in a file.
pub(crate) fn emit(facts: &Facts, docs: &Path, output: &mut Output) -> Result<()> {
    let text = std::fs::read(docs).with_context(|| format!("reading {}", docs.display()))?;
    let docs: Docs = serde_json::from_slice(&text).with_context(|| format!("parsing {}", docs.display()))?;
    let mut packages: BTreeMap<&str, String> = BTreeMap::new();
    for (name, rust) in &facts.own {
        let (package, short) = name.rsplit_once('.').context("a message outside packages")?;
        let file = packages.entry(package).or_default();
        match rust.kind.as_deref() {
            Some("alias") if rust.rust.starts_with("Vec<") => {}
            Some("alias") => writeln!(file, "{}pub use {};\n", rust.versions.gate()?, rust.rust)?,
            Some(_) => {}
            None => emit_struct(facts, &docs, name, short, rust, file).with_context(|| format!("message {name}"))?,
        }
    }
    packages.retain(|_, source| !source.is_empty());
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (package, source) in &packages {
        let (group, version) = package.split_once('.').context("a package without version")?;
        groups.entry(group).or_default().push(version);
        let macros = ["kind", "structure"].into_iter();
        let macros: Vec<&str> = macros.filter(|name| source.contains(&format!("{name}!"))).collect();
        let uses = match macros.as_slice() {
            [] => String::new(),
            macros => format!("use crate::types::{{{}}};\n\n", macros.join(", ")),
        };
        let module = package.replace('.', "_");
        output.add(&format!("{FOLDER}/{module}.rs"), &format!("{uses}{source}"));
    }
    let mut modules = String::from("//! The types, by group and version.\n\n");
    for (group, versions) in groups {
        for version in &versions {
            writeln!(modules, "mod {group}_{version};")?;
        }
        writeln!(modules, "/// Types of `{group}`.\npub mod {group} {{")?;
        for version in versions {
            writeln!(
                modules,
                "/// Types of `{group}/{version}`.\npub mod {version} {{ pub use super::super::{group}_{version}::*; }}"
            )?;
        }
        writeln!(modules, "}}\n")?;
    }
    output.add(&format!("{FOLDER}/mod.rs"), &modules);
    Ok(())
}

fn emit_struct(facts: &Facts, docs: &Docs, name: &str, short: &str, rust: &RustType, file: &mut String) -> Result<()> {
    let message = facts.schema.messages.get(name).context("not in the schema")?;
    // A message can be a kind of several versions; the stable one names it.
    let kind = facts.schema.kinds.iter().find(|kind| kind.message == name);
    let gate = rust.versions.gate()?;
    writeln!(file, "{gate}structure! {{")?;
    let known = docs.get(short);
    match known.and_then(|docs| docs.get("")) {
        Some(text) => writeln!(file, "    /// {text}")?,
        None => old_version(facts, name, short, file)?,
    }
    let marker = kind.map_or("", |_| "kind ");
    writeln!(file, "    {marker}{short} {{")?;
    let mut lines = BTreeMap::new();
    collect(facts, message, rust, known, &mut lines);
    let here = rust.rust.strip_suffix(short).unwrap_or_default();
    for line in lines.values() {
        file.push_str(&line.replace(here, ""));
    }
    writeln!(file, "    }}\n}}\n")?;
    if let Some(kind) = kind {
        emit_kind(facts, kind, message, short, &gate, file)?;
    }
    Ok(())
}

/// What a type of a version that is no longer served, or of one among several, says of itself.
fn old_version(facts: &Facts, name: &str, short_name: &str, file: &mut String) -> Result<()> {
    let package = name
        .strip_suffix(&format!(".{short_name}"))
        .unwrap_or(name)
        .replace('.', "/");
    writeln!(file, "    /// `{short_name}` of `{package}`.")?;
    let served = || {
        let types = facts.map.types.iter().filter(|(_, rust)| !rust.versions.are_limited());
        types.filter(|(known, _)| short(known) == short_name)
    };
    let of_group = served().find(|(known, _)| known.split('.').next() == name.split('.').next());
    let newer = of_group.or_else(|| served().next());
    if let Some((_, newer)) = newer {
        writeln!(
            file,
            "    ///\n    /// Its fields are described at [`{short_name}`]({}).",
            newer.path()
        )?;
    }
    writeln!(file, "    #[allow(missing_docs)]")?;
    Ok(())
}

/// The lines of the fields, by identifier; those of inlined messages among them.
fn collect(
    facts: &Facts,
    message: &Message,
    rust: &RustType,
    docs: Option<&BTreeMap<String, String>>,
    lines: &mut BTreeMap<String, String>,
) {
    let names = message.fields.iter().flat_map(|field| names(facts, field));
    for json in names {
        let Some((identifier, ty)) = rust.fields.get(json) else {
            continue;
        };
        let doc = match docs.and_then(|docs| docs.get(json)) {
            Some(text) => format!("        /// {text}\n"),
            None => match json {
                "apiVersion" => "        /// Group and version of the options, where they are sent as an object.\n",
                "kind" => "        /// Kind of the options, where they are sent as an object.\n",
                "metadata" => "        /// Metadata.\n",
                _ => "",
            }
            .to_owned(),
        };
        let shape = if ty.starts_with("Option<") {
            "optional"
        } else {
            "required"
        };
        lines.insert(
            identifier.clone(),
            format!("{doc}        {json:?} {shape} {identifier}: {ty},\n"),
        );
    }
}

/// The JSON names that a field brings.
fn names<'a>(facts: &'a Facts, field: &'a Field) -> Vec<&'a str> {
    match (&field.json, facts.schema.messages.get(&field.ty)) {
        (Some(json), _) => vec![json],
        (None, _) if field.ty == "meta.v1.TypeMeta" => vec!["apiVersion", "kind"],
        (None, Some(inner)) => inner.fields.iter().flat_map(|field| names(facts, field)).collect(),
        (None, None) => Vec::new(),
    }
}

/// The line that makes a type a kind: `kind!(Deployment, "apps/v1beta1", …)`.
fn emit_kind(facts: &Facts, kind: &Kind, message: &Message, short: &str, gate: &str, file: &mut String) -> Result<()> {
    let Kind {
        group,
        version,
        kind: name,
        ..
    } = kind;
    let api_version = if group.is_empty() {
        version.clone()
    } else {
        format!("{group}/{version}")
    };
    let resources = || facts.resources.resources.iter();
    let of_kind = |same_group: bool| resources().find(|r| r.kind == *name && (!same_group || r.group == *group));
    let sub = resources().find_map(|r| r.subresources.iter().find(|(_, sub)| sub.kind == *name));
    let (segment, scope) = match (of_kind(true).or_else(|| of_kind(false)), sub) {
        (Some(resource), _) if resource.namespaced => (resource.plural.as_str(), "NamespaceResourceScope"),
        (Some(resource), _) => (resource.plural.as_str(), "ClusterResourceScope"),
        (None, Some((sub, _))) => (sub.as_str(), "SubResourceScope"),
        (None, None) => ("", "ClusterResourceScope"),
    };
    let list = facts.schema.kinds.iter().find(|list| {
        list.items.as_deref() == Some(kind.message.as_str()) && (&list.group, &list.version) == (group, version)
    });
    write!(
        file,
        "{gate}kind!({short}, {api_version:?}, {group:?}, {name:?}, {version:?}, {segment:?}, {scope}"
    )?;
    if let Some(list) = list {
        write!(file, ", list {:?}", list.kind)?;
    }
    let metadata = message
        .fields
        .iter()
        .find(|field| field.json.as_deref() == Some("metadata"));
    match metadata.map(|field| field.ty.as_str()) {
        Some("meta.v1.ObjectMeta") => write!(file, ", metadata ObjectMeta")?,
        Some("meta.v1.ListMeta") => write!(file, ", metadata ListMeta")?,
        _ => {}
    }
    writeln!(file, ");\n")?;
    Ok(())
}
