//! Devices of cohorts, driven one step at a time by scenarios.
//!
//! A lab device speaks to the target over real HTTP; its own clock is the run's clock plus an
//! offset that the scenario sets. Everything it sends and gets is recorded.

mod control;
mod device;
mod people;
mod seen;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use emulator::{Device, DeviceSpec, OsBuild};
use protocol::JoinType;
use protocol::control::RegisterDevice;

pub use control::PAST_T_MAX_MS;
pub use device::{ForcedUpload, LabDevice};
pub use seen::{CommandSeen, DeviceSeen, HeldPassword, SessionSeen, UploadSeen};
pub use trouble::Trouble;

use crate::clock::Clock;
use crate::error::Error;
use crate::http::Pools;
use crate::push::{Presence, PushEndpoint};
use crate::target::Target;
use crate::transcript::{IdKind, Transcript};

/// The first index of a lab device: load devices are numbered from 0, far below.
pub const LAB_FIRST_INDEX: u64 = 1 << 40;
/// Most connections of all lab devices together, for each authority.
const CONNECTIONS_MAX: usize = 64;

/// What a laboratory is made of.
#[derive(Debug)]
pub struct LabParts {
    /// The implementation under test.
    pub target: Target,
    /// The run's clock.
    pub clock: Clock,
    /// Where the target wakes devices.
    pub push: PushEndpoint,
    /// Where exchanges are kept.
    pub transcript: Transcript,
    /// The seed of the run.
    pub seed: u64,
    /// Tells devices of several runs against one target apart; 0 for a target of our own.
    pub salt: u64,
}

/// The laboratory: makes devices; clones share the numbering.
#[derive(Clone, Debug)]
pub struct Lab {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    parts: LabParts,
    pools: Pools,
    made: AtomicU64,
}

impl Lab {
    /// A laboratory without devices.
    #[must_use]
    pub fn new(parts: LabParts) -> Self {
        let pools = Pools::new(parts.clock.clone(), CONNECTIONS_MAX);
        Self {
            shared: Arc::new(Shared {
                parts,
                pools,
                made: AtomicU64::new(0),
            }),
        }
    }

    /// The run's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.parts.clock
    }

    /// Where exchanges are kept.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.shared.parts.transcript
    }

    /// The implementation under test.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.shared.parts.target
    }

    /// How many devices were made so far.
    #[must_use]
    pub fn devices(&self) -> u64 {
        self.shared.made.load(Ordering::SeqCst)
    }

    /// A device that is known to the target's directory and not enrolled.
    ///
    /// # Errors
    /// The target refused the registration or did not answer.
    pub async fn registered_device(
        &self,
        scope: &'static str,
        join: JoinType,
        os: OsBuild,
    ) -> Result<LabDevice, Error> {
        self.registered_device_with(scope, join, os, |_as_derived| {})
            .await
    }

    /// As [`Lab::registered_device`], with facts of the device changed before it exists.
    ///
    /// # Errors
    /// The target refused the registration or did not answer.
    pub async fn registered_device_with(
        &self,
        scope: &'static str,
        join: JoinType,
        os: OsBuild,
        change: impl FnOnce(&mut DeviceSpec) + Send,
    ) -> Result<LabDevice, Error> {
        let mut spec = self.next_spec(join, os);
        change(&mut spec);
        let body = registration(&spec);
        let credential = self.register(&body).await?;
        if let Some(entra) = spec.entra_device_id {
            self.transcript()
                .note_device(&spec.device_name, IdKind::Entra, entra.to_string());
        }
        let slot = self.shared.parts.push.register(
            spec.index,
            &spec.device_name,
            scope,
            Presence::Connected,
        );
        let channel_uri = self.shared.parts.push.channel_uri(spec.index);
        Ok(LabDevice::new(
            self.clone(),
            device::Start {
                scope,
                registration: body,
                credential,
                slot,
                channel_uri,
            },
            spec,
        ))
    }

    /// A device that is registered and enrolled and has had no session.
    ///
    /// # Errors
    /// The target refused or did not answer.
    pub async fn enrolled_device(
        &self,
        scope: &'static str,
        join: JoinType,
        os: OsBuild,
    ) -> Result<LabDevice, Error> {
        self.enrolled_device_with(scope, join, os, |_as_derived| {})
            .await
    }

    /// As [`Lab::enrolled_device`], with facts of the device changed before it exists.
    ///
    /// # Errors
    /// The target refused or did not answer.
    pub async fn enrolled_device_with(
        &self,
        scope: &'static str,
        join: JoinType,
        os: OsBuild,
        change: impl FnOnce(&mut DeviceSpec) + Send,
    ) -> Result<LabDevice, Error> {
        let mut device = self.registered_device_with(scope, join, os, change).await?;
        device.enroll().await?;
        Ok(device)
    }

    fn pools(&self) -> &Pools {
        &self.shared.pools
    }

    fn next_spec(&self, join: JoinType, os: OsBuild) -> DeviceSpec {
        let LabParts { seed, salt, .. } = &self.shared.parts;
        let made = self.shared.made.fetch_add(1, Ordering::SeqCst);
        let index = LAB_FIRST_INDEX + made;
        let mut spec = DeviceSpec::derive(*seed ^ *salt, index, "LAB", join, os);
        // The number that tells lab devices apart, not the whole index, makes a readable name.
        spec.device_name = if *salt == 0 {
            format!("LAB-{made:04}")
        } else {
            format!("LAB-{salt:08x}-{made:04}")
        };
        spec.user_principal_name = spec
            .user_principal_name
            .map(|_derived| format!("{}@muster.test", spec.device_name.to_lowercase()));
        spec
    }
}

/// What the control plane is told of a device.
pub(crate) fn registration(spec: &DeviceSpec) -> RegisterDevice {
    RegisterDevice {
        device_name: spec.device_name.clone(),
        join_type: spec.join_type,
        entra_device_id: spec.entra_device_id,
        user_principal_name: spec.user_principal_name.clone(),
        os_version: spec.os.to_string(),
    }
}

/// A device as its specification says, left alone by the poll table: sessions come when the
/// harness wants them.
pub(crate) fn silent_device(spec: DeviceSpec) -> Device {
    let mut device = Device::new(spec);
    device.set_polling(false);
    device
}
