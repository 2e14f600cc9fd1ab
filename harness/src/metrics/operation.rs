//! The kinds of operation that a load times, and how their times are named.

use std::fmt;

/// Something that a load does and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A planned check-in: from its planned start to the end of its session and its uploads.
    CheckIn,
    /// One message of a session and its answer.
    Message,
    /// An enrolment with its first session.
    Enrol,
    /// The upload of a password.
    Backup,
    /// A manual rotation: from the planned request to the device having told its end.
    Rotate,
    /// A password read by an administrator.
    CredentialRead,
    /// A page of the audit log read.
    AuditRead,
    /// A policy changed and read back.
    PolicyEdit,
    /// A change of who is signed in on a device.
    SignIn,
    /// A rotation asked for in bulk, which must be refused.
    BulkAttempt,
}

impl Operation {
    /// Every operation, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::CheckIn,
        Self::Message,
        Self::Enrol,
        Self::Backup,
        Self::Rotate,
        Self::CredentialRead,
        Self::AuditRead,
        Self::PolicyEdit,
        Self::SignIn,
        Self::BulkAttempt,
    ];

    /// The word in reports, thresholds and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckIn => "check_in",
            Self::Message => "message",
            Self::Enrol => "enrol",
            Self::Backup => "backup",
            Self::Rotate => "rotate",
            Self::CredentialRead => "credential_read",
            Self::AuditRead => "audit_read",
            Self::PolicyEdit => "policy_edit",
            Self::SignIn => "sign_in",
            Self::BulkAttempt => "bulk_attempt",
        }
    }

    /// The operation of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == name)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which time of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// From the planned start to the end.
    Latency,
    /// From the send to the end.
    ServiceTime,
    /// From the planned start to the begin: what the harness alone is late. Waiting for one of the
    /// bounded connections while all are in use is no part of it: how many that are is told.
    StartDelay,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Latency, Self::ServiceTime, Self::StartDelay];

    /// The word in thresholds and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::ServiceTime => "service_time",
            Self::StartDelay => "start_delay",
        }
    }
}

/// Which point of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    /// So many millionths of the values are at most this.
    PerMillion(u32),
    /// The largest value.
    Max,
}

impl Quantile {
    /// 90 %.
    pub const P90: Self = Self::PerMillion(900_000);
    /// 99 %.
    pub const P99: Self = Self::PerMillion(990_000);
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::PerMillion(share) => {
                let (whole, part) = (share / 10_000, share % 10_000);
                match format!("{part:04}").trim_end_matches('0') {
                    "" => write!(f, "p{whole}"),
                    part => write!(f, "p{whole}.{part}"),
                }
            }
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it must.
    Completed,
    /// Otherwise: without an answer, with a wrong one, or broken off.
    Failed,
}
