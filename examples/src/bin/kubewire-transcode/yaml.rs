//! YAML as kubectl reads and writes it.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use crate::error::{Broken, Error};

/// How deep a document may nest; schemas in custom resource definitions are the deepest that occur.
const MAX_DEPTH: usize = 400;

/// Reads all documents; empty ones count for nothing.
pub(crate) fn documents(input: &[u8]) -> Result<Vec<Value>, Error> {
    let text = std::str::from_utf8(input).map_err(|error| {
        Error::Broken(Broken {
            offset: Some(error.valid_up_to()),
            reason: "YAML has to be UTF-8".to_owned(),
            ..Broken::default()
        })
    })?;
    let documents: Vec<Value> = parse(text).map_err(|error| broken(text, &error))?;
    let documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
    if documents.is_empty() {
        Err(Error::Empty)
    } else {
        Ok(documents)
    }
}

/// Adds to the field in which a document is broken the place where it stands.
pub(crate) fn in_document(error: Error, input: &[u8], document: usize) -> Error {
    let Error::Broken(mut broken) = error else {
        return error;
    };
    if broken.offset.is_none()
        && let Ok(text) = std::str::from_utf8(input)
        && let Ok(trees) = parse::<Spanned<Tree>>(text)
    {
        let mut documents = trees.iter().filter(|tree| !matches!(tree.value, Tree::Null));
        if let Some(place) = documents.nth(document).map(|tree| place(tree, &broken.path)) {
            broken = broken.at(place, text);
        }
    }
    Error::Broken(broken)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_saphyr::Error> {
    // Everything but the depth is bounded by the length of the text, which is in memory already.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: text.len(),
        },
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

fn broken(text: &str, error: &serde_saphyr::Error) -> Error {
    let broken = Broken {
        reason: error.to_string(),
        ..Broken::default()
    };
    Error::Broken(match error.location() {
        Some(location) => broken.at(location, text),
        None => broken,
    })
}

impl Broken {
    /// The same with its place in the text, which counts characters.
    fn at(mut self, location: Location, text: &str) -> Self {
        let number = |number| usize::try_from(number).ok();
        let byte = |character| text.char_indices().nth(character).map_or(text.len(), |(at, _)| at);
        self.offset = number(location.span().offset()).map(byte);
        self.line = number(location.line());
        self
    }
}

/// The places in a document.
enum Tree {
    Members(Vec<(String, Spanned<Tree>)>),
    Elements(Vec<Spanned<Tree>>),
    Scalar,
    Null,
}

/// Where the field at a path stands, or what is there of the way to it.
fn place(tree: &Spanned<Tree>, path: &str) -> Location {
    let rest = path.strip_prefix('.').unwrap_or(path);
    let inside = match &tree.value {
        _ if path.is_empty() => None,
        // A name may have dots itself.
        Tree::Members(members) => members.iter().rev().find_map(|(name, member)| {
            let rest = rest.strip_prefix(name.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| place(member, rest))
        }),
        Tree::Elements(elements) => rest.strip_prefix('[').and_then(|rest| {
            let (index, rest) = rest.split_once(']')?;
            Some(place(elements.get(index.parse::<usize>().ok()?)?, rest))
        }),
        Tree::Scalar | Tree::Null => None,
    };
    inside.unwrap_or(tree.referenced)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Node;

        impl<'de> Visitor<'de> for Node {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Scalar)
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
                Tree::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
                let mut read = Vec::new();
                while let Some(element) = elements.next_element()? {
                    read.push(element);
                }
                Ok(Tree::Elements(read))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut read = Vec::new();
                while let Some(name) = members.next_key()? {
                    read.push((name, members.next_value()?));
                }
                Ok(Tree::Members(read))
            }
        }

        deserializer.deserialize_any(Node)
    }
}
