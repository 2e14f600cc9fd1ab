//! The paths of the admin plane, the methods each takes and the rights each call needs
//! (contract section 5, the table).

use protocol::graph::action::RemoteAction;
use uuid::Uuid;

use super::query::Query;
use crate::core::RightsSet;
use crate::rbac::{Right, Rights};

/// An id in a path; one that is no GUID names no object.
pub(crate) type PathId = Option<Uuid>;

/// A path below `/v1.0` or `/beta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Users,
    Groups,
    Members(PathId),
    MemberReferences(PathId),
    MemberReference(PathId, PathId),
    DirectoryDevices,
    DirectoryDevice(PathId),
    RegistrationPolicy,
    Policies,
    Policy(PathId),
    PolicySettings(PathId),
    PolicyAssignments(PathId),
    PolicyAssign(PathId),
    PolicyStatuses(PathId),
    ManagedDevices,
    ManagedDevice(PathId),
    DeviceTask(PathId, Task),
    ExecuteAction,
    DeviceStates(PathId),
    ConflictSummary,
    Credentials,
    Credential(PathId),
    IntuneEvents,
    DirectoryEvents,
    Batch,
}

/// An action on one device that has a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Rotate,
    Sync,
    Retire,
    Wipe,
}

/// A method that some path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// The rights that a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of these; none for a call that everybody with a token may make.
    All(Rights),
    /// At least one of these.
    Any(Rights),
}

impl Route {
    /// The route of a path that starts with one of the two roots, and that root.
    pub(crate) fn parse(path: &str) -> Option<(&'static str, Self)> {
        let root = ["/v1.0", "/beta"]
            .into_iter()
            .find(|root| path.starts_with(root))?;
        let path = percent_encoding::percent_decode_str(path.strip_prefix(root)?)
            .decode_utf8()
            .ok()?;
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let route = match segments.split_first()? {
            (&"deviceManagement", rest) => Self::device_management(rest),
            (_, _) => Self::directory(&segments),
        };
        route.map(|route| (root, route))
    }

    fn directory(segments: &[&str]) -> Option<Self> {
        match segments {
            ["users"] => Some(Self::Users),
            ["groups"] => Some(Self::Groups),
            ["groups", group, "members"] => Some(Self::Members(id(group))),
            ["groups", group, "members", "$ref"] => Some(Self::MemberReferences(id(group))),
            ["groups", group, "members", object, "$ref"] => {
                Some(Self::MemberReference(id(group), id(object)))
            }
            ["devices"] => Some(Self::DirectoryDevices),
            ["devices", device] => Some(Self::DirectoryDevice(id(device))),
            ["policies", "deviceRegistrationPolicy"] => Some(Self::RegistrationPolicy),
            ["directory", "deviceLocalCredentials"] => Some(Self::Credentials),
            ["directory", "deviceLocalCredentials", device]
            | ["deviceLocalCredentials", device] => Some(Self::Credential(id(device))),
            ["auditLogs", "directoryAudits"] => Some(Self::DirectoryEvents),
            ["$batch"] => Some(Self::Batch),
            _ => None,
        }
    }

    fn device_management(segments: &[&str]) -> Option<Self> {
        match segments {
            ["configurationPolicies"] => Some(Self::Policies),
            ["configurationPolicies", policy] => Some(Self::Policy(id(policy))),
            ["configurationPolicies", policy, part] => match *part {
                "settings" => Some(Self::PolicySettings(id(policy))),
                "assignments" => Some(Self::PolicyAssignments(id(policy))),
                "assign" => Some(Self::PolicyAssign(id(policy))),
                "deviceStatuses" => Some(Self::PolicyStatuses(id(policy))),
                _ => None,
            },
            ["managedDevices"] => Some(Self::ManagedDevices),
            ["managedDevices", "executeAction"] => Some(Self::ExecuteAction),
            ["managedDevices", device] => Some(Self::ManagedDevice(id(device))),
            ["managedDevices", device, part] => match *part {
                "deviceConfigurationStates" => Some(Self::DeviceStates(id(device))),
                "rotateLocalAdminPassword" => Some(Self::DeviceTask(id(device), Task::Rotate)),
                "syncDevice" => Some(Self::DeviceTask(id(device), Task::Sync)),
                "retire" => Some(Self::DeviceTask(id(device), Task::Retire)),
                "wipe" => Some(Self::DeviceTask(id(device), Task::Wipe)),
                _ => None,
            },
            ["deviceConfigurationConflictSummary"] => Some(Self::ConflictSummary),
            ["auditEvents"] => Some(Self::IntuneEvents),
            _ => None,
        }
    }

    /// The methods of this path, as `Allow` prints them.
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Users
            | Self::Groups
            | Self::MemberReferences(_)
            | Self::PolicyAssign(_)
            | Self::DeviceTask(..)
            | Self::ExecuteAction
            | Self::Batch => "POST",
            Self::MemberReference(..) => "DELETE",
            Self::Members(_)
            | Self::DirectoryDevices
            | Self::PolicySettings(_)
            | Self::PolicyAssignments(_)
            | Self::PolicyStatuses(_)
            | Self::ManagedDevices
            | Self::DeviceStates(_)
            | Self::ConflictSummary
            | Self::Credentials
            | Self::Credential(_)
            | Self::IntuneEvents
            | Self::DirectoryEvents => "GET",
            Self::DirectoryDevice(_) => "PATCH, DELETE",
            Self::RegistrationPolicy => "GET, PUT",
            Self::Policies => "GET, POST",
            Self::Policy(_) => "GET, PUT, DELETE",
            Self::ManagedDevice(_) => "GET, DELETE",
        }
    }

    /// The method, when this path takes it.
    pub(crate) fn method(self, method: &str) -> Option<Method> {
        let taken = self.methods().split(", ").any(|known| known == method);
        taken.then(|| Method::parse(method)).flatten()
    }

    /// The rights that a call of this path needs. `bulk` is the action of an `executeAction`.
    pub(crate) fn need(
        self,
        method: Method,
        query: &Query,
        bulk: Option<&RemoteAction>,
        set: RightsSet,
    ) -> Need {
        let right = match self {
            Self::Users
            | Self::Groups
            | Self::MemberReferences(_)
            | Self::MemberReference(..)
            | Self::DirectoryDevice(_) => Right::DirectoryWrite,
            Self::Members(_) | Self::DirectoryDevices => Right::DirectoryRead,
            Self::RegistrationPolicy => match method {
                Method::Get => Right::DirectoryRead,
                Method::Post | Method::Put | Method::Patch | Method::Delete => {
                    Right::DirectoryWrite
                }
            },
            Self::Policies | Self::Policy(_) => policy_right(method),
            Self::PolicyAssign(_) => Right::BaselineAssign,
            Self::PolicySettings(_)
            | Self::PolicyAssignments(_)
            | Self::PolicyStatuses(_)
            | Self::DeviceStates(_)
            | Self::ConflictSummary => Right::BaselineRead,
            Self::ManagedDevices => Right::DeviceRead,
            Self::ManagedDevice(_) => match method {
                Method::Delete => Right::DeviceDelete,
                Method::Get | Method::Post | Method::Put | Method::Patch => Right::DeviceRead,
            },
            Self::DeviceTask(_, Task::Rotate) => return Need::All(rotation_rights(set)),
            Self::DeviceTask(_, Task::Sync) => Right::TaskSync,
            Self::DeviceTask(_, Task::Retire) => Right::TaskRetire,
            Self::DeviceTask(_, Task::Wipe) => Right::TaskWipe,
            Self::ExecuteAction => return bulk_need(bulk),
            Self::Credentials => Right::CredentialStandardRead,
            Self::Credential(_) if query.selects("credentials") => Right::CredentialPasswordRead,
            Self::Credential(_) => Right::CredentialStandardRead,
            Self::IntuneEvents => Right::AuditDataRead,
            Self::DirectoryEvents => Right::AuditLogRead,
            // Each request of the batch is judged on its own.
            Self::Batch => return Need::All(Rights::NONE),
        };
        Need::All(Rights::of(right))
    }
}

impl Method {
    fn parse(method: &str) -> Option<Self> {
        match method {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "PATCH" => Some(Self::Patch),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    /// True when a request with this method has a body.
    pub(crate) const fn has_body(self) -> bool {
        match self {
            Self::Post | Self::Put | Self::Patch => true,
            Self::Get | Self::Delete => false,
        }
    }
}

impl Need {
    /// True when `rights` are enough.
    pub(crate) const fn met_by(self, rights: Rights) -> bool {
        match self {
            Self::All(needed) => rights.include(needed),
            Self::Any(wanted) => rights.meet(wanted),
        }
    }

    /// The rights as a sentence names them.
    pub(crate) fn words(self) -> String {
        let (rights, join) = match self {
            Self::All(rights) => (rights, " and "),
            Self::Any(rights) => (rights, " or "),
        };
        rights.names().collect::<Vec<_>>().join(join)
    }
}

const fn policy_right(method: Method) -> Right {
    match method {
        Method::Get => Right::BaselineRead,
        Method::Post => Right::BaselineCreate,
        Method::Put | Method::Patch => Right::BaselineUpdate,
        Method::Delete => Right::BaselineDelete,
    }
}

/// Contract 5: the article names one right, the finished documents three (F-187).
const fn rotation_rights(set: RightsSet) -> Rights {
    let rotate = Rights::of(Right::TaskRotate);
    match set {
        RightsSet::Seed202304 => rotate,
        RightsSet::Ga202310 | RightsSet::Current2025 => {
            rotate.with(Right::DeviceRead).with(Right::OrganizationRead)
        }
    }
}

/// The right of a bulk action. Actions that the core offers for no device have no right of their
/// own, so any right of the category opens them.
fn bulk_need(action: Option<&RemoteAction>) -> Need {
    match action {
        Some(RemoteAction::SyncDevice) => Need::All(Rights::of(Right::TaskSync)),
        Some(RemoteAction::Retire) => Need::All(Rights::of(Right::TaskRetire)),
        Some(RemoteAction::Wipe) => Need::All(Rights::of(Right::TaskWipe)),
        Some(RemoteAction::Delete) => Need::All(Rights::of(Right::DeviceDelete)),
        Some(
            RemoteAction::FullScan
            | RemoteAction::QuickScan
            | RemoteAction::SignatureUpdate
            | RemoteAction::CustomTextNotification
            | RemoteAction::RebootNow
            | RemoteAction::SetDeviceName
            | RemoteAction::Deprovision
            | RemoteAction::Disable
            | RemoteAction::Reenable
            | RemoteAction::MoveDeviceToOrganizationalUnit
            | RemoteAction::ActivateDeviceEsim
            | RemoteAction::CollectDiagnostics
            | RemoteAction::InitiateMobileDeviceManagementKeyRecovery
            | RemoteAction::InitiateOnDemandProactiveRemediation
            | RemoteAction::UnknownFutureValue
            | RemoteAction::InitiateDeviceAttestation
            | RemoteAction::Other(_),
        )
        | None => Need::Any(Rights::REMOTE_TASKS),
    }
}

fn id(segment: &str) -> PathId {
    Uuid::try_parse(segment).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_below_both_roots_and_nowhere_else() {
        let guid = "11111111-2222-4333-8444-555555555555";
        let some = Uuid::try_parse(guid).ok();
        for (path, expected) in [
            ("/users".to_owned(), Some(Route::Users)),
            ("/%24batch".to_owned(), Some(Route::Batch)),
            (
                format!("/groups/{guid}/members/$ref"),
                Some(Route::MemberReferences(some)),
            ),
            ("/groups/x/members".to_owned(), Some(Route::Members(None))),
            (
                format!("/deviceLocalCredentials/{guid}"),
                Some(Route::Credential(some)),
            ),
            (
                "/deviceManagement/managedDevices/executeAction".to_owned(),
                Some(Route::ExecuteAction),
            ),
            (
                format!("/deviceManagement/managedDevices/{guid}/wipe"),
                Some(Route::DeviceTask(some, Task::Wipe)),
            ),
            ("/users/".to_owned(), None),
            ("users".to_owned(), None),
            ("/deviceLocalCredentials".to_owned(), None),
            ("/deviceManagement".to_owned(), None),
            ("/".to_owned(), None),
            (String::new(), None),
        ] {
            for root in ["/v1.0", "/beta"] {
                let found = Route::parse(&format!("{root}{path}"));
                assert_eq!(found, expected.map(|route| (root, route)), "{root}{path}");
            }
            assert_eq!(Route::parse(&format!("/v2.0{path}")), None, "{path}");
        }
    }

    #[test]
    fn every_method_named_in_allow_is_taken() {
        for route in [
            Route::Policies,
            Route::Policy(None),
            Route::DirectoryDevice(None),
        ] {
            for method in route.methods().split(", ") {
                assert!(route.method(method).is_some(), "{route:?} {method}");
            }
            assert_eq!(route.method("TRACE"), None);
            assert_eq!(route.method("get"), None);
        }
    }
}
