//! One emulated Windows device: enrolment, OMA-DM client, LAPS CSP and LAPS engine.
//!
//! The crate is pure: time comes in as an argument, everything random is a function of
//! (seed, index), requests go out as values. A driver loops over
//!
//! | call | for |
//! |---|---|
//! | [`Device::poll_timeout`], [`Device::handle_timeout`] | the timers |
//! | [`Device::poll_transmit`] | the next request, at most one outstanding |
//! | [`Device::handle_response`], [`Device::handle_failure`] | its end |
//! | [`Device::key_request`], [`Device::provide_request`] | key and certificate request |
//! | [`Device::handle_push`] | a push |
//! | [`Device::poll_event`] | what happened |
//! | [`Device::rest`], [`Rested::wake`] | a compact form between sessions |
//!
//! | module | holds |
//! |---|---|
//! | `identity` | who a device is |
//! | `enrollment` | MS-MDE2 from the device's side |
//! | `session` | OMA-DM sessions |
//! | `csp` | the settings tree |
//! | `laps` | policy in force, cycle, accounts, generator, emulated Active Directory |
//! | `fault` | deliberate defects, off unless asked for |
//! | `timers`, `connectivity`, `event`, `transmit` | what their names say |
//! | `device` | the whole of it |
//! | `rest` | what a fleet keeps of a device between sessions |

mod connectivity;
mod csp;
mod device;
mod enrollment;
mod event;
mod fault;
mod identity;
mod laps;
mod random;
mod rest;
mod session;
mod timers;
mod transmit;

pub use connectivity::{Connectivity, ConnectivitySchedule, OfflineWindow};
pub use device::Device;
pub use enrollment::{EnrollmentGrant, KeyRequest};
pub use event::{
    BackupFailure, Event, NothingManaged, RotationKind, SessionCause, SessionOutcome, UnenrollCause,
};
pub use fault::{DEVICE_FAULTS, DeviceFault, DeviceFaultRow};
pub use identity::{
    BUILT_IN_ADMINISTRATOR, DeviceId, DeviceSpec, HardwareId, LocalAccount, LocalPolicy,
    LoginStatus, MachineSid, OsBuild, ResetTiming, SERVICE_ACCOUNT,
};
pub use laps::account::{AccountSummary, AccountView};
pub use laps::directory::ActiveDirectoryRecord;
pub use laps::password::generate_password;
pub use laps::policy::{
    AutomaticAccount, AutomaticTarget, BackupDirectory, EffectivePolicy, PolicySource,
};
pub use rest::{Common, Commons, Opening, Rested};
pub use transmit::{Endpoint, Failure, Method, Response, Transmit};
