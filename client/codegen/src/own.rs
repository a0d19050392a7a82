//! Which Rust type stands for a message that k8s-openapi has none for: a list, the type of a message with the same
//! fields, or a struct of ours.

use std::collections::BTreeMap;

use crate::facts::{Field, Message, RustType, Schema, Versions};

/// Messages that no object holds, or that another type of ours stands for.
const WITHOUT_TYPE: [&str; 7] = [
    "meta.v1.Duration",
    "meta.v1.GroupVersion",
    "meta.v1.Timestamp",
    "meta.v1.TypeMeta",
    "quantity.QuantityValue",
    "runtime.TypeMeta",
    "runtime.Unknown",
];

/// The types of ours, by message. `theirs` are those of k8s-openapi.
pub(crate) fn types(schema: &Schema, theirs: &BTreeMap<String, RustType>) -> BTreeMap<String, RustType> {
    let lasting = |name: &String| theirs.get(name).is_some_and(|rust| rust.versions.until.is_none());
    let mut missing: Vec<&String> = schema.messages.keys().filter(|name| !lasting(name)).collect();
    missing.retain(|name| !WITHOUT_TYPE.contains(&name.as_str()) && !only_inlined(schema, name));
    // What is older is said in terms of what is newer.
    missing.sort_by_key(|name| (maturity(name), *name));
    let mut ours = Types {
        schema,
        theirs,
        ours: BTreeMap::new(),
    };
    let mut structs = Vec::new();
    for name in missing {
        if let Some(item) = ours.listed(name) {
            ours.add(name, format!("List<{}>", path(item)), Some("list"));
        } else if let Some(same) = ours.same(name) {
            let rust = ours.path(&same);
            ours.add(name, rust, Some("alias"));
        } else {
            ours.add(name, path(name), None);
            structs.push(name);
        }
    }
    for name in structs {
        let Some(message) = schema.messages.get(name) else {
            continue;
        };
        let mut fields = BTreeMap::new();
        ours.fields(name, message, &mut fields);
        if let Some(rust) = ours.ours.get_mut(name) {
            rust.fields = fields;
        }
    }
    ours.inherit_versions();
    ours.ours
}

struct Types<'a> {
    schema: &'a Schema,
    theirs: &'a BTreeMap<String, RustType>,
    ours: BTreeMap<String, RustType>,
}

impl Types<'_> {
    fn add(&mut self, name: &str, rust: String, kind: Option<&str>) {
        let rust = RustType {
            rust,
            kind: kind.map(str::to_owned),
            fields: BTreeMap::new(),
            versions: Versions::default(),
            field_versions: BTreeMap::new(),
        };
        self.ours.insert(name.to_owned(), rust);
    }

    /// The element of a list kind that is the generic list of an element from the same package.
    fn listed(&self, name: &str) -> Option<&str> {
        let kind = self.schema.kinds.iter().find(|kind| kind.message == name)?;
        let item = kind.items.as_deref()?;
        let of_same_package =
            package(item) == package(name) && self.schema.kinds.iter().any(|kind| kind.message == item);
        of_same_package.then_some(item)
    }

    /// A message of the same name and fields in another version, that has a type already.
    fn same(&self, name: &str) -> Option<String> {
        if self.schema.kinds.iter().any(|kind| kind.message == name) {
            return None; // a kind says its version
        }
        let theirs = self.theirs.iter().filter(|(_, rust)| !rust.versions.are_limited());
        let ours = self.ours.iter().filter(|(_, rust)| rust.kind.is_none());
        let mut known = theirs.chain(ours).map(|(known, _)| known);
        known.find(|known| self.equal(name, known, &mut Vec::new())).cloned()
    }

    fn equal<'n>(&'n self, one: &'n str, other: &'n str, seen: &mut Vec<(&'n str, &'n str)>) -> bool {
        if one == other || seen.contains(&(one, other)) {
            return true;
        }
        let (Some(first), Some(second)) = (self.schema.messages.get(one), self.schema.messages.get(other)) else {
            return false;
        };
        if short(one) != short(other) || first.special != second.special || first.fields.len() != second.fields.len() {
            return false;
        }
        seen.push((one, other));
        let mut pairs = first.fields.iter().zip(&second.fields);
        pairs.all(|(a, b)| {
            let alike = (&a.json, a.number, a.repeated, a.pointer, a.inlined, a.no_json)
                == (&b.json, b.number, b.repeated, b.pointer, b.inlined, b.no_json)
                && (a.omitempty, a.omitzero, a.required) == (b.omitempty, b.omitzero, b.required);
            let ((container, inner), (other_container, other_inner)) = (parts(&a.ty), parts(&b.ty));
            // A required field of k8s-openapi's has no nil, ours has.
            let loses_nil = first.special.is_none() && a.required && (a.pointer || self.has_nil(a));
            alike && !loses_nil && container == other_container && self.equal(inner, other_inner, seen)
        })
    }

    /// The Rust fields of a message; those of inlined messages are its own.
    fn fields(&self, owner: &str, message: &Message, fields: &mut BTreeMap<String, (String, String)>) {
        let is_kind = self.schema.kinds.iter().any(|kind| kind.message == owner);
        for field in &message.fields {
            match &field.json {
                None if field.ty == "meta.v1.TypeMeta" => {
                    if is_kind {
                        continue;
                    }
                    let text = || "Option<String>".to_owned();
                    fields.insert("apiVersion".to_owned(), ("api_version".to_owned(), text()));
                    fields.insert("kind".to_owned(), ("kind".to_owned(), text()));
                }
                None => {
                    if let Some(inner) = self.schema.messages.get(&field.ty).filter(|_| field.inlined) {
                        self.fields(owner, inner, fields);
                    }
                }
                Some(json) => {
                    fields.insert(json.clone(), (identifier(json), self.field_type(field)));
                }
            }
        }
    }

    fn field_type(&self, field: &Field) -> String {
        let (map, inner) = parts(&field.ty);
        let one = match inner {
            "string" => "String".to_owned(),
            "bool" => "bool".to_owned(),
            "int32" => "i32".to_owned(),
            "int64" => "i64".to_owned(),
            "double" => "f64".to_owned(),
            "bytes" => "k8s_openapi::ByteString".to_owned(),
            "any" => "serde_json::Value".to_owned(),
            message => self.path(message),
        };
        let ty = match (map, field.repeated) {
            (true, _) => format!("std::collections::BTreeMap<String, {one}>"),
            (_, true) => format!("Vec<{one}>"),
            _ => one,
        };
        let metadata = matches!(inner, "meta.v1.ObjectMeta" | "meta.v1.ListMeta") && !field.pointer;
        let optional = field.pointer || self.has_nil(field) || (field.omitempty && !field.required && !metadata);
        if optional { format!("Option<{ty}>") } else { ty }
    }

    /// Nil has to be told from empty, a zero time from a time.
    fn has_nil(&self, field: &Field) -> bool {
        let special = self
            .schema
            .messages
            .get(&field.ty)
            .and_then(|message| message.special.as_deref());
        !field.repeated && (field.ty == "bytes" || matches!(special, Some("list" | "time" | "microtime")))
    }

    /// The full path of a message's Rust type.
    fn path(&self, message: &str) -> String {
        match (self.ours.get(message), self.theirs.get(message)) {
            (Some(rust), _) | (None, Some(rust)) => rust.path(),
            (None, None) => path(message),
        }
    }

    /// A type exists where the types of its fields do.
    fn inherit_versions(&mut self) {
        loop {
            let mut changes = Vec::new();
            for (name, rust) in &self.ours {
                let fields = self.schema.messages.get(name).map(|message| &message.fields);
                let inner = fields.into_iter().flatten().map(|field| parts(&field.ty).1);
                let since = inner.filter_map(|inner| {
                    let of_field = self.ours.get(inner).or_else(|| self.theirs.get(inner))?;
                    of_field.versions.since.clone()
                });
                let since = since.max();
                if since > rust.versions.since {
                    changes.push((name.clone(), since));
                }
            }
            if changes.is_empty() {
                return;
            }
            for (name, since) in changes {
                if let Some(rust) = self.ours.get_mut(&name) {
                    rust.versions.since = since;
                }
            }
        }
    }
}

/// True where other messages have the fields of this one, and none has it as a field.
fn only_inlined(schema: &Schema, name: &str) -> bool {
    let all = || schema.messages.values().flat_map(|message| &message.fields);
    let mut uses = all().filter(|field| parts(&field.ty).1 == name).peekable();
    uses.peek().is_some() && uses.all(|field| field.inlined)
}

/// Stable versions come first, then the newest beta.
fn maturity(name: &str) -> (u8, std::cmp::Reverse<&str>) {
    let version = package(name).rsplit('.').next().unwrap_or_default();
    let stage = match version {
        version if version.contains("alpha") => 2,
        version if version.contains("beta") => 1,
        _ => 0,
    };
    (stage, std::cmp::Reverse(version))
}

/// `core.v1.PodExecOptions` → `crate::types::core::v1::PodExecOptions`.
fn path(message: &str) -> String {
    format!("crate::types::{}", message.replace('.', "::"))
}

/// Whether it is a map, and the type of the values.
fn parts(ty: &str) -> (bool, &str) {
    match ty.strip_prefix("map<string,").and_then(|ty| ty.strip_suffix('>')) {
        Some(value) => (true, value),
        None => (false, ty),
    }
}

fn package(message: &str) -> &str {
    message.rsplit_once('.').map_or("", |(package, _)| package)
}

pub(crate) fn short(message: &str) -> &str {
    message.rsplit_once('.').map_or(message, |(_, name)| name)
}

/// `podCIDRs` → `pod_cidrs`, as k8s-openapi names its fields.
pub(crate) fn identifier(json: &str) -> String {
    let letters: Vec<char> = json.chars().collect();
    let mut snake = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        // The `s` of `CIDRs` belongs to the word.
        let plural = after == Some(&'s') && letters.get(at + 2).is_none_or(|next| next.is_uppercase());
        let begins_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || (after.is_some_and(|after| after.is_lowercase()) && !plural)
            });
        if begins_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    if matches!(snake.as_str(), "type" | "continue" | "enum" | "default") {
        snake.push('_');
    }
    snake
}
