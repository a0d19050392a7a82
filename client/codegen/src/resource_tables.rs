//! Emits what the server knows of groups, resources, defaults, and what only OpenAPI documents show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::facts::{Facts, Group, Resource, Resources, Schema};
use crate::output::Output;

const FOLDER: &str = "server-stub/src/registry/generated";

/// Fields whose default depends on other fields or on the clock: the server sets them by hand.
const CONDITIONAL: [&str; 22] = [
    "batch.v1.JobSpec.backoffLimit",
    "batch.v1.JobSpec.completions",
    "batch.v1.JobSpec.parallelism",
    "batch.v1.JobSpec.podReplacementPolicy",
    "core.v1.Container.imagePullPolicy",
    "core.v1.EphemeralContainerCommon.imagePullPolicy",
    "core.v1.ImageVolumeSource.pullPolicy",
    "core.v1.ServiceSpec.internalTrafficPolicy",
    "core.v1.VolumeSource.emptyDir",
    "networking.v1.NetworkPolicySpec.policyTypes",
    "resource.v1.DeviceSubRequest.count",
    "resource.v1.DeviceTaint.timeAdded",
    "resource.v1.ExactDeviceRequest.count",
    "resource.v1alpha3.DeviceTaint.timeAdded",
    "resource.v1beta1.DeviceSubRequest.count",
    "resource.v1beta1.DeviceTaint.timeAdded",
    "resource.v1beta2.DeviceSubRequest.count",
    "resource.v1beta2.DeviceTaint.timeAdded",
    "resource.v1beta2.ExactDeviceRequest.count",
    "scheduling.v1alpha3.CompositeDisruptionMode.single",
    "scheduling.v1alpha3.DisruptionMode.single",
    "scheduling.v1beta1.DisruptionMode.single",
];

/// Adds the tables.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let modules = "//! Facts about the built-in resources.\n\npub(super) mod defaults;\npub(crate) mod openapi;\npub(super) mod resources;\n";
    output.add(&format!("{FOLDER}/mod.rs"), modules);
    output.add(&format!("{FOLDER}/resources.rs"), &resources(&facts.resources)?);
    output.add(&format!("{FOLDER}/defaults.rs"), &defaults(&facts.defaults.fields)?);
    output.add(&format!("{FOLDER}/openapi.rs"), &openapi(&facts.schema)?);
    Ok(())
}

fn openapi(schema: &Schema) -> Result<String> {
    let mut enums = BTreeMap::new();
    for (name, known) in schema.enums.iter().filter(|(_, known)| known.closed) {
        let (_, name) = name.split_once('.').context("the name of an enum has a package")?;
        let values: BTreeSet<&str> = known.values.values().map(String::as_str).collect();
        if enums.insert(name, values.clone()).is_some_and(|other| other != values) {
            bail!("two enums are called {name}, with different values");
        }
    }
    let mut source = String::from(
        "/// What texts of a type can be, by the type's name in `FieldSchema::type_name`, sorted.\n\
         pub(crate) static ENUMS: &[(&str, &[&str])] = &[\n",
    );
    for (name, values) in enums {
        writeln!(source, "({name:?}, &{:?}),", values.into_iter().collect::<Vec<_>>())?;
    }
    source += "];\n\n/// Which fields of a message exclude each other, as JSON, by the message's name, sorted.\n\
               pub(crate) static UNIONS: &[(&str, &str)] = &[\n";
    for (name, message) in &schema.messages {
        if let Some(unions) = &message.unions {
            writeln!(source, "({name:?}, {:?}),", unions.to_string())?;
        }
    }
    source += "];\n";
    Ok(source)
}

fn resources(facts: &Resources) -> Result<String> {
    let mut source = String::from(
        "use crate::registry::facts::{ColumnFacts, GroupFacts, ResourceFacts, SubresourceFacts, VersionFacts};\n\n\
         pub(crate) static GROUPS: &[GroupFacts] = &[\n",
    );
    for group in &facts.groups {
        write_group(&mut source, group)?;
    }
    source += "];\n\npub(crate) static RESOURCES: &[ResourceFacts] = &[\n";
    for resource in &facts.resources {
        write_resource(&mut source, resource, &facts.field_selector_alias)?;
    }
    source += "];\n\n";
    source += "const fn column(name: &'static str, ty: &'static str, format: &'static str, priority: i32) -> ColumnFacts \
               { ColumnFacts { name, ty, format, priority } }\n";
    Ok(source)
}

fn write_group(source: &mut String, group: &Group) -> Result<()> {
    write!(
        source,
        "GroupFacts {{ group: {:?}, preferred: {:?}, priority: {:?}, versions: &[",
        group.group, group.preferred, group.priority
    )?;
    for version in &group.versions {
        let priority = group.version_priority.get(version).copied().flatten();
        write!(
            source,
            "VersionFacts {{ version: {version:?}, served: {}, priority: {priority:?} }}, ",
            group.on.contains(version)
        )?;
    }
    writeln!(source, "] }},")?;
    Ok(())
}

fn write_resource(
    source: &mut String,
    resource: &Resource,
    aliases: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<()> {
    let Resource {
        group,
        version,
        plural,
        kind,
        singular,
        short,
        categories,
        namespaced,
        on,
        verbs,
        list,
        field_labels,
        ..
    } = resource;
    writeln!(
        source,
        "ResourceFacts {{ group: {group:?}, version: {version:?}, plural: {plural:?}, kind: {kind:?}, singular: {singular:?},"
    )?;
    writeln!(
        source,
        "short_names: &{short:?}, categories: &{categories:?}, namespaced: {namespaced}, served: {on},"
    )?;
    writeln!(source, "verbs: &{verbs:?}, list_kind: {:?},", list)?;
    let storage = resource.storage.as_deref().map(split_api_version);
    writeln!(
        source,
        "storage_version_hash: {:?}, storage: {storage:?},",
        resource.storage_version_hash.as_deref().unwrap_or_default()
    )?;
    write!(source, "subresources: &[")?;
    for (name, sub) in &resource.subresources {
        let own = || (group.as_str(), version.as_str());
        let (group, version) = sub.gv.as_deref().map_or_else(own, split_api_version);
        write!(
            source,
            "SubresourceFacts {{ name: {name:?}, group: {group:?}, version: {version:?}, kind: {:?}, verbs: &{:?} }}, ",
            sub.kind, sub.verbs
        )?;
    }
    let api_version = if group.is_empty() {
        version.clone()
    } else {
        format!("{group}/{version}")
    };
    let aliases: Vec<(&String, &String)> = aliases
        .get(&format!("{api_version}/{plural}"))
        .into_iter()
        .flatten()
        .collect();
    writeln!(
        source,
        "],\nfield_labels: &{field_labels:?}, field_label_aliases: &{aliases:?},\ncolumns: &["
    )?;
    for (name, ty, format, priority) in &resource.columns {
        writeln!(source, "column({name:?}, {ty:?}, {format:?}, {priority}),")?;
    }
    writeln!(source, "] }},")?;
    Ok(())
}

/// `apps/v1` → `("apps", "v1")`.
fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn defaults(fields: &BTreeMap<String, Value>) -> Result<String> {
    let mut messages: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, default) in fields {
        if CONDITIONAL.contains(&path.as_str()) {
            continue;
        }
        let (message, field) = path.rsplit_once('.').context("a default outside messages")?;
        messages
            .entry(message)
            .or_default()
            .push(default_line(field, default).with_context(|| path.clone())?);
    }
    let mut source = String::from(
        "use crate::registry::defaults::FieldDefault;\n\n\
         /// By message, sorted; the value is JSON text.\n\
         pub(crate) static DEFAULTS: &[(&str, &[FieldDefault])] = &[\n",
    );
    for (message, lines) in &messages {
        writeln!(source, "({message:?}, &[\n{}]),", lines.concat())?;
    }
    source += "];\n\nconst fn always(field: &'static str, value: &'static str) -> FieldDefault \
               { FieldDefault { field, value, only: &[] } }\n";
    Ok(source)
}

fn default_line(field: &str, default: &Value) -> Result<String> {
    let object = default
        .as_object()
        .filter(|object| object.keys().any(|key| key.starts_with('$')));
    let Some(object) = object else {
        return Ok(format!("always({field:?}, {:?}),\n", default.to_string()));
    };
    let mut object = object.clone();
    let value = object
        .remove("$value")
        .context("a condition without value")?
        .to_string();
    let only = kinds(object.remove("$only"))?;
    object.remove("$not"); // where the observed skeleton had no such field, not where the server has no default
    if !object.is_empty() {
        bail!("unknown conditions {object:?}");
    }
    Ok(format!(
        "FieldDefault {{ field: {field:?}, value: {value:?}, only: &{only:?} }},\n"
    ))
}

/// `batch/v1/Job` → `("batch", "v1", "Job")`.
fn kinds(list: Option<Value>) -> Result<Vec<(String, String, String)>> {
    let list: Vec<String> = list.map(serde_json::from_value).transpose()?.unwrap_or_default();
    list.iter()
        .map(|kind| {
            let mut parts = kind.splitn(3, '/').map(str::to_owned);
            let mut part = || parts.next().with_context(|| format!("kind {kind}"));
            Ok((part()?, part()?, part()?))
        })
        .collect()
}
