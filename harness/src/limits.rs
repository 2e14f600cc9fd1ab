//! Every bound on waiting, with its name and its source.

use std::time::Duration;

use crate::catalogue::Param;

/// The time limits of a target (contract section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// T_push: a change to the push that it causes.
    pub push: Duration,
    /// T_fail: rotation of an offline Entra joined device to its action listed as failed.
    pub fail: Duration,
    /// T_audit: answer to a call to its audit event readable.
    pub audit: Duration,
    /// T_report: end of a session to readable states.
    pub report: Duration,
    /// T_max: action accepted to its final state, by the target's clock.
    pub max: Duration,
    /// T_drain: end of the run to complete books. `None`: every event is readable after T_audit, and
    /// the books wait no longer.
    pub drain: Option<Duration>,
}

impl Limits {
    /// What a target gets that declares nothing.
    pub const LONGEST: Self = Self {
        push: longest(Param::Push),
        fail: longest(Param::Fail),
        audit: longest(Param::Audit),
        report: longest(Param::Report),
        max: longest(Param::Max),
        drain: None,
    };

    /// Sets one of them.
    pub const fn set(&mut self, param: Param, limit: Duration) {
        match param {
            Param::Push => self.push = limit,
            Param::Fail => self.fail = limit,
            Param::Audit => self.audit = limit,
            Param::Report => self.report = limit,
            Param::Max => self.max = limit,
            Param::Drain => self.drain = Some(limit),
        }
    }
}

/// The most that a profile may declare (contract section 8, last column).
#[must_use]
pub const fn longest(param: Param) -> Duration {
    match param {
        Param::Push => Duration::from_secs(10),
        Param::Fail | Param::Audit => Duration::from_secs(30),
        Param::Report => Duration::from_secs(60),
        Param::Max => Duration::from_secs(7 * 24 * 3600),
        Param::Drain => Duration::from_secs(600),
    }
}

/// How long a target may take to show what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// T_push: how long a push is waited for.
    pub push: Duration,
    /// T_fail; also how long any action may take to its end once its device has reported.
    pub fail: Duration,
    /// T_report.
    pub report: Duration,
    /// T_audit.
    pub audit: Duration,
    /// T_drain, or T_audit where that is longer.
    pub drain: Duration,
    /// T_max, by the target's clock.
    pub max: Duration,
}

impl Patience {
    /// The least wait: time enough for a slow machine, so that a target which shows things at once
    /// is not blamed for the scheduler.
    pub const LEAST: Duration = Duration::from_secs(5);

    /// The least wait with the built-in core when it has a deliberate fault that is known: what does
    /// not come is waited for in vain, in many places. It shows what happened before it answers, as
    /// the right one does, and most of these waits count looks and not seconds.
    pub const LEAST_FAULTY: Duration = Duration::from_secs(1);

    /// The patience that these limits ask for. A limit below `least` is judged by that.
    #[must_use]
    pub fn of(limits: &Limits, least: Duration) -> Self {
        let audit = limits.audit.max(least);
        Self {
            push: limits.push.max(least),
            fail: limits.fail.max(least),
            report: limits.report.max(least),
            audit,
            drain: limits.drain.map_or(audit, |drain| drain.max(audit)),
            max: limits.max,
        }
    }
}

/// One session of a device from its first message to its end.
pub const SESSION: Duration = Duration::from_secs(20);
/// One HTTP exchange.
pub const HTTP_EXCHANGE: Duration = Duration::from_secs(10);
/// How often a bounded wait on the admin plane looks again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
