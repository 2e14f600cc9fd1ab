//! The alarm of a shard: one timer for the next time at which it has something to do.
//!
//! The runtime's own timers tick in milliseconds, which is the size of what is measured. A timer of
//! the system, waited for like a socket, is late by some tens of microseconds.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// How finely starts are told apart: what is due within one quantum starts together.
pub(super) const QUANTUM_NS: u64 = 100_000;
/// The least that the system's timer can be set to; 0 would switch it off.
const LEAST: Duration = Duration::from_nanos(1);

/// A timer that is set for one instant at a time.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// An alarm that is not set. Works on a runtime with I/O only.
    pub(super) fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor wants a promise, in unsafe code, that an OwnedFd keeps by itself"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Self { timer })
    }

    /// Sets the alarm, in the place of what it was set to.
    pub(super) fn set(&self, after: Duration) -> std::io::Result<()> {
        let after = after.max(LEAST);
        let value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(after.subsec_nanos()),
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: value,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Returns when the alarm has gone off since it was set.
    pub(super) async fn rings(&self) -> std::io::Result<()> {
        let mut count = [0; 8];
        loop {
            let mut guard = self.timer.readable().await?;
            match rustix::io::read(self.timer.get_ref(), &mut count) {
                Ok(_) => return Ok(()),
                // Set anew since: the readiness belongs to the former setting.
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn an_alarm_rings_at_its_time_and_can_be_moved() {
        let clock = Clock::start();
        let alarm = Alarm::new().unwrap();
        alarm.set(Duration::from_secs(3_600)).unwrap();
        for after_us in [0, 500, 3_000] {
            let after = Duration::from_micros(after_us);
            let from_ns = clock.monotonic_ns();
            alarm.set(after).unwrap();
            alarm.rings().await.unwrap();
            let passed = Duration::from_nanos(clock.monotonic_ns() - from_ns);
            assert!(passed >= after, "{passed:?} for {after:?}");
        }
    }
}
