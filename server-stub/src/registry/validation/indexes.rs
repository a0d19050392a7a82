//! Lists of completion indexes, as in `1,3-5`.

use crate::field_error::quote;

/// How many indexes a list has; the error says what is wrong with it.
pub(super) fn count(list: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut last: Option<i64> = None;
    for interval in list.split(',').filter(|_| !list.is_empty()) {
        let (first, end) = interval_of(interval, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(not_increasing(last, first));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

fn interval_of(interval: &str, completions: i64) -> Result<(i64, i64), String> {
    let index = |text: &str| {
        let wrong = |_| format!("cannot convert string to integer for index: {}", quote(text));
        let index: i64 = text.parse().map_err(wrong)?;
        match index >= completions {
            true => Err(format!("too large index: {}", quote(text))),
            false => Ok(index),
        }
    };
    let mut parts = interval.split('-');
    let (first, end) = (parts.next().unwrap_or_default(), parts.next());
    if parts.next().is_some() {
        let interval = quote(interval);
        return Err(format!(
            "the fragment {interval} violates the requirement that an index interval can have at most two parts \
             separated by '-'"
        ));
    }
    let first = index(first)?;
    let Some(end) = end else {
        return Ok((first, first));
    };
    let end = index(end)?;
    match first >= end {
        true => Err(not_increasing(first, end)),
        false => Ok((first, end)),
    }
}

fn not_increasing(previous: i64, current: i64) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists() {
        assert_eq!(count("", 5), Ok(0));
        assert_eq!(count("0,2-4", 5), Ok(4));
        for (list, error) in [
            ("5", "too large index: \"5\""),
            ("2,1", "non-increasing order, previous: 2, current: 1"),
            ("3-3", "non-increasing order, previous: 3, current: 3"),
            ("a", "cannot convert string to integer for index: \"a\""),
        ] {
            assert_eq!(count(list, 5), Err(error.to_owned()));
        }
    }
}
