//! Where each plane stands on the one listener.

use reference::{Plane, Urls};

/// What a path below the base of a plane begins with.
const BEGINNINGS: [(Plane, &str); 5] = [
    (Plane::Manage, "/ManagementServer/"),
    (Plane::Enroll, "/EnrollmentServer/"),
    (Plane::Directory, "/"),
    (Plane::Admin, "/"),
    (Plane::Control, "/"),
];

/// The paths of the planes' bases.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    manage: String,
    enroll: String,
    directory: String,
    admin: String,
    control: String,
}

impl Paths {
    /// Where the planes stand unless something else is wanted.
    pub(crate) fn usual() -> Self {
        Self {
            manage: String::new(),
            enroll: String::new(),
            directory: "/directory".to_owned(),
            admin: "/graph".to_owned(),
            control: "/control".to_owned(),
        }
    }

    /// Other places, which a number tells apart.
    pub(crate) fn other(number: u64) -> Self {
        let below = |plane: u64| {
            let mixed = number
                .wrapping_add(plane)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("/at-{mixed:016x}/{plane}")
        };
        Self {
            manage: below(1),
            enroll: below(2),
            directory: below(3),
            admin: below(4),
            control: below(5),
        }
    }

    /// The base URLs below `base`, for example `http://127.0.0.1:8080`.
    pub(crate) fn urls(&self, base: &str) -> Urls {
        let below = |path: &str| format!("{base}{path}");
        Urls {
            enroll: below(&self.enroll),
            manage: below(&self.manage),
            directory: below(&self.directory),
            admin: below(&self.admin),
            control: below(&self.control),
        }
    }

    /// The plane that a path belongs to and the path below its base; `None` for a path of no plane.
    pub(crate) fn plane_of<'p>(&self, path: &'p str) -> Option<(Plane, &'p str)> {
        BEGINNINGS.into_iter().find_map(|(plane, beginning)| {
            let below = path.strip_prefix(self.of(plane))?;
            below.starts_with(beginning).then_some((plane, below))
        })
    }

    fn of(&self, plane: Plane) -> &str {
        match plane {
            Plane::Manage => &self.manage,
            Plane::Enroll => &self.enroll,
            Plane::Directory => &self.directory,
            Plane::Admin => &self.admin,
            Plane::Control => &self.control,
        }
    }
}
