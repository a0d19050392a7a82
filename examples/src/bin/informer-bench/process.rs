//! What this process uses, by the kernel's and the allocator's account.

use std::time::Duration;

use cap::Cap;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// The kernel counts CPU time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// CPU since the start, memory now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Resident bytes.
    pub(crate) resident: u64,
    /// The most resident bytes so far.
    pub(crate) peak: u64,
    /// Bytes that the program has asked for and not given back.
    pub(crate) live: usize,
}

pub(crate) fn usage() -> std::io::Result<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in brackets, which can hold anything; utime is field 14.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| {
        fields
            .get(field - 3)
            .and_then(|text| text.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kibibytes = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or_default() * 1024
    };
    Ok(Usage {
        cpu: TICK * (ticks(14) + ticks(15)),
        resident: kibibytes("VmRSS"),
        peak: kibibytes("VmHWM"),
        live: ALLOCATOR.allocated(),
    })
}

/// The most resident bytes are counted anew.
pub(crate) fn forget_peak() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
