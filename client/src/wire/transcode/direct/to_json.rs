//! Protobuf → JSON text, in the order of the schema.

use crate::wire::message::Depth;
use crate::wire::schema::{Container, FieldSchema, MessageSchema, Special, Type};
use crate::wire::transcode::from_protobuf::Parts;
use crate::wire::transcode::time::Time;
use crate::wire::transcode::{base64, duration, json_text, raw_text};
use crate::wire::{Reader, Value, quantity};

/// Appends the JSON text of a protobuf message.
pub(in crate::wire::transcode) fn to_json(schema: &MessageSchema, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let runs = Vec::with_capacity(128);
    let mut decoder = Decoder { runs, out };
    decoder.message(schema, bytes, Depth::outermost())
}

struct Decoder<'a, 'o> {
    /// A stack: for each field of a message the bytes that hold it, tags included; none where it is absent.
    runs: Vec<&'a [u8]>,
    out: &'o mut Vec<u8>,
}

impl<'a> Decoder<'a, '_> {
    fn message(&mut self, schema: &MessageSchema, bytes: &'a [u8], depth: Depth) -> Option<()> {
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
    fn members(&mut self, schema: &MessageSchema, bytes: &'a [u8], start: usize, depth: Depth) -> Option<()> {
        let base = self.runs.len();
        self.runs.resize(base + schema.fields.len(), &[]);
        self.find_runs(schema, bytes, base)?;
        for (index, field) in schema.fields.iter().enumerate() {
            let run = *self.runs.get(base + index)?;
            match field.message() {
                Some(_) if field.is_type_meta() => {}
                Some(inner) if field.inlined => {
                    let content = if run.is_empty() { run } else { content(run)? };
                    self.members(inner, content, start, depth.deeper()?)?;
                }
                _ if field.json.is_empty() => {}
                _ => self.member(field, run, start, depth)?,
            }
        }
        self.runs.truncate(base);
        Some(())
    }

    /// Notes the bytes of each field. Fields must be in order, as every Go program writes them; unknown ones are dropped.
    fn find_runs(&mut self, schema: &MessageSchema, bytes: &'a [u8], base: usize) -> Option<()> {
        let mut places = schema.places_on_wire();
        let mut reader = Reader::new(bytes);
        let (mut begin, mut last) = (0, 0);
        let mut current: Option<(usize, &FieldSchema)> = places.next().zip_field(schema);
        while let Some(read) = reader.next_field().ok()? {
            let (from, to) = (begin, reader.offset());
            begin = to;
            if read.number < last {
                return None;
            }
            while let Some((_, field)) = current
                && field.number < read.number
            {
                current = places.next().zip_field(schema);
            }
            let Some((index, field)) = current.filter(|(_, field)| field.number == read.number) else {
                last = read.number;
                continue;
            };
            let run = self.runs.get_mut(base + index)?;
            if read.number != last {
                *run = bytes.get(from..to)?;
            } else if field.container == Container::One {
                return None; // to be merged
            } else {
                *run = bytes.get(to.checked_sub(run.len() + to - from)?..to)?;
            }
            last = read.number;
        }
        Some(())
    }

    /// Writes one member with its name, or leaves it out.
    fn member(&mut self, field: &FieldSchema, run: &'a [u8], start: usize, depth: Depth) -> Option<()> {
        if run.is_empty() && is_omitted_when_absent(field) {
            return Some(());
        }
        let before = self.out.len();
        if before > start {
            self.out.push(b',');
        }
        json_text::name(field.json, self.out);
        let value = self.out.len();
        let is_zero = match field.container {
            _ if run.is_empty() && (field.container != Container::One || is_nilable(field)) => {
                self.out.extend_from_slice(b"null");
                true
            }
            Container::One if run.is_empty() => self.zero(field.ty, depth)?,
            Container::One => {
                let read = Reader::new(run).next_field().ok()??;
                self.single(field.ty, read.value, depth)?
            }
            Container::List => {
                self.list(field, run, depth)?;
                false
            }
            Container::Map => {
                self.map(field, run, depth)?;
                false
            }
        };
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

    fn list(&mut self, field: &FieldSchema, run: &'a [u8], depth: Depth) -> Option<()> {
        let mut reader = Reader::new(run);
        let mut mark = b'[';
        while let Some(read) = reader.next_field().ok()? {
            self.out.push(mark);
            mark = b',';
            self.single(field.ty, read.value, depth)?;
        }
        self.out.push(b']');
        Some(())
    }

    fn map(&mut self, field: &FieldSchema, run: &'a [u8], depth: Depth) -> Option<()> {
        let mut reader = Reader::new(run);
        let (mut mark, mut last) = (b'{', None);
        while let Some(read) = reader.next_field().ok()? {
            let Value::Bytes(entry) = read.value else { return None };
            let (mut key, mut value): (&[u8], _) = (b"", None);
            let mut parts = Reader::new(entry);
            while let Some(part) = parts.next_field().ok()? {
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
        Some(())
    }

    /// Writes the zero value of a type; true where JSON may leave it out.
    fn zero(&mut self, ty: Type, depth: Depth) -> Option<bool> {
        match ty {
            Type::String => self.out.extend_from_slice(b"\"\""),
            Type::Bool => self.out.extend_from_slice(b"false"),
            Type::Int32 | Type::Int64 | Type::Double => self.out.push(b'0'),
            Type::Bytes => self.out.extend_from_slice(b"null"),
            Type::Message(schema) => self.message(schema, &[], depth.deeper()?)?,
            Type::Any => return None,
        }
        Some(true)
    }

    /// Writes a value; true where it is zero.
    fn single(&mut self, ty: Type, value: Value<'a>, depth: Depth) -> Option<bool> {
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
                self.message(schema, bytes, depth.deeper()?)?;
                false
            }
            _ => return None,
        })
    }

    fn special(&mut self, schema: &MessageSchema, special: Special, bytes: &'a [u8], depth: Depth) -> Option<()> {
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
    fn union(&mut self, schema: &MessageSchema, special: Special, bytes: &'a [u8], depth: Depth) -> Option<()> {
        let inner = schema.fields.iter().find_map(FieldSchema::message)?;
        let parts = Parts::read(bytes).ok()?;
        if special == Special::SchemaOrBool {
            match parts.bytes(2) {
                Some(schema) => self.message(inner, schema, depth.deeper()?)?,
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
                Special::SchemaOrArray => self.message(inner, element, depth.deeper()?)?,
                _ => self.string(element),
            }
        }
        match parts.bytes(1) {
            _ if mark == b',' => self.out.push(b']'),
            Some(schema) => self.message(inner, schema, depth.deeper()?)?,
            None => self.out.extend_from_slice(b"null"),
        }
        Some(())
    }

    fn time(&mut self, bytes: &[u8], micros: bool) -> Option<()> {
        let (mut seconds, mut nanos) = (0, 0);
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next_field().ok()? {
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

/// A place with its field.
trait ZipField {
    fn zip_field(self, schema: &MessageSchema) -> Option<(usize, &FieldSchema)>;
}

impl ZipField for Option<usize> {
    fn zip_field(self, schema: &MessageSchema) -> Option<(usize, &FieldSchema)> {
        self.and_then(|place| Some((place, schema.fields.get(place)?)))
    }
}

/// The content of the only field of a run.
fn content(run: &[u8]) -> Option<&[u8]> {
    match Reader::new(run).next_field().ok()??.value {
        Value::Bytes(content) => Some(content),
        _ => None,
    }
}

/// True where JSON leaves out the field when it is not on the wire.
#[inline]
fn is_omitted_when_absent(field: &FieldSchema) -> bool {
    let is_scalar = |field: &FieldSchema| !matches!(field.ty, Type::Message(_));
    field.omitzero || field.omitempty && (field.container != Container::One || is_scalar(field) || is_nilable(field))
}

/// True where a single value can be absent: a pointer, and a list in a message of its own.
#[inline]
fn is_nilable(field: &FieldSchema) -> bool {
    let is_list = |message: &MessageSchema| message.special == Some(Special::List);
    field.pointer || field.message().is_some_and(is_list)
}
