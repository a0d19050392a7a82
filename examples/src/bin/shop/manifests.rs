//! Manifests from a folder of YAML files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;

/// One document of a manifest file.
pub(crate) struct Manifest {
    pub(crate) file: PathBuf,
    pub(crate) object: Value,
}

impl Manifest {
    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(crate) fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads every `.yaml` file of a folder, files in name order and documents in file order.
pub(crate) fn load(folder: &Path) -> Result<Vec<Manifest>, Error> {
    let reading = |source| Error::ReadManifest {
        file: folder.to_owned(),
        source,
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
        })
        .map_err(reading)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut manifests = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|source| Error::ReadManifest {
            file: file.clone(),
            source,
        })?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|source| Error::ParseManifest {
            file: file.clone(),
            source: Box::new(source),
        })?;
        manifests.extend(documents.into_iter().map(|object| Manifest {
            file: file.clone(),
            object,
        }));
    }
    Ok(manifests)
}
