//! The transcoder against what Go's own encoders and decoders made of the same objects.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

mod support;

use base64::Engine;
use kubewire_client::Gvk;
use kubewire_client::wire::Envelope;
use kubewire_client::wire::schema::{self, MessageSchema, Special};
use kubewire_client::wire::transcode::{self, JsonDocument};
use support::{difference, hex};

/// Collects failures, so that one run shows all of them.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn check(&mut self, what: &str, got: &str, want: &str) {
        if got != want {
            self.0.push(format!("{what} {}", difference(got, want)));
        }
    }

    fn finish(self, ran: usize) {
        println!("{ran} ran, {} failed", self.0.len());
        let shown: Vec<_> = self.0.iter().take(20).cloned().collect();
        assert!(
            ran > 0 && self.0.is_empty(),
            "{} of {ran} failed\n{}",
            self.0.len(),
            shown.join("\n")
        );
    }
}

fn json_of(schema: &MessageSchema, protobuf: &[u8]) -> String {
    match transcode::protobuf_to_json(schema, protobuf) {
        Ok(text) => String::from_utf8(text).unwrap(),
        Err(error) => format!("ERR {error}"),
    }
}

fn protobuf_of(schema: &MessageSchema, json: &str) -> String {
    match transcode::json_to_protobuf(schema, json.as_bytes()) {
        Ok((bytes, _)) => hex(&bytes),
        Err(error) => format!("ERR {error}"),
    }
}

#[test]
fn every_message() {
    let mut failures = Failures::default();
    let vectors = support::message_vectors();
    for vector in &vectors {
        let name = &vector.message;
        let schema = schema::message(name).unwrap_or_else(|| panic!("{name} is not in the schema"));
        let protobuf = vector.protobuf();
        if let Some(json) = &vector.json {
            failures.check(&format!("{name} encode"), &protobuf_of(schema, json), &hex(&protobuf));
        }
        if schema.special == Some(Special::List) && protobuf.is_empty() {
            continue; // nil or empty: only the field around it tells
        }
        failures.check(&format!("{name} decode"), &json_of(schema, &protobuf), vector.output());
    }
    failures.finish(vectors.len());
}

fn carries_raw(schema: &'static MessageSchema, seen: &mut Vec<&'static str>) -> bool {
    if matches!(schema.special, Some(Special::Raw | Special::Unknown)) {
        return true;
    }
    if seen.contains(&schema.name) {
        return false;
    }
    seen.push(schema.name);
    schema
        .fields
        .iter()
        .filter_map(|field| field.message())
        .any(|inner| carries_raw(inner, seen))
}

/// JSON text with the members of all objects in order.
fn sorted(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

#[test]
fn every_kind() {
    let Some(fixtures) = support::api_fixtures() else {
        return;
    };
    let mut failures = Failures::default();
    for fixture in &fixtures {
        let name = &fixture.name;
        let schema = schema::kind(&fixture.gvk())
            .unwrap_or_else(|| panic!("{name} is not in the schema"))
            .message;

        let (value, _) = transcode::json_to_value(schema, fixture.json.as_bytes()).unwrap();
        failures.check(&format!("{name} json"), &json_text(schema, &value), &fixture.json_after);

        let mut envelope = Envelope::decode(&fixture.protobuf.clone().into()).unwrap();
        let decoded = match &*envelope.kind {
            "" => transcode::protobuf_to_value(schema, &envelope.object.bytes).unwrap(), // WatchEvent has no type
            _ => transcode::decode_object(&fixture.protobuf).unwrap(),
        };
        failures.check(
            &format!("{name} decode"),
            &json_text(schema, &decoded),
            &fixture.json_after,
        );

        if !envelope.kind.is_empty() {
            let text = transcode::object_to_json(&fixture.protobuf.clone().into()).unwrap();
            failures.check(
                &format!("{name} to JSON"),
                &String::from_utf8(text).unwrap(),
                &fixture.json_after,
            );
            let (object, _) = transcode::json_to_object(fixture.json.as_bytes()).unwrap();
            failures.check(
                &format!("{name} from JSON"),
                &hex(&object),
                &hex(&fixture.protobuf_after),
            );
        }
        for bytes in [
            transcode::value_to_protobuf(schema, &value).unwrap(),
            transcode::json_to_protobuf(schema, fixture.json.as_bytes()).unwrap().0,
        ] {
            envelope.object.bytes = bytes;
            failures.check(
                &format!("{name} encode"),
                &hex(&envelope.encode()),
                &hex(&fixture.protobuf_after),
            );
        }
    }
    failures.finish(fixtures.len());
}

fn json_text(schema: &MessageSchema, value: &serde_json::Value) -> String {
    let mut text = Vec::new();
    transcode::write_json(schema, value, &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn quantities() {
    let schema = schema::message("quantity.Quantity").unwrap();
    let mut failures = Failures::default();
    let rows = support::rows("quantity.tsv");
    for row in &rows {
        let (text, want) = (&row[0], &row[1]);
        let document = serde_json::Value::from(text.as_str()).to_string();
        let got = match transcode::json_to_value(schema, document.as_bytes()) {
            Ok((value, _)) => value.as_str().unwrap().to_owned(),
            Err(_) => "ERR".to_owned(),
        };
        failures.check(text, &got, want);
    }
    failures.finish(rows.len());
}

#[test]
fn durations() {
    let schema = schema::message("meta.v1.Duration").unwrap();
    let mut failures = Failures::default();
    let rows = support::rows("duration.tsv");
    for row in &rows {
        if row[0] == "parse" {
            let document = serde_json::Value::from(row[1].as_str()).to_string();
            let nanos = transcode::json_to_value(schema, document.as_bytes())
                .map(|(value, _)| transcode::value_to_protobuf(schema, &value).unwrap());
            let got = nanos.map_or_else(|_| "ERR".to_owned(), |bytes| varint(&bytes[1..]).to_string());
            failures.check(&row[1], &got, &row[2]);
        } else {
            let mut protobuf = vec![8];
            prost::encoding::encode_varint(row[0].parse::<i64>().unwrap().cast_unsigned(), &mut protobuf);
            failures.check(
                &row[0],
                &json_of(schema, &protobuf),
                &serde_json::Value::from(row[1].as_str()).to_string(),
            );
        }
    }
    failures.finish(rows.len());
}

#[test]
fn floats() {
    let schema = schema::message("apiextensions.v1.JSONSchemaProps").unwrap();
    let mut failures = Failures::default();
    let rows = support::rows("float.tsv");
    for row in &rows {
        let bits = u64::from_str_radix(&row[0], 16).unwrap();
        let mut protobuf = vec![9 << 3 | 1]; // maximum
        protobuf.extend_from_slice(&bits.to_le_bytes());
        failures.check(
            &row[0],
            &json_of(schema, &protobuf),
            &format!("{{\"maximum\":{}}}", row[1]),
        );
        let text = format!("{{\"maximum\":{}}}", row[1]);
        let (value, _) = transcode::json_to_value(schema, text.as_bytes()).unwrap();
        let read = value["maximum"].as_f64().unwrap();
        failures.check(&row[1], &format!("{:016x}", read.to_bits()), &row[0]);
    }
    failures.finish(rows.len());
}

/// What the API server's JSON decoder makes of input.
#[test]
fn json_reading() {
    let rows = support::rows("special.tsv");
    let (mut failures, mut ran) = (Failures::default(), 0);
    let sections = [
        ("into Pod", "core.v1.Pod"),
        ("MicroTime json decode", "meta.v1.MicroTime"),
        ("base64 variants", "core.v1.Secret"),
    ];
    for (title, message) in sections {
        let schema = schema::message(message).unwrap();
        let begin = rows
            .iter()
            .position(|row| row[0].starts_with("---") && row[0].contains(title))
            .unwrap()
            + 1;
        for row in rows[begin..].iter().take_while(|row| !row[0].starts_with("---")) {
            ran += 1;
            let got = match transcode::json_to_value(schema, row[0].as_bytes()) {
                Err(error) => format!("ERR {error}"),
                Ok((value, problems)) => {
                    let problems: Vec<String> = problems.iter().map(|problem| format!(" strict:{problem}")).collect();
                    json_text(schema, &value) + &problems.concat()
                }
            };
            failures.check(&row[0], &got, &row[1]);
            if let Some(protobuf) = row.get(2).filter(|protobuf| !protobuf.is_empty()) {
                failures.check(&row[0], &protobuf_of(schema, &row[0]), protobuf);
            }
        }
    }
    failures.finish(ran);
}

/// Every JSON object that a real kube-apiserver answered: read and written again, it is the same text.
#[test]
fn recorded_answers() {
    let Some(shared) = support::shared_dir() else { return };
    let (mut failures, mut ran) = (Failures::default(), 0);
    for file in std::fs::read_dir(shared.join("goldens/kube-apiserver")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for record in text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        {
            let body = record["response"]["body"].as_str().unwrap_or_default();
            let Ok(body) = base64::engine::general_purpose::STANDARD.decode(body) else {
                continue;
            };
            let Ok(document) = JsonDocument::parse(&body) else {
                continue;
            };
            let (api_version, kind) = document.type_meta();
            let Some(kind) = schema::kind(&Gvk::from_api_version(api_version, kind)) else {
                continue;
            };
            let (value, problems) = document.typed(kind.message).unwrap();
            assert!(problems.is_empty(), "{}: {problems:?}", record["id"]);
            let text = String::from_utf8(body.trim_ascii_end().to_vec()).unwrap();
            let (mut got, mut want) = (json_text(kind.message, &value), text);
            // Pretty printed, or with raw JSON inside: the content is compared.
            if want.starts_with("{\n") || carries_raw(kind.message, &mut Vec::new()) {
                (got, want) = (sorted(&got), sorted(&want));
            }
            failures.check(&record["id"].to_string(), &got, &want);
            ran += 1;
        }
    }
    failures.finish(ran);
}

fn varint(mut bytes: &[u8]) -> i64 {
    prost::encoding::decode_varint(&mut bytes).unwrap().cast_signed()
}
