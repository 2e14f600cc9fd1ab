//! The SOAP fault of enrolment (wire-facts 1.9).

/// A refused enrolment request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `message_id` of the request, if it had one.
    pub relates_to: Option<String>,
    /// What kind of refusal.
    pub subcode: FaultSubcode,
    /// Sentence for people.
    pub reason: String,
    /// `ErrorType` of the detail, for example `DeviceCapReached`.
    pub error_type: Option<String>,
    /// `TraceId` of the detail.
    pub trace_id: Option<String>,
}

/// The kinds of refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultSubcode {
    /// The message is not the one expected.
    MessageFormat,
    /// The credential is missing or wrong.
    Authentication,
    /// The credential does not allow this.
    Authorization,
    /// The certificate request is refused.
    CertificateRequest,
    /// The server failed.
    EnrollmentServer,
    /// The server failed within.
    InternalServiceFault,
    /// The security header is wrong.
    InvalidSecurity,
    /// Any other, with its prefix removed.
    Other(String),
}

impl FaultSubcode {
    const KNOWN: [Self; 7] = [
        Self::MessageFormat,
        Self::Authentication,
        Self::Authorization,
        Self::CertificateRequest,
        Self::EnrollmentServer,
        Self::InternalServiceFault,
        Self::InvalidSecurity,
    ];

    /// The name without prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::MessageFormat => "MessageFormat",
            Self::Authentication => "Authentication",
            Self::Authorization => "Authorization",
            Self::CertificateRequest => "CertificateRequest",
            Self::EnrollmentServer => "EnrollmentServer",
            Self::InternalServiceFault => "InternalServiceFault",
            Self::InvalidSecurity => "InvalidSecurity",
            Self::Other(name) => name,
        }
    }

    /// Reads a name with or without prefix, in any case: deployed servers write lower case.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let name = text.rsplit_once(':').map_or(text, |(_, name)| name).trim();
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
            .unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// The prefix that the published table gives the name: `a` for two of them, else `s`.
    pub(crate) const fn prefix(&self) -> &'static str {
        match self {
            Self::InternalServiceFault | Self::InvalidSecurity => "a",
            Self::MessageFormat
            | Self::Authentication
            | Self::Authorization
            | Self::CertificateRequest
            | Self::EnrollmentServer
            | Self::Other(_) => "s",
        }
    }

    /// The HRESULT that the device reports; `None` for a kind that is not in the table.
    #[must_use]
    pub const fn hresult(&self) -> Option<u32> {
        match self {
            Self::MessageFormat => Some(0x8018_0001),
            Self::Authentication => Some(0x8018_0002),
            Self::Authorization => Some(0x8018_0003),
            Self::CertificateRequest => Some(0x8018_0004),
            Self::EnrollmentServer => Some(0x8018_0005),
            Self::InternalServiceFault => Some(0x8018_0006),
            Self::InvalidSecurity => Some(0x8018_0007),
            Self::Other(_) => None,
        }
    }
}
