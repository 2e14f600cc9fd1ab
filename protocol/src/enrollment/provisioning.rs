//! The provisioning document that ends an enrolment (wire-facts 1.7, 1.8).

use crate::secret::Secret;

/// What the device installs: certificates, management account, DMClient settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningDocument {
    /// Certificate of the server's authority, DER.
    pub root_der: Vec<u8>,
    /// Certificate of the device, DER.
    pub client_der: Vec<u8>,
    /// Where the device's certificate goes.
    pub store: Store,
    /// Days before the end of the certificate from which on it is renewed.
    pub renew_period_days: u32,
    /// Days between attempts to renew.
    pub retry_interval_days: u32,
    /// The management account.
    pub application: Application,
    /// The DMClient settings.
    pub dm_client: DmClient,
}

/// Where the device's certificate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// For an enrolment of type `Full`.
    User,
    /// For an enrolment of type `Device`.
    System,
}

impl Store {
    /// The name in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::System => "System",
        }
    }
}

/// The management account (`APPLICATION`, w7 CSP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// `PROVIDER-ID`, equal to the provider of [`DmClient`].
    pub provider_id: String,
    /// `NAME`, for people.
    pub name: String,
    /// `ADDR`, the management URL.
    pub addr: String,
    /// `APPAUTH` with level `APPSRV`: the device proves itself to the server.
    pub client_auth: AppAuth,
    /// `APPAUTH` with level `CLIENT`: the server proves itself to the device.
    pub server_auth: AppAuth,
    /// `SSLCLIENTCERTSEARCHCRITERIA`.
    pub ssl_search: String,
}

/// One side's digest credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAuth {
    /// `AAUTHNAME`; empty for the server's side where the document has none.
    pub name: String,
    /// `AAUTHSECRET`.
    pub secret: Secret,
    /// `AAUTHDATA`: the first nonce, base64.
    pub nonce_base64: String,
}

/// The DMClient settings of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmClient {
    /// `EntDMID`: id of the managed device.
    pub ent_dm_id: String,
    /// `UPN`: the user.
    pub upn: Option<String>,
    /// `Poll`.
    pub poll: PollSchedule,
}

/// When the device checks in by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSchedule {
    /// `NumberOfFirstRetries`, `IntervalForFirstSetOfRetries`.
    pub first: Retries,
    /// `NumberOfSecondRetries`, `IntervalForSecondSetOfRetries`.
    pub second: Retries,
    /// `NumberOfRemainingScheduledRetries`, `IntervalForRemainingScheduledRetries`.
    pub remaining: Retries,
}

impl PollSchedule {
    /// What holds where the document names nothing (wire-facts 1.8).
    pub const DEFAULT: Self = Self {
        first: Retries {
            count: 10,
            interval_min: 15,
        },
        second: Retries {
            count: 0,
            interval_min: 0,
        },
        remaining: Retries {
            count: 0,
            interval_min: 0,
        },
    };
}

/// A number of check-ins with an interval; 0 check-ins with an interval means without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many.
    pub count: u32,
    /// Minutes between them; 0 switches the set off.
    pub interval_min: u32,
}
