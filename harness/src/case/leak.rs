//! Places that must hold no password, after they were searched. No case holds a password.

use crate::transcript::ExchangeId;

/// One kind of place, with what a search for every uploaded password found there.
#[derive(Clone, Debug)]
pub struct LeakCase {
    /// The kind of place.
    pub place: LeakPlace,
    /// Texts of it that were searched.
    pub searched: u64,
    /// Passwords that were looked for.
    pub passwords: u64,
    /// How often the same search found one where it belongs, in uploads and in answers to explicit
    /// reads: the positive control.
    pub control: u64,
    /// What it found here.
    pub hits: Vec<LeakHit>,
}

/// A kind of place that must hold no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeakPlace {
    /// Answers of the enrolment plane.
    Enrolment,
    /// Answers of the management plane.
    Management,
    /// Answers to uploads.
    Upload,
    /// The audit logs.
    Audit,
    /// Every other answer of the admin plane, but those to explicit reads.
    Admin,
    /// Answers of the control plane.
    Control,
    /// Pushes.
    Push,
    /// The standard error of a target that was started for the run.
    Log,
}

impl LeakPlace {
    /// Every kind of place.
    pub const ALL: [Self; 8] = [
        Self::Enrolment,
        Self::Management,
        Self::Upload,
        Self::Audit,
        Self::Admin,
        Self::Control,
        Self::Push,
        Self::Log,
    ];

    /// The words in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "an enrolment answer",
            Self::Management => "a management answer",
            Self::Upload => "the answer to an upload",
            Self::Audit => "an audit log",
            Self::Admin => "an answer of the admin plane that nobody asked a password of",
            Self::Control => "an answer of the control plane",
            Self::Push => "a push",
            Self::Log => "the log of the target",
        }
    }
}

/// A password that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakHit {
    /// The device whose password it is.
    pub device: String,
    /// In which form it stands there, in words.
    pub form: &'static str,
    /// Method and path of the request.
    pub request: String,
    /// The exchange; `None` for the log of the target.
    pub exchange: Option<ExchangeId>,
}
