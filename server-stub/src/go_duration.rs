//! Go's `time.ParseDuration`: `1h15m30.5s`.

use std::time::Duration;

use crate::field_error::quote;

/// Reads a duration that is not negative; the error is Go's text.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(format!("time: missing unit in duration {}", quote(text))),
            unit => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(unit),
                    quote(text)
                ));
            }
        };
        total = Duration::try_from_secs_f64(number * seconds)
            .ok()
            .and_then(|part| total.checked_add(part))
            .ok_or_else(invalid)?;
        rest = after;
    }
    Ok(total)
}

/// Writes a duration as Go does: `1m0s`, `250ms`, `0s`.
pub(crate) fn text(duration: Duration) -> String {
    let nanos = duration.subsec_nanos();
    let (hours, minutes, seconds) = (
        duration.as_secs() / 3600,
        duration.as_secs() / 60 % 60,
        duration.as_secs() % 60,
    );
    if duration.as_secs() == 0 && nanos > 0 {
        let micros = f64::from(nanos) / 1e3;
        return match nanos {
            1_000_000.. => format!("{}ms", micros / 1e3),
            1_000.. => format!("{micros}µs"),
            _ => format!("{nanos}ns"),
        };
    }
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{dot}{fraction}s"),
        (0, _) => format!("{minutes}m{seconds}{dot}{fraction}s"),
        _ => format!("{hours}h{minutes}m{seconds}{dot}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_it() {
        assert_eq!(parse("1h15m30.5s"), Ok(Duration::from_millis(4_530_500)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("5").unwrap_err(), "time: missing unit in duration \"5\"");
        assert_eq!(parse("5d").unwrap_err(), "time: unknown unit \"d\" in duration \"5d\"");
        for wrong in ["", "soon", "-1s", ".s", "1..5s", "99999999999999999999h"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_go_writes_it() {
        for same in [
            "0s",
            "1m0s",
            "1h0m0s",
            "1h15m30.5s",
            "250ms",
            "1.5ms",
            "7ns",
            "2.5µs",
            "59s",
        ] {
            assert_eq!(text(parse(same).unwrap()), same);
        }
    }
}
