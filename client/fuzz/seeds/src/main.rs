//! Writes the first inputs of every target, from the fixtures of the tests: `seeds CORPUS_DIR`.

#[path = "../../src/choice.rs"]
mod choice;

use std::fs;
use std::path::{Path, PathBuf};

use choice::choice;
use serde_json::Value;

/// Larger fixtures only slow the fuzzer down.
const LARGEST: usize = 2048;

/// The types of the target `typed`, in its order.
const TYPED: [&str; 11] = [
    "core.v1.Pod",
    "apiextensions.v1.CustomResourceDefinition",
    "apps.v1.Deployment",
    "core.v1.Event",
    "core.v1.Node",
    "core.v1.Secret",
    "core.v1.Service",
    "batch.v1.CronJob",
    "networking.v1.Ingress",
    "meta.v1.Status",
    "core.v1.ConfigMap",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus: PathBuf = std::env::args_os().nth(1).ok_or("usage: seeds CORPUS_DIR")?.into();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/messages.jsonl.zst");
    let text = zstd::decode_all(fs::File::open(fixtures)?)?;
    for (index, line) in std::str::from_utf8(&text)?.lines().enumerate() {
        let vector: Value = serde_json::from_str(line)?;
        let field = |name: &str| vector[name].as_str();
        let name = field("m").ok_or("a vector without message")?;
        let protobuf = unhex(field("pb").or(field("pbin")).ok_or("a vector without protobuf")?)?;
        seed(&corpus, "from_protobuf", index, &[&choice(name), &protobuf])?;
        if let Some(json) = field("json") {
            seed(&corpus, "from_json", index, &[&choice(name), json.as_bytes()])?;
        }
        let short = name.rsplit('.').next().unwrap_or_default();
        if name.starts_with("core.v1.") || short.ends_with("List") {
            let enveloped = envelope(short, &protobuf);
            seed(&corpus, "envelope", index, &[&enveloped])?;
            seed(&corpus, "frames", index, &[&[0, 7], &frame(&enveloped)])?;
            seed(&corpus, "lazy", index, &[&protobuf])?;
        }
        if let Some(kind) = TYPED.iter().position(|kind| *kind == name) {
            seed(&corpus, "typed", index, &[&[kind as u8], &protobuf])?;
        }
        if let Some(json) = field("json").filter(|_| name.starts_with("core.v1.")) {
            let event = format!("{{\"type\":\"MODIFIED\",\"object\":{json}}}\n");
            seed(&corpus, "frames", index, &[&[1, 9], event.as_bytes()])?;
        }
    }
    Ok(())
}

fn seed(corpus: &Path, target: &str, index: usize, parts: &[&[u8]]) -> std::io::Result<()> {
    let input = parts.concat();
    if input.len() > LARGEST {
        return Ok(());
    }
    let dir = corpus.join(target);
    fs::create_dir_all(&dir)?;
    fs::write(dir.join(format!("fixture-{index}-{}", input.len())), input)
}

/// An object of the core group in its envelope.
fn envelope(kind: &str, object: &[u8]) -> Vec<u8> {
    let type_meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
    [
        b"k8s\0".to_vec(),
        field(1, &type_meta),
        field(2, object),
        field(3, b""),
        field(4, b""),
    ]
    .concat()
}

/// A watch event as the server sends it: length, type=1, object=2 { raw=1 }.
fn frame(enveloped: &[u8]) -> Vec<u8> {
    let event = [field(1, b"ADDED"), field(2, &field(1, enveloped))].concat();
    [&(event.len() as u32).to_be_bytes()[..], &event].concat()
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let (low, high) = (content.len() % 128, content.len() / 128);
    [&[number << 3 | 2, low as u8 | 0x80, high as u8], content].concat()
}

fn unhex(text: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16))
        .collect()
}
