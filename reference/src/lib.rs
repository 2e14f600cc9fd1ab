//! The built-in reference management core and its library of deliberate faults.
//!
//! Pure: bytes of one request in, bytes of one answer out. The clock comes in with every call, the
//! random source is seeded at construction, pushes go out as values ([`Core::poll_push`]), keys
//! and certificates come through a trait ([`CertificateAuthority`]). The rules are those of the
//! target contract, whose sections the comments name.
//!
//! | module | what it decides |
//! |---|---|
//! | `core` | one request in, one step out; which plane serves it |
//! | `state` | what is kept: the tenant, the managed devices |
//! | `guarded` | what of it changes under a shared borrow |
//! | `devices`, `rows` | the ways to find devices; what policies came to on them |
//! | `table`, `interned`, `seldom` | how a million devices are kept and found |
//! | `enrollment` | who may enrol, and with what (contract 1) |
//! | `signing` | enrolment without a wait for the signature |
//! | `registration` | what the control plane tells about devices, and their directory objects |
//! | `session` | management sessions: repeats, first answer, what follows (contract 2) |
//! | `assignment` | which policies reach a device |
//! | `conflict` | what a device should have, what is withheld |
//! | `status` | the state of each policy on each device (contract 5) |
//! | `action` | the life of a device action, rotation above all |
//! | `presence` | pushes, and who is online (contract 3) |
//! | `credential` | credential uploads (contract 4) |
//! | `admin`, `rbac`, `audit` | the admin plane, its actors and its logs (contract 5, 7) |
//! | `control` | the control plane of tests (contract 6) |
//! | `fault`, `defect` | the deliberate defects: their table, and what they do on the device side |
//! | `variant` | the legal differences from the core as it stands |

mod action;
mod admin;
mod assignment;
mod audit;
mod authority;
mod conflict;
mod control;
mod core;
mod credential;
mod defect;
mod devices;
mod enrollment;
mod fault;
mod guarded;
mod interned;
mod presence;
mod rbac;
mod registration;
mod rows;
mod seldom;
mod session;
mod signing;
mod state;
mod status;
mod table;
mod variant;

pub use self::core::{
    Config, Core, HttpRequest, HttpResponse, Plane, RetryAfter, RightsSet, Step, Ticket, Urls,
};
pub use authority::{CertificateAuthority, CertificateError, IssueRequest};
pub use fault::{
    CONFORM_FAULTS, EQUIVALENT_FAULTS, EquivalentFault, FAULTS, Fault, FaultChoice, FaultCount,
    FaultMonitor, FaultRow, InFlight, PLANNED_FAULTS, PlannedFault, Trigger, all_faults,
};
pub use presence::{PushAnswer, PushId, PushRequest};
pub use signing::{Signed, Signing};
pub use variant::{Contradiction, VARIANTS, Variant, VariantRow, Variants};
