//! The certificate authority as the core sees it; keys and signatures are the shell's affair.

use std::fmt;

use protocol::time::UtcMillis;

/// Issues the certificates of devices. Keys need not come from the core's random source; what
/// changes with each certificate is the core's, so that a core and its copies share an authority.
pub trait CertificateAuthority: Send + Sync {
    /// The authority's own certificate, DER.
    fn root_der(&self) -> &[u8];

    /// Verifies the request's own signature and its key (P-256, or RSA of 2048 bits and more), and
    /// issues a certificate with the serial number and the CN given, valid from `now` on, with
    /// the extended key usage of a TLS client (contract 1). DER.
    ///
    /// # Errors
    /// The request is no PKCS#10, its signature is broken, or its key is not accepted.
    fn issue(
        &self,
        now: UtcMillis,
        request: &IssueRequest<'_>,
    ) -> Result<Vec<u8>, CertificateError>;
}

/// What to issue.
#[derive(Clone, Copy, Debug)]
pub struct IssueRequest<'a> {
    /// The device's PKCS#10 request, DER. Its subject is ignored.
    pub pkcs10_der: &'a [u8],
    /// The serial number, unique among the certificates of this core.
    pub serial: u64,
    /// The CN of the certificate: the DeviceID.
    pub common_name: &'a str,
    /// For how many days.
    pub valid_days: u32,
}

/// Why no certificate was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The request's own signature does not verify.
    BadSignature,
    /// The key is too short or of another kind; the text says which.
    KeyRefused(String),
    /// Not a PKCS#10 request.
    Malformed,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSignature => f.write_str("the signature of the request does not verify"),
            Self::KeyRefused(key) => write!(f, "the key is not accepted: {key}"),
            Self::Malformed => f.write_str("not a PKCS#10 request"),
        }
    }
}

impl std::error::Error for CertificateError {}
