//! Comparing and adding quantities such as `500m` and `1Gi`.

/// A quantity in billionths, rounded up; `None` for a text that is none. Larger ones than fit are cut off.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    let digits_end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits_end);
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (binary, decimal) = exponent(suffix)?;
    // The digits without the point, and how many billionths the last one counts.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let digits: i128 = format!("0{whole}{fraction}").parse().unwrap_or(i128::MAX);
    let scale = decimal + 9 - i32::try_from(fraction.len()).ok()?;
    let mut value = digits.saturating_mul(1 << binary);
    for _ in 0..scale.clamp(0, 40) {
        value = value.saturating_mul(10);
    }
    for _ in 0..(-scale).clamp(0, 40) {
        value = value / 10 + i128::from(value % 10 != 0);
    }
    Some(if negative { -value } else { value })
}

/// Whether a quantity is written in powers of two.
pub(crate) fn is_binary(text: &str) -> bool {
    text.ends_with('i')
}

/// A quantity in its shortest form, in powers of two or of ten.
pub(crate) fn shown(nanos: i128, binary: bool) -> String {
    const BILLION: i128 = 1_000_000_000;
    if binary && nanos % BILLION == 0 && nanos / BILLION >= 1024 {
        let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let (value, suffix) = shortest(nanos / BILLION, 1024, &suffixes);
        return format!("{value}{suffix}");
    }
    let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    match nanos {
        0 => "0".to_owned(),
        nanos => {
            let (value, suffix) = shortest(nanos, 1000, &suffixes);
            format!("{value}{suffix}")
        }
    }
}

fn shortest<'a>(value: i128, base: i128, suffixes: &[&'a str]) -> (i128, &'a str) {
    let mut shortest = (value, suffixes.first().copied().unwrap_or_default());
    for suffix in suffixes.iter().skip(1) {
        if shortest.0 % base != 0 {
            break;
        }
        shortest = (shortest.0 / base, suffix);
    }
    shortest
}

/// The powers of two and of ten that a suffix stands for.
fn exponent(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => (0, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::{nanos, shown};

    #[test]
    fn sums_are_shown_as_their_parts_are_written() {
        let of = |text: &str, binary| shown(nanos(text).unwrap(), binary);
        for (text, binary, expected) in [
            ("0.7", false, "700m"),
            ("200Mi", true, "200Mi"),
            ("3000", false, "3k"),
            ("1536Mi", true, "1536Mi"),
            ("2048Mi", true, "2Gi"),
            ("0", true, "0"),
            ("12", false, "12"),
            ("512", true, "512"),
        ] {
            assert_eq!(of(text, binary), expected, "{text}");
        }
    }

    #[test]
    fn compares_across_suffixes() {
        assert_eq!(nanos("500m"), nanos("0.5"));
        assert_eq!(nanos("1Ki"), nanos("1024"));
        assert_eq!(nanos("2e3"), nanos("2k"));
        assert_eq!(nanos("-1Gi"), Some(-(1 << 30) * 1_000_000_000));
        assert!(nanos("1G") < nanos("1Gi"));
        for wrong in ["", "lots", "1.2.3", "-", "1x", "5e"] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
        assert!(nanos("99999999999999999999E") > nanos("1E"));
    }
}
