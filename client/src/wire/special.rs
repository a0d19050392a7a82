//! The API types whose wire form does not follow from their fields.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, JSONSchemaPropsOrStringArray,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, FieldsV1, MicroTime, Time};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::{List, ListableResource};

use super::envelope::MAGIC;
use super::message::{Depth, Message, WireValue};
use super::transcode::nested_object;
use super::{DecodeError, Field, Reader, ReverseWriter, Value, WireError, quantity, raw_json};

/// 0001-01-01T00:00:00Z in seconds since 1970: the zero time, an empty message on the wire.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// A time that can be the zero time.
pub(crate) trait ZeroTime {
    fn is_zero_time(&self) -> bool;
}

impl ZeroTime for Time {
    fn is_zero_time(&self) -> bool {
        self.0 == zero_time()
    }
}

impl ZeroTime for MicroTime {
    fn is_zero_time(&self) -> bool {
        self.0 == zero_time()
    }
}

fn zero_time() -> Timestamp {
    Timestamp::constant(ZERO_SECONDS, 0)
}

/// `Timestamp`: seconds=1, nanos=2.
fn read_time(bytes: &[u8]) -> Result<Timestamp, DecodeError> {
    if bytes.is_empty() {
        return Ok(zero_time());
    }
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(bytes);
    while let Some(Field { number, value, .. }) = next_field(&mut reader, bytes)? {
        match (number, value) {
            (1, Value::Varint(number)) => seconds = number.cast_signed(),
            (2, Value::Varint(number)) => nanos = number as i32,
            _ => {}
        }
    }
    Timestamp::new(seconds, nanos).map_err(|_| invalid(bytes, "time out of range"))
}

#[inline]
fn next_field<'a>(reader: &mut Reader<'a>, message: &[u8]) -> Result<Option<Field<'a>>, DecodeError> {
    reader
        .next_field_inlined()
        .map_err(|error| DecodeError::within(message, error))
}

#[cold]
fn invalid(message: &[u8], reason: &'static str) -> DecodeError {
    DecodeError::at(message, WireError::Invalid { offset: 0, reason })
}

/// Seconds and nanoseconds as Go counts them: the nanoseconds are never negative.
fn write_time(time: Timestamp, keep_nanos: bool, writer: &mut ReverseWriter) {
    if time == zero_time() {
        return;
    }
    let nanos = time.as_nanosecond().rem_euclid(1_000_000_000) as u64;
    writer.varint_field(2, if keep_nanos { nanos / 1000 * 1000 } else { 0 });
    writer.varint_field(
        1,
        (time.as_nanosecond().div_euclid(1_000_000_000) as i64).cast_unsigned(),
    );
}

/// Second precision: nanoseconds are ignored both ways.
impl Message for Time {
    fn zero() -> Self {
        Self(zero_time())
    }

    fn merge_field(&mut self, _: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8], _: Depth) -> Result<(), DecodeError> {
        let time = read_time(bytes)?;
        self.0 = Timestamp::from_second(time.as_second()).unwrap_or(time);
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        write_time(self.0, false, writer);
    }
}

/// Microsecond precision.
impl Message for MicroTime {
    fn zero() -> Self {
        Self(zero_time())
    }

    fn merge_field(&mut self, _: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8], _: Depth) -> Result<(), DecodeError> {
        let time = read_time(bytes)?;
        let micros = time.as_nanosecond().div_euclid(1000) * 1000;
        self.0 = Timestamp::from_nanosecond(micros).unwrap_or(time);
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        write_time(self.0, true, writer);
    }
}

/// string=1; the text is brought into canonical form on every read.
impl Message for Quantity {
    fn zero() -> Self {
        Self("0".to_owned())
    }

    fn blank() -> Self {
        Self(String::new())
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        if field.number == 1 {
            self.0.merge_value(field, depth)?;
            // A text that is no quantity stays: one bad field does not make the object unreadable.
            if let Some(Cow::Owned(text)) = quantity::canonical(&self.0) {
                self.0 = text;
            }
        }
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8], depth: Depth) -> Result<(), DecodeError> {
        if bytes.is_empty() {
            *self = Message::zero();
        }
        let mut reader = Reader::new(bytes);
        while let Some(field) = next_field(&mut reader, bytes)? {
            self.merge_field(field, depth)?;
        }
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        let text = if self.0.is_empty() { "0" } else { &self.0 }; // the type's `Default` is empty
        writer.bytes_field(1, text.as_bytes());
    }
}

/// type=1 (0 a number, 1 a string), intVal=2, strVal=3, all always written.
impl Message for IntOrString {
    fn zero() -> Self {
        Self::Int(0)
    }

    fn merge_field(&mut self, _: Field<'_>, _: Depth) -> Result<(), DecodeError> {
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8], depth: Depth) -> Result<(), DecodeError> {
        let (mut kind, mut int, mut string) = (0i64, 0i32, String::new());
        let mut reader = Reader::new(bytes);
        while let Some(field) = next_field(&mut reader, bytes)? {
            match field.number {
                1 => kind.merge_value(field, depth)?,
                2 => int.merge_value(field, depth)?,
                3 => string.merge_value(field, depth)?,
                _ => {}
            }
        }
        *self = match kind {
            0 => Self::Int(int),
            1 => Self::String(string),
            _ => return Err(invalid(bytes, "IntOrString is neither a number nor a string")),
        };
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        let (kind, int, string) = match self {
            Self::Int(int) => (0, *int, ""),
            Self::String(string) => (1, 0, string.as_str()),
        };
        writer.bytes_field(3, string.as_bytes());
        int.write_field(2, writer);
        writer.varint_field(1, kind);
    }
}

/// Carriers of JSON text: raw=1, absent for null.
macro_rules! raw_json {
    ($($type:ty),*) => {$(
        impl Message for $type {
            fn zero() -> Self {
                Self(serde_json::Value::Null)
            }

            fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
                if let (1, Value::Bytes(content)) = (field.number, field.value) {
                    self.0 = raw_value(content, depth).map_err(|error| DecodeError::at(content, error))?;
                }
                Ok(())
            }

            fn write(&self, writer: &mut ReverseWriter) {
                if !self.0.is_null() {
                    writer.bytes_field(1, self.0.to_string().as_bytes());
                }
            }
        }
    )*};
}

raw_json!(RawExtension, FieldsV1, JSON);

/// JSON text, or an object in its envelope, as in a watch event.
fn raw_value(content: &[u8], depth: Depth) -> Result<serde_json::Value, WireError> {
    match depth.deeper() {
        Some(depth) if content.starts_with(MAGIC) => nested_object(content, depth),
        _ => Ok(raw_json::parse(content)?),
    }
}

/// Messages that only wrap a list of strings: items=1.
impl Message for Vec<String> {
    fn zero() -> Self {
        Self::new()
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        if field.number == 1 {
            super::shapes::repeated::merge(self, field, depth)?;
        }
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        super::shapes::repeated::write(self, 1, writer);
    }
}

/// allows=1, schema=2: a schema where there is one, else a bool.
impl Message for JSONSchemaPropsOrBool {
    fn zero() -> Self {
        Self::Bool(false)
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        match (field.number, &mut *self) {
            (1, Self::Bool(allows)) => allows.merge_value(field, depth),
            (2, _) => {
                let mut schema: JSONSchemaProps = Message::zero();
                schema.merge_value(field, depth)?;
                *self = Self::Schema(Box::new(schema));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut ReverseWriter) {
        match self {
            Self::Schema(schema) => {
                JSONSchemaProps::write_field(schema, 2, writer);
                true.write_field(1, writer);
            }
            Self::Bool(allows) => allows.write_field(1, writer),
        }
    }
}

/// schema=1, jSONSchemas=2.
impl Message for JSONSchemaPropsOrArray {
    fn zero() -> Self {
        Self::Schemas(Vec::new())
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        let mut schema: JSONSchemaProps = Message::zero();
        match field.number {
            1 | 2 => schema.merge_value(field, depth)?,
            _ => return Ok(()),
        }
        match (field.number, &mut *self) {
            (2, Self::Schemas(schemas)) => schemas.push(schema),
            (2, Self::Schema(_)) => *self = Self::Schemas(vec![schema]),
            _ => *self = Self::Schema(Box::new(schema)),
        }
        Ok(())
    }

    fn write(&self, writer: &mut ReverseWriter) {
        match self {
            Self::Schema(schema) => JSONSchemaProps::write_field(schema, 1, writer),
            Self::Schemas(schemas) => super::shapes::repeated::write(schemas, 2, writer),
        }
    }
}

/// schema=1, property=2.
impl Message for JSONSchemaPropsOrStringArray {
    fn zero() -> Self {
        Self::Strings(Vec::new())
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        match (field.number, &mut *self) {
            (1, _) => {
                let mut schema: JSONSchemaProps = Message::zero();
                schema.merge_value(field, depth)?;
                *self = Self::Schema(Box::new(schema));
                Ok(())
            }
            (2, Self::Strings(strings)) => super::shapes::repeated::merge(strings, field, depth),
            (2, Self::Schema(_)) => {
                let mut string = String::new();
                string.merge_value(field, depth)?;
                *self = Self::Strings(vec![string]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut ReverseWriter) {
        match self {
            Self::Schema(schema) => JSONSchemaProps::write_field(schema, 1, writer),
            Self::Strings(strings) => super::shapes::repeated::write(strings, 2, writer),
        }
    }
}

/// Every list kind: metadata=1, items=2.
impl<T: Message + ListableResource> Message for List<T> {
    fn zero() -> Self {
        Self {
            items: Vec::new(),
            metadata: Default::default(),
        }
    }

    fn merge_field(&mut self, field: Field<'_>, depth: Depth) -> Result<(), DecodeError> {
        match field.number {
            1 => self.metadata.merge_value(field, depth),
            2 => super::shapes::repeated::merge(&mut self.items, field, depth),
            _ => Ok(()),
        }
    }

    fn write(&self, writer: &mut ReverseWriter) {
        super::shapes::repeated::write(&self.items, 2, writer);
        self.metadata.write_field(1, writer);
    }
}

/// A condition without fields; the type has no `Default` because a time has none.
pub(super) fn zero_condition() -> Condition {
    Condition {
        last_transition_time: Message::zero(),
        message: String::new(),
        observed_generation: None,
        reason: String::new(),
        status: String::new(),
        type_: String::new(),
    }
}

/// An event series without fields.
pub(super) fn zero_event_series() -> k8s_openapi::api::events::v1::EventSeries {
    k8s_openapi::api::events::v1::EventSeries {
        count: 0,
        last_observed_time: Message::zero(),
    }
}

/// The status of a token request without fields; its time was required up to 1.35.
pub(super) fn zero_token_request_status() -> k8s_openapi::api::authentication::v1::TokenRequestStatus {
    #[cfg(k8s_openapi_ge = "1.36")]
    return Default::default();
    #[cfg(not(k8s_openapi_ge = "1.36"))]
    k8s_openapi::api::authentication::v1::TokenRequestStatus {
        expiration_timestamp: Message::zero(),
        token: String::new(),
    }
}
