//! Fixtures of the codec tests.

#![allow(dead_code)] // each test program uses its own part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kubewire_client::Gvk;
use serde::Deserialize;

/// The repository; the test programs are of more than one package.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = package.ancestors();
    folders.find(|folder| folder.join("testdata").is_dir()).unwrap()
}

/// `testdata/` of the repository: every message, and vectors of the special forms.
pub(crate) fn testdata(name: &str) -> PathBuf {
    repository().join("testdata").join(name)
}

/// The folder of larger fixtures beside the repository, `None` (with a notice) where there is none.
pub(crate) fn shared_dir() -> Option<PathBuf> {
    let dir = match std::env::var_os("KUBEWIRE_SHARED") {
        Some(dir) => PathBuf::from(dir),
        None => repository().join("../shared"),
    };
    if !dir.is_dir() {
        eprintln!("skipped: no folder {} (KUBEWIRE_SHARED names another)", dir.display());
        return None;
    }
    Some(dir)
}

/// One line of `messages.jsonl`: JSON with the protobuf that it becomes, or protobuf alone, and what is read back.
#[derive(Deserialize)]
pub(crate) struct MessageVector {
    #[serde(rename = "m")]
    pub(crate) message: String,
    pub(crate) json: Option<String>,
    #[serde(rename = "pb")]
    encoded: Option<String>,
    #[serde(rename = "pbin")]
    input: Option<String>,
    #[serde(rename = "out")]
    output: Option<String>,
}

impl MessageVector {
    pub(crate) fn protobuf(&self) -> Vec<u8> {
        unhex(self.encoded.as_deref().or(self.input.as_deref()).unwrap())
    }

    /// The JSON text of what the protobuf holds.
    pub(crate) fn output(&self) -> &str {
        self.output.as_deref().or(self.json.as_deref()).unwrap()
    }
}

pub(crate) fn message_vectors() -> Vec<MessageVector> {
    let text = unzstd(&testdata("messages.jsonl.zst"));
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a table of vectors.
pub(crate) fn rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(testdata("vectors").join(name)).unwrap();
    text.lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// An upstream round-trip fixture, with what the current version makes of it.
pub(crate) struct ApiFixture {
    pub(crate) name: String,
    pub(crate) json: String,
    pub(crate) protobuf: Vec<u8>,
    pub(crate) json_after: String,
    pub(crate) protobuf_after: Vec<u8>,
}

impl ApiFixture {
    /// The kind, from the file name `<group>.<version>.<Kind>`.
    pub(crate) fn gvk(&self) -> Gvk {
        let (group_version, kind) = self.name.rsplit_once('.').unwrap();
        let (group, version) = group_version.rsplit_once('.').unwrap();
        let group = if group == "core" { "" } else { group };
        Gvk {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            kind: kind.to_owned().into(),
        }
    }
}

/// `api-HEAD`: one object of every kind, every field set. `None` where the shared folder is absent.
pub(crate) fn api_fixtures() -> Option<Vec<ApiFixture>> {
    let archive = unzstd(&shared_dir()?.join("testdata/api-HEAD.tar.zst"));
    let files = tar_files(&archive);
    let fixtures = files.iter().filter_map(|(name, protobuf)| {
        let name = name
            .strip_suffix(".pb")
            .filter(|name| !name.ends_with(".after_roundtrip"))?;
        let file = |suffix: &str| files.get(&format!("{name}{suffix}")).copied();
        let json = compact(file(".json")?);
        Some(ApiFixture {
            name: name.to_owned(),
            json_after: file(".after_roundtrip.json").map_or_else(|| json.clone(), compact),
            protobuf_after: file(".after_roundtrip.pb").unwrap_or(protobuf).to_vec(),
            json,
            protobuf: protobuf.to_vec(),
        })
    });
    Some(fixtures.collect())
}

/// Removes white space between tokens; nothing else changes.
fn compact(text: &[u8]) -> String {
    let (mut inside, mut escaped) = (false, false);
    let kept = text.iter().filter(|byte| {
        let space = !inside && byte.is_ascii_whitespace();
        inside ^= **byte == b'"' && !escaped;
        escaped = **byte == b'\\' && !escaped;
        !space
    });
    String::from_utf8(kept.copied().collect()).unwrap()
}

pub(crate) fn unzstd(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decoder = zstd::Decoder::new(file).unwrap();
    decoder.window_log_max(27).unwrap();
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut content).unwrap();
    content
}

/// The regular files of an archive: headers of 512 bytes, contents padded to 512.
fn tar_files(archive: &[u8]) -> BTreeMap<String, &[u8]> {
    let mut files = BTreeMap::new();
    let mut at = 0;
    while let Some(header) = archive.get(at..at + 512).filter(|header| header[0] != 0) {
        let text = |range: std::ops::Range<usize>| {
            let field = header[range].split(|byte| *byte == 0).next().unwrap();
            std::str::from_utf8(field).unwrap().trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        let content = &archive[at + 512..at + 512 + size];
        if matches!(header[156], 0 | b'0') {
            files.insert(text(0..100).trim_start_matches("./").to_owned(), content);
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The first difference of two texts, with what stands around it.
pub(crate) fn difference(left: &str, right: &str) -> String {
    let at = left.bytes().zip(right.bytes()).position(|(left, right)| left != right);
    let at = at.unwrap_or(left.len().min(right.len()));
    let around = |text: &str| {
        let bytes = &text.as_bytes()[at.saturating_sub(60)..text.len().min(at + 60)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    format!("at {at}:\n    got  {}\n    want {}", around(left), around(right))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
