//! The Microsoft Graph resources that the admin plane serves, as JSON types (contract section 5).
//!
//! Reading ignores members it does not know and refuses wrong types. Writing emits exactly the
//! members named here; an absent value is `null` where Graph prints it, otherwise left out.
//!
//! | module | resources |
//! |---|---|
//! | [`error`] | the error body |
//! | [`list`] | pages of a list |
//! | [`group`] | users, groups, members |
//! | [`device`] | directory devices, managed devices, the registration policy |
//! | [`action`] | device actions, bulk actions |
//! | [`policy`] | settings-catalogue policies, their settings and assignments |
//! | [`report`] | states of policies on devices, conflicts |
//! | [`credential`] | local administrator credentials |
//! | [`audit`] | both audit logs |
//! | [`batch`] | the JSON batch |

pub mod action;
pub mod audit;
pub mod batch;
pub mod credential;
pub mod device;
pub mod error;
pub mod group;
pub mod list;
pub mod policy;
pub mod report;
