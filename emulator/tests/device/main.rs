//! The emulated device, driven through its public boundary with hand-written server messages.

mod accounts;
mod atomic;
mod csp;
mod enrolment;
mod generator;
mod laps;
mod rest;
mod rig;
mod sessions;
