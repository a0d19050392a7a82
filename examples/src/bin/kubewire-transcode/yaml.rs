//! YAML as kubectl reads and writes it.

use serde_json::Value;

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
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| broken(text, &error))?;
    let documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
    if documents.is_empty() {
        Err(Error::Empty)
    } else {
        Ok(documents)
    }
}

fn broken(text: &str, error: &serde_saphyr::Error) -> Error {
    let characters = error.location().map(|location| location.span().offset());
    let characters = characters.and_then(|characters| usize::try_from(characters).ok());
    let offset = characters.map(|characters| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at));
    Error::Broken(Broken {
        offset,
        path: String::new(),
        reason: error.to_string(),
    })
}
