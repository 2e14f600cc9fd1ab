//! The enrolment plane: discovery, key rules, certificate and provisioning document (contract 1).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::control::EnrollmentCredential;
use protocol::enrollment::{
    AppAuth, Application, AuthPolicy, CONTENT_TYPE, Credential, DISCOVERY_PATH, Discover,
    DiscoverResponse, DmClient, Fault, FaultSubcode, GetPolicies, GetPoliciesResponse,
    OID_EC_PUBLIC_KEY, OID_SHA256, ProvisioningDocument, Request, RequestSecurityToken, Store,
    TokenResponse, decode_request,
};
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use sha2::{Digest, Sha256};

use crate::authority::{CertificateError, IssueRequest};
use crate::core::{Core, HttpRequest, HttpResponse};
use crate::state::{ManagedDevice, ManagedId, Registration};
use crate::table::Slot;
use crate::variant::Variant;

/// What a device presents when it enrols.
#[derive(Clone, Debug)]
pub(crate) enum EnrollmentSecret {
    Token(Secret),
    Account { username: String, password: Secret },
}

/// What a request for a certificate comes down to.
pub(crate) struct Enrollee<'a> {
    /// Place of the registration.
    registration: Slot,
    device_id: &'a str,
    os_version: &'a str,
    store: Store,
}

/// Where the three services are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Discovery,
    Policy,
    Enrollment,
}

/// Digest of a credential: it is compared with what a device presents, and the credential itself
/// is not kept.
pub(crate) type Proof = [u8; 32];

/// The proof of what a device presents.
pub(crate) fn proof_of(presented: &Credential) -> Proof {
    match presented {
        Credential::Token { text, .. } => proof(&[text.expose()]),
        Credential::UsernameToken { username, password } => proof(&[username, password.expose()]),
    }
}

/// The parts with their lengths, so that no two lists of parts make one text.
fn proof(parts: &[&str]) -> Proof {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl EnrollmentSecret {
    /// By what it is known again, see [`proof_of`].
    pub(crate) fn proof(&self) -> Proof {
        match self {
            Self::Token(token) => proof(&[token.expose()]),
            Self::Account { username, password } => proof(&[username, password.expose()]),
        }
    }

    /// As the control plane hands it out.
    pub(crate) fn for_device(&self) -> EnrollmentCredential {
        match self {
            Self::Token(token) => EnrollmentCredential::Federated {
                token: token.clone(),
            },
            Self::Account { username, password } => EnrollmentCredential::OnPremise {
                username: username.clone(),
                password: password.clone(),
            },
        }
    }
}

impl Core {
    /// Serves a request of the enrolment plane. Refusals are SOAP faults (contract 0).
    pub(crate) fn handle_enroll(
        &mut self,
        now: UtcMillis,
        request: &HttpRequest<'_>,
    ) -> HttpResponse {
        let service = match request.path {
            DISCOVERY_PATH => Service::Discovery,
            POLICY_PATH => Service::Policy,
            ENROLLMENT_PATH => Service::Enrollment,
            _ => return refused(404, &format!("no service at `{}`", request.path)),
        };
        match (request.method, service) {
            // Only the discovery service is probed (contract 1).
            ("GET", Service::Discovery) => return HttpResponse::empty(200),
            ("POST", Service::Discovery | Service::Policy | Service::Enrollment) => {}
            _ => {
                let allow = if service == Service::Discovery {
                    "GET, POST"
                } else {
                    "POST"
                };
                let refusal = refused(405, &format!("`{}` is not taken here", request.method));
                return HttpResponse {
                    allow: Some(allow),
                    ..refusal
                };
            }
        }
        if !is_soap(request.content_type) {
            return refused(415, "the media type is not application/soap+xml");
        }
        if request.body.len() > BODY_LIMIT {
            return refused(413, "the body is over 1 MiB");
        }
        answered(self.serve_enroll(now, service, request.body))
    }

    fn serve_enroll(
        &mut self,
        now: UtcMillis,
        service: Service,
        body: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let request = decode_request(body)
            .map_err(|malformed| fault(None, FaultSubcode::MessageFormat, malformed.to_string()))?;
        match (service, request) {
            (Service::Discovery, Request::Discover(request)) => Ok(self.discover(&request)),
            (Service::Policy, Request::GetPolicies(request)) => self.key_rules(now, &request),
            (Service::Enrollment, Request::RequestSecurityToken(request)) => {
                self.enroll(now, &request, None)
            }
            (Service::Discovery | Service::Policy | Service::Enrollment, request) => {
                let id = message_id(&request);
                let reason = "the message belongs to another service";
                Err(fault(Some(id), FaultSubcode::MessageFormat, reason))
            }
        }
    }

    fn discover(&self, request: &Discover) -> Vec<u8> {
        let federated = request.auth_policies.contains(&AuthPolicy::Federated);
        let base = &self.config.urls.enroll;
        DiscoverResponse {
            relates_to: request.message_id.clone(),
            auth_policy: if federated {
                AuthPolicy::Federated
            } else {
                AuthPolicy::OnPremise
            },
            enrollment_version: "4.0".to_owned(),
            policy_url: Some(format!("{base}{POLICY_PATH}")),
            enrollment_url: format!("{base}{ENROLLMENT_PATH}"),
            authentication_url: None,
        }
        .encode()
    }

    fn key_rules(&self, now: UtcMillis, request: &GetPolicies) -> Result<Vec<u8>, Fault> {
        self.authenticate(now, &request.message_id, request.credential.as_ref())?;
        let response = GetPoliciesResponse {
            relates_to: request.message_id.clone(),
            minimal_key_length: 256,
            algorithm_oid: OID_EC_PUBLIC_KEY.to_owned(),
            hash_oid: OID_SHA256.to_owned(),
            validity_s: VALID_DAYS * 86_400,
            renewal_s: RENEW_DAYS * 86_400,
        };
        Ok(response.encode())
    }

    /// The place of the registration whose credential is presented.
    fn authenticate(
        &self,
        now: UtcMillis,
        message_id: &str,
        presented: Option<&Credential>,
    ) -> Result<Slot, Fault> {
        let refuse = |reason| fault(Some(message_id), FaultSubcode::Authentication, reason);
        let presented = presented.ok_or_else(|| refuse("no credential"))?;
        let place = self
            .registrations
            .find(presented)
            .ok_or_else(|| refuse("unknown credential"))?;
        let registration = self.registrations.get(place);
        let age_ms = registration.map_or(i64::MAX, |found| now.millis_since(found.created_at));
        // Contract 1: a credential lives for 24 h.
        if age_ms > UtcMillis::DAY_MS {
            return Err(refuse("the credential is older than 24 h"));
        }
        Ok(place)
    }

    /// Whether the device that asks for a certificate may have it.
    pub(crate) fn admissible<'a>(
        &self,
        now: UtcMillis,
        request: &'a RequestSecurityToken,
    ) -> Result<Enrollee<'a>, Fault> {
        let id = request.message_id.as_str();
        let place = self.authenticate(now, id, request.credential.as_ref())?;
        self.enrollee(place, request)
    }

    /// Admits a device; `certificate` is what the authority said, if it was asked before.
    pub(crate) fn enroll(
        &mut self,
        now: UtcMillis,
        request: &RequestSecurityToken,
        certificate: Option<Result<Vec<u8>, CertificateError>>,
    ) -> Result<Vec<u8>, Fault> {
        let id = request.message_id.as_str();
        let enrollee = self.admissible(now, request)?;
        let certificate = certificate.unwrap_or_else(|| {
            self.authority.issue(
                now,
                &IssueRequest {
                    pkcs10_der: &request.pkcs10_der,
                    serial: self.last_serial.add_one(),
                    common_name: enrollee.device_id,
                    valid_days: VALID_DAYS,
                },
            )
        });
        let refuse = |error: CertificateError| {
            let subcode = FaultSubcode::CertificateRequest;
            fault(Some(id), subcode, error.to_string())
        };
        let certificate = certificate.map_err(refuse)?;
        let managed = self.admit_device(now, &enrollee, &certificate);
        let document = self.document(managed, &enrollee, certificate);
        let response = TokenResponse {
            relates_to: request.message_id.clone(),
            created: now.plus_millis(-TOKEN_SPAN_MS).ticks(),
            expires: now.plus_millis(TOKEN_SPAN_MS).ticks(),
            document,
        };
        Ok(response.encode())
    }

    /// Holds the request against its registration (contract 1).
    fn enrollee<'a>(
        &self,
        place: Slot,
        request: &'a RequestSecurityToken,
    ) -> Result<Enrollee<'a>, Fault> {
        let id = request.message_id.as_str();
        let refuse = |reason: String| fault(Some(id), FaultSubcode::Authorization, reason);
        if let Some(missing) = CONTEXT_ITEMS
            .iter()
            .find(|name| request.context_item(name).is_none())
        {
            let reason = format!("the context item `{missing}` is missing");
            return Err(fault(Some(id), FaultSubcode::MessageFormat, reason));
        }
        let item = |name| request.context_item(name).unwrap_or_default();
        let (device_id, name) = (device_id_of(request), item("DeviceName"));
        let Some(registration) = self.registrations.get(place) else {
            return Err(refuse("the registration is gone".to_owned()));
        };
        if device_id.is_empty() {
            let reason = "the context item `DeviceID` is empty";
            return Err(fault(Some(id), FaultSubcode::MessageFormat, reason));
        }
        let compared = !self.variant.has(Variant::EnrollAnyName);
        if compared && *name != *registration.device_name {
            return Err(refuse(format!("the device is not registered as `{name}`")));
        }
        if registration
            .bound_to
            .as_ref()
            .is_some_and(|bound| **bound != *device_id)
        {
            return Err(refuse(
                "the credential belongs to another DeviceID".to_owned(),
            ));
        }
        if registration.bound_to.is_some() && self.variant.has(Variant::EnrollOnce) {
            return Err(refuse("the credential was used".to_owned()));
        }
        if self.enrolled_elsewhere(registration, device_id) {
            return Err(refuse(format!(
                "the DeviceID `{device_id}` belongs to another device"
            )));
        }
        let store = match item("EnrollmentType") {
            "Device" => Store::System,
            _ => Store::User,
        };
        Ok(Enrollee {
            registration: place,
            device_id,
            os_version: item("OSVersion"),
            store,
        })
    }

    /// The DeviceID is enrolled for another directory device, or, without one, another name.
    fn enrolled_elsewhere(&self, registration: &Registration, device_id: &str) -> bool {
        let enrolled = self.devices.of_device_id(device_id);
        enrolled
            .and_then(|id| self.devices.by_id.get(&id))
            .is_some_and(|other| {
                other.entra_id != registration.entra_id
                    || (other.entra_id.is_none() && other.device_name != registration.device_name)
            })
    }

    /// Makes the managed device; every earlier enrolment of the device is over.
    fn admit_device(
        &mut self,
        now: UtcMillis,
        enrollee: &Enrollee<'_>,
        certificate: &[u8],
    ) -> ManagedId {
        let id = self.new_id();
        let Some(registration) = self.registrations.get_mut(enrollee.registration) else {
            return id;
        };
        registration.bound_to = Some(enrollee.device_id.into());
        let mut device = new_device(now, id, registration, (enrollee, certificate));
        device.os_version = self.common.texts.share(enrollee.os_version);
        let by_entra_id = device.entra_id.and_then(|id| self.devices.of_entra_id(id));
        let by_device_id = self.devices.of_device_id(enrollee.device_id);
        for former in [by_entra_id, by_device_id].into_iter().flatten() {
            self.end_enrollment(former);
        }
        self.tenant.set_join_type(device.entra_id, device.join_type);
        self.devices.insert(device);
        self.refresh_all_reach(id);
        id
    }

    fn document(
        &mut self,
        managed: ManagedId,
        enrollee: &Enrollee<'_>,
        client_der: Vec<u8>,
    ) -> ProvisioningDocument {
        let mut auth = |name: &str| AppAuth {
            name: name.to_owned(),
            secret: self.new_secret_text(),
            nonce_base64: self.new_secret_text().expose().to_owned(),
        };
        let (client_auth, server_auth) = (auth(enrollee.device_id), auth(PROVIDER_ID));
        let registration = self.registrations.get(enrollee.registration);
        let store = enrollee.store;
        ProvisioningDocument {
            root_der: self.authority.root_der().to_vec(),
            client_der,
            store,
            renew_period_days: RENEW_DAYS,
            retry_interval_days: RETRY_DAYS,
            application: Application {
                provider_id: PROVIDER_ID.to_owned(),
                name: PROVIDER_ID.to_owned(),
                addr: format!("{}{}", self.config.urls.manage, crate::session::PATH),
                client_auth,
                server_auth,
                ssl_search: ssl_search(enrollee.device_id, store),
            },
            dm_client: DmClient {
                ent_dm_id: managed.to_string(),
                upn: registration
                    .and_then(|found| found.user_principal_name.as_deref())
                    .map(str::to_owned),
                poll: self.config.poll,
            },
        }
    }
}

fn new_device(
    now: UtcMillis,
    id: ManagedId,
    registration: &Registration,
    (enrollee, certificate): (&Enrollee<'_>, &[u8]),
) -> ManagedDevice {
    ManagedDevice {
        id,
        device_id: match &registration.bound_to {
            Some(bound) => Arc::clone(bound),
            None => enrollee.device_id.into(),
        },
        device_name: registration.device_name.clone(),
        join_type: registration.join_type,
        next_join_type: None,
        entra_id: registration.entra_id,
        user_principal_name: registration.user_principal_name.clone(),
        os_version: Arc::clone(&registration.os_version),
        build: build_of(enrollee.os_version),
        certificate_digest: crate::session::certificate_digest(&STANDARD.encode(certificate)),
        certificate_expires_at: now.plus_millis(i64::from(VALID_DAYS) * UtcMillis::DAY_MS),
        enrolled_at: now,
        last_sync_at: Default::default(),
        signed_in: None,
        last_user: None,
        acknowledged: Default::default(),
        rows: Default::default(),
        withheld: Default::default(),
        settled_for: None,
        actions: Vec::new(),
        push: Default::default(),
        ad_backup_seen: false,
        session: None,
        last_answer: Default::default(),
        defects: Default::default(),
    }
}

/// The third number of `10.0.26100.2314`; 0 where there is none.
fn build_of(os_version: &str) -> u32 {
    os_version
        .split('.')
        .nth(2)
        .and_then(|build| build.parse().ok())
        .unwrap_or(0)
}

/// `SSLCLIENTCERTSEARCHCRITERIA` with everything but letters and digits escaped (wire-facts 1.7).
fn ssl_search(device_id: &str, store: Store) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let subject = format!("CN={device_id}");
    let stores = format!("My\\{}", store.as_str());
    format!(
        "Subject={}&Stores={}",
        utf8_percent_encode(&subject, NON_ALPHANUMERIC),
        utf8_percent_encode(&stores, NON_ALPHANUMERIC)
    )
}

/// A request for a certificate by its outside.
pub(crate) fn is_certificate_request(request: &HttpRequest<'_>) -> bool {
    request.path == ENROLLMENT_PATH
        && request.method == "POST"
        && request.body.len() <= BODY_LIMIT
        && is_soap(request.content_type)
}

/// The DeviceID, which becomes the CN of the certificate; empty where it is missing.
pub(crate) fn device_id_of(request: &RequestSecurityToken) -> &str {
    request.context_item("DeviceID").unwrap_or_default()
}

pub(crate) fn answered(result: Result<Vec<u8>, Fault>) -> HttpResponse {
    match result {
        Ok(body) => HttpResponse::with_body(200, CONTENT_TYPE, body),
        // Contract 1: faults go out with 500.
        Err(fault) => HttpResponse::with_body(500, CONTENT_TYPE, fault.encode()),
    }
}

fn is_soap(content_type: Option<&str>) -> bool {
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    media_type
        .trim()
        .eq_ignore_ascii_case("application/soap+xml")
}

fn message_id(request: &Request) -> &str {
    match request {
        Request::Discover(request) => &request.message_id,
        Request::GetPolicies(request) => &request.message_id,
        Request::RequestSecurityToken(request) => &request.message_id,
    }
}

fn fault(message_id: Option<&str>, subcode: FaultSubcode, reason: impl Into<String>) -> Fault {
    Fault {
        relates_to: message_id.map(str::to_owned),
        subcode,
        reason: reason.into(),
        error_type: None,
        trace_id: None,
    }
}

/// A refusal before the message was read.
fn refused(status: u16, reason: &str) -> HttpResponse {
    let body = fault(None, FaultSubcode::MessageFormat, reason).encode();
    HttpResponse::with_body(status, CONTENT_TYPE, body)
}

/// `PROVIDER-ID` (contract 1).
pub(crate) const PROVIDER_ID: &str = "muster";
const POLICY_PATH: &str = "/EnrollmentServer/Policy.svc";
const ENROLLMENT_PATH: &str = "/EnrollmentServer/Enrollment.svc";
/// Contract 0.
const BODY_LIMIT: usize = 1024 * 1024;
/// Life of a certificate (contract 1).
pub(crate) const VALID_DAYS: u32 = 365;
/// Defaults of the renewal settings (wire-facts 1.7).
const RENEW_DAYS: u32 = 42;
const RETRY_DAYS: u32 = 7;
/// How long before and after now a token answer holds (wire-facts 1.2).
const TOKEN_SPAN_MS: i64 = 5 * 60 * 1000;
/// Contract 1: a request for a certificate names all of these.
const CONTEXT_ITEMS: [&str; 8] = [
    "DeviceID",
    "HWDevID",
    "DeviceName",
    "DeviceType",
    "OSEdition",
    "OSVersion",
    "ApplicationVersion",
    "EnrollmentType",
];
