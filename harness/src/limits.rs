//! Every bound on waiting, with its name and its source.

use std::time::Duration;

/// A change of an assignment or policy to the push it causes (contract section 8, T_push: at most 10 s).
pub const T_PUSH: Duration = Duration::from_secs(10);
/// Rotation of an offline Entra joined device to its action listed as failed; the contract allows
/// at most 30 s (section 8, T_fail), the core does it at once.
pub const T_FAIL: Duration = Duration::from_secs(5);
/// End of a session to readable states (contract section 8, T_report).
pub const T_REPORT: Duration = Duration::from_secs(5);
/// Answer to a call to its audit event readable (contract section 8, T_audit: at most 30 s).
pub const T_AUDIT: Duration = Duration::from_secs(5);
/// One session of a device from its first message to its end.
pub const SESSION: Duration = Duration::from_secs(20);
/// One HTTP exchange.
pub const HTTP_EXCHANGE: Duration = Duration::from_secs(10);
/// How often a bounded wait on the admin plane looks again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
