//! The message `Profile` of profile.proto, which `go tool pprof` reads.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use kubewire_client::wire::ReverseWriter;

/// A profile that grows by samples.
pub(super) struct Profile {
    period: i64,
    duration: Duration,
    strings: Interned<String>,
    functions: Interned<Function>,
    /// A place in the code with what was inlined there, the innermost first: functions and lines.
    locations: Interned<Vec<(u64, u32)>>,
    /// Locations from the innermost on, how often they were seen, and in which thread.
    samples: Vec<(Vec<u64>, i64, u64)>,
}

/// How often a stack was seen.
pub(super) struct Sample {
    /// From the innermost on; each with what was inlined there.
    pub(super) stack: Vec<Vec<Frame>>,
    pub(super) count: i64,
    pub(super) thread: String,
}

pub(super) struct Frame {
    pub(super) name: String,
    pub(super) system_name: String,
    pub(super) file: String,
    pub(super) line: u32,
}

/// The places of name, mangled name and file in the table of strings.
type Function = (u64, u64, u64);

/// Values with numbers, in the order in which they came.
struct Interned<T> {
    numbers: HashMap<T, u64>,
    values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            values: Vec::new(),
        }
    }

    /// The number of a value, from 0 on.
    fn number(&mut self, value: T) -> u64 {
        let next = self.values.len() as u64;
        *self.numbers.entry(value.clone()).or_insert_with(|| {
            self.values.push(value);
            next
        })
    }
}

impl Profile {
    /// A profile over so long a time, of so many looks a second.
    pub(super) fn new(duration: Duration, frequency: i64) -> Self {
        let mut strings = Interned::new();
        // The first string is empty by definition.
        strings.number(String::new());
        Self {
            period: 1_000_000_000 / frequency,
            duration,
            strings,
            functions: Interned::new(),
            locations: Interned::new(),
            samples: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        let mut stack = Vec::new();
        for inlined in &sample.stack {
            let mut lines = Vec::new();
            for frame in inlined {
                let mut string = |text: &String| self.strings.number(text.clone());
                let function = (string(&frame.name), string(&frame.system_name), string(&frame.file));
                lines.push((self.functions.number(function) + 1, frame.line));
            }
            stack.push(self.locations.number(lines) + 1);
        }
        let thread = self.strings.number(sample.thread.clone());
        self.samples.push((stack, sample.count, thread));
    }

    /// The message, compressed as Go's tools expect it.
    pub(super) fn into_gzip(self) -> Bytes {
        let message = self.into_message();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // A vector takes all that is written.
        let _ = encoder.write_all(&message);
        encoder.finish().unwrap_or_default().into()
    }

    /// Fields from the last to the first: the writer goes backwards.
    fn into_message(mut self) -> Bytes {
        let names = ["samples", "count", "cpu", "nanoseconds", "thread"];
        let [samples, count, cpu, nanoseconds, thread_key] = names.map(|name| self.strings.number(name.to_owned()));
        let mut writer = ReverseWriter::new();
        writer.varint_field(12, self.period as u64);
        value_type(&mut writer, 11, (cpu, nanoseconds));
        writer.varint_field(10, u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX));
        for string in self.strings.values.iter().rev() {
            writer.bytes_field(6, string.as_bytes());
        }
        for (index, (name, system_name, file)) in self.functions.values.iter().enumerate().rev() {
            let before = writer.len();
            writer.varint_field(4, *file);
            writer.varint_field(3, *system_name);
            writer.varint_field(2, *name);
            writer.varint_field(1, index as u64 + 1);
            writer.close_message(5, before);
        }
        for (index, lines) in self.locations.values.iter().enumerate().rev() {
            let location = writer.len();
            for (function, line) in lines.iter().rev() {
                let before = writer.len();
                writer.varint_field(2, (*line).into());
                writer.varint_field(1, *function);
                writer.close_message(4, before);
            }
            writer.varint_field(1, index as u64 + 1);
            writer.close_message(4, location);
        }
        for (stack, times, thread) in self.samples.iter().rev() {
            let sample = writer.len();
            writer.varint_field(2, *thread);
            writer.varint_field(1, thread_key);
            writer.close_message(3, sample);
            writer.varint_field(2, (times * self.period) as u64);
            writer.varint_field(2, *times as u64);
            for location in stack.iter().rev() {
                writer.varint_field(1, *location);
            }
            writer.close_message(2, sample);
        }
        value_type(&mut writer, 1, (cpu, nanoseconds));
        value_type(&mut writer, 1, (samples, count));
        writer.into_bytes()
    }
}

/// What values are: the numbers of the names of a quantity and its unit.
fn value_type(writer: &mut ReverseWriter, field: u32, (quantity, unit): (u64, u64)) {
    let before = writer.len();
    writer.varint_field(2, unit);
    writer.varint_field(1, quantity);
    writer.close_message(field, before);
}
