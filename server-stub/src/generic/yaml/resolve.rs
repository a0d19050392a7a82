//! Which words a YAML reader takes for something else than text.

/// Whether a reader takes this text for text when it is not quoted.
pub(super) fn is_text(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    match first {
        'y' | 'Y' | 'n' | 'N' | 't' | 'T' | 'f' | 'F' | 'o' | 'O' | '~' => !WORDS.contains(&text),
        '.' => !SPECIAL_FLOATS.contains(&text) && text.parse::<f64>().is_err(),
        '+' | '-' | '0'..='9' => {
            let signless = text.strip_prefix(['+', '-']).unwrap_or(text);
            !SPECIAL_FLOATS.contains(&signless)
                && !is_time(text)
                && !is_integer(&signless.replace('_', ""))
                && !is_float(&signless.replace('_', ""))
                && !is_base_60(signless)
        }
        _ => true,
    }
}

const WORDS: &[&str] = &[
    "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no", "No", "NO", "false",
    "False", "FALSE", "off", "Off", "OFF", "~", "null", "Null", "NULL",
];

const SPECIAL_FLOATS: &[&str] = &[".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"];

/// Decimal, or with the prefix of another base.
fn is_integer(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    !digits.starts_with(['+', '-']) && u64::from_str_radix(digits, radix).is_ok()
}

/// Digits, perhaps a point and an exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    has_digits && all_digits(whole) && all_digits(fraction) && exponent_fits
}

/// `12:30:45`, a number to base 60 in YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let starts = first.starts_with(|c: char| c.is_ascii_digit());
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let sixty = |part: &&str| (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok_and(|part| part < 60);
    starts && digits(first) && digits(fraction) && rest.iter().all(sixty) && sixty(&last)
}

/// A date, or a date and a time.
fn is_time(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let date_fits = year.is_some_and(|year| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()))
        && month.is_some_and(|month| within(month, 1, 12))
        && day.is_some_and(|day| within(day, 1, 31));
    date_fits && (time.is_empty() || is_time_of_day(time))
}

/// `T12:30:45.5Z` with a zone, or ` 12:30:45` without one.
fn is_time_of_day(time: &str) -> bool {
    let zoned = !time.starts_with(' ');
    let time = &time[1..];
    let zone_start = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_start);
    let zone_fits = match zone.as_bytes() {
        [] => !zoned,
        [b'Z'] => zoned,
        [_, hours @ .., b':', _, _] => zoned && hours.len() == 2,
        _ => false,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let clock_fits = matches!(parts.as_slice(), [hour, minute, second]
        if within(hour, 0, 23) && within(minute, 0, 59) && within(second, 0, 59));
    zone_fits && clock_fits && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn within(text: &str, from: u8, to: u8) -> bool {
    (1..=2).contains(&text.len()) && text.parse::<u8>().is_ok_and(|number| (from..=to).contains(&number))
}
