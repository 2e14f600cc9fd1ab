//! The contract of the built-in core, sentence by sentence, over its sockets.
//!
//! Everything that goes over the wire is written here by hand; nothing of the product is used, so
//! a mistake shared by our encoder and our decoder shows.

mod channel;
mod device;
mod http;
mod session;
mod site;
mod soap;
mod text;
mod xml;

mod admin_audit;
mod admin_devices;
mod admin_policies;
mod assignment;
mod batch;
mod conflicts;
mod control;
mod credentials;
mod directory;
mod enrollment;
mod garbage;
mod limits;
mod management;
mod policy_delivery;
mod push;
mod rbac;
mod removal;
mod repeats;
mod rotation;
mod rotation_refused;
mod variants;
