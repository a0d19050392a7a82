//! Protobuf → JSON text, in the order of the schema.

use super::text::Text;
use crate::wire::scan::MAX_DEPTH;
use crate::wire::schema::{Container, FieldSchema, Member, Members, MessageSchema, Special, Type};
use crate::wire::transcode::from_protobuf::Parts;
use crate::wire::transcode::time::Time;
use crate::wire::transcode::{base64, duration, json_text, raw_text};
use crate::wire::{Reader, Value, quantity};

/// Writes a protobuf message as JSON text.
pub(in crate::wire::transcode) fn to_json(schema: &MessageSchema, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder {
        begins: vec![0; 128],
        taken: 0,
        out: Text::with_capacity(bytes.len() * 2 + 64),
    };
    decoder.message(schema, bytes, MAX_DEPTH)?;
    Some(decoder.out.into_bytes())
}

struct Decoder {
    /// A stack: where the first field of each member of a message begins in it.
    begins: Vec<usize>,
    taken: usize,
    out: Text,
}

impl Decoder {
    fn message(&mut self, schema: &MessageSchema, bytes: &[u8], depth: u32) -> Option<()> {
        if let Some(special) = schema.special {
            return self.special(schema, special, bytes, depth);
        }
        let start = self.out.len();
        self.members(schema.members(), bytes, depth)?;
        self.out.enclose(start, b'{', b'}');
        Some(())
    }

    fn members(&mut self, members: &Members, bytes: &[u8], depth: u32) -> Option<()> {
        let base = self.taken;
        self.taken += members.len();
        if self.begins.len() < self.taken {
            self.begins.resize(self.taken, 0);
        }
        let present = find(members, bytes, self.begins.get_mut(base..)?)?;
        let mut places = present | members.shown;
        while places != 0 {
            let place = places.trailing_zeros() as usize;
            places &= places - 1;
            let member = members.get(place)?;
            if present >> place & 1 == 1 {
                let begin = *self.begins.get(base + place)?;
                self.member(member, bytes.get(begin..)?, depth)?;
            } else {
                self.absent(member, depth)?;
            }
        }
        self.taken = base;
        Some(())
    }

    /// Writes a member with its name, or leaves it out. Its fields come next on the wire.
    #[inline]
    fn member(&mut self, member: &Member, wire: &[u8], depth: u32) -> Option<()> {
        let before = self.out.len();
        match (member.container, member.ty) {
            (Container::One, ty) => {
                let value = Reader::new(wire).next_field_inlined().ok()??.value;
                match (ty, value) {
                    (Type::Message(inner), Value::Bytes(bytes)) if member.inlined => {
                        return self.members(inner.members(), bytes, depth.checked_sub(1)?);
                    }
                    _ => self.out.name(member),
                }
                let start = self.out.len();
                let is_zero = self.single(ty, value, depth)?;
                if is_zero && member.omits_zero || member.omits_null && matches!(self.out.since(start), b"null" | b"[]")
                {
                    self.out.truncate(before);
                }
                Some(())
            }
            (Container::List, ty) => {
                self.out.name(member);
                self.list(ty, wire, depth)
            }
            (Container::Map, ty) => {
                self.out.name(member);
                self.map(ty, wire, depth)
            }
        }
    }

    /// Writes a member that is shown also when it is absent.
    fn absent(&mut self, member: &Member, depth: u32) -> Option<()> {
        match member.ty {
            Type::Message(inner) if member.inlined => {
                return self.members(inner.members(), &[], depth.checked_sub(1)?);
            }
            _ => self.out.name(member),
        }
        if member.container == Container::One && !member.is_nilable {
            self.zero(member.ty, depth)
        } else {
            self.out.extend(b"null");
            Some(())
        }
    }

    /// Writes the elements: the fields of one number.
    fn list(&mut self, ty: Type, run: &[u8], depth: u32) -> Option<()> {
        let start = self.out.len();
        let (mut reader, mut number) = (Reader::new(run), 0);
        while let Some(read) = reader.next_field_inlined().ok()?
            && (read.number == number || number == 0)
        {
            number = read.number;
            self.out.push(b',');
            self.single(ty, read.value, depth)?;
        }
        self.out.enclose(start, b'[', b']');
        Some(())
    }

    fn map(&mut self, ty: Type, run: &[u8], depth: u32) -> Option<()> {
        let start = self.out.len();
        let (mut reader, mut number, mut last) = (Reader::new(run), 0, None);
        while let Some(read) = reader.next_field_inlined().ok()?
            && (read.number == number || number == 0)
        {
            number = read.number;
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
            self.out.push(b',');
            self.out.string(key);
            self.out.push(b':');
            match value {
                Some(value) => {
                    self.single(ty, value, depth)?;
                }
                None => self.zero(ty, depth)?,
            }
        }
        self.out.enclose(start, b'{', b'}');
        Some(())
    }

    /// Writes the zero value of a type.
    fn zero(&mut self, ty: Type, depth: u32) -> Option<()> {
        match ty {
            Type::String => self.out.extend(b"\"\""),
            Type::Bool => self.out.extend(b"false"),
            Type::Int32 | Type::Int64 | Type::Double => self.out.push(b'0'),
            Type::Bytes => self.out.extend(b"null"),
            Type::Message(schema) => self.message(schema, &[], depth.checked_sub(1)?)?,
            Type::Any => return None,
        }
        Some(())
    }

    /// Writes a value; true where it is zero.
    #[inline(always)] // the value stays in registers
    fn single(&mut self, ty: Type, value: Value<'_>, depth: u32) -> Option<bool> {
        Some(match (ty, value) {
            (Type::String, Value::Bytes(text)) => {
                self.out.string(text);
                text.is_empty()
            }
            (Type::Bool, Value::Varint(number)) => {
                self.out.extend(bool_text(number != 0));
                number == 0
            }
            (Type::Int32, Value::Varint(number)) => self.integer(i64::from(number as i32)),
            (Type::Int64, Value::Varint(number)) => self.integer(number.cast_signed()),
            (Type::Double, Value::Fixed64(bits)) => {
                let value = Some(f64::from_bits(bits)).filter(|value| value.is_finite())?;
                self.out.extend(json_text::double(value).as_bytes());
                value == 0.0
            }
            (Type::Bytes, Value::Bytes(bytes)) => {
                self.out.string(base64::encode(bytes).as_bytes());
                bytes.is_empty()
            }
            (Type::Message(schema), Value::Bytes(bytes)) => {
                self.message(schema, bytes, depth.checked_sub(1)?)?;
                false
            }
            _ => return None,
        })
    }

    fn special(&mut self, schema: &MessageSchema, special: Special, bytes: &[u8], depth: u32) -> Option<()> {
        match special {
            Special::Quantity => {
                let text = Parts::read(bytes).ok()?.bytes(1).unwrap_or(b"0");
                let canonical = quantity::canonical(std::str::from_utf8(text).ok()?)?;
                self.out.string(canonical.as_bytes());
            }
            Special::Time => self.time(bytes, false)?,
            Special::MicroTime => self.time(bytes, true)?,
            Special::Duration => {
                let text = duration::format(Parts::read(bytes).ok()?.int(1));
                self.out.string(text.as_bytes());
            }
            Special::IntOrString => {
                let parts = Parts::read(bytes).ok()?;
                match parts.int(1) {
                    0 => {
                        self.integer(i64::from(parts.int(2) as i32));
                    }
                    1 => self.out.string(parts.bytes(3).unwrap_or_default()),
                    _ => return None,
                }
            }
            Special::Raw => match Parts::read(bytes).ok()?.bytes(1) {
                None | Some([]) => self.out.extend(b"null"),
                Some(text) => self.out.extend(&raw_text::compact(text)?),
            },
            Special::List => {
                let start = self.out.len();
                for text in Parts::read(bytes).ok()?.all(1) {
                    self.out.push(b',');
                    self.out.string(text);
                }
                self.out.enclose(start, b'[', b']');
            }
            Special::SchemaOrBool | Special::SchemaOrArray | Special::SchemaOrStrings => {
                self.union(schema, special, bytes, depth)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A JSON schema in one field, or what is none in the other.
    fn union(&mut self, schema: &MessageSchema, special: Special, bytes: &[u8], depth: u32) -> Option<()> {
        let inner = schema.fields.iter().find_map(FieldSchema::message)?;
        let parts = Parts::read(bytes).ok()?;
        if special == Special::SchemaOrBool {
            match parts.bytes(2) {
                Some(schema) => self.message(inner, schema, depth.checked_sub(1)?)?,
                None => self.out.extend(bool_text(parts.int(1) != 0)),
            }
            return Some(());
        }
        let start = self.out.len();
        for element in parts.all(2) {
            self.out.push(b',');
            match special {
                Special::SchemaOrArray => self.message(inner, element, depth.checked_sub(1)?)?,
                _ => self.out.string(element),
            }
        }
        match parts.bytes(1) {
            _ if self.out.len() > start => self.out.enclose(start, b'[', b']'),
            Some(schema) => self.message(inner, schema, depth.checked_sub(1)?)?,
            None => self.out.extend(b"null"),
        }
        Some(())
    }

    fn time(&mut self, bytes: &[u8], micros: bool) -> Option<()> {
        let parts = Parts::read(bytes).ok()?;
        let nanos = if micros { parts.int(2) / 1000 * 1000 } else { 0 };
        if !(0..1_000_000_000).contains(&nanos) {
            return None;
        }
        let time = Time {
            seconds: parts.int(1),
            nanos: nanos as i32,
        };
        if bytes.is_empty() || time == Time::ZERO {
            self.out.extend(b"null");
            return Some(());
        }
        let (text, length) = time.text(micros)?;
        self.out.string(text.get(..length)?);
        Some(())
    }

    fn integer(&mut self, number: i64) -> bool {
        self.out.integer(number);
        number == 0
    }
}

fn bool_text(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

/// Notes where the fields of each member begin, and answers one bit for each that is there. Unknown fields are dropped.
fn find(members: &Members, bytes: &[u8], begins: &mut [usize]) -> Option<u64> {
    let (mut reader, mut last, mut present) = (Reader::new(bytes), 0, 0u64);
    loop {
        let begin = reader.offset();
        let Some(read) = reader.next_field_inlined().ok()? else {
            return Some(present);
        };
        let is_next = read.number != std::mem::replace(&mut last, read.number);
        let Some(place) = members.place(read.number) else {
            continue;
        };
        let is_single = members.get(place)?.container == Container::One;
        let bit = 1 << place;
        if present & bit == 0 {
            present |= bit;
            *begins.get_mut(place)? = begin;
        } else if is_single || is_next {
            return None; // to be merged, or an element apart from the others
        }
    }
}
