//! The bodies of the control plane, which exists for tests alone (contract section 6).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::JoinType;
use crate::enrollment::{Credential, TOKEN_TYPE_USER};
use crate::secret::Secret;
use crate::time::UtcTicks;

/// Makes a device known to the directory (`POST devices`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterDevice {
    /// Its name, which the enrolment request must repeat.
    pub device_name: String,
    /// Its join state.
    pub join_type: JoinType,
    /// Its Entra device id; present for the join states with a directory object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entra_device_id: Option<Uuid>,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// Its version, for example `10.0.26100.2314`.
    pub os_version: String,
}

/// The answer to [`RegisterDevice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// What the device presents when it enrols.
    pub enrollment: EnrollmentCredential,
}

/// The credential of one enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "authPolicy")]
pub enum EnrollmentCredential {
    /// For the join states with a directory object.
    Federated {
        /// Text content of the `BinarySecurityToken`, sent as it is.
        token: Secret,
    },
    /// For the others.
    OnPremise {
        /// User name of the `UsernameToken`.
        username: String,
        /// Password of the `UsernameToken`.
        password: Secret,
    },
}

impl From<EnrollmentCredential> for Credential {
    fn from(credential: EnrollmentCredential) -> Self {
        match credential {
            EnrollmentCredential::Federated { token } => Self::Token {
                value_type: TOKEN_TYPE_USER.to_owned(),
                text: token,
            },
            EnrollmentCredential::OnPremise { username, password } => {
                Self::UsernameToken { username, password }
            }
        }
    }
}

/// The device was joined otherwise (`PATCH devices/{entraDeviceId}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDevice {
    /// The join state from the next session on.
    pub join_type: JoinType,
}

/// The core's clock (`GET clock`, and the answer to [`AdvanceClock`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// The core's time.
    pub now: UtcTicks,
}

/// Moves the core's virtual clock forward (`POST clock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvanceClock {
    /// By how many milliseconds.
    pub advance_ms: u64,
}

/// Says who is signed in on a device (`POST signIns`); exactly one of the ids names the device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// The device by its Entra device id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entra_device_id: Option<Uuid>,
    /// The device by its managed device id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_device_id: Option<Uuid>,
    /// The user, or nobody.
    pub user_principal_name: Option<String>,
}

/// Makes an actor (`POST actors`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewActor {
    /// Its name.
    pub name: String,
    /// Its rights, in the words of contract section 7.
    pub rights: Vec<String>,
}

/// The answer to [`NewActor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorToken {
    /// The bearer token.
    pub token: Secret,
}
