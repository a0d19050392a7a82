//! Comparing quantities such as `500m` and `1Gi`.

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
    use super::nanos;

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
