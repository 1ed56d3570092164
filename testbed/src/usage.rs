//! What a process uses of memory and processor, as the kernel counts it.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result};

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Now (`VmRSS`).
    pub(crate) now: u64,
    /// At most since it started (`VmHWM`).
    pub(crate) peak: u64,
}

/// The resident memory of process `pid`, "self" for this one.
pub(crate) fn resident(pid: impl Display) -> Result<Resident> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse_status(&status).with_context(|| format!("no VmRSS and VmHWM in {path}"))
}

/// The processor time process `pid` has used, all its threads and the kernel's work for them.
pub(crate) fn processor_time(pid: impl Display) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let ticks = parse_stat(&stat).with_context(|| format!("no utime and stime in {path}"))?;
    let a_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / a_second as f64))
}

/// The processor time process `pid` and all that came of it and live have used.
pub(crate) fn processor_time_of_all(pid: u32) -> Result<Duration> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").context("cannot read /proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that has just ended has no parent any more.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        parents.extend(parse_parent(&stat).map(|parent| (id, parent)));
    }
    let (mut family, mut total) = (vec![pid], Duration::ZERO);
    while let Some(id) = family.pop() {
        total += processor_time(id)?;
        family.extend(parents.iter().filter(|(_, parent)| *parent == id).map(|(child, _)| child));
    }
    Ok(total)
}

/// `ppid`, field 4 of proc(5).
fn parse_parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn parse_status(status: &str) -> Option<Resident> {
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Resident { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// `utime` and `stime`, fields 14 and 15 of proc(5), in ticks.
fn parse_stat(stat: &str) -> Option<u64> {
    // The second field is the name, which may hold anything; it ends with the last parenthesis.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (user, kernel) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rss_and_its_peak_are_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t1\n";
        assert_eq!(parse_status(status), Some(Resident { now: 1 << 20, peak: 2 << 20 }));
        assert_eq!(parse_status("Name:\tzombie\n"), None);
    }

    #[test]
    fn processor_time_is_that_of_user_and_kernel() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 3 0 5 1 1";
        assert_eq!(parse_stat(stat), Some(42));
        assert_eq!(parse_parent(stat), Some(1));
        assert_eq!(parse_stat("7 (a"), None);
    }
}
