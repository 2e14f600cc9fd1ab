//! The device-facing planes through [`reference::Core::handle`]: what the wire shows.
//!
//! The device here is a script, not an emulator: it answers as each test says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on ends here"
)]

mod conflicts;
mod directory;
mod enrolment;
mod faults;
mod policy;
mod rotation;
mod script;
mod sessions;
mod shared;
mod variants;
mod world;
