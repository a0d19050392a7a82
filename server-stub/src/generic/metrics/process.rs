//! What the system says about this process, on Linux.

use jiff::Timestamp;

use super::text::Exposition;

/// Parts of a second in which the kernel tells times of processes; a constant of its interface.
const TICKS: f64 = 100.0;

/// Shows what can be found out; `started` is known without asking.
pub(super) fn show(shown: &mut Exposition, started: Timestamp) {
    let start = started.as_millisecond() as f64 / 1e3;
    let mut writer = shown.gauge(
        "process_start_time_seconds",
        "When the server started, in seconds since 1970.",
    );
    writer.sample([], start);
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&read("stat")) {
        let mut writer = shown.counter(
            "process_cpu_seconds_total",
            "CPU time of the program and of the system for it.",
        );
        writer.sample([], seconds);
    }
    let status = read("status");
    for (name, field, help) in [
        ("process_resident_memory_bytes", "VmRSS:", "Memory in use."),
        ("process_virtual_memory_bytes", "VmSize:", "Addresses in use."),
    ] {
        if let Some(kilobytes) = number_after(&status, field) {
            shown.gauge(name, help).sample([], kilobytes * 1024);
        }
    }
    let limits = read("limits");
    for (name, field, help) in [
        (
            "process_max_fds",
            "Max open files",
            "File descriptors that may be open.",
        ),
        (
            "process_virtual_memory_max_bytes",
            "Max address space",
            "Addresses that may be in use.",
        ),
    ] {
        if let Some(line) = limits.lines().find_map(|line| line.strip_prefix(field)) {
            let limit = line.split_whitespace().next().unwrap_or_default();
            shown.gauge(name, help).sample(
                [],
                if limit == "unlimited" {
                    "1.8446744073709552e+19"
                } else {
                    limit
                },
            );
        }
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        shown
            .gauge("process_open_fds", "Open file descriptors.")
            .sample([], open.count());
    }
}

/// The 14th and 15th field of `stat`; the second one may have spaces and ends with the last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let times: Vec<u64> = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|time| time.parse().ok())
        .collect();
    (times.len() == 2).then(|| times.iter().sum::<u64>() as f64 / TICKS)
}

fn number_after(text: &str, field: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 90 0 0 0 150 50 0 0 20 0 9 0 100 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds(""), None);
        assert_eq!(number_after("VmRSS:\t   123 kB\n", "VmRSS:"), Some(123));
    }
}
