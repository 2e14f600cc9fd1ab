//! The two audit logs: what administrators did (Intune), and what happened to credentials
//! (directory).
//!
//! Both are append-only, ordered by time and then by arrival, and never shortened. An event is a
//! small record of ids; the admin plane renders it when it is read. No password ever comes here.

use std::ops::Range;

use protocol::time::{UtcMillis, UtcTicks};
use uuid::Uuid;

use crate::rbac::ActorId;
use crate::state::EntraId;

/// Both logs of the tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditLog {
    pub(crate) intune: Log<IntuneEvent>,
    pub(crate) directory: Log<DirectoryEvent>,
}

/// An append-only list of events in the order of their times.
#[derive(Clone, Debug)]
pub(crate) struct Log<T> {
    events: Vec<T>,
}

/// What an event of either log has.
pub(crate) trait Timed {
    /// When it happened, by the core's clock.
    fn at(&self) -> UtcMillis;
}

/// Something an administrator did in Intune.
#[derive(Clone, Debug)]
pub(crate) struct IntuneEvent {
    at: UtcMillis,
    pub(crate) activity: IntuneActivity,
    pub(crate) result: ActivityResult,
    pub(crate) actor: ActorId,
    pub(crate) correlation: Uuid,
    /// The managed device or the policy.
    pub(crate) resource: Uuid,
    pub(crate) resource_name: Box<str>,
}

/// The call that an Intune event tells of (contract 5, audit names; F-212 for the other actions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntuneActivity {
    RotateLocalAdminPassword,
    SyncDevice,
    Retire,
    Wipe,
    DeleteDevice,
    CreatePolicy,
    PatchPolicy,
    DeletePolicy,
    AssignPolicy,
}

/// What a call did: accepted, or failed before the answer (contract 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActivityResult {
    Success,
    Failure,
}

/// Something that happened to a stored credential.
#[derive(Clone, Debug)]
pub(crate) struct DirectoryEvent {
    at: UtcMillis,
    pub(crate) activity: DirectoryActivity,
    pub(crate) correlation: Uuid,
    pub(crate) entra_id: EntraId,
    pub(crate) device_name: Box<str>,
}

/// What happened, and who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryActivity {
    /// The device backed up a password; initiated by the registration service, no user.
    Update,
    /// This actor read it.
    Recover(ActorId),
}

/// Who did something to which object, under which id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed<'a> {
    pub(crate) actor: ActorId,
    /// The call's `client-request-id` (contract 0).
    pub(crate) correlation: Uuid,
    /// Id of the managed device or the policy.
    pub(crate) resource: Uuid,
    pub(crate) resource_name: &'a str,
}

impl AuditLog {
    /// An administrator did something to a managed device or a policy.
    pub(crate) fn administered(
        &mut self,
        now: UtcMillis,
        activity: IntuneActivity,
        result: ActivityResult,
        deed: Deed<'_>,
    ) {
        let at = self.intune.time_for(now);
        self.intune.events.push(IntuneEvent {
            at,
            activity,
            result,
            actor: deed.actor,
            correlation: deed.correlation,
            resource: deed.resource,
            resource_name: deed.resource_name.into(),
        });
    }

    /// A device stored a password in the directory; `now` is when the core received it.
    pub(crate) fn credential_updated(
        &mut self,
        now: UtcMillis,
        entra_id: EntraId,
        device_name: &str,
        correlation: Uuid,
    ) {
        self.credential_event(
            now,
            DirectoryActivity::Update,
            correlation,
            (entra_id, device_name),
        );
    }

    /// An actor read a password of the directory.
    pub(crate) fn credential_recovered(
        &mut self,
        now: UtcMillis,
        actor: ActorId,
        correlation: Uuid,
        (entra_id, device_name): (EntraId, &str),
    ) {
        let activity = DirectoryActivity::Recover(actor);
        self.credential_event(now, activity, correlation, (entra_id, device_name));
    }

    fn credential_event(
        &mut self,
        now: UtcMillis,
        activity: DirectoryActivity,
        correlation: Uuid,
        (entra_id, device_name): (EntraId, &str),
    ) {
        let at = self.directory.time_for(now);
        self.directory.events.push(DirectoryEvent {
            at,
            activity,
            correlation,
            entra_id,
            device_name: device_name.into(),
        });
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { events: Vec::new() }
    }
}

impl<T: Timed> Log<T> {
    /// Every event, oldest first.
    pub(crate) fn events(&self) -> &[T] {
        &self.events
    }

    /// The places of the events from `from` to `to`, both included.
    pub(crate) fn window(&self, from: Option<UtcTicks>, to: Option<UtcTicks>) -> Range<usize> {
        let start = from.map_or(0, |from| {
            self.events
                .partition_point(|event| event.at().ticks() < from)
        });
        let end = to.map_or(self.events.len(), |to| {
            self.events
                .partition_point(|event| event.at().ticks() <= to)
        });
        start..end.max(start)
    }

    /// `now`, or the time of the last event when the clock went back: the order must hold.
    fn time_for(&self, now: UtcMillis) -> UtcMillis {
        self.events.last().map_or(now, |last| last.at().max(now))
    }
}

impl Timed for IntuneEvent {
    fn at(&self) -> UtcMillis {
        self.at
    }
}

impl Timed for DirectoryEvent {
    fn at(&self) -> UtcMillis {
        self.at
    }
}

impl IntuneActivity {
    /// The text of `activity`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            // Contract 5; the text for Windows follows the one published for macOS (F-213).
            Self::RotateLocalAdminPassword => "rotateLocalAdminPassword ManagedDevice",
            Self::SyncDevice => "syncDevice ManagedDevice",
            Self::Retire => "retire ManagedDevice",
            Self::Wipe => "wipe ManagedDevice",
            Self::DeleteDevice => "Delete ManagedDevice",
            Self::CreatePolicy => "Create DeviceManagementConfigurationPolicy",
            Self::PatchPolicy => "Patch DeviceManagementConfigurationPolicy",
            Self::DeletePolicy => "Delete DeviceManagementConfigurationPolicy",
            Self::AssignPolicy => "Assign DeviceManagementConfigurationPolicy",
        }
    }

    /// The text of `activityOperationType`.
    pub(crate) const fn operation(self) -> &'static str {
        match self {
            Self::RotateLocalAdminPassword | Self::SyncDevice | Self::Retire | Self::Wipe => {
                "Action"
            }
            Self::CreatePolicy => "Create",
            Self::PatchPolicy => "Patch",
            Self::DeletePolicy | Self::DeleteDevice => "Delete",
            Self::AssignPolicy => "Assign",
        }
    }

    /// True when the resource is a managed device, false when it is a policy.
    pub(crate) const fn concerns_device(self) -> bool {
        match self {
            Self::RotateLocalAdminPassword
            | Self::SyncDevice
            | Self::Retire
            | Self::Wipe
            | Self::DeleteDevice => true,
            Self::CreatePolicy | Self::PatchPolicy | Self::DeletePolicy | Self::AssignPolicy => {
                false
            }
        }
    }
}

impl DirectoryActivity {
    /// The text of `activityDisplayName` (F-211).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "Update device local administrator password",
            Self::Recover(_) => "Recover device local administrator password",
        }
    }
}

/// The id of the event at this place of its log; ids of the two logs never meet.
pub(crate) fn event_id(log: LogName, index: usize) -> Uuid {
    let tag: u64 = match log {
        LogName::Intune => 0x4175_6469_7400_4000,
        LogName::Directory => 0x4469_7265_6374_4000,
    };
    let place = u64::try_from(index).unwrap_or(u64::MAX >> 2);
    Uuid::from_u64_pair(tag, (1 << 63) | place)
}

/// Which of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogName {
    Intune,
    Directory,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_with(times: &[i64]) -> AuditLog {
        let mut log = AuditLog::default();
        for &at in times {
            log.credential_updated(UtcMillis::from_millis(at), Uuid::nil(), "d", Uuid::nil());
        }
        log
    }

    #[test]
    fn a_window_includes_both_its_ends() {
        let log = log_with(&[10, 20, 20, 30]);
        let at = |millis| Some(UtcMillis::from_millis(millis).ticks());
        for (from, to, expected) in [
            (None, None, 0..4),
            (at(20), None, 1..4),
            (at(21), None, 3..4),
            (at(20), at(20), 1..3),
            (at(31), None, 4..4),
            (at(30), at(10), 3..3),
        ] {
            assert_eq!(log.directory.window(from, to), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_not_break_the_order() {
        let log = log_with(&[20, 10, 30]);
        let times: Vec<i64> = log
            .directory
            .events()
            .iter()
            .map(|event| event.at().as_millis())
            .collect();
        assert_eq!(times, [20, 20, 30]);
    }

    #[test]
    fn event_ids_are_unique_over_both_logs() {
        let ids: std::collections::BTreeSet<Uuid> = (0..1_000)
            .flat_map(|index| {
                [
                    event_id(LogName::Intune, index),
                    event_id(LogName::Directory, index),
                ]
            })
            .collect();
        assert_eq!(ids.len(), 2_000);
    }
}
