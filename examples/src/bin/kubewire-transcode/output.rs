//! What is written, and where.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Target;
use crate::error::Error;
use crate::object::{Object, Written};
use crate::printed;

/// All objects of one input.
pub(crate) fn render(objects: &[Object], to: Target, keep_unknown: bool) -> Result<Written, Error> {
    if let (Target::Protobuf, [_, _, ..]) = (to, objects) {
        return Err(Error::Several {
            count: objects.len(),
            format: "protobuf envelope",
        });
    }
    let mut output = Vec::new();
    let mut warnings = Vec::new();
    for object in objects {
        let (bytes, found) = match to {
            Target::Json => object.to_json(),
            Target::Yaml => object.to_yaml(),
            Target::Protobuf => object.to_protobuf(keep_unknown),
            Target::Hex => object
                .to_protobuf(keep_unknown)
                .map(|(bytes, warnings)| (printed::encode(&bytes), warnings)),
        }?;
        if !output.is_empty() {
            output.extend_from_slice(separator(to));
        }
        output.extend(bytes);
        warnings.extend(found);
    }
    Ok((output, warnings))
}

/// What stands between two objects.
pub(crate) fn separator(to: Target) -> &'static [u8] {
    match to {
        Target::Yaml => b"---\n",
        _ => b"",
    }
}

/// A folder that gets one file per input.
pub(crate) struct OutDir<'a> {
    dir: &'a Path,
    to: Target,
    /// Inputs, which are never overwritten.
    inputs: BTreeSet<PathBuf>,
    written: BTreeSet<PathBuf>,
}

impl<'a> OutDir<'a> {
    pub(crate) fn new(dir: &'a Path, to: Target, inputs: &[&Path]) -> Self {
        let inputs = inputs.iter().filter_map(|file| fs::canonicalize(file).ok()).collect();
        let written = BTreeSet::new();
        Self {
            dir,
            to,
            inputs,
            written,
        }
    }

    /// Writes the file of an input whole or not at all.
    pub(crate) fn write(&mut self, input: &Path, text: &[u8]) -> Result<(), Error> {
        let stem = match input.file_stem() {
            Some(stem) if input != Path::new("-") => stem.to_owned(),
            _ => OsString::from("stdin"),
        };
        let mut name = stem;
        name.push(format!(".{}", self.to));
        let file = self.dir.join(&name);
        if fs::canonicalize(&file).is_ok_and(|file| self.inputs.contains(&file)) {
            return Err(Error::Occupied {
                file,
                whose: "an input",
            });
        }
        if !self.written.insert(file.clone()) {
            let whose = "the output of another input";
            return Err(Error::Occupied { file, whose });
        }
        let mut temporary = OsString::from(".");
        temporary.push(&name);
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = self.dir.join(temporary);
        let written = fs::create_dir_all(self.dir)
            .and_then(|()| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, &file));
        written.map_err(|source| {
            let _ = fs::remove_file(&temporary); // it may not exist
            Error::Write { file, source }
        })
    }
}
