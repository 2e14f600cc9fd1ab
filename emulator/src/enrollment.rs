//! Enrolment from the device's side (MS-MDE2): discovery, certificate policy, security token, and
//! what the provisioning document leaves behind.

use protocol::enrollment::{
    AuthPolicy, CONTENT_TYPE, Credential, Discover, DiscoverResponse, Fault, FaultSubcode,
    GetPolicies, GetPoliciesResponse, OID_RSA, PollSchedule, ProvisioningDocument, Reply,
    RequestSecurityToken, Retries, TokenResponse,
};
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use protocol::{JoinType, Malformed};
use rand::Rng;

use crate::identity::{DeviceId, Identity};
use crate::random::{Purpose, stream};
use crate::rest::Remembered;
use crate::transmit::{ENROLLMENT_AGENT, Endpoint, Method, Response, Transmit};

/// What a device needs to enrol.
#[derive(Clone, Debug)]
pub struct EnrollmentGrant {
    /// The absolute URL of the discovery service.
    pub discovery_url: String,
    /// The base URL of the directory plane.
    pub directory_url: String,
    /// The push channel that the device reports.
    pub channel_uri: String,
    /// The credential.
    pub credential: Credential,
}

/// What a key and a certificate request are to be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The common name of the subject; servers decide by other fields.
    pub subject_cn: String,
    /// The id of the device.
    pub device_id: String,
    /// The smallest key that the server takes, in bits.
    pub minimal_key_length: u32,
    /// The algorithm that the server asks for.
    pub algorithm_oid: String,
}

/// What an enrolment left on the device.
#[derive(Clone, Debug)]
pub(crate) struct Enrollment {
    pub(crate) management_url: Box<str>,
    pub(crate) provider_id: Box<str>,
    pub(crate) ent_dm_id: Box<str>,
    /// Base64 of the DER certificate.
    pub(crate) client_certificate: Box<str>,
    pub(crate) directory_url: Box<str>,
    pub(crate) channel_uri: Box<str>,
    pub(crate) digest: Option<DigestAccount>,
    pub(crate) poll: PollSchedule,
    pub(crate) enrolled_at: UtcMillis,
    pub(crate) remembered: Remembered,
}

/// The account by which the device authenticates its messages when asked.
#[derive(Clone, Debug)]
pub(crate) struct DigestAccount {
    pub(crate) name: String,
    pub(crate) secret: Secret,
}

impl Enrollment {
    fn new(document: ProvisioningDocument, grant: EnrollmentGrant, now: UtcMillis) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let application = document.application;
        let auth = application.client_auth;
        Self {
            management_url: application.addr.into_boxed_str(),
            provider_id: application.provider_id.into_boxed_str(),
            ent_dm_id: document.dm_client.ent_dm_id.into_boxed_str(),
            client_certificate: STANDARD.encode(&document.client_der).into_boxed_str(),
            directory_url: grant.directory_url.trim_end_matches('/').into(),
            channel_uri: grant.channel_uri.into_boxed_str(),
            digest: (!auth.secret.expose().is_empty()).then_some(DigestAccount {
                name: auth.name,
                secret: auth.secret,
            }),
            poll: document.dm_client.poll,
            enrolled_at: now,
            remembered: Remembered::default(),
        }
    }

    /// The first poll after `now`: the sets of the poll table one after the other, counted from
    /// the enrolment; after them, or without a set that goes on for ever, every 24 hours.
    pub(crate) fn next_poll(&self, now: UtcMillis) -> UtcMillis {
        let mut base = self.enrolled_at;
        for Retries {
            count,
            interval_min,
        } in [self.poll.first, self.poll.second, self.poll.remaining]
        {
            let interval_ms = i64::from(interval_min) * MINUTE_MS;
            if interval_ms == 0 {
                continue;
            }
            let end = base.plus_millis(interval_ms.saturating_mul(i64::from(count)));
            // A count of 0 goes on for ever.
            if count == 0 || now < end {
                return next_multiple(base, interval_ms, now);
            }
            base = end;
        }
        next_multiple(base, UtcMillis::DAY_MS, now)
    }
}

const MINUTE_MS: i64 = 60_000;

/// The first `base + k * interval` after `now`, with k at least 1.
fn next_multiple(base: UtcMillis, interval_ms: i64, now: UtcMillis) -> UtcMillis {
    let passed = now.millis_since(base).max(0).div_euclid(interval_ms);
    base.plus_millis(interval_ms.saturating_mul(passed.saturating_add(1)))
}

/// An enrolment under way.
#[derive(Clone, Debug)]
pub(crate) struct Enrolling {
    grant: EnrollmentGrant,
    step: Step,
    /// False while the request of the step is out, or a server asked to wait.
    pub(crate) ready: bool,
    messages: u16,
    waits: u8,
}

/// Where an enrolment stands.
#[derive(Clone, Debug)]
enum Step {
    Discover,
    Policies(Services),
    /// Waits for the certificate request.
    Key(Services, KeyAsked),
    Token(Services, Vec<u8>),
}

/// What discovery told.
#[derive(Clone, Debug)]
struct Services {
    auth_policy: AuthPolicy,
    policy_url: Option<String>,
    enrollment_url: String,
}

/// What the certificate policy asks for.
#[derive(Clone, Debug)]
struct KeyAsked {
    minimal_key_length: u32,
    algorithm_oid: String,
}

/// What an answer means for an enrolment.
#[derive(Debug)]
pub(crate) enum EnrollmentStep {
    /// The next request, or the key, is due.
    GoOn,
    /// The server wants the same request again after this many seconds.
    Wait(u32),
    /// Done.
    Enrolled(Box<Enrollment>),
    /// Over without success.
    Failed {
        subcode: Option<FaultSubcode>,
        detail: String,
    },
}

/// How often an enrolment waits for a busy server before it gives up.
const WAITS_MAX: u8 = 5;
/// What a device waits when a busy server names no time.
const WAIT_DEFAULT_S: u32 = 30;

impl Enrolling {
    pub(crate) const fn new(grant: EnrollmentGrant, messages: u16) -> Self {
        Self {
            grant,
            step: Step::Discover,
            ready: true,
            messages,
            waits: 0,
        }
    }

    /// Messages sent so far; the next enrolment goes on from there.
    pub(crate) const fn messages(&self) -> u16 {
        self.messages
    }

    pub(crate) fn key_request(&self, device_id: DeviceId) -> Option<KeyRequest> {
        let Step::Key(_, asked) = &self.step else {
            return None;
        };
        Some(KeyRequest {
            subject_cn: device_id.to_string(),
            device_id: device_id.to_string(),
            minimal_key_length: asked.minimal_key_length,
            algorithm_oid: asked.algorithm_oid.clone(),
        })
    }

    /// Takes the certificate request that [`Self::key_request`] asked for.
    pub(crate) fn provide_request(&mut self, pkcs10_der: Vec<u8>) {
        if let Step::Key(services, _) = &self.step {
            self.step = Step::Token(services.clone(), pkcs10_der);
            self.ready = true;
        }
    }

    /// The request of the present step.
    pub(crate) fn take_request(&mut self, identity: &Identity) -> Option<Transmit> {
        if !self.ready {
            return None;
        }
        let message_id = message_id(identity, u64::from(self.messages));
        let (endpoint, url, body) = match &self.step {
            Step::Discover => {
                let url = self.grant.discovery_url.clone();
                let discover = discover(identity, &self.grant.credential, message_id, &url);
                (Endpoint::Discovery, url, discover.encode())
            }
            Step::Policies(services) => {
                let url = services.policy_url.clone()?;
                let request = GetPolicies {
                    message_id,
                    to: url.clone(),
                    credential: Some(self.grant.credential.clone()),
                };
                (Endpoint::Policy, url, request.encode())
            }
            Step::Key(..) => return None,
            Step::Token(services, pkcs10_der) => {
                let url = services.enrollment_url.clone();
                let request = RequestSecurityToken {
                    message_id,
                    to: url.clone(),
                    credential: Some(self.grant.credential.clone()),
                    pkcs10_der: pkcs10_der.clone(),
                    context: context(identity, services.auth_policy),
                };
                (Endpoint::Enrollment, url, request.encode())
            }
        };
        self.messages = self.messages.saturating_add(1);
        self.ready = false;
        Some(Transmit {
            endpoint,
            method: Method::Post,
            url,
            content_type: CONTENT_TYPE,
            body,
            idempotency_key: None,
            user_agent: ENROLLMENT_AGENT,
        })
    }

    /// Takes the answer to the request of the present step.
    pub(crate) fn answer(&mut self, now: UtcMillis, response: Response<'_>) -> EnrollmentStep {
        // Faults come with 200 and with 500 (MS-MDE2 leaves it open); both are read.
        match response.status {
            200 | 500 => {}
            429 | 503 if self.waits < WAITS_MAX => {
                self.waits += 1;
                return EnrollmentStep::Wait(response.retry_after_s.unwrap_or(WAIT_DEFAULT_S));
            }
            status => return failed(format!("HTTP status {status}")),
        }
        match &self.step {
            Step::Discover => self.discovered(DiscoverResponse::decode(response.body)),
            Step::Policies(services) => {
                let services = services.clone();
                self.policies(services, GetPoliciesResponse::decode(response.body))
            }
            Step::Key(..) => failed("an answer that no request asked for".to_owned()),
            Step::Token(..) => match TokenResponse::decode(response.body) {
                Ok(Reply::Answer(answer)) => {
                    let enrollment = Enrollment::new(answer.document, self.grant.clone(), now);
                    EnrollmentStep::Enrolled(Box::new(enrollment))
                }
                Ok(Reply::Fault(fault)) => refused(fault),
                Err(malformed) => unreadable(&malformed),
            },
        }
    }

    fn discovered(&mut self, reply: Result<Reply<DiscoverResponse>, Malformed>) -> EnrollmentStep {
        match reply {
            Ok(Reply::Answer(answer)) => {
                let services = Services {
                    auth_policy: answer.auth_policy,
                    policy_url: answer.policy_url,
                    enrollment_url: answer.enrollment_url,
                };
                if services.policy_url.is_some() {
                    self.step = Step::Policies(services);
                    self.ready = true;
                } else {
                    // The policy service is optional; without it 2048 bits of RSA hold.
                    self.step = Step::Key(services, default_key());
                }
                EnrollmentStep::GoOn
            }
            Ok(Reply::Fault(fault)) => refused(fault),
            Err(malformed) => unreadable(&malformed),
        }
    }

    fn policies(
        &mut self,
        services: Services,
        reply: Result<Reply<GetPoliciesResponse>, Malformed>,
    ) -> EnrollmentStep {
        match reply {
            Ok(Reply::Answer(answer)) => {
                let asked = KeyAsked {
                    minimal_key_length: answer.minimal_key_length,
                    algorithm_oid: answer.algorithm_oid,
                };
                self.step = Step::Key(services, asked);
                EnrollmentStep::GoOn
            }
            Ok(Reply::Fault(fault)) => refused(fault),
            Err(malformed) => unreadable(&malformed),
        }
    }
}

fn default_key() -> KeyAsked {
    KeyAsked {
        minimal_key_length: 2048,
        algorithm_oid: OID_RSA.to_owned(),
    }
}

fn refused(fault: Fault) -> EnrollmentStep {
    EnrollmentStep::Failed {
        subcode: Some(fault.subcode),
        detail: fault.reason,
    }
}

fn unreadable(malformed: &Malformed) -> EnrollmentStep {
    failed(malformed.to_string())
}

const fn failed(detail: String) -> EnrollmentStep {
    EnrollmentStep::Failed {
        subcode: None,
        detail,
    }
}

fn message_id(identity: &Identity, number: u64) -> String {
    let mut rng = stream(identity.seed, identity.index, Purpose::MessageId, number);
    let id = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
    format!("urn:uuid:{id}")
}

fn discover(
    identity: &Identity,
    credential: &Credential,
    message_id: String,
    url: &str,
) -> Discover {
    Discover {
        message_id,
        to: url.to_owned(),
        email_address: identity.user.as_deref().unwrap_or_default().to_owned(),
        request_version: "4.0".to_owned(),
        device_type: DEVICE_TYPE.to_owned(),
        application_version: identity.os.to_string(),
        os_edition: OS_EDITION_ENTERPRISE,
        auth_policies: vec![match credential {
            Credential::Token { .. } => AuthPolicy::Federated,
            Credential::UsernameToken { .. } => AuthPolicy::OnPremise,
        }],
    }
}

/// The context items (MS-MDE2 3.4.4.1.1.1); the first eight are those a server needs.
fn context(identity: &Identity, auth_policy: AuthPolicy) -> Vec<(String, String)> {
    let enrollment_type = match auth_policy {
        AuthPolicy::Federated => "Full",
        AuthPolicy::OnPremise | AuthPolicy::Certificate => "Device",
    };
    let mut items = vec![
        ("OSEdition", OS_EDITION_ENTERPRISE.to_string()),
        ("OSVersion", identity.os.to_string()),
        ("DeviceName", identity.name.as_ref().to_owned()),
        ("EnrollmentType", enrollment_type.to_owned()),
        ("DeviceType", DEVICE_TYPE.to_owned()),
        ("ApplicationVersion", identity.os.to_string()),
        ("DeviceID", identity.device_id.to_string()),
        ("HWDevID", identity.hardware_id.to_string()),
        ("Locale", "en-US".to_owned()),
        ("MAC", mac_address(identity)),
    ];
    match identity.join_type {
        JoinType::EntraHybridJoined | JoinType::DomainJoined => {
            items.push(("DomainName", DOMAIN_NAME.to_owned()));
        }
        JoinType::EntraJoined | JoinType::EntraRegistered | JoinType::NotJoined => {}
    }
    items
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A locally administered address from the hardware id.
fn mac_address(identity: &Identity) -> String {
    let digits: String = identity.hardware_id.to_string().chars().take(10).collect();
    format!("02{digits}")
}

const DEVICE_TYPE: &str = "CIMClient_Windows";
/// Windows product type 4, Enterprise.
const OS_EDITION_ENTERPRISE: u32 = 4;
/// The domain of every device that is joined to one.
const DOMAIN_NAME: &str = "corp.muster.test";
