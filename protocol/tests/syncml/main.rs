//! SyncML through the public boundary: golden messages, lax reading, malformed input, round trips.

mod build;
mod check_in;
mod digest;
mod golden;
mod lax;
mod malformed;
mod mutation;
mod round_trip;
mod shape;
