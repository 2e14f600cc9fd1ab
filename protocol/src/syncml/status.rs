//! Status and alert codes: newtypes over the number, so that unknown codes survive.

use std::fmt;

/// A SyncML status code (wire-facts 2.6; OMA-DM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u32);

impl StatusCode {
    /// The command was done.
    pub const OK: Self = Self(200);
    /// Accepted, to be completed asynchronously.
    pub const ACCEPTED: Self = Self(202);
    /// Authentication accepted for the whole session.
    pub const AUTHENTICATED: Self = Self(212);
    /// A chunk of a large object was buffered.
    pub const CHUNK_ACCEPTED: Self = Self(213);
    /// The operation was cancelled, no more commands in this session.
    pub const CANCELLED: Self = Self(214);
    /// Not executed.
    pub const NOT_EXECUTED: Self = Self(215);
    /// Undone because the `Atomic` around it failed.
    pub const ROLLED_BACK: Self = Self(216);
    /// Malformed command.
    pub const BAD_REQUEST: Self = Self(400);
    /// Credentials are wrong.
    pub const UNAUTHORIZED: Self = Self(401);
    /// Forbidden.
    pub const FORBIDDEN: Self = Self(403);
    /// The node does not exist.
    pub const NOT_FOUND: Self = Self(404);
    /// The command is not allowed on the node.
    pub const NOT_ALLOWED: Self = Self(405);
    /// The feature is not supported.
    pub const UNSUPPORTED_FEATURE: Self = Self(406);
    /// Credentials are missing.
    pub const CREDENTIALS_MISSING: Self = Self(407);
    /// The type or format is not supported.
    pub const UNSUPPORTED_FORMAT: Self = Self(415);
    /// `Add` of a node that exists.
    pub const ALREADY_EXISTS: Self = Self(418);
    /// Permission denied.
    pub const PERMISSION_DENIED: Self = Self(425);
    /// The command failed.
    pub const FAILED: Self = Self(500);
    /// The `Atomic` failed.
    pub const ATOMIC_FAILED: Self = Self(507);
    /// The roll-back of an `Atomic` failed.
    pub const ROLLBACK_FAILED: Self = Self(516);

    /// True for 200 to 299.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }

    /// True from 400 on.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.0 >= 400
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The code of an `Alert` (wire-facts 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertCode(pub u32);

impl AlertCode {
    /// The session was started by the server (a push woke the device).
    pub const SERVER_INITIATED: Self = Self(1200);
    /// The session was started by the client.
    pub const CLIENT_INITIATED: Self = Self(1201);
    /// Asks for the next message of the package.
    pub const NEXT_MESSAGE: Self = Self(1222);
    /// Ends the session.
    pub const SESSION_ABORT: Self = Self(1223);
    /// An event of the client; the item says which.
    pub const CLIENT_EVENT: Self = Self(1224);
    /// The end of a chunked object did not arrive.
    pub const NO_END_OF_DATA: Self = Self(1225);
    /// A generic alert.
    pub const GENERIC: Self = Self(1226);
}

impl fmt::Display for AlertCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
