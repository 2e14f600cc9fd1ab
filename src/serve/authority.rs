//! The core's certificate authority: one self-signed P-256 root, made anew at each start.

use protocol::time::UtcMillis;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber, SubjectPublicKeyInfo,
};
use reference::{CertificateAuthority, CertificateError, IssueRequest};
use time::{Duration, OffsetDateTime};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo as ParsedKey;

/// Smallest RSA key that is accepted, in bits (contract section 1).
const RSA_BITS_MIN: usize = 2048;
/// Bits of the one elliptic curve that is accepted, P-256 (contract section 1).
const CURVE_BITS: usize = 256;
/// prime256v1, the curve P-256.
const OID_P256: &str = "1.2.840.10045.3.1.7";

/// Issues client certificates to enrolled devices.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root_der: Vec<u8>,
}

impl Authority {
    /// A fresh root, valid for ten years around `now`.
    ///
    /// # Errors
    /// The key or the root could not be made.
    pub(crate) fn new(now: UtcMillis) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = common_name("muster reference CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = instant(now) - Duration::days(1);
        params.not_after = instant(now) + Duration::days(3650);
        let root = params.self_signed(&key)?;
        Ok(Self {
            root_der: root.der().to_vec(),
            issuer: Issuer::new(params, key),
        })
    }

    fn sign(
        &self,
        now: UtcMillis,
        key: &SubjectPublicKeyInfo,
        request: &IssueRequest<'_>,
    ) -> Result<Vec<u8>, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = common_name(request.common_name);
        params.serial_number = Some(SerialNumber::from(request.serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = instant(now);
        params.not_after = instant(now) + Duration::days(i64::from(request.valid_days));
        Ok(params.signed_by(key, &self.issuer)?.der().to_vec())
    }
}

impl CertificateAuthority for Authority {
    fn root_der(&self) -> &[u8] {
        &self.root_der
    }

    fn issue(
        &self,
        now: UtcMillis,
        request: &IssueRequest<'_>,
    ) -> Result<Vec<u8>, CertificateError> {
        let key_der = verified_key(request.pkcs10_der)?;
        let key = SubjectPublicKeyInfo::from_der(&key_der)
            .map_err(|error| CertificateError::KeyRefused(error.to_string()))?;
        self.sign(now, &key, request)
            .map_err(|error| CertificateError::KeyRefused(error.to_string()))
    }
}

/// The public key of a request whose own signature is good and whose key is of an accepted kind.
///
/// The subject is not looked at: real clients write characters there that its type forbids
/// (contract section 1).
fn verified_key(pkcs10_der: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let (rest, request) = X509CertificationRequest::from_der(pkcs10_der)
        .map_err(|_syntax| CertificateError::Malformed)?;
    if !rest.is_empty() {
        return Err(CertificateError::Malformed);
    }
    let key = &request.certification_request_info.subject_pki;
    require_accepted(key)?;
    request
        .verify_signature()
        .map_err(|_mismatch| CertificateError::BadSignature)?;
    Ok(key.raw.to_vec())
}

fn require_accepted(key: &ParsedKey<'_>) -> Result<(), CertificateError> {
    let refused = |text: String| Err(CertificateError::KeyRefused(text));
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= RSA_BITS_MIN => Ok(()),
        Ok(PublicKey::RSA(rsa)) => refused(format!("RSA key of {} bits", rsa.key_size())),
        Ok(PublicKey::EC(point)) => {
            let curve = key
                .algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.as_oid().ok())
                .map(|oid| oid.to_id_string());
            if curve.as_deref() == Some(OID_P256) && point.key_size() == CURVE_BITS {
                Ok(())
            } else {
                refused(format!("elliptic curve {}", curve.unwrap_or_default()))
            }
        }
        Ok(
            PublicKey::DSA(_)
            | PublicKey::GostR3410(_)
            | PublicKey::GostR3410_2012(_)
            | PublicKey::Unknown(_),
        ) => refused("key of another algorithm".to_owned()),
        Err(_syntax) => Err(CertificateError::Malformed),
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn instant(at: UtcMillis) -> OffsetDateTime {
    let seconds = at.as_millis().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
