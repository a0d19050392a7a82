//! The shapes of a field: when it is written and what its absence means.
//!
//! The generated code names one shape per field. Each is a module with three functions: `init` prepares the field of
//! a new message, `merge` takes a value from the wire, `write` puts it there.

use std::collections::BTreeMap;

use super::message::{Depth, Message, WireValue};
use super::{DecodeError, Field, Reader, ReverseWriter, Value};

/// Implements [`Message`] from one line per field: `number shape(field)`, or `number inline { … }` for a message
/// whose fields stand in their parent's Rust type. Fields are listed from the highest number to the lowest, because
/// writing goes backwards. An attribute before a field says which versions of the API types have it in this shape.
macro_rules! message {
    ($type:ty { $($fields:tt)* }) => {
        message!($type = <$type>::default(), { $($fields)* });
    };
    ($type:ty = $zero:expr, { $($fields:tt)* }) => {
        impl $crate::wire::message::Message for $type {
            fn zero() -> Self {
                #[allow(unused_mut)]
                let mut zero = $zero;
                init_fields!(zero, { $($fields)* });
                zero
            }

            #[allow(unused_variables)]
            #[inline(always)] // one loop a message, with its fields in it
            fn merge_field(
                &mut self,
                field: $crate::wire::Field<'_>,
                depth: $crate::wire::message::Depth,
            ) -> Result<(), $crate::wire::DecodeError> {
                merge_fields!(self, field, depth, { $($fields)* })
            }

            #[allow(unused_variables)]
            fn write(&self, writer: &mut $crate::wire::ReverseWriter) {
                write_fields!(self, writer, { $($fields)* });
            }
        }
    };
}

macro_rules! init_fields {
    ($this:ident, { $($(#[$gate:meta])* $number:literal $shape:ident $body:tt)* }) => {
        $($(#[$gate])* init_field!($this, $shape $body);)*
    };
}

macro_rules! init_field {
    ($this:ident, inline $fields:tt) => { init_fields!($this, $fields) };
    ($this:ident, $shape:ident ($($field:tt)+)) => { $crate::wire::shapes::$shape::init(&mut $this.$($field)+) };
}

macro_rules! merge_fields {
    ($this:ident, $field:ident, $depth:ident, { $($(#[$gate:meta])* $number:literal $shape:ident $body:tt)* }) => {
        match $field.number {
            $($(#[$gate])* $number => merge_field!($this, $field, $depth, $shape $body),)*
            _ => Ok(()),
        }
    };
}

macro_rules! merge_field {
    ($this:ident, $field:ident, $depth:ident, inline $fields:tt) => {
        $crate::wire::shapes::inline($field, |$field| merge_fields!($this, $field, $depth, $fields))
    };
    ($this:ident, $field:ident, $depth:ident, $shape:ident ($($name:tt)+)) => {
        $crate::wire::shapes::$shape::merge(&mut $this.$($name)+, $field, $depth)
    };
}

macro_rules! write_fields {
    ($this:ident, $writer:ident, { $($(#[$gate:meta])* $number:literal $shape:ident $body:tt)* }) => {
        $($(#[$gate])* write_field!($this, $writer, $number $shape $body);)*
    };
}

macro_rules! write_field {
    ($this:ident, $writer:ident, $number:literal inline $fields:tt) => {
        let before = $writer.len();
        write_fields!($this, $writer, $fields);
        $writer.close_message($number, before);
    };
    ($this:ident, $writer:ident, $number:literal $shape:ident ($($name:tt)+)) => {
        $crate::wire::shapes::$shape::write(&$this.$($name)+, $number, $writer)
    };
}

/// Walks a message whose fields stand in their parent's Rust type.
#[inline]
pub(crate) fn inline(
    wire: Field<'_>,
    mut merge_field: impl FnMut(Field<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let Value::Bytes(bytes) = wire.value else {
        return Err(wire.wrong_wire_type());
    };
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field().map_err(|error| DecodeError::within(bytes, error))? {
        merge_field(field)?;
    }
    Ok(())
}

/// A plain field of a Rust type that always has a value: always written.
pub(crate) mod value {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut T) {}

    #[inline(always)]
    pub(crate) fn merge<T: WireValue>(field: &mut T, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        field.merge_value(wire, depth)
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &T, number: u32, writer: &mut ReverseWriter) {
        field.write_field(number, writer);
    }
}

/// A plain field as [`value`], of a type whose `Default` is not its zero value.
pub(crate) mod zeroed {
    use super::*;

    pub(crate) fn init<T: WireValue>(field: &mut T) {
        *field = T::zero();
    }

    pub(crate) use super::value::{merge, write};
}

/// A plain field that JSON always shows, of an optional Rust type: always written, never `None` after reading.
pub(crate) mod shown {
    use super::*;

    pub(crate) fn init<T: WireValue>(field: &mut Option<T>) {
        *field = Some(T::zero());
    }

    #[inline(always)]
    pub(crate) fn merge<T: WireValue>(field: &mut Option<T>, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        field.get_or_insert_with(T::zero).merge_value(wire, depth)
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &Option<T>, number: u32, writer: &mut ReverseWriter) {
        match field {
            Some(value) => value.write_field(number, writer),
            None => T::zero().write_field(number, writer),
        }
    }
}

/// A plain field that JSON leaves out when it is zero, of an optional Rust type: always written, zero is `None`.
pub(crate) mod omitted {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<T>) {}

    #[inline(always)]
    pub(crate) fn merge<T: WireValue>(field: &mut Option<T>, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        let mut read = T::zero();
        read.merge_value(wire, depth)?;
        *field = (!read.is_zero()).then_some(read);
        Ok(())
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &Option<T>, number: u32, writer: &mut ReverseWriter) {
        shown::write(field, number, writer);
    }
}

/// A time that JSON leaves out, or shows as null, when it is zero: always written, zero is `None`.
pub(crate) mod time {
    use super::*;
    use crate::wire::special::ZeroTime;

    pub(crate) fn init<T: Message + ZeroTime>(_: &mut Option<T>) {}

    #[inline(always)]
    pub(crate) fn merge<T: Message + ZeroTime>(
        field: &mut Option<T>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        let mut read = <T as Message>::zero();
        read.merge_value(wire, depth)?;
        *field = (!read.is_zero_time()).then_some(read);
        Ok(())
    }

    #[inline]
    pub(crate) fn write<T: Message + ZeroTime>(field: &Option<T>, number: u32, writer: &mut ReverseWriter) {
        shown::write(field, number, writer);
    }
}

/// A pointer: written where it is set, also to zero.
pub(crate) mod pointer {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<T>) {}

    #[inline(always)]
    pub(crate) fn merge<T: WireValue>(field: &mut Option<T>, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        field.get_or_insert_with(T::zero).merge_value(wire, depth)
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &Option<T>, number: u32, writer: &mut ReverseWriter) {
        if let Some(value) = field {
            value.write_field(number, writer);
        }
    }
}

/// A pointer to a message that contains itself.
pub(crate) mod boxed {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<Box<T>>) {}

    pub(crate) fn merge<T: WireValue>(
        field: &mut Option<Box<T>>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        let boxed = field.get_or_insert_with(|| Box::new(T::zero()));
        T::merge_value(&mut **boxed, wire, depth)
    }

    pub(crate) fn write<T: WireValue>(field: &Option<Box<T>>, number: u32, writer: &mut ReverseWriter) {
        if let Some(value) = field {
            T::write_field(value, number, writer);
        }
    }
}

/// A list in a required Rust field: one field on the wire per element.
pub(crate) mod repeated {
    use super::*;

    /// Makes room for the elements that follow one another: as many as there are, on the first growth.
    fn reserve<T>(field: &mut Vec<T>, wire: Field<'_>) {
        let more = wire.run_length();
        if field.is_empty() {
            field.reserve_exact(more);
        } else {
            field.reserve(more);
        }
    }

    pub(crate) fn init<T: WireValue>(_: &mut Vec<T>) {}

    #[inline]
    pub(crate) fn merge<T: WireValue>(field: &mut Vec<T>, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        if field.len() == field.capacity() {
            reserve(field, wire);
        }
        field.resize_with(field.len() + 1, T::zero); // in its place, where `push` would move it there
        field
            .last_mut()
            .map_or(Ok(()), |element| element.merge_value(wire, depth))
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &[T], number: u32, writer: &mut ReverseWriter) {
        for element in field.iter().rev() {
            element.write_field(number, writer);
        }
    }
}

/// A list in an optional Rust field; an empty one leaves no trace on the wire.
pub(crate) mod optional_repeated {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<Vec<T>>) {}

    #[inline]
    pub(crate) fn merge<T: WireValue>(
        field: &mut Option<Vec<T>>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        repeated::merge(field.get_or_insert_default(), wire, depth)
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &Option<Vec<T>>, number: u32, writer: &mut ReverseWriter) {
        repeated::write(field.as_deref().unwrap_or_default(), number, writer);
    }
}

/// A list of numbers: written one by one, packed ones are read as well.
pub(crate) mod optional_numbers {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<Vec<T>>) {}

    pub(crate) fn merge<T: WireValue>(
        field: &mut Option<Vec<T>>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        numbers::merge(field.get_or_insert_default(), wire, depth)
    }

    pub(crate) fn write<T: WireValue>(field: &Option<Vec<T>>, number: u32, writer: &mut ReverseWriter) {
        optional_repeated::write(field, number, writer);
    }
}

/// A list of numbers in a required Rust field.
pub(crate) mod numbers {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Vec<T>) {}

    pub(crate) fn merge<T: WireValue>(field: &mut Vec<T>, wire: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        let Value::Bytes(packed) = wire.value else {
            return repeated::merge(field, wire, depth);
        };
        let mut reader = Reader::new(packed);
        while let Some(number) = reader
            .next_packed()
            .map_err(|error| DecodeError::within(packed, error))?
        {
            let mut element = T::zero();
            element.merge_value(wire.with(Value::Varint(number)), depth)?;
            field.push(element);
        }
        Ok(())
    }

    pub(crate) fn write<T: WireValue>(field: &[T], number: u32, writer: &mut ReverseWriter) {
        repeated::write(field, number, writer);
    }
}

/// A map with string keys in a required Rust field: one entry message per key, sorted.
pub(crate) mod map {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut BTreeMap<String, T>) {}

    #[inline]
    pub(crate) fn merge<T: WireValue>(
        field: &mut BTreeMap<String, T>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        let Value::Bytes(entry) = wire.value else {
            return Err(wire.wrong_wire_type());
        };
        let (mut key, mut item) = (String::new(), None);
        let mut reader = Reader::new(entry);
        while let Some(part) = reader.next_field().map_err(|error| DecodeError::within(entry, error))? {
            match part.number {
                1 => key.merge_value(part, depth)?,
                2 => item.get_or_insert_with(T::blank).merge_value(part, depth)?,
                _ => {}
            }
        }
        field.insert(key, item.unwrap_or_else(T::zero));
        Ok(())
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &BTreeMap<String, T>, number: u32, writer: &mut ReverseWriter) {
        for (key, item) in field.iter().rev() {
            let before = writer.len();
            item.write_field(2, writer);
            key.write_field(1, writer);
            writer.close_message(number, before);
        }
    }
}

/// A map in an optional Rust field; an empty one leaves no trace on the wire.
pub(crate) mod optional_map {
    use super::*;

    pub(crate) fn init<T: WireValue>(_: &mut Option<BTreeMap<String, T>>) {}

    #[inline]
    pub(crate) fn merge<T: WireValue>(
        field: &mut Option<BTreeMap<String, T>>,
        wire: Field<'_>,
        depth: Depth,
    ) -> Result<(), DecodeError> {
        map::merge(field.get_or_insert_default(), wire, depth)
    }

    #[inline]
    pub(crate) fn write<T: WireValue>(field: &Option<BTreeMap<String, T>>, number: u32, writer: &mut ReverseWriter) {
        if let Some(field) = field {
            map::write(field, number, writer);
        }
    }
}
