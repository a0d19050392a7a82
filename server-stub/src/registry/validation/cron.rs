//! When a cron job runs: the five fields of a crontab line, or a name for a common one.

use std::ops::RangeInclusive;

use crate::go_duration;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Minute, hour, day of the month, month, day of the week.
const FIELDS: [(RangeInclusive<i64>, &[&str]); 5] = [
    (0..=59, &[]),
    (0..=23, &[]),
    (1..=31, &[]),
    (1..=12, &MONTHS),
    (0..=6, &DAYS),
];

/// Checks a schedule; the error is in the words of `robfig/cron`, which kube-apiserver parses with.
pub(super) fn check_schedule(schedule: &str) -> Result<(), String> {
    let mut schedule = schedule;
    if let Some(zone) = ["TZ=", "CRON_TZ="].iter().find_map(|name| schedule.strip_prefix(name)) {
        let (zone, rest) = zone.split_once(' ').unwrap_or((zone, ""));
        check_time_zone(zone).map_err(|error| format!("provided bad location {zone}: {error}"))?;
        schedule = rest.trim();
    }
    if schedule.starts_with('@') {
        return check_descriptor(schedule);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let found = fields.len();
        return Err(format!(
            "expected exactly 5 fields, found {found}: [{}]",
            fields.join(" ")
        ));
    }
    for (field, (bounds, names)) in fields.into_iter().zip(FIELDS) {
        for range in field.split(',').filter(|range| !range.is_empty()) {
            check_range(range, bounds.clone(), names)?;
        }
    }
    Ok(())
}

/// Checks the name of a time zone.
pub(super) fn check_time_zone(name: &str) -> Result<(), String> {
    // The database ignores case, kube-apiserver's does not.
    let found = jiff::tz::TimeZoneDatabase::bundled().get(name);
    match found.is_ok_and(|zone| zone.iana_name() == Some(name)) {
        true => Ok(()),
        false => Err(format!("unknown time zone {name}")),
    }
}

fn check_descriptor(descriptor: &str) -> Result<(), String> {
    match descriptor {
        "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" => Ok(()),
        other => match other.strip_prefix("@every ") {
            Some(duration) => match go_duration::parse(duration) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("failed to parse duration {other}: {error}")),
            },
            None => Err(format!("unrecognized descriptor: {other}")),
        },
    }
}

/// `*`, a number or two with a dash between, and perhaps a slash and a step.
fn check_range(range: &str, bounds: RangeInclusive<i64>, names: &[&str]) -> Result<(), String> {
    let (min, max) = bounds.into_inner();
    let mut parts = range.split('/');
    let ends: Vec<&str> = parts.next().unwrap_or_default().split('-').collect();
    let first = ends.first().copied().unwrap_or_default();
    let (start, mut end) = match first {
        "*" | "?" => (min, max),
        _ => {
            let start = number_or_name(first, names, min)?;
            match ends.get(1) {
                None => (start, start),
                Some(_) if ends.len() > 2 => return Err(format!("too many hyphens: {range}")),
                Some(end) => (start, number_or_name(end, names, min)?),
            }
        }
    };
    let step = match parts.next() {
        None => 1,
        Some(step) => {
            let step = number(step)?;
            if ends.len() == 1 {
                end = max;
            }
            step
        }
    };
    if parts.next().is_some() {
        return Err(format!("too many slashes: {range}"));
    }
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {range}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {range}"));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {range}"
        ));
    }
    match step {
        0 => Err(format!("step of range should be a positive number: {range}")),
        _ => Ok(()),
    }
}

fn number_or_name(text: &str, names: &[&str], first: i64) -> Result<i64, String> {
    let lower = text.to_lowercase();
    match names.iter().position(|name| *name == lower) {
        Some(index) => Ok(first + i64::try_from(index).unwrap_or_default()),
        None => number(text),
    }
}

fn number(text: &str) -> Result<i64, String> {
    let parsed: Result<i64, _> = text.parse();
    match parsed {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(number),
        Err(error) => Err(format!(
            "failed to parse int from {text}: {}",
            crate::endpoints::number_error("Atoi", text, &error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        for good in [
            "*/5 * * * *",
            "0 0 1 jan SUN",
            "1,2,5-7/2 ? * * *",
            "@daily",
            "@every 1h30m",
            "TZ=UTC 0 0 * * *",
        ] {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        let bad = [
            ("not a schedule", "expected exactly 5 fields, found 3: [not a schedule]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* * * 5-2 *", "beginning of range (5) beyond end of range (2): 5-2"),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("*/1/2 * * * *", "too many slashes: */1/2"),
            ("@nosuch", "unrecognized descriptor: @nosuch"),
        ];
        for (schedule, error) in bad {
            assert_eq!(check_schedule(schedule), Err(error.to_owned()));
        }
    }

    #[test]
    fn time_zones() {
        assert_eq!(check_time_zone("Europe/Berlin"), Ok(()));
        assert_eq!(check_time_zone("UTC"), Ok(()));
        assert!(check_time_zone("europe/berlin").is_err());
        assert_eq!(
            check_time_zone("No/Where"),
            Err("unknown time zone No/Where".to_owned())
        );
    }
}
