//! Protobuf → JSON text, in the order of the schema.

use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::transcode::from_protobuf::Parts;
use crate::wire::transcode::time::Time;
use crate::wire::transcode::{base64, duration, json_text, raw_text};
use crate::wire::{Reader, Value, quantity};

/// How deep messages may nest on the direct way.
const MAX_DEPTH: u32 = 100;

/// Appends the JSON text of a protobuf message.
pub(in crate::wire::transcode) fn to_json(schema: &MessageSchema, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let slots = Vec::with_capacity(128);
    Decoder { slots, out }.message(schema, bytes, MAX_DEPTH)
}

struct Decoder<'a, 'o> {
    /// A stack: what the wire has for each field of a message.
    slots: Vec<Slot<'a>>,
    out: &'o mut Vec<u8>,
}

/// What the wire has for a field.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Absent,
    One(Value<'a>),
    /// The fields of a list or a map, tags included.
    Many(&'a [u8]),
}

impl<'a> Decoder<'a, '_> {
    fn message(&mut self, schema: &MessageSchema, bytes: &'a [u8], depth: u32) -> Option<()> {
        if let Some(special) = schema.special {
            return self.special(schema, special, bytes, depth);
        }
        self.out.push(b'{');
        let start = self.out.len();
        self.members(schema, bytes, start, depth)?;
        self.out.push(b'}');
        Some(())
    }

    /// Writes the members of an object; `start` is where the first one stands.
    fn members(&mut self, schema: &MessageSchema, bytes: &'a [u8], start: usize, depth: u32) -> Option<()> {
        let base = self.slots.len();
        self.slots.resize(base + schema.fields.len(), Slot::Absent);
        let present = find(schema, bytes, self.slots.get_mut(base..)?)?;
        let mut places = present | schema.shown;
        while places != 0 {
            let place = places.trailing_zeros() as usize;
            places &= places - 1;
            let (field, slot) = (schema.fields.get(place)?, *self.slots.get(base + place)?);
            match field.message() {
                Some(_) if field.is_type_meta() => {}
                Some(inner) if field.inlined => {
                    let content = match slot {
                        Slot::Absent => &[],
                        Slot::One(Value::Bytes(content)) => content,
                        _ => return None,
                    };
                    self.members(inner, content, start, depth.checked_sub(1)?)?;
                }
                _ if field.json.is_empty() => {}
                _ => self.member(field, slot, start, depth)?,
            }
        }
        self.slots.truncate(base);
        Some(())
    }

    /// Writes one member with its name, or leaves it out.
    fn member(&mut self, field: &FieldSchema, slot: Slot<'a>, start: usize, depth: u32) -> Option<()> {
        let before = self.out.len();
        if before > start {
            self.out.push(b',');
        }
        json_text::name(field.json, self.out);
        let value = self.out.len();
        let is_zero = match (field.container, slot) {
            (Container::One, Slot::One(value)) => self.single(field.ty, value, depth)?,
            (Container::List, Slot::Many(run)) => self.list(field, run, depth)?,
            (Container::Map, Slot::Many(run)) => self.map(field, run, depth)?,
            (Container::One, Slot::Absent) if !field.is_nilable() => self.zero(field.ty, depth)?,
            (_, Slot::Absent) => {
                self.out.extend_from_slice(b"null");
                true
            }
            _ => return None,
        };
        if !(field.omitempty || field.omitzero) {
            return Some(());
        }
        let written = self.out.get(value..)?;
        let is_empty = match field.message() {
            Some(_) if field.container != Container::One => false,
            Some(message) if message.special == Some(Special::List) => matches!(written, b"null" | b"[]"),
            Some(_) => field.pointer && written == b"null",
            None => is_zero && !field.pointer,
        };
        if field.omitempty && is_empty || field.omitzero && written == b"null" {
            self.out.truncate(before);
        }
        Some(())
    }

    fn list(&mut self, field: &FieldSchema, run: &'a [u8], depth: u32) -> Option<bool> {
        let mut reader = Reader::new(run);
        let mut mark = b'[';
        while let Some(read) = reader.next_field_inlined().ok()? {
            self.out.push(mark);
            mark = b',';
            self.single(field.ty, read.value, depth)?;
        }
        self.out.push(b']');
        Some(false)
    }

    fn map(&mut self, field: &FieldSchema, run: &'a [u8], depth: u32) -> Option<bool> {
        let mut reader = Reader::new(run);
        let (mut mark, mut last) = (b'{', None);
        while let Some(read) = reader.next_field_inlined().ok()? {
            let Value::Bytes(entry) = read.value else { return None };
            let (mut key, mut value): (&[u8], _) = (b"", None);
            let mut parts = Reader::new(entry);
            while let Some(part) = parts.next_field_inlined().ok()? {
                match (part.number, part.value) {
                    (1, Value::Bytes(text)) => key = text,
                    (2, part) if value.is_none() => value = Some(part),
                    (2, _) => return None, // twice
                    _ => {}
                }
            }
            if last.is_some_and(|last| last >= key) {
                return None; // unsorted, or a duplicate
            }
            last = Some(key);
            self.out.push(mark);
            mark = b',';
            self.string(key);
            self.out.push(b':');
            match value {
                Some(value) => self.single(field.ty, value, depth)?,
                None => self.zero(field.ty, depth)?,
            };
        }
        self.out.push(b'}');
        Some(false)
    }

    /// Writes the zero value of a type; true where JSON may leave it out.
    fn zero(&mut self, ty: Type, depth: u32) -> Option<bool> {
        match ty {
            Type::String => self.out.extend_from_slice(b"\"\""),
            Type::Bool => self.out.extend_from_slice(b"false"),
            Type::Int32 | Type::Int64 | Type::Double => self.out.push(b'0'),
            Type::Bytes => self.out.extend_from_slice(b"null"),
            Type::Message(schema) => self.message(schema, &[], depth.checked_sub(1)?)?,
            Type::Any => return None,
        }
        Some(true)
    }

    /// Writes a value; true where it is zero.
    fn single(&mut self, ty: Type, value: Value<'a>, depth: u32) -> Option<bool> {
        Some(match (ty, value) {
            (Type::String, Value::Bytes(text)) => {
                self.string(text);
                text.is_empty()
            }
            (Type::Bool, Value::Varint(number)) => {
                self.out.extend_from_slice(if number == 0 { b"false" } else { b"true" });
                number == 0
            }
            (Type::Int32, Value::Varint(number)) => self.integer(i64::from(number as i32)),
            (Type::Int64, Value::Varint(number)) => self.integer(number.cast_signed()),
            (Type::Double, Value::Fixed64(bits)) => {
                let value = Some(f64::from_bits(bits)).filter(|value| value.is_finite())?;
                self.out.extend_from_slice(json_text::double(value).as_bytes());
                value == 0.0
            }
            (Type::Bytes, Value::Bytes(bytes)) => {
                self.out.push(b'"');
                self.out.extend_from_slice(base64::encode(bytes).as_bytes());
                self.out.push(b'"');
                bytes.is_empty()
            }
            (Type::Message(schema), Value::Bytes(bytes)) => {
                self.message(schema, bytes, depth.checked_sub(1)?)?;
                false
            }
            _ => return None,
        })
    }

    fn special(&mut self, schema: &MessageSchema, special: Special, bytes: &'a [u8], depth: u32) -> Option<()> {
        match special {
            Special::Quantity => {
                let text = Parts::read(bytes).ok()?.bytes(1).unwrap_or(b"0");
                let canonical = quantity::canonical(std::str::from_utf8(text).ok()?)?;
                self.string(canonical.as_bytes());
            }
            Special::Time => self.time(bytes, false)?,
            Special::MicroTime => self.time(bytes, true)?,
            Special::Duration => {
                let text = duration::format(Parts::read(bytes).ok()?.int(1));
                json_text::string(&text, self.out);
            }
            Special::IntOrString => {
                let parts = Parts::read(bytes).ok()?;
                match parts.int(1) {
                    0 => {
                        self.integer(i64::from(parts.int(2) as i32));
                    }
                    1 => self.string(parts.bytes(3).unwrap_or_default()),
                    _ => return None,
                }
            }
            Special::Raw => match Parts::read(bytes).ok()?.bytes(1) {
                None | Some([]) => self.out.extend_from_slice(b"null"),
                Some(text) => raw_text::write(text, self.out)?,
            },
            Special::List => {
                let mut mark = b'[';
                for text in Parts::read(bytes).ok()?.all(1) {
                    self.out.push(mark);
                    mark = b',';
                    self.string(text);
                }
                if mark == b'[' {
                    self.out.push(mark);
                }
                self.out.push(b']');
            }
            Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings => {
                self.union(schema, special, bytes, depth)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A JSON schema in one field, or what is none in the other.
    fn union(&mut self, schema: &MessageSchema, special: Special, bytes: &'a [u8], depth: u32) -> Option<()> {
        let inner = schema.fields.iter().find_map(FieldSchema::message)?;
        let parts = Parts::read(bytes).ok()?;
        if special == Special::SchemaOrBool {
            match parts.bytes(2) {
                Some(schema) => self.message(inner, schema, depth.checked_sub(1)?)?,
                None => self
                    .out
                    .extend_from_slice(if parts.int(1) == 0 { b"false" } else { b"true" }),
            }
            return Some(());
        }
        let mut mark = b'[';
        for element in parts.all(2) {
            self.out.push(mark);
            mark = b',';
            match special {
                Special::SchemaOrArray => self.message(inner, element, depth.checked_sub(1)?)?,
                _ => self.string(element),
            }
        }
        match parts.bytes(1) {
            _ if mark == b',' => self.out.push(b']'),
            Some(schema) => self.message(inner, schema, depth.checked_sub(1)?)?,
            None => self.out.extend_from_slice(b"null"),
        }
        Some(())
    }

    fn time(&mut self, bytes: &[u8], micros: bool) -> Option<()> {
        let (mut seconds, mut nanos) = (0, 0);
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next_field_inlined().ok()? {
            match (field.number, field.value) {
                (1, Value::Varint(number)) => seconds = number.cast_signed(),
                (2, Value::Varint(number)) => nanos = number.cast_signed(),
                _ => {}
            }
        }
        let nanos = if micros { nanos / 1000 * 1000 } else { 0 };
        let nanos = i32::try_from(nanos)
            .ok()
            .filter(|nanos| (0..1_000_000_000).contains(nanos))?;
        let time = Time { seconds, nanos };
        if bytes.is_empty() || time == Time::ZERO {
            self.out.extend_from_slice(b"null");
            return Some(());
        }
        self.out.push(b'"');
        time.write(micros, self.out)?;
        self.out.push(b'"');
        Some(())
    }

    #[inline]
    fn string(&mut self, text: &[u8]) {
        if !json_text::plain(text, self.out) {
            self.unusual_string(text);
        }
    }

    #[inline(never)]
    fn unusual_string(&mut self, text: &[u8]) {
        match std::str::from_utf8(text) {
            Ok(text) => json_text::string(text, self.out),
            Err(_) => json_text::string(&String::from_utf8_lossy(text), self.out),
        }
    }

    fn integer(&mut self, number: i64) -> bool {
        json_text::integer(number, self.out);
        number == 0
    }
}

/// Notes what the wire has for each field of a message, and answers one bit for each that is there. Fields must be in
/// order, as every Go program writes them; unknown ones are dropped.
fn find<'a>(schema: &MessageSchema, bytes: &'a [u8], slots: &mut [Slot<'a>]) -> Option<u64> {
    let mut places = schema.places_on_wire();
    let mut current = places.next();
    let (mut reader, mut begin, mut last, mut present) = (Reader::new(bytes), 0, 0, 0u64);
    while let Some(read) = reader.next_field_inlined().ok()? {
        let (from, to) = (begin, reader.offset());
        begin = to;
        if read.number < last {
            return None;
        }
        let is_next = read.number > last;
        last = read.number;
        let (place, field) = loop {
            let place = current.unwrap_or(usize::MAX);
            match schema.fields.get(place) {
                Some(field) if field.number < read.number => current = places.next(),
                field => break (place, field),
            }
        };
        let Some(field) = field.filter(|field| field.number == read.number) else {
            continue;
        };
        present |= 1 << place;
        let slot = slots.get_mut(place)?;
        *slot = match (field.container, &slot) {
            (Container::One, _) if is_next => Slot::One(read.value),
            (Container::One, _) => return None, // to be merged
            (_, Slot::Many(run)) => Slot::Many(bytes.get(from.checked_sub(run.len())?..to)?),
            _ => Slot::Many(bytes.get(from..to)?),
        };
    }
    Some(present)
}
