//! The audit books as they are reported: operations, and what the logs show of them, if they were
//! read.

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, OpKind, Tier};

/// Operations against audit events; the words are those of [`crate::ledger::Books`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Fewest events that are right.
    pub expected_low: u64,
    /// Most events that are right.
    pub expected_high: u64,
    /// Operations whose outcome is not known.
    pub unknown_outcomes: u64,
    /// Manual rotations attempted.
    pub rotation_attempts: u64,
    /// Passwords read.
    pub password_reads: u64,
    /// What the logs show.
    #[serde(flatten)]
    pub log: AuditLog,
}

/// What the logs show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "log", rename_all = "snake_case")]
pub enum AuditLog {
    /// They were not read to their end: an event that is not in the books may be in the log.
    #[default]
    NotRead,
    /// They were.
    Read {
        /// Events of ours in the log.
        seen: u64,
        /// Events that are missing.
        lost: u64,
        /// Events that are too many for their operation.
        duplicated: u64,
        /// Events without an operation.
        phantom: u64,
        /// Events with an id of ours and the wrong actor, device or kind; part of `phantom`.
        misattributed: u64,
        /// Events of devices that are not ours; not part of `seen`.
        foreign: u64,
        /// How exactly events were matched: 1 by operation, 3 by sums per device.
        tier: u8,
    },
}

impl Audit {
    /// The books of a run whose logs were read to their end.
    #[must_use]
    pub fn read(ledger: &Ledger) -> Self {
        let books = ledger.balance();
        Self {
            log: AuditLog::Read {
                seen: books.seen,
                lost: books.lost,
                duplicated: books.duplicated,
                phantom: books.phantom,
                misattributed: books.misattributed,
                foreign: books.foreign,
                tier: books.tier.number(),
            },
            ..Self::not_read(ledger)
        }
    }

    /// The books of a run whose logs were not: nothing is lost that was not looked for.
    #[must_use]
    pub fn not_read(ledger: &Ledger) -> Self {
        let books = ledger.balance();
        Self {
            expected_low: books.expected_low,
            expected_high: books.expected_high,
            unknown_outcomes: books.unknown_outcomes,
            rotation_attempts: ledger.balance_of(OpKind::Rotation).operations,
            password_reads: ledger.balance_of(OpKind::Recover).operations,
            log: AuditLog::NotRead,
        }
    }

    /// The lines of the text report.
    pub(super) fn lines(&self) -> [String; 2] {
        let (low, high) = (self.expected_low, self.expected_high);
        let expected = format!("{low} to {high} events expected");
        let operations = format!(
            "{} rotation attempts, {} password reads; {} unknown outcomes",
            self.rotation_attempts, self.password_reads, self.unknown_outcomes
        );
        match self.log {
            AuditLog::NotRead => [format!("{expected}, the log was not read"), operations],
            AuditLog::Read {
                seen,
                lost,
                duplicated,
                phantom,
                tier,
                misattributed: _,
                foreign: _,
            } => [
                format!(
                    "{expected}, {seen} seen: {lost} lost, {duplicated} duplicated, {phantom} phantom"
                ),
                format!("{operations}; {}", matching(tier)),
            ],
        }
    }
}

/// How events were matched with operations, in words.
const fn matching(tier: u8) -> &'static str {
    if tier == Tier::ByDevice.number() {
        "matched by sums per device: a loss and a duplicate on one device cancel out"
    } else {
        "matched one by one, by request id"
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ledger::Outcome;

    #[test]
    fn what_was_not_read_is_not_lost() {
        let ledger = Ledger::new(7);
        let op = ledger.open(OpKind::Rotation, "operator", Uuid::from_u128(1));
        ledger.settle(op.id, Outcome::Status(204));
        for (audit, lost, told) in [
            (Audit::read(&ledger), Some(1), "0 seen: 1 lost"),
            (Audit::not_read(&ledger), None, "the log was not read"),
        ] {
            let json = serde_json::to_value(&audit).unwrap();
            assert_eq!(json["expected_low"], 1, "{json}");
            assert_eq!(json.get("lost").and_then(serde_json::Value::as_u64), lost);
            assert_eq!(serde_json::from_value::<Audit>(json).unwrap(), audit);
            let [first, second] = audit.lines();
            assert!(first.starts_with("1 to 1 events expected, "), "{first}");
            assert!(first.contains(told), "{first}");
            assert!(second.starts_with("1 rotation attempts, "), "{second}");
        }
    }
}
