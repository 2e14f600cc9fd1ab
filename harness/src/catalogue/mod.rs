//! The catalogue of requirements: what is demanded of a target, in own words, with level and
//! source. Data in `fixtures/requirements/`, one file an area, built into the program.
//!
//! The catalogue judges nothing: checks name the requirement that they decide, and [`lint`] holds
//! both sides together.

pub mod lint;
mod row;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub use self::lint::LintError;
pub use self::row::{
    Document, Interpretation, Origin, Param, Requirement, RequirementSet, Source, Subject, Suite,
};
use crate::error::Error;

/// All requirements, in the order of [`Area::ALL`] and, within an area, of its file.
#[derive(Clone, Debug)]
pub struct Catalogue {
    requirements: Vec<Requirement>,
    documents: Vec<Document>,
    facts: BTreeMap<String, String>,
}

/// A group of requirements; the middle part of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The saved policy, and where a device takes its settings from.
    Policy,
    /// Delivery of policies.
    Assign,
    /// Check-ins by schedule.
    CheckIn,
    /// Policies that disagree.
    Conflict,
    /// The rotation schedule.
    Schedule,
    /// Manual rotation.
    Rotate,
    /// Bulk actions.
    Bulk,
    /// Reading credentials.
    View,
    /// The audit log.
    Audit,
    /// Rights.
    Rbac,
    /// Join states.
    Join,
    /// The managed account.
    Account,
    /// The way of a password into the directory.
    Backup,
    /// Making passwords.
    Password,
    /// What follows a sign-in with the managed account.
    PostAuthentication,
    /// Status of policies.
    Report,
    /// The nodes of the CSP.
    Csp,
    /// The form of messages.
    Protocol,
}

impl Area {
    /// Every area, in the order of reports.
    pub const ALL: [Self; 18] = [
        Self::Policy,
        Self::Assign,
        Self::CheckIn,
        Self::Conflict,
        Self::Schedule,
        Self::Rotate,
        Self::Bulk,
        Self::View,
        Self::Audit,
        Self::Rbac,
        Self::Join,
        Self::Account,
        Self::Backup,
        Self::Password,
        Self::PostAuthentication,
        Self::Report,
        Self::Csp,
        Self::Protocol,
    ];

    /// The middle part of the ids, for example `ROTATE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "POLICY",
            Self::Assign => "ASSIGN",
            Self::CheckIn => "CHECKIN",
            Self::Conflict => "CONFLICT",
            Self::Schedule => "SCHEDULE",
            Self::Rotate => "ROTATE",
            Self::Bulk => "BULK",
            Self::View => "VIEW",
            Self::Audit => "AUDIT",
            Self::Rbac => "RBAC",
            Self::Join => "JOIN",
            Self::Account => "ACCOUNT",
            Self::Backup => "BACKUP",
            Self::Password => "PWGEN",
            Self::PostAuthentication => "POSTAUTH",
            Self::Report => "REPORT",
            Self::Csp => "CSP",
            Self::Protocol => "PROTO",
        }
    }

    /// The area of a requirement's id, for example of `REQ-ROTATE-003`, or of
    /// `REQ-CSP-PasswordLength-001`, where the node's name stands between area and number; `None`
    /// when it is no such id.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let (group, number) = id.strip_prefix("REQ-")?.rsplit_once('-')?;
        if number.len() != 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (area, node) = group
            .split_once('-')
            .map_or((group, None), |(area, node)| (area, Some(node)));
        let area = Self::ALL.into_iter().find(|known| known.as_str() == area)?;
        let well_formed = match node {
            Some(node) => {
                area == Self::Csp
                    && !node.is_empty()
                    && node.bytes().all(|byte| byte.is_ascii_alphabetic())
            }
            None => area != Self::Csp,
        };
        well_formed.then_some(area)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Policy => include_str!("../../../fixtures/requirements/policy.toml"),
            Self::Assign => include_str!("../../../fixtures/requirements/assign.toml"),
            Self::CheckIn => include_str!("../../../fixtures/requirements/checkin.toml"),
            Self::Conflict => include_str!("../../../fixtures/requirements/conflict.toml"),
            Self::Schedule => include_str!("../../../fixtures/requirements/schedule.toml"),
            Self::Rotate => include_str!("../../../fixtures/requirements/rotate.toml"),
            Self::Bulk => include_str!("../../../fixtures/requirements/bulk.toml"),
            Self::View => include_str!("../../../fixtures/requirements/view.toml"),
            Self::Audit => include_str!("../../../fixtures/requirements/audit.toml"),
            Self::Rbac => include_str!("../../../fixtures/requirements/rbac.toml"),
            Self::Join => include_str!("../../../fixtures/requirements/join.toml"),
            Self::Account => include_str!("../../../fixtures/requirements/account.toml"),
            Self::Backup => include_str!("../../../fixtures/requirements/backup.toml"),
            Self::Password => include_str!("../../../fixtures/requirements/pwgen.toml"),
            Self::PostAuthentication => {
                include_str!("../../../fixtures/requirements/postauth.toml")
            }
            Self::Report => include_str!("../../../fixtures/requirements/report.toml"),
            Self::Csp => include_str!("../../../fixtures/requirements/csp.toml"),
            Self::Protocol => include_str!("../../../fixtures/requirements/proto.toml"),
        }
    }
}

impl Catalogue {
    /// The catalogue that is built into the program.
    ///
    /// # Errors
    /// [`Error::Harness`] when it is not well-formed; the tests keep it so.
    pub fn builtin() -> Result<Self, Error> {
        let mut requirements = Vec::new();
        for area in Area::ALL {
            requirements.extend(read_area(area, area.text())?);
        }
        let documents: DocumentFile = read(
            "documents",
            include_str!("../../../fixtures/requirements/documents.toml"),
        )?;
        let facts: FactFile = read(
            "facts",
            include_str!("../../../fixtures/requirements/facts.toml"),
        )?;
        let catalogue = Self {
            requirements,
            documents: documents.document,
            facts: facts.facts,
        };
        catalogue.check_references()?;
        Ok(catalogue)
    }

    /// Every requirement in order, whoever judges it.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The requirements that this suite judges, in order.
    pub fn judged_by(&self, suite: Suite) -> impl Iterator<Item = &Requirement> {
        self.requirements
            .iter()
            .filter(move |row| row.is_judged_by(suite))
    }

    /// The requirements that `muster run` judges, in order.
    pub fn requirements_of_run(&self) -> impl Iterator<Item = &Requirement> {
        self.judged_by(Suite::Run)
    }

    /// The requirements of a set, in order.
    pub fn in_set(&self, set: RequirementSet) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(move |row| row.is_in(set))
    }

    /// The requirement with this id.
    #[must_use]
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|known| known.id == id)
    }

    /// The document that a source names.
    #[must_use]
    pub fn document(&self, key: &str) -> Option<&Document> {
        self.documents.iter().find(|known| known.key == key)
    }

    /// What a source's anchor states, in own words; `None` for the anchors of the article itself,
    /// whose statements are the requirements.
    #[must_use]
    pub fn fact(&self, anchor: &str) -> Option<&str> {
        self.facts.get(anchor).map(String::as_str)
    }

    /// Every id is there once, and every twin exists.
    fn check_references(&self) -> Result<(), Error> {
        let mut ids = BTreeSet::new();
        for Requirement { id, .. } in &self.requirements {
            if !ids.insert(id) {
                return Err(Error::Harness(format!("catalogue: `{id}` stands twice")));
            }
        }
        for Requirement { id, twin, .. } in &self.requirements {
            if let Some(twin) = twin
                && (twin == id || !ids.contains(twin))
            {
                return Err(Error::Harness(format!(
                    "catalogue: `{id}` has the unknown twin `{twin}`"
                )));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AreaFile {
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFile {
    document: Vec<Document>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactFile {
    facts: BTreeMap<String, String>,
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| Error::Harness(format!("catalogue, {name}: {error}")))
}

fn read_area(area: Area, text: &str) -> Result<Vec<Requirement>, Error> {
    let name = area.as_str();
    let file: AreaFile = read(&format!("area {name}"), text)?;
    for requirement in &file.requirement {
        let id = &requirement.id;
        if Area::of_id(id) != Some(area) {
            return Err(Error::Harness(format!(
                "catalogue: `{id}` is no id of area {name}"
            )));
        }
    }
    Ok(file.requirement)
}
