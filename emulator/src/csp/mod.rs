//! The settings tree of a device: which nodes exist, what may be done to them, and their values.
//!
//! [`tree`] holds the values and answers single operations, [`path`] names nodes, [`execute`]
//! walks the commands of a message, containers included.

pub(crate) mod execute;
pub(crate) mod path;
pub(crate) mod tree;
