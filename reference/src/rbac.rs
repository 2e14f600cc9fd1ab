//! Who may do what: rights, the actors of the tenant and their bearer tokens.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use rand::RngCore;

/// Place of an actor in [`Actors`]; actors are never removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ActorId(u32);

/// One right, as contract section 7 names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    BaselineCreate,
    BaselineRead,
    BaselineUpdate,
    BaselineDelete,
    BaselineAssign,
    DeviceRead,
    DeviceDelete,
    OrganizationRead,
    TaskRotate,
    TaskSync,
    TaskRetire,
    TaskWipe,
    DirectoryRead,
    DirectoryWrite,
    AuditDataRead,
    AuditLogRead,
    CredentialStandardRead,
    CredentialPasswordRead,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights(u32);

/// The actors and the tokens that stand for them.
#[derive(Clone)]
pub(crate) struct Actors {
    all: Vec<Actor>,
    by_token: HashMap<String, ActorId>,
    control_token: String,
}

#[derive(Clone)]
struct Actor {
    name: String,
    token: String,
    rights: Rights,
}

/// Whom a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Actor(ActorId),
    Control,
    Unknown,
}

/// Why an actor was not added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ActorError {
    NameTaken,
    UnknownRight(String),
}

const NAMES: [(Right, &str); 18] = [
    (Right::BaselineCreate, "Security baselines/Create"),
    (Right::BaselineRead, "Security baselines/Read"),
    (Right::BaselineUpdate, "Security baselines/Update"),
    (Right::BaselineDelete, "Security baselines/Delete"),
    (Right::BaselineAssign, "Security baselines/Assign"),
    (Right::DeviceRead, "Managed devices/Read"),
    (Right::DeviceDelete, "Managed devices/Delete"),
    (Right::OrganizationRead, "Organization/Read"),
    (
        Right::TaskRotate,
        "Remote tasks/Rotate Local Admin Password",
    ),
    (Right::TaskSync, "Remote tasks/Sync"),
    (Right::TaskRetire, "Remote tasks/Retire"),
    (Right::TaskWipe, "Remote tasks/Wipe"),
    (Right::DirectoryRead, "Directory/Read"),
    (Right::DirectoryWrite, "Directory/Write"),
    (Right::AuditDataRead, "Audit data/Read"),
    (Right::AuditLogRead, "AuditLog/Read"),
    (
        Right::CredentialStandardRead,
        "deviceLocalCredentials/standard/read",
    ),
    (
        Right::CredentialPasswordRead,
        "deviceLocalCredentials/password/read",
    ),
];

/// Contract 7.
const BUILT_IN: [(&str, &[&str]); 10] = [
    (
        "policy-admin",
        &[
            "Security baselines/*",
            "Managed devices/Read",
            "Directory/*",
        ],
    ),
    (
        "endpoint-security-manager",
        &[
            "Security baselines/*",
            "Managed devices/Read",
            "Audit data/Read",
        ],
    ),
    (
        "rotate-operator",
        &[
            "Remote tasks/Rotate Local Admin Password",
            "Remote tasks/Sync",
            "Managed devices/Read",
            "Organization/Read",
        ],
    ),
    ("rotate-only", &["Remote tasks/Rotate Local Admin Password"]),
    (
        "help-desk",
        &[
            "Security baselines/Read",
            "Managed devices/Read",
            "Remote tasks/Sync",
            "Audit data/Read",
        ],
    ),
    (
        "password-reader",
        &[
            "deviceLocalCredentials/standard/read",
            "deviceLocalCredentials/password/read",
            "Directory/Read",
        ],
    ),
    ("metadata-reader", &["deviceLocalCredentials/standard/read"]),
    ("auditor", &["Audit data/Read", "AuditLog/Read"]),
    (
        "device-admin",
        &[
            "Remote tasks/Retire",
            "Remote tasks/Wipe",
            "Managed devices/Read",
            "Managed devices/Delete",
            "Directory/*",
        ],
    ),
    ("nobody", &[]),
];

/// The name under which the control token is printed; no actor may take it.
const CONTROL: &str = "control";

impl Right {
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Rights {
    pub(crate) const NONE: Self = Self(0);
    /// Every right of the category `Remote tasks`.
    pub(crate) const REMOTE_TASKS: Self = Self::NONE
        .with(Right::TaskRotate)
        .with(Right::TaskSync)
        .with(Right::TaskRetire)
        .with(Right::TaskWipe);

    pub(crate) const fn of(right: Right) -> Self {
        Self(right.bit())
    }

    pub(crate) const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    /// True when every right of `needed` is in this set.
    pub(crate) const fn include(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// True when at least one right of `other` is in this set.
    pub(crate) const fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the rights in this set, in the order of the table.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .filter(move |(right, _)| self.include(Self::of(*right)))
            .map(|(_, name)| *name)
    }

    /// Reads right names; `Category/*` stands for every right of the category.
    fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, ActorError> {
        let mut rights = Self::NONE;
        for name in names {
            let name = name.as_ref();
            let named = Self::named(name);
            if named == Self::NONE {
                return Err(ActorError::UnknownRight(name.to_owned()));
            }
            rights.0 |= named.0;
        }
        // Contract 5: the right to read passwords includes the one to read metadata.
        if rights.include(Self::of(Right::CredentialPasswordRead)) {
            rights = rights.with(Right::CredentialStandardRead);
        }
        Ok(rights)
    }

    fn named(name: &str) -> Self {
        let category = name
            .strip_suffix('*')
            .filter(|category| category.ends_with('/'));
        let fits = |known: &str| match category {
            Some(category) => known.starts_with(category),
            None => known == name,
        };
        NAMES
            .iter()
            .filter(|(_, known)| fits(known))
            .fold(Self::NONE, |rights, (right, _)| rights.with(*right))
    }
}

impl Actors {
    /// The actors of contract section 7, with tokens drawn from `rng`.
    pub(crate) fn built_in(rng: &mut impl RngCore) -> Self {
        let mut actors = Self {
            all: Vec::new(),
            by_token: HashMap::new(),
            control_token: new_token(rng),
        };
        for (name, names) in BUILT_IN {
            let added = actors.add(rng, name, names);
            debug_assert!(added.is_ok(), "the table names rights that exist");
        }
        actors
    }

    /// Adds an actor and returns its token.
    pub(crate) fn add<S: AsRef<str>>(
        &mut self,
        rng: &mut impl RngCore,
        name: &str,
        rights: &[S],
    ) -> Result<&str, ActorError> {
        let rights = Rights::parse(rights)?;
        if name == CONTROL || self.all.iter().any(|actor| actor.name == name) {
            return Err(ActorError::NameTaken);
        }
        let id = ActorId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let token = new_token(rng);
        self.by_token.insert(token.clone(), id);
        let index = self.all.len();
        self.all.push(Actor {
            name: name.to_owned(),
            token,
            rights,
        });
        Ok(&self.all[index].token)
    }

    /// Every token by the name of its actor, and `control`.
    pub(crate) fn tokens(&self) -> BTreeMap<String, String> {
        self.all
            .iter()
            .map(|actor| (actor.name.clone(), actor.token.clone()))
            .chain([(CONTROL.to_owned(), self.control_token.clone())])
            .collect()
    }

    /// Whom the value of an `Authorization` header stands for.
    pub(crate) fn caller(&self, authorization: Option<&str>) -> Caller {
        let Some((scheme, token)) = authorization.and_then(|value| value.split_once(' ')) else {
            return Caller::Unknown;
        };
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Caller::Unknown;
        }
        if token == self.control_token {
            return Caller::Control;
        }
        self.by_token
            .get(token)
            .map_or(Caller::Unknown, |id| Caller::Actor(*id))
    }

    pub(crate) fn rights(&self, id: ActorId) -> Rights {
        self.find(id).map_or(Rights::NONE, |actor| actor.rights)
    }

    pub(crate) fn name(&self, id: ActorId) -> &str {
        self.find(id).map_or("", |actor| &actor.name)
    }

    fn find(&self, id: ActorId) -> Option<&Actor> {
        self.all.get(usize::try_from(id.0).ok()?)
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.all.iter().map(|actor| &actor.name))
            .finish()
    }
}

fn new_token(rng: &mut impl RngCore) -> String {
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn actors() -> Actors {
        Actors::built_in(&mut rand_pcg::Pcg64Mcg::seed_from_u64(1))
    }

    #[test]
    fn every_built_in_actor_has_a_token_of_its_own() {
        let tokens = actors().tokens();
        assert_eq!(tokens.len(), 11);
        let distinct: std::collections::BTreeSet<&String> = tokens.values().collect();
        assert_eq!(distinct.len(), 11);
    }

    #[test]
    fn a_token_stands_for_its_actor_and_only_after_bearer() {
        let actors = actors();
        let token = &actors.tokens()["nobody"];
        let found = actors.caller(Some(&format!("Bearer {token}")));
        assert!(matches!(found, Caller::Actor(id) if actors.name(id) == "nobody"));
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer x"),
            Some(token.as_str()),
        ] {
            assert_eq!(actors.caller(wrong), Caller::Unknown, "{wrong:?}");
        }
        assert_eq!(
            actors.caller(Some(&format!("Basic {token}"))),
            Caller::Unknown
        );
    }

    #[test]
    fn rights_are_read_by_name_and_by_category() {
        let parse = |name: &str| Rights::parse(&[name]);
        assert!(parse("Directory/*").is_ok_and(|rights| rights.names().count() == 2));
        assert!(parse("Security baselines/*").is_ok_and(|rights| rights.names().count() == 5));
        let password = parse("deviceLocalCredentials/password/read").expect("a right");
        assert!(password.include(Rights::of(Right::CredentialStandardRead)));
        for wrong in [
            "",
            "*",
            "Directory",
            "Directory/",
            "directory/Read",
            "Nothing/*",
        ] {
            assert_eq!(
                parse(wrong),
                Err(ActorError::UnknownRight(wrong.to_owned())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let mut actors = actors();
        let rng = &mut rand_pcg::Pcg64Mcg::seed_from_u64(2);
        assert!(actors.add(rng, "extra", &["Directory/Read"]).is_ok());
        for taken in ["extra", "nobody", "control"] {
            assert_eq!(
                actors.add::<&str>(rng, taken, &[]),
                Err(ActorError::NameTaken),
                "{taken}"
            );
        }
    }
}
