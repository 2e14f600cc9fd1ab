//! What a driver can look at.

use std::ops::Range;

use protocol::JoinType;
use protocol::laps_csp::{RESET_PASSWORD_STATUS, Value};
use protocol::secret::Secret;
use uuid::Uuid;

use crate::connectivity::Connectivity;
use crate::csp::path::{Node, resolve};
use crate::csp::tree::{Done, Surroundings};
use crate::device::Device;
use crate::enrollment::Enrollment;
use crate::identity::{DeviceId, OsBuild};
use crate::laps::account::{AccountSummary, AccountView};
use crate::laps::directory::ActiveDirectoryRecord;
use crate::laps::password;
use crate::laps::policy::{EffectivePolicy, Platform};

impl Device {
    /// The computer name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// The join state.
    #[must_use]
    pub const fn join_type(&self) -> JoinType {
        self.identity.join_type
    }

    /// The version of the operating system.
    #[must_use]
    pub const fn os(&self) -> OsBuild {
        self.identity.os
    }

    /// The id in management.
    #[must_use]
    pub const fn device_id(&self) -> DeviceId {
        self.identity.device_id
    }

    /// The id in Microsoft Entra ID.
    #[must_use]
    pub const fn entra_device_id(&self) -> Option<Uuid> {
        self.identity.entra_device_id
    }

    /// The enrolling user.
    #[must_use]
    pub fn user_principal_name(&self) -> Option<&str> {
        self.identity.user.as_deref()
    }

    /// True between a successful enrolment and its end.
    #[must_use]
    pub const fn is_enrolled(&self) -> bool {
        self.enrollment.is_some()
    }

    /// The client certificate of the enrolment, base64 of the DER form.
    #[must_use]
    pub fn client_certificate_base64(&self) -> Option<&str> {
        Some(&self.enrollment.as_deref()?.client_certificate)
    }

    /// The secret of the digest account, by which the directory plane knows the device when
    /// there is no certificate (contract section 2).
    #[must_use]
    pub fn digest_secret(&self) -> Option<&str> {
        Some(self.enrollment.as_deref()?.digest.as_ref()?.secret.expose())
    }

    /// The id of the managed device, as the server gave it.
    #[must_use]
    pub fn managed_device_id(&self) -> Option<&str> {
        Some(&self.enrollment.as_deref()?.ent_dm_id)
    }

    /// Whether the device reaches the network.
    #[must_use]
    pub const fn connectivity(&self) -> Connectivity {
        self.connectivity
    }

    /// True while a session is open.
    #[must_use]
    pub const fn session_open(&self) -> bool {
        self.session.is_some()
    }

    /// The managed account with its present password; `None` before the first rotation under a
    /// policy and while nothing is managed.
    #[must_use]
    pub fn managed_account(&self) -> Option<AccountView<'_>> {
        self.laps.managed_account(&self.identity)
    }

    /// Every local account, without passwords.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountSummary> {
        self.laps.accounts(&self.identity)
    }

    /// The computer object in the emulated Active Directory, once something was stored there.
    #[must_use]
    pub fn active_directory(&self) -> Option<&ActiveDirectoryRecord> {
        self.laps.active_directory()
    }

    /// The settings in force.
    #[must_use]
    pub fn effective_policy(&self) -> EffectivePolicy {
        let local = self.identity.local_policy.as_deref();
        let platform = Platform {
            build: self.identity.os.build,
            fault: self.identity.fault,
        };
        EffectivePolicy::resolve(&self.tree.policies, local, platform)
    }

    /// The passwords that the device makes under the present policy, by number: the one of
    /// `AccountView::generation` is the one in use.
    pub fn passwords(&self, generations: Range<u32>) -> impl Iterator<Item = Secret> {
        let policy = self.effective_policy();
        generations.map(move |generation| password::for_policy(&self.identity, generation, &policy))
    }

    /// The value of a node of the settings tree; `None` where a Get gives none.
    #[must_use]
    pub fn csp_value(&self, loc_uri: &str) -> Option<Value> {
        if loc_uri == RESET_PASSWORD_STATUS {
            return Some(Value::Int(self.laps.reset_status()));
        }
        let enrollment = self.enrollment.as_deref();
        let text = |field: fn(&Enrollment) -> &str| enrollment.map_or("", field);
        let around = Surroundings {
            identity: &self.identity,
            provider_id: text(|it| &it.provider_id),
            ent_dm_id: text(|it| &it.ent_dm_id),
            channel_uri: text(|it| &it.channel_uri),
        };
        let (build, fault) = (self.identity.os.build, self.identity.fault);
        let node = resolve(loc_uri, around.provider_id, build, fault).ok()?;
        if let Node::LapsLeaf(leaf) = node {
            return self.tree.policies.get(leaf).cloned();
        }
        match self.tree.read(node, &around).ok()? {
            Done::Read(value) => Some(Value::Text(value.text.into())),
            Done::Plain | Done::PolicyChanged | Done::ReadResetStatus | Done::Execute(_) => None,
        }
    }
}
