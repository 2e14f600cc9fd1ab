//! Where each plane stands on the one listener.

use reference::{Plane, Urls};

/// Prefix of the directory plane.
const DIRECTORY: &str = "/directory";
/// Prefix of the admin plane.
const ADMIN: &str = "/graph";
/// Prefix of the control plane.
const CONTROL: &str = "/control";

/// The base URLs of the planes below `base`, for example `http://127.0.0.1:8080`.
pub(crate) fn urls(base: &str) -> Urls {
    Urls {
        enroll: base.to_owned(),
        manage: base.to_owned(),
        directory: format!("{base}{DIRECTORY}"),
        admin: format!("{base}{ADMIN}"),
        control: format!("{base}{CONTROL}"),
    }
}

/// The plane that a path belongs to and the path below its base; `None` for a path of no plane.
pub(crate) fn plane_of(path: &str) -> Option<(Plane, &str)> {
    if path.starts_with("/ManagementServer/") {
        return Some((Plane::Manage, path));
    }
    if path.starts_with("/EnrollmentServer/") {
        return Some((Plane::Enroll, path));
    }
    [
        (DIRECTORY, Plane::Directory),
        (ADMIN, Plane::Admin),
        (CONTROL, Plane::Control),
    ]
    .into_iter()
    .find_map(|(prefix, plane)| {
        let below = path.strip_prefix(prefix)?;
        below.starts_with('/').then_some((plane, below))
    })
}
