//! Every bound on waiting, with its name and its source.

use std::time::Duration;

/// A change of an assignment or policy to the push it causes (contract section 8, T_push: at most 10 s).
pub const T_PUSH: Duration = Duration::from_secs(10);

/// How long a target may take to show what happened (contract section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// T_fail: rotation of an offline Entra joined device to its action listed as failed; also how
    /// long any action may take to its end.
    pub fail: Duration,
    /// T_report: end of a session to readable states.
    pub report: Duration,
    /// T_audit: answer to a call to its audit event readable.
    pub audit: Duration,
}

impl Patience {
    /// The built-in core shows everything at once; this is time enough for a slow machine.
    pub const BUILT_IN: Self = Self {
        fail: Duration::from_secs(5),
        report: Duration::from_secs(5),
        audit: Duration::from_secs(5),
    };
    /// Any other target may take as long as the contract lets a profile declare.
    pub const LONGEST: Self = Self {
        fail: Duration::from_secs(30),
        report: Duration::from_secs(60),
        audit: Duration::from_secs(30),
    };
}

/// One session of a device from its first message to its end.
pub const SESSION: Duration = Duration::from_secs(20);
/// One HTTP exchange.
pub const HTTP_EXCHANGE: Duration = Duration::from_secs(10);
/// How often a bounded wait on the admin plane looks again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
