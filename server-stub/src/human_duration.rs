//! Ages as kubectl shows them: `92s`, `5m30s`, `3h12m`, `4d2h`, `2y100d` (`k8s.io/apimachinery/pkg/util/duration`).

use jiff::Timestamp;

/// The time since a timestamp in a document; `<unknown>` if there is none.
pub(crate) fn age(timestamp: &serde_json::Value, now: Timestamp) -> String {
    let Some(since) = timestamp.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    human_duration(now.as_second() - since.as_second())
}

/// A length of time in at most two units, the finer the shorter it is.
pub(crate) fn human_duration(seconds: i64) -> String {
    // Clocks differ a little between machines; more than that is an error worth showing.
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit}{small}{small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_grow_with_the_duration() {
        const DAY: i64 = 86_400;
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 3600, "2d1h"),
            (8 * DAY, "8d"),
            (729 * DAY, "729d"),
            (730 * DAY, "2y"),
            (800 * DAY, "2y70d"),
            (2920 * DAY, "8y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn no_timestamp_is_unknown() {
        let now: Timestamp = "2024-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(age(&serde_json::Value::Null, now), "<unknown>");
        assert_eq!(age(&"2024-01-01T00:00:00Z".into(), now), "60s");
    }
}
