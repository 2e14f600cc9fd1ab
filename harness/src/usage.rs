//! Processor time and memory of a process, as Linux tells them.

use std::fs;

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Largest resident memory so far, in bytes.
    pub peak_rss_bytes: u64,
}

/// Clock ticks a second in `/proc/<pid>/stat`; 100 on every Linux that this builds for.
const TICKS_PER_S: f64 = 100.0;

/// The usage of this process.
#[must_use]
pub fn of_self() -> Option<Usage> {
    of_process(std::process::id())
}

/// The usage of a process; `None` when it is gone or the system does not tell.
#[must_use]
pub fn of_process(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Usage {
        cpu_s: cpu_seconds(&stat)?,
        rss_bytes: memory(&status, "VmRSS:")?,
        peak_rss_bytes: memory(&status, "VmHWM:")?,
    })
}

/// How long the present thread has had a processor or waited for one, in nanoseconds.
#[must_use]
pub fn thread_claim_ns() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut fields = text.split_ascii_whitespace();
    let ran: u64 = fields.next()?.parse().ok()?;
    let waited: u64 = fields.next()?.parse().ok()?;
    ran.checked_add(waited)
}

/// Fields 14 and 15, counted after the command name, which may itself hold blanks.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_S)
}

/// A size in `/proc/<pid>/status`, in bytes.
fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_blanks_does_not_shift_the_fields() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1 2 3";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn this_process_has_used_something() {
        let used = of_self().unwrap();
        assert!(used.rss_bytes > 0 && used.peak_rss_bytes >= used.rss_bytes);
    }
}
