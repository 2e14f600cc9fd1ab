//! Drives fleets of emulated devices against an implementation under test, records what goes over
//! the wire, judges it and reports.
//!
//! The harness knows a target as URLs and tokens. It never sees the reference core, and its checks
//! never see the inside of a device: they read what was recorded.
//!
//! | module | job |
//! |---|---|
//! | [`target`], [`http`], [`admin`] | talk to the target |
//! | [`lab`], [`fleet`], [`push`], [`keys`] | devices: one by one for scenarios, in shards for load |
//! | [`schedule`], [`load`], [`fleet_file`] | when devices check in, and what else goes on |
//! | [`metrics`], [`interval_log`], [`threshold`], [`validity`] | how long it took, and whether that may be believed |
//! | [`capacity`], [`doctor`] | how much a target, and this machine, can take |
//! | [`model`] | what an answer must contain |
//! | [`scenario`], [`case`], [`checks`], [`verdict`], [`catalogue`] | situations, facts, judgement |
//! | [`profile`], [`properties`], [`expectations`] | what a target declares, chooses and is known to fail |
//! | [`dev`] | the judgement of our own device |
//! | [`ledger`] | operations against audit events |
//! | [`leak`] | looks for passwords where none may be |
//! | [`transcript`], [`report`], [`exit`] | evidence, reports, exit codes |
//! | [`quantity`] | numbers with units |
//! | [`clock`], [`usage`], [`limits`] | time, processor time and memory, bounds on waiting |
//! | [`run`] | the whole of it, in order |

pub mod admin;
pub mod capacity;
pub mod case;
pub mod catalogue;
pub mod checks;
pub mod clock;
pub mod conform;
pub mod dev;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod expectations;
pub mod fleet;
pub mod fleet_file;
pub mod http;
pub mod interval_log;
pub mod keys;
pub mod lab;
pub mod leak;
pub mod ledger;
pub mod limits;
pub mod load;
pub mod metrics;
pub mod model;
pub mod profile;
pub mod properties;
pub mod prove;
pub mod push;
pub mod quantity;
pub mod report;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod target;
pub mod threshold;
mod throttle;
pub mod transcript;
pub mod usage;
pub mod validity;
pub mod verdict;
