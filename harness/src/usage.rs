//! Processor time, memory and descriptors of a process, as Linux tells them.

use std::fs;
use std::pin::pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// File descriptors of this process over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// Most that were open at any look.
    pub peak: u64,
    /// How many may be open: the soft limit.
    pub limit: u64,
    /// Local ports for connections to one address. An open connection takes one, and a descriptor; one
    /// that the other side closed keeps its port for a minute, which shows in requests without port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<u64>,
}

/// `EMFILE` on Linux.
const TOO_MANY_OPEN: i32 = 24;
/// How often descriptors are counted.
const LOOK: Duration = Duration::from_secs(1);

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
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Usage {
        cpu_s: cpu_of_process(pid)?,
        rss_bytes: memory(&status, "VmRSS:")?,
        peak_rss_bytes: memory(&status, "VmHWM:")?,
    })
}

/// Processor time of a process, in seconds; told until its parent has waited for it.
#[must_use]
pub fn cpu_of_process(pid: u32) -> Option<f64> {
    cpu_seconds(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
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

/// Counts descriptors while `work` goes on, and once when it has ended; `None` where the system does
/// not tell.
pub async fn watched<F: Future>(work: F) -> (F::Output, Option<Descriptors>) {
    let mut work = pin!(work);
    let mut looks = tokio::time::interval(LOOK);
    // Asked first: nothing can be asked any more when descriptors have run out.
    let (limit, ports) = (descriptor_limit(), local_ports());
    let mut peak = None;
    let output = loop {
        tokio::select! {
            output = &mut work => break output,
            _ = looks.tick() => peak = peak.max(open_descriptors(limit)),
        }
    };
    let peak = peak.max(open_descriptors(limit));
    let descriptors = peak
        .zip(limit)
        .map(|(peak, limit)| Descriptors { peak, limit, ports });
    (output, descriptors)
}

/// How many file descriptors this process may have.
#[must_use]
pub fn descriptor_limit() -> Option<u64> {
    soft_limit(&fs::read_to_string("/proc/self/limits").ok()?)
}

/// Local ports for connections to one address.
#[must_use]
pub fn local_ports() -> Option<u64> {
    ports(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

/// The descriptors of this process, without the one that reads them. Where none is left for that,
/// all are in use.
fn open_descriptors(limit: Option<u64>) -> Option<u64> {
    match fs::read_dir("/proc/self/fd") {
        Ok(open) => u64::try_from(open.count()).ok()?.checked_sub(1),
        Err(error) if error.raw_os_error() == Some(TOO_MANY_OPEN) => limit,
        Err(_untold) => None,
    }
}

/// The soft limit of open files in `/proc/<pid>/limits`.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

fn ports(range: &str) -> Option<u64> {
    let mut bounds = range.split_ascii_whitespace();
    let first: u64 = bounds.next()?.parse().ok()?;
    let last: u64 = bounds.next()?.parse().ok()?;
    (last + 1).checked_sub(first)
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
    fn limits_are_read_from_the_systems_own_files() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(soft_limit(limits), Some(1_024));
        assert_eq!(soft_limit("nothing"), None);
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(ports("9 3"), None);
    }

    #[tokio::test]
    async fn descriptors_that_work_opens_are_counted() {
        let open = async {
            let files = (0..400).map(|_| fs::File::open("/dev/null").unwrap());
            files.collect::<Vec<_>>()
        };
        let (many, seen) = watched(open).await;
        let seen = seen.unwrap();
        assert_eq!(many.len(), 400);
        assert!((400..=seen.limit).contains(&seen.peak), "{seen:?}");
    }

    #[test]
    fn this_process_has_used_something() {
        let used = of_self().unwrap();
        assert!(used.rss_bytes > 0 && used.peak_rss_bytes >= used.rss_bytes);
    }
}
