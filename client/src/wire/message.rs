//! The typed codec: how a Rust type is read from and written to its protobuf message.
//!
//! Kubernetes writes proto2 without required fields: a plain field is always written, also when it is zero, and a
//! field that is absent on the wire has its zero value. The generated code lists one line per field with one of the
//! shapes below; a shape says when a field is written and what its absence means.

use k8s_openapi::ByteString;

use super::reader::{Field, text};
use super::{DecodeError, Reader, ReverseWriter, Value, WireError};

/// How deep messages may nest; CRD schemas are the deepest objects that occur.
const MAX_DEPTH: u32 = 200;

/// How much deeper the current message may nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth(u32);

impl Depth {
    /// The depth at the outermost message.
    pub const fn outermost() -> Self {
        Self(MAX_DEPTH)
    }

    /// The depth inside a message here; `None` where that is too deep.
    #[inline]
    pub(crate) fn deeper(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

/// A type with a protobuf form. Implemented for the built-in API types; the implementations are generated.
pub trait Message: Sized {
    /// The value of a message without fields on the wire.
    fn zero() -> Self;

    /// A value into which a message with fields is merged at once; [`zero`](Self::zero) where that is as cheap.
    fn blank() -> Self {
        Self::zero()
    }

    /// Takes one field from the wire; unknown ones are ignored.
    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError>;

    /// Writes all fields, the last one first.
    fn write(&self, writer: &mut ReverseWriter);

    /// Takes all fields of an encoded message.
    #[inline(never)]
    fn merge(&mut self, bytes: &[u8], depth: Depth) -> Result<(), DecodeError> {
        let mut reader = Reader::new(bytes);
        loop {
            match reader.next_field_inlined() {
                Ok(Some(field)) => self.merge_field(field, depth)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(DecodeError::within(bytes, error)),
            }
        }
    }

    /// Reads a whole message, without an envelope.
    fn from_protobuf(bytes: &[u8]) -> Result<Self, WireError> {
        let mut message = Self::zero();
        match message.merge(bytes, Depth::outermost()) {
            Ok(()) => Ok(message),
            Err(error) => Err(error.of(bytes)),
        }
    }

    /// Writes a whole message, without an envelope.
    fn to_protobuf(&self) -> bytes::Bytes {
        let mut writer = ReverseWriter::with_capacity(512);
        self.write(&mut writer);
        writer.into_bytes()
    }
}

/// A value that one field on the wire holds: a scalar or a message.
pub(crate) trait WireValue: Sized {
    fn zero() -> Self;
    fn blank() -> Self {
        Self::zero()
    }
    fn is_zero(&self) -> bool;
    fn merge_value(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError>;
    fn write_field(&self, number: u32, writer: &mut ReverseWriter);
}

impl WireValue for String {
    fn zero() -> Self {
        Self::new()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Bytes(bytes) = field.value else {
            return Err(field.wrong_wire_type());
        };
        *self = text(bytes);
        Ok(())
    }

    #[inline]
    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.bytes_field(number, self.as_bytes());
    }
}

impl WireValue for ByteString {
    fn zero() -> Self {
        Self::default()
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Bytes(bytes) = field.value else {
            return Err(field.wrong_wire_type());
        };
        self.0 = bytes.to_vec();
        Ok(())
    }

    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.bytes_field(number, &self.0);
    }
}

impl WireValue for bool {
    fn zero() -> Self {
        false
    }

    fn is_zero(&self) -> bool {
        !self
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Varint(number) = field.value else {
            return Err(field.wrong_wire_type());
        };
        *self = number != 0;
        Ok(())
    }

    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.varint_field(number, u64::from(*self));
    }
}

impl WireValue for i32 {
    fn zero() -> Self {
        0
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Varint(number) = field.value else {
            return Err(field.wrong_wire_type());
        };
        *self = number as i32; // negative numbers are sign-extended to 64 bits, the upper half carries nothing
        Ok(())
    }

    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.varint_field(number, i64::from(*self).cast_unsigned());
    }
}

impl WireValue for i64 {
    fn zero() -> Self {
        0
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Varint(number) = field.value else {
            return Err(field.wrong_wire_type());
        };
        *self = number.cast_signed();
        Ok(())
    }

    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.varint_field(number, self.cast_unsigned());
    }
}

impl WireValue for f64 {
    fn zero() -> Self {
        0.0
    }

    fn is_zero(&self) -> bool {
        *self == 0.0
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        let Value::Fixed64(bits) = field.value else {
            return Err(field.wrong_wire_type());
        };
        *self = f64::from_bits(bits);
        Ok(())
    }

    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        writer.double_field(number, *self);
    }
}

impl<M: Message> WireValue for M {
    fn zero() -> Self {
        Message::zero()
    }

    fn blank() -> Self {
        Message::blank()
    }

    /// A message is never left out: JSON shows it even when it is empty.
    fn is_zero(&self) -> bool {
        false
    }

    #[inline(always)]
    fn merge_value(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        let Value::Bytes(bytes) = field.value else {
            return Err(field.wrong_wire_type());
        };
        match depth.deeper() {
            Some(depth) => self.merge(bytes, depth),
            None => Err(field.error("messages nest too deeply")),
        }
    }

    #[inline]
    fn write_field(&self, number: u32, writer: &mut ReverseWriter) {
        let before = writer.len();
        self.write(writer);
        writer.close_message(number, before);
    }
}
