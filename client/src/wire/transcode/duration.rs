//! Go durations: `1h1m1.5s`.

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration in nanoseconds; `None` where the text is none or does not fit.
pub(super) fn parse(text: &str) -> Option<i64> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u128;
    while !rest.is_empty() {
        let whole = digits(rest);
        rest = rest.get(whole.len()..)?;
        let mut fraction = "";
        if let Some(behind) = rest.strip_prefix('.') {
            fraction = digits(behind);
            rest = behind.get(fraction.len()..)?;
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = rest
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
        rest = behind;
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(*unit)?)?;
        // Digits that are worth less than a nanosecond of an hour do not count.
        let fraction = fraction.get(..fraction.len().min(18))?;
        if !fraction.is_empty() {
            total = total.checked_add(fraction.parse::<u128>().ok()? * unit / 10u128.pow(fraction.len() as u32))?;
        }
    }
    let total = i128::try_from(total).ok()?;
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Writes a duration: hours, minutes and seconds, or one smaller unit.
pub(super) fn format(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let text = match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{size}ns"),
        1_000..1_000_000 => with_fraction(size, 1_000, "µs"),
        1_000_000..1_000_000_000 => with_fraction(size, 1_000_000, "ms"),
        _ => {
            let minutes = size / 60_000_000_000;
            let seconds = with_fraction(size % 60_000_000_000, 1_000_000_000, "s");
            match minutes {
                0 => seconds,
                1..60 => format!("{minutes}m{seconds}"),
                _ => format!("{}h{}m{seconds}", minutes / 60, minutes % 60),
            }
        }
    };
    format!("{sign}{text}")
}

fn with_fraction(size: u64, unit: u64, name: &str) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", size % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}{name}", size / unit)
}

fn digits(text: &str) -> &str {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(nanos: i64) {
            prop_assert_eq!(parse(&format(nanos)), Some(nanos));
        }

        #[test]
        fn never_panics(text in "[-+]?([0-9.]{0,25}(ns|us|µs|ms|s|m|h|x)){0,3}") {
            let _ = parse(&text);
        }
    }
}
