//! The canonical form of quantities such as `500m` or `1.5Gi`.
//!
//! Every read of a quantity, from JSON or protobuf, rewrites its text: `1.5` becomes `1500m`, `1024Ki` becomes `1Mi`.
//! Short numbers that are in canonical form already keep their spelling, among them some that are not quite
//! (`+2`, `1.234`): the API server does the same.

use std::borrow::Cow;

/// What is wrong with a text that is not a quantity, in the words of the API server.
pub(crate) const SYNTAX: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// What a suffix means.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    /// `n u m k M G T P E`, powers of 1000.
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`, powers of 1024.
    BinarySi,
    /// `e3`, a power of 10.
    DecimalExponent,
}

/// The canonical form of a quantity, `None` where the text is not one.
pub(crate) fn canonical(text: &str) -> Option<Cow<'_, str>> {
    if text == "0" || is_plainly_canonical(text) {
        return Some(text.into());
    }
    let parts = Parts::split(text)?;
    let (exponent, format) = parts.suffix_meaning()?;
    if let Some(short) = parts.short_form(text, exponent, format) {
        return Some(short);
    }
    let mut number = Decimal::parse(parts.number)?;
    if format == Format::BinarySi {
        (0..exponent / 10).for_each(|_| number.multiply_by_1024());
    } else {
        number.exponent += exponent;
    }
    number.round_up_to_nano();
    Some(number.format(format).into())
}

/// True for most quantities that are met: a small whole number that no larger suffix would make shorter.
fn is_plainly_canonical(text: &str) -> bool {
    let (number, suffix) = split_while(text, |byte| byte.is_ascii_digit());
    if number.is_empty() || number.starts_with('0') {
        return false;
    }
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" => number.len() <= 18 && !number.ends_with("000"),
        "Ki" | "Mi" | "Gi" => number.len() <= 5 && number.parse().is_ok_and(|number: u32| !number.is_multiple_of(1024)),
        _ => false,
    }
}

/// A quantity cut into sign, digits and suffix.
struct Parts<'a> {
    negative: bool,
    /// Sign, digits and point.
    number: &'a str,
    /// Digits before the point, without leading zeros.
    whole: &'a str,
    /// Digits behind the point.
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let negative = text.starts_with('-');
        let significant = unsigned.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self {
                negative,
                number: "0",
                whole: "0",
                fraction: "",
                suffix: "",
            });
        }
        let (whole, rest) = split_while(significant, |byte| byte.is_ascii_digit());
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_while(rest, |byte| byte.is_ascii_digit()),
            None => ("", rest),
        };
        let (_, power) = split_while(suffix, |byte| b"eEinumkKMGTP".contains(&byte));
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        if !power.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            negative,
            number: text.strip_suffix(suffix)?,
            whole: if whole.is_empty() && !rest.is_empty() {
                "0"
            } else {
                whole
            },
            fraction,
            suffix,
        })
    }

    /// The suffix as a power (of 10, or of 2 for [`Format::BinarySi`]).
    fn suffix_meaning(&self) -> Option<(i64, Format)> {
        use Format::{BinarySi, DecimalExponent, DecimalSi};
        let meaning = match self.suffix {
            "" => (0, DecimalSi),
            "n" => (-9, DecimalSi),
            "u" => (-6, DecimalSi),
            "m" => (-3, DecimalSi),
            "k" => (3, DecimalSi),
            "M" => (6, DecimalSi),
            "G" => (9, DecimalSi),
            "T" => (12, DecimalSi),
            "P" => (15, DecimalSi),
            "E" => (18, DecimalSi),
            "Ki" => (10, BinarySi),
            "Mi" => (20, BinarySi),
            "Gi" => (30, BinarySi),
            "Ti" => (40, BinarySi),
            "Pi" => (50, BinarySi),
            "Ei" => (60, BinarySi),
            other => {
                let power: i64 = other.strip_prefix(['e', 'E'])?.parse().ok()?;
                (i64::from(power as i32), DecimalExponent) // the API server keeps 32 bits
            }
        };
        Some(meaning)
    }

    /// The canonical form of a number that is short enough for 64-bit arithmetic.
    fn short_form(&self, text: &'a str, exponent: i64, format: Format) -> Option<Cow<'a, str>> {
        let digits = self.whole.len() + self.fraction.len();
        if format == Format::BinarySi {
            let room = 14 - self.whole.len() as i64 - exponent * 3 / 10;
            if !self.fraction.is_empty() || room < 0 {
                return None;
            }
            let value: i128 = self.whole.parse().ok()?;
            if value & 7 != 0 {
                return Some(text.into());
            }
            return Some(format_binary(self.signed(value << exponent)).into());
        }
        let scale = exponent - self.fraction.len() as i64;
        if digits > 18 || scale < -9 {
            return None;
        }
        let all = format!("{}{}", self.whole, self.fraction);
        if scale % 3 == 0 && !all.ends_with("000") && !all.starts_with('0') {
            return Some(text.into());
        }
        let number = Decimal {
            negative: self.negative,
            digits: all.bytes().map(|byte| byte - b'0').collect(),
            exponent: scale,
        };
        Some(number.format(format).into())
    }

    fn signed(&self, value: i128) -> i128 {
        if self.negative { -value } else { value }
    }
}

/// A decimal number of any length: digits · 10^exponent.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads sign, digits and point; at least one digit.
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits: Vec<u8> = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|byte| byte.wrapping_sub(b'0'))
            .collect();
        let valid = !digits.is_empty() && digits.iter().all(|digit| *digit < 10);
        valid.then(|| Self {
            negative: text.starts_with('-'),
            digits,
            exponent: -(fraction.len() as i64),
        })
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|digit| *digit == 0)
    }

    fn multiply_by_1024(&mut self) {
        let mut carry = 0u32;
        for digit in self.digits.iter_mut().rev() {
            let product = u32::from(*digit) * 1024 + carry;
            *digit = (product % 10) as u8;
            carry = product / 10;
        }
        while carry > 0 {
            self.digits.insert(0, (carry % 10) as u8);
            carry /= 10;
        }
    }

    /// Rounds away from zero to a billionth.
    fn round_up_to_nano(&mut self) {
        let surplus = usize::try_from(-9 - self.exponent).unwrap_or(0);
        if surplus == 0 || self.is_zero() {
            return;
        }
        let kept = self.digits.len().saturating_sub(surplus);
        let lost = self.digits.split_off(kept);
        self.exponent = -9;
        if lost.iter().any(|digit| *digit != 0) {
            self.increment();
        }
    }

    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
    }

    fn format(mut self, format: Format) -> String {
        let first = self.digits.iter().position(|digit| *digit != 0);
        let Some(first) = first else { return "0".to_owned() };
        self.digits.drain(..first);
        if format == Format::BinarySi {
            return self.format_binary();
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
            self.exponent += 1;
        }
        while self.exponent.rem_euclid(3) != 0 {
            self.digits.push(0);
            self.exponent -= 1;
        }
        let mut text = String::with_capacity(self.digits.len() + 4);
        if self.negative {
            text.push('-');
        }
        text.extend(self.digits.iter().map(|digit| char::from(b'0' + digit)));
        match (format, self.exponent) {
            (Format::DecimalExponent, 0) => {}
            (Format::DecimalExponent, exponent) => text += &format!("e{exponent}"),
            (_, exponent) => text += decimal_suffix(exponent),
        }
        text
    }

    /// Binary numbers end at 2^63-1, and are decimal where they are small or broken.
    fn format_binary(self) -> String {
        let whole_digits = self.digits.len() as i64 + self.exponent;
        let scale = 10i128.pow(u32::try_from(-self.exponent).unwrap_or(0).min(9));
        let scaled = self.digits.iter().fold(0i128, |value, digit| {
            value.saturating_mul(10).saturating_add(i128::from(*digit))
        });
        let limit = i128::from(i64::MAX);
        let (mut value, mut broken) = (scaled / scale, scaled % scale != 0);
        if whole_digits > 19 || scaled > limit * scale {
            (value, broken) = (limit, false);
        }
        if broken {
            return self.format(Format::DecimalSi);
        }
        format_binary(if self.negative { -value } else { value })
    }
}

fn format_binary(mut value: i128) -> String {
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
    let mut suffix = suffixes.next().unwrap_or_default();
    if value.abs() < 1024 {
        let number = Decimal {
            negative: value < 0,
            digits: value.abs().to_string().bytes().map(|byte| byte - b'0').collect(),
            exponent: 0,
        };
        return number.format(Format::DecimalSi);
    }
    while value % 1024 == 0 {
        value /= 1024;
        suffix = suffixes.next().unwrap_or_default();
    }
    format!("{value}{suffix}")
}

/// Beyond exa there is no suffix, and none is written.
fn decimal_suffix(exponent: i64) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

fn split_while(text: &str, predicate: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !predicate(byte)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn canonicalizes() {
        for (text, expected) in [
            ("1.5", "1500m"),
            ("0.1", "100m"),
            ("1.234", "1.234"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("0.5Mi", "512Ki"),
            ("1024", "1024"),
            ("1000", "1k"),
            ("1023Ki", "1023Ki"),
            ("1e3", "1e3"),
            ("1e4", "10e3"),
            ("12E6", "12E6"),
            ("+2", "+2"),
            ("0100Ki", "0100Ki"),
            ("0.0000000001", "1n"),
            ("-0", "0"),
            ("+", "0"),
            ("100000000000000000000", "100E"),
            ("9223372036854775808Ki", "9223372036854775807"),
            ("0Ki", "0"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", "1 Gi", "lots", "1e", "1E+", "1.2.3", "1ki", "1Kib", "²"] {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[+-]?[0-9.]{0,40}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,12}") {
            let _ = canonical(&text);
        }

        #[test]
        fn canonical_form_is_stable(text in "[+-]?[0-9]{1,9}(\\.[0-9]{1,4})?(m|k|M|Ki|Mi|Gi|e3|)") {
            let once = canonical(&text).unwrap();
            prop_assert_eq!(canonical(&once), Some(once.clone()));
        }
    }
}
