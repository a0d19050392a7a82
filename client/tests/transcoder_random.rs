//! The transcoder on random objects of random types, and on random bytes.

#![allow(clippy::unwrap_used, clippy::panic)] // a test program

use kubewire_client::wire::schema::{Container, FieldSchema, MESSAGES, MessageSchema, Special, Type};
use kubewire_client::wire::transcode::{self, JsonDocument};
use kubewire_client::wire::{self, Reader};
use proptest::prelude::*;
use prost::encoding::encode_varint;
use serde_json::{Map, Value, json};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message that has a protobuf form.
fn schemas() -> impl Strategy<Value = &'static MessageSchema> {
    let schemas: Vec<_> = MESSAGES
        .iter()
        .copied()
        .filter(|schema| !schema.json_only && schema.special.is_none())
        .collect();
    proptest::sample::select(schemas)
}

/// An object as a client may send it: some fields set, lists and maps not empty.
fn object(schema: &'static MessageSchema, depth: u32) -> BoxedStrategy<Value> {
    let fields = flat(schema);
    let most = if depth == 0 { 0 } else { fields.len().min(4) };
    proptest::sample::subsequence(fields, 0..=most)
        .prop_flat_map(move |fields| {
            let members = fields
                .into_iter()
                .map(|field| (Just(field.json.to_owned()), member(field, depth - 1)));
            members.collect::<Vec<_>>()
        })
        .prop_map(|members| Value::Object(Map::from_iter(members)))
        .boxed()
}

/// The fields as JSON has them.
fn flat(schema: &'static MessageSchema) -> Vec<&'static FieldSchema> {
    let fields = schema.fields.iter().flat_map(|field| match field.message() {
        Some(_) if field.inlined && field.number == 0 => vec![], // kind and apiVersion are not in protobuf
        Some(inner) if field.inlined => flat(inner),
        _ => vec![field],
    });
    fields
        .filter(|field| !field.json.is_empty() && field.number > 0)
        .collect()
}

fn member(field: &'static FieldSchema, depth: u32) -> BoxedStrategy<Value> {
    match field.container {
        Container::One => single(field.ty, depth),
        Container::List => proptest::collection::vec(single(field.ty, depth), 1..3)
            .prop_map(Value::from)
            .boxed(),
        Container::Map => proptest::collection::btree_map("[a-z./é\\PC]{0,4}", single(field.ty, depth), 1..3)
            .prop_map(|entries| Value::Object(Map::from_iter(entries)))
            .boxed(),
    }
}

fn single(ty: Type, depth: u32) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::Int32 => any::<i32>().prop_map(Value::from).boxed(),
        Type::Int64 => any::<i64>().prop_map(Value::from).boxed(),
        Type::Double => any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(Value::from)
            .boxed(),
        Type::Bytes => "([A-Za-z0-9+/]{4}){1,3}".prop_map(Value::from).boxed(),
        Type::Message(schema) => match schema.special {
            None => object(schema, depth),
            Some(special) => special_form(schema, special, depth),
        },
        _ => any::<String>().prop_map(Value::from).boxed(),
    }
}

fn special_form(schema: &'static MessageSchema, special: Special, depth: u32) -> BoxedStrategy<Value> {
    let inner = move || {
        single(
            Type::Message(schema.fields.iter().find_map(FieldSchema::message).unwrap()),
            depth.saturating_sub(1),
        )
    };
    let strings = || proptest::collection::vec(any::<String>(), 1..3).prop_map(Value::from);
    match special {
        Special::Quantity => "-?[0-9]{1,20}(\\.[0-9]{1,12})?(n|u|m||k|M|Ki|Gi|Ei|e3|E-2)"
            .prop_map(Value::from)
            .boxed(),
        Special::Time => "(1|2)[0-9]{3}-0[1-9]-[012][1-8]T0[0-9]:[0-5][0-9]:59(\\.[0-9]{1,9})?(Z|[+-]1[0-4]:30)"
            .prop_map(Value::from)
            .boxed(),
        Special::MicroTime => "(1|2)[0-9]{3}-0[1-9]-[012][1-8]T0[0-9]:[0-5][0-9]:59\\.[0-9]{6}Z"
            .prop_map(Value::from)
            .boxed(),
        Special::IntOrString => prop_oneof![
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ]
        .boxed(),
        Special::Raw => prop_oneof![
            Just(json!({"b": [1, null, -2.5], "a": "<&>"})),
            any::<i64>().prop_map(Value::from)
        ]
        .boxed(),
        Special::List => strings().boxed(),
        Special::SchemaOrBool => prop_oneof![any::<bool>().prop_map(Value::from), inner()].boxed(),
        Special::SchemaOrArray => {
            prop_oneof![inner(), proptest::collection::vec(inner(), 1..3).prop_map(Value::from)].boxed()
        }
        Special::SchemaOrStrings => prop_oneof![inner(), strings()].boxed(),
        other => panic!("no field has the form {other:?}"),
    }
}

/// A message on the wire: of the schema, or the entry of a map.
#[derive(Clone, Copy)]
enum Level {
    Message(&'static MessageSchema),
    Entry(Option<&'static MessageSchema>),
}

impl Level {
    fn knows(self, number: u32) -> bool {
        match self {
            Self::Message(schema) => schema.fields.iter().any(|field| field.number == number),
            Self::Entry(_) => matches!(number, 1 | 2),
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Message(schema) if matches!(schema.special, Some(Special::Time | Special::MicroTime)))
    }

    fn inside(self, number: u32) -> Option<Self> {
        match self {
            Self::Message(schema) => {
                let field = schema.fields.iter().find(|field| field.number == number)?;
                match (field.container, field.message()) {
                    (Container::Map, value) => Some(Self::Entry(value)),
                    (_, inner) => inner.map(Self::Message),
                }
            }
            Self::Entry(value) => value.filter(|_| number == 2).map(Self::Message),
        }
    }
}

/// Adds fields that the schema does not have among those of a message, and of every message in it.
fn with_unknown_fields(level: Level, bytes: &[u8], count: &mut usize) -> Vec<u8> {
    let numbers = [1, 2, 3, 7, 12, 19, 33, 2047, (1 << 29) - 1].into_iter();
    let mut unknown = numbers.filter(|number| !level.knows(*number)).peekable();
    let mut out = Vec::new();
    let mut add = |number: u32, out: &mut Vec<u8>| {
        *count += 1;
        encode_varint(u64::from(number) << 3, out);
        out.extend([0x85, 0x80, 0x00]); // longer than it has to be: the bytes are kept, not the number
    };
    let (mut reader, mut start) = (Reader::new(bytes), 0);
    let mut fields = Vec::new();
    while let Some(field) = reader.next_field().unwrap() {
        fields.push((field, &bytes[start..reader.offset()]));
        start = reader.offset();
    }
    let mut nested = Vec::new();
    for (field, whole) in fields {
        while let Some(number) = unknown.next_if(|number| *number < field.number) {
            add(number, &mut out);
        }
        match (level.inside(field.number), field.value) {
            // Anything in a time that is empty makes it 1970, as in Go.
            (Some(inner), wire::Value::Bytes(content)) if !(content.is_empty() && inner.is_time()) => {
                let mut inside = 0;
                let content = with_unknown_fields(inner, content, &mut inside);
                nested.push(inside);
                encode_varint(u64::from(field.number) << 3 | 2, &mut out);
                encode_varint(content.len() as u64, &mut out);
                out.extend(content);
            }
            _ => out.extend(whole),
        }
    }
    unknown.for_each(|number| add(number, &mut out));
    *count += nested.iter().sum::<usize>();
    out
}

proptest! {
    #[test]
    fn unknown_fields_are_kept((schema, sent) in schemas().prop_flat_map(|schema| (Just(schema), object(schema, 4)))) {
        let (known, _) = transcode::json_to_protobuf(schema, sent.to_string().as_bytes()).unwrap();
        let mut count = 0;
        let newer = with_unknown_fields(Level::Message(schema), &known, &mut count);
        let unknown = transcode::unknown_fields(schema, &newer).unwrap();
        prop_assert_eq!(unknown.len(), count);

        let value = transcode::protobuf_to_value(schema, &newer).unwrap();
        let again = transcode::value_to_protobuf(schema, &value).unwrap();
        prop_assert_eq!(&again, &transcode::value_to_protobuf(schema, &transcode::protobuf_to_value(schema, &known).unwrap()).unwrap());
        prop_assert_eq!(hex(&transcode::keep_unknown_fields(&again, &unknown).unwrap()), hex(&newer));
    }

    #[test]
    fn random_unknown_fields_never_panic(schema in schemas(), bytes in proptest::collection::vec(any::<u8>(), 0..60), other in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(unknown) = transcode::unknown_fields(schema, &bytes) {
            let _ = transcode::keep_unknown_fields(&other, &unknown);
        }
    }

    #[test]
    fn every_way_leads_back((schema, sent) in schemas().prop_flat_map(|schema| (Just(schema), object(schema, 4)))) {
        let (value, problems) = transcode::json_to_value(schema, sent.to_string().as_bytes()).unwrap();
        prop_assert!(problems.is_empty(), "{problems:?}");

        let protobuf = transcode::value_to_protobuf(schema, &value).unwrap();
        prop_assert_eq!(&transcode::protobuf_to_value(schema, &protobuf).unwrap(), &value);

        let mut text = Vec::new();
        transcode::write_json(schema, &value, &mut text);
        prop_assert_eq!(&transcode::json_to_value(schema, &text).unwrap().0, &value);

        let (direct, problems) = transcode::json_to_protobuf(schema, sent.to_string().as_bytes()).unwrap();
        prop_assert!(problems.is_empty(), "{problems:?}");
        prop_assert_eq!(&transcode::protobuf_to_value(schema, &direct).unwrap(), &value);
        let text = transcode::protobuf_to_json(schema, &direct).unwrap();
        prop_assert_eq!(&transcode::json_to_value(schema, &text).unwrap().0, &value);
        prop_assert!(serde_json::from_slice::<Value>(&text).is_ok());
        prop_assert_eq!(transcode::protobuf_to_json(schema, &protobuf).unwrap(), text);

        let again = JsonDocument::from_value(&value).unwrap().typed(schema).unwrap();
        prop_assert_eq!(again, (value, Vec::new()));
    }

    /// The way without a value in between copes with any order, or leaves it to the other.
    #[test]
    fn fields_in_any_order(
        (schema, sent) in schemas().prop_flat_map(|schema| (Just(schema), object(schema, 3))),
        keys in proptest::collection::vec(0..4u8, 8),
        twice: prop::sample::Index,
    ) {
        let protobuf = transcode::value_to_protobuf(schema, &sent).unwrap();
        let mut fields = vec![&[0xf8, 0x7f, 1][..]]; // number 2047: no message has it
        let (mut reader, mut begin) = (Reader::new(&protobuf), 0);
        while reader.next_field().unwrap().is_some() {
            fields.push(&protobuf[begin..reader.offset()]);
            begin = reader.offset();
        }
        fields.push(fields[twice.index(fields.len())]);
        let mut keyed: Vec<_> = fields.iter().zip(keys.iter().cycle()).collect();
        keyed.sort_by_key(|(_, key)| **key);
        let shuffled: Vec<u8> = keyed.into_iter().flat_map(|(field, _)| field.iter().copied()).collect();

        let value = transcode::protobuf_to_value(schema, &shuffled).unwrap();
        let text = transcode::protobuf_to_json(schema, &shuffled).unwrap();
        // Not serde_json: it reads some floating-point numbers as their neighbours.
        prop_assert_eq!(transcode::json_to_value(schema, &text).unwrap().0, value);
    }

    #[test]
    fn random_protobuf_never_panics(schema in schemas(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let value = transcode::protobuf_to_value(schema, &bytes);
        prop_assert_eq!(transcode::protobuf_to_json(schema, &bytes).is_ok(), value.is_ok());
        if let Ok(value) = value {
            prop_assert!(transcode::value_to_protobuf(schema, &value).is_ok());
        }
    }

    #[test]
    fn random_members_never_panic(
        schema in schemas(),
        sent in proptest::collection::vec((any::<prop::sample::Index>(), "(null|true|1|-1\\.5|\"\"|\"x\"|\\[\\]|\\[null\\]|\\[\\{\\}\\]|\\{\\}|\\{\"a\":null\\})"), 0..6),
    ) {
        let fields = flat(schema);
        prop_assume!(!fields.is_empty());
        let members: Vec<String> = sent.iter().map(|(index, text)| format!("{:?}:{text}", index.get(&fields).json)).collect();
        let text = format!("{{{}}}", members.join(","));
        if let Ok((value, _)) = transcode::json_to_value(schema, text.as_bytes()) {
            prop_assert!(transcode::value_to_protobuf(schema, &value).is_ok());
        }
    }

    /// Cutting a message off makes it unreadable or shorter, never wrong enough to panic.
    #[test]
    fn truncated_protobuf_never_panics((schema, sent) in schemas().prop_flat_map(|schema| (Just(schema), object(schema, 3))), cut: prop::sample::Index) {
        let protobuf = transcode::value_to_protobuf(schema, &sent).unwrap();
        let end = cut.index(protobuf.len() + 1);
        let _ = transcode::protobuf_to_value(schema, &protobuf[..end]);
    }
}
