//! Bytes to types and back, for every protocol that muster speaks.
//!
//! The crate decides nothing and does no I/O: it owns no socket, clock or random source.
//! Both sides of the wire use it, so every message kind has golden bytes in `fixtures/wire/`
//! that were written by hand from the specification.
//!
//! | module | protocol |
//! |---|---|
//! | [`syncml`] | OMA-DM 1.2 sessions as MS-MDM profiles them |
//! | [`enrollment`] | MS-MDE2 over SOAP 1.2, and the provisioning document |
//! | [`laps_csp`] | the Windows LAPS configuration service provider, as a table |
//! | [`push`] | the WNS request and answer headers |
//! | [`graph`] | the Microsoft Graph resources of the admin plane |
//! | [`directory`] | the credential upload of a device |
//! | [`control`] | the control plane of a target under test |
//! | [`secret`] | a text that no log shows |
//! | [`time`] | instants, in milliseconds and in units of 100 ns |

pub mod control;
pub mod directory;
pub mod enrollment;
mod error;
pub mod graph;
pub mod laps_csp;
pub mod push;
pub mod secret;
pub mod syncml;
mod text_enum;
pub mod time;
mod xml;

pub use error::{Malformed, MalformedKind};

/// The join state of a device towards Microsoft Entra ID and Active Directory.
///
/// Source of the names: contract section 6; Graph names the first three in `joinType`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum JoinType {
    /// Joined to Microsoft Entra ID alone.
    EntraJoined,
    /// Joined to Active Directory and registered as hybrid in Microsoft Entra ID.
    EntraHybridJoined,
    /// Registered (workplace joined) in Microsoft Entra ID.
    EntraRegistered,
    /// Joined to an Active Directory domain alone.
    DomainJoined,
    /// Joined to nothing.
    NotJoined,
}

impl JoinType {
    /// Every join state, in the order in which reports list them.
    pub const ALL: [Self; 5] = [
        Self::EntraJoined,
        Self::EntraHybridJoined,
        Self::EntraRegistered,
        Self::DomainJoined,
        Self::NotJoined,
    ];

    /// The name on the wire and in reports, for example `entraJoined`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EntraJoined => "entraJoined",
            Self::EntraHybridJoined => "entraHybridJoined",
            Self::EntraRegistered => "entraRegistered",
            Self::DomainJoined => "domainJoined",
            Self::NotJoined => "notJoined",
        }
    }

    /// True for the join states that have a device object in Microsoft Entra ID.
    #[must_use]
    pub const fn has_directory_object(self) -> bool {
        match self {
            Self::EntraJoined | Self::EntraHybridJoined | Self::EntraRegistered => true,
            Self::DomainJoined | Self::NotJoined => false,
        }
    }
}

impl std::fmt::Display for JoinType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
