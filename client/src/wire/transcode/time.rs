//! RFC 3339 times as the API server reads and writes them.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The layouts, as Go's messages name them.
const SECONDS_LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const MICROS_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// 0001-01-01T00:00:00Z, the zero time, in seconds since 1970.
pub(super) const ZERO_SECONDS: i64 = -62_135_596_800;

/// A point in time: seconds since 1970 and nanoseconds, which are never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanos: i32,
}

impl Time {
    pub(super) const ZERO: Self = Self {
        seconds: ZERO_SECONDS,
        nanos: 0,
    };

    /// Reads the text of a `Time`, or of a `MicroTime`, which must have six digits of a second's fraction.
    pub(super) fn parse(text: &str, micros: bool) -> Result<Self, String> {
        Scanner::new(text, micros).time()
    }

    /// `2024-02-29T12:34:56Z`, or with six digits of a second's fraction. `None` outside the years 0 to 9999.
    pub(super) fn format(self, micros: bool) -> Option<String> {
        let (text, length) = self.text(micros)?;
        text.get(..length)
            .map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// The text of [`format`](Self::format) in so many of the first bytes.
    pub(super) fn text(self, micros: bool) -> Option<([u8; 27], usize)> {
        let time = Offset::UTC.to_datetime(Timestamp::from_second(self.seconds).ok()?);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put(&mut text, 0..4, u32::try_from(time.year()).ok()?);
        for (at, number) in [
            (5, time.month()),
            (8, time.day()),
            (11, time.hour()),
            (14, time.minute()),
            (17, time.second()),
        ] {
            put(&mut text, at..at + 2, number.unsigned_abs().into());
        }
        if micros {
            put(&mut text, 20..26, self.nanos.unsigned_abs() / 1000);
            return Some((text, 27));
        }
        text[19] = b'Z';
        Some((text, 20))
    }

    /// True where [`format`](Self::format) has a text for the time.
    pub(super) fn is_writable(self) -> bool {
        // 0000-01-01T00:00:00Z up to 9999-12-31T23:59:59Z
        (-62_167_219_200..=253_402_300_799).contains(&self.seconds)
    }
}

/// Puts the last digits of a number in their places.
fn put(text: &mut [u8], places: Range<usize>, mut number: u32) {
    for digit in text.get_mut(places).unwrap_or_default().iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Reads a time from left to right; errors are those of Go's `time.Parse`.
struct Scanner<'a> {
    text: &'a str,
    rest: &'a str,
    micros: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, micros: bool) -> Self {
        Self {
            text,
            rest: text,
            micros,
        }
    }

    fn time(mut self) -> Result<Time, String> {
        let year = self.number(4, "2006")?;
        self.mark("-")?;
        let month = self.number(2, "01")?;
        self.check((1..=12).contains(&month), "month")?;
        self.mark("-")?;
        let day = self.number(2, "02")?;
        self.mark("T")?;
        let hour = self.hour()?;
        self.check(hour < 24, "hour")?;
        self.mark(":")?;
        let minute = self.number(2, "04")?;
        self.check(minute < 60, "minute")?;
        self.mark(":")?;
        let second = self.number(2, "05")?;
        self.check(second < 60, "second")?;
        let nanos = self.fraction()?;
        let offset = self.offset()?;
        if !self.rest.is_empty() {
            return Err(format!("{}: extra text: {}", self.subject(), quoted(self.rest)));
        }
        let date = DateTime::new(
            year as i16,
            month as i8,
            day as i8,
            hour as i8,
            minute as i8,
            second as i8,
            0,
        );
        let date = date.map_err(|_| format!("{}: day out of range", self.subject()))?;
        let timestamp = TimeZone::UTC.to_timestamp(date);
        let timestamp = timestamp.map_err(|_| format!("{}: year out of range", self.subject()))?;
        Ok(Time {
            seconds: timestamp.as_second() - offset,
            nanos: if self.micros { nanos } else { 0 },
        })
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize, layout: &str) -> Result<u32, String> {
        let text = self
            .rest
            .get(..digits)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = text
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.cannot_parse(layout))?;
        self.rest = self.rest.get(digits..).unwrap_or_default();
        Ok(number)
    }

    /// The hour may be a single digit.
    fn hour(&mut self) -> Result<u32, String> {
        let single = self.rest.as_bytes().get(1).is_none_or(|byte| !byte.is_ascii_digit());
        self.number(if single { 1 } else { 2 }, "15")
    }

    fn mark(&mut self, mark: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(mark).ok_or_else(|| self.cannot_parse(mark))?;
        Ok(())
    }

    /// The fraction of a second in nanoseconds: optional, or exactly six digits.
    fn fraction(&mut self) -> Result<i32, String> {
        let digits = match self.rest.strip_prefix(['.', ',']) {
            Some(rest) => rest.bytes().take_while(u8::is_ascii_digit).count(),
            None => 0,
        };
        let taken = if self.micros { 6 } else { digits };
        if self.micros && digits < 6 {
            return Err(self.cannot_parse(".000000"));
        }
        if taken == 0 {
            return Ok(0);
        }
        let text = self.rest.get(1..=taken).unwrap_or_default();
        self.rest = self.rest.get(taken + 1..).unwrap_or_default();
        Ok(format!("{text:0<9}")
            .get(..9)
            .and_then(|nanos| nanos.parse().ok())
            .unwrap_or(0))
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bytes = self.rest.as_bytes();
        let digits = [1, 2, 4, 5].map(|at| {
            bytes
                .get(at)
                .filter(|byte| byte.is_ascii_digit())
                .map(|byte| i64::from(byte - b'0'))
        });
        let (Some(sign), Some(b':'), [Some(a), Some(b), Some(c), Some(d)]) = (bytes.first(), bytes.get(3), digits)
        else {
            return Err(self.cannot_parse("Z07:00"));
        };
        let (hours, minutes) = (a * 10 + b, c * 10 + d);
        self.check(hours <= 24, "time zone offset hour")?;
        self.check(minutes <= 60, "time zone offset minute")?;
        let sign = match sign {
            b'+' => 1,
            b'-' => -1,
            _ => return Err(self.cannot_parse("Z07:00")),
        };
        self.rest = self.rest.get(6..).unwrap_or_default();
        Ok(sign * (hours * 3600 + minutes * 60))
    }

    fn check(&self, holds: bool, part: &str) -> Result<(), String> {
        if holds {
            Ok(())
        } else {
            Err(format!("{}: {part} out of range", self.subject()))
        }
    }

    fn cannot_parse(&self, part: &str) -> String {
        let layout = if self.micros { MICROS_LAYOUT } else { SECONDS_LAYOUT };
        format!(
            "{} as \"{layout}\": cannot parse {} as \"{part}\"",
            self.subject(),
            quoted(self.rest)
        )
    }

    fn subject(&self) -> String {
        format!("parsing time {}", quoted(self.text))
    }
}

/// Text in quotes; what is not printable ASCII byte by byte.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            0x20..0x7f => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\x{byte:02x}"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_of_errors() {
        let error = |text| Time::parse(text, false).unwrap_err();
        let tail = |text| error(text).split_once(": ").unwrap().1.to_owned();
        assert_eq!(
            error("yesterday"),
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""
        );
        assert_eq!(tail("2024-13-01T00:00:00Z"), "month out of range");
        assert_eq!(tail("2023-02-29T00:00:00Z"), "day out of range");
        assert_eq!(tail("2024-01-01T24:00:00Z"), "hour out of range");
        assert_eq!(tail("2024-01-01T00:00:00Zx"), "extra text: \"x\"");
        assert_eq!(tail("2024-01-01T00:00:00+0100"), "cannot parse \"+0100\" as \"Z07:00\"");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(seconds in ZERO_SECONDS..253_402_300_800, micros in 0..1_000_000) {
            let time = Time { seconds, nanos: micros * 1000 };
            prop_assert_eq!(Time::parse(&time.format(true).unwrap(), true), Ok(time));
            prop_assert_eq!(Time::parse(&time.format(false).unwrap(), false), Ok(Time { seconds, nanos: 0 }));
        }

        #[test]
        fn never_panics(text in "[-0-9TZ:.,+é]{0,30}", micros: bool) {
            let _ = Time::parse(&text, micros);
        }
    }
}
