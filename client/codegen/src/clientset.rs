//! Emits the clientset's accessors: one struct per group and version, one method per resource.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;

use crate::facts::{Facts, Versions};
use crate::objects::typed_resources;
use crate::output::Output;

/// Adds the accessors.
pub(crate) fn emit(facts: &Facts, output: &mut Output) -> Result<()> {
    let mut groups: BTreeMap<(String, String), Vec<Accessor>> = BTreeMap::new();
    for (resource, rust) in typed_resources(facts) {
        let accessor = Accessor {
            method: snake_case(&resource.kind, &resource.plural),
            rust: format!("k8s_openapi::{}", rust.rust),
            versions: rust.versions.clone(),
            namespaced: resource.namespaced,
        };
        groups
            .entry((resource.group.clone(), resource.version.clone()))
            .or_default()
            .push(accessor);
    }
    let mut modules = String::from("//! Accessors for every built-in group and version.\n\nuse super::Clientset;\n\n");
    let mut accessors = String::from("impl Clientset {\n");
    for ((group, version), resources) in &groups {
        let short = group
            .split('.')
            .next()
            .filter(|short| !short.is_empty())
            .unwrap_or("core");
        let module = format!("{short}_{version}");
        let api_version = if group.is_empty() {
            version.clone()
        } else {
            format!("{group}/{version}")
        };
        let name = camel_case(&module);
        // A group version exists as long as one of its resources.
        let first = resources.iter().map(|resource| &resource.versions.since).min();
        let gate = Versions {
            since: first.cloned().flatten(),
            until: None,
        }
        .gate()?;
        writeln!(modules, "{gate}mod {module};\n{gate}pub use {module}::{name};")?;
        writeln!(
            accessors,
            "{gate}/// The resources of `{api_version}`.\npub fn {module}(&self) -> {name} {{ {name}::new(self.client().clone()) }}\n"
        )?;
        output.add(
            &format!("client/src/clientset/generated/{module}.rs"),
            &group_source(&name, &api_version, resources)?,
        );
    }
    accessors.push_str("}\n");
    output.add(
        "client/src/clientset/generated/mod.rs",
        &format!("{modules}\n{accessors}"),
    );
    Ok(())
}

struct Accessor {
    method: String,
    rust: String,
    versions: Versions,
    namespaced: bool,
}

fn group_source(name: &str, api_version: &str, resources: &[Accessor]) -> Result<String> {
    let mut source = format!(
        "use crate::{{Api, Client}};\n\n/// The resources of `{api_version}`.\n#[derive(Clone, Debug)]\npub struct {name} {{ client: Client }}\n\n\
         impl {name} {{\npub(super) fn new(client: Client) -> Self {{ Self {{ client }} }}\n"
    );
    for Accessor {
        method,
        rust,
        versions,
        namespaced,
    } in resources
    {
        let kind = rust.rsplit("::").next().unwrap_or(rust);
        let gate = versions.gate()?;
        if *namespaced {
            writeln!(
                source,
                "\n{gate}/// [`{kind}`]({rust}) objects of one namespace, or of all where it is empty.\n\
                 pub fn {method}(&self, namespace: &str) -> Api<{rust}> {{ Api::namespaced(self.client.clone(), namespace) }}"
            )?;
        } else {
            writeln!(
                source,
                "\n{gate}/// [`{kind}`]({rust}) objects of the cluster.\n\
                 pub fn {method}(&self) -> Api<{rust}> {{ Api::new(self.client.clone()) }}"
            )?;
        }
    }
    source.push_str("}\n");
    Ok(source)
}

/// The plural with the word borders of the kind: `ReplicaSet` and `replicasets` give `replica_sets`.
fn snake_case(kind: &str, plural: &str) -> String {
    let mut snake = String::new();
    let letters: Vec<char> = kind.chars().collect();
    for (at, letter) in plural.chars().enumerate() {
        let previous = at.checked_sub(1).and_then(|at| letters.get(at));
        let next = letters.get(at + 1);
        let border = letters.get(at).is_some_and(|c| c.is_uppercase())
            && (previous.is_some_and(|c| c.is_lowercase()) || (at > 0 && next.is_some_and(|c| c.is_lowercase())));
        if border {
            snake.push('_');
        }
        snake.push(letter);
    }
    snake
}

fn camel_case(snake: &str) -> String {
    let mut camel = String::new();
    for word in snake.split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
