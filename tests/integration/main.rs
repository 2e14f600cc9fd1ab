//! Whole flows: the command line, real sockets, every fault, a month in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions below tests are tests too; clippy cannot see that"
)]

mod capacity;
mod cli;
mod conform;
mod contract;
mod exhaustive;
mod expectations;
mod faults;
mod load;
mod load_ends;
mod profile;
mod prove;
mod reports;
mod simulation;
mod tidy;
mod util;
mod world;
