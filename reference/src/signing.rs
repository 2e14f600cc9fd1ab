//! Enrolment in three steps, so that nobody waits for a signature: the request is held against its
//! registration under a shared borrow of the core, the certificate is made without the core, and
//! the device is admitted, if all still holds, with the core for itself.

use std::sync::Arc;

use protocol::enrollment::{Request, RequestSecurityToken, decode_request};
use protocol::time::UtcMillis;

use crate::authority::{CertificateAuthority, CertificateError, IssueRequest};
use crate::core::{Core, HttpRequest, HttpResponse, Plane};
use crate::enrollment::{answered, device_id_of, is_certificate_request};

/// A certificate that is to be made for a device whose request was found good.
pub struct Signing {
    authority: Arc<dyn CertificateAuthority>,
    now: UtcMillis,
    serial: u64,
    request: RequestSecurityToken,
}

/// What became of a [`Signing`].
pub struct Signed {
    request: RequestSecurityToken,
    certificate: Result<Vec<u8>, CertificateError>,
}

impl Signing {
    /// Verifies the request's own signature and makes the certificate; hundreds of microseconds.
    #[must_use]
    pub fn sign(self) -> Signed {
        let certificate = self.authority.issue(
            self.now,
            &IssueRequest {
                pkcs10_der: &self.request.pkcs10_der,
                serial: self.serial,
                common_name: device_id_of(&self.request),
                valid_days: crate::enrollment::VALID_DAYS,
            },
        );
        Signed {
            request: self.request,
            certificate,
        }
    }
}

impl std::fmt::Debug for Signing {
    /// Without the request, which carries a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing")
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Signed {
    /// Without the request, which carries a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

impl Core {
    /// The certificate that a request asks for with good reason; `None` when the request is anything
    /// else or is to be refused, which [`Core::handle`] does.
    #[must_use]
    pub fn try_sign(&self, now: UtcMillis, request: &HttpRequest<'_>) -> Option<Signing> {
        let is_asked = request.plane == Plane::Enroll && is_certificate_request(request);
        // A variant may have its hand in any answer.
        if !is_asked || !self.variant.on().is_empty() {
            return None;
        }
        let Ok(Request::RequestSecurityToken(request)) = decode_request(request.body) else {
            return None;
        };
        let now = self.core_time(now);
        self.admissible(now, &request).ok()?;
        Some(Signing {
            authority: Arc::clone(&self.authority),
            now,
            serial: self.last_serial.add_one(),
            request,
        })
    }

    /// Admits the device of a signed request, unless something changed meanwhile that forbids it.
    pub fn enroll_signed(&mut self, now: UtcMillis, signed: Signed) -> HttpResponse {
        let now = self.core_time(now);
        self.expire_actions(now);
        answered(self.enroll(now, &signed.request, Some(signed.certificate)))
    }
}
