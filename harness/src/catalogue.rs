//! The catalogue of requirements: what is demanded of a target, in own words, with level and
//! source. Data in `fixtures/requirements/`, one file an area, built into the program.
//!
//! The catalogue judges nothing: checks name the requirement that they decide.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::verdict::Level;

/// All requirements, in the order of [`Area::ALL`] and, within an area, of its file.
#[derive(Clone, Debug)]
pub struct Catalogue {
    requirements: Vec<Requirement>,
}

/// One stated requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// For example `REQ-ROTATE-003`; opaque, never given to another requirement.
    pub id: String,
    /// What it is about, at most 80 characters.
    pub title: String,
    /// How binding it is.
    pub level: Level,
    /// Which part of the target it binds.
    pub subject: Subject,
    /// Where it comes from.
    pub origin: Origin,
    /// The precondition.
    pub given: String,
    /// The stimulus.
    pub when: String,
    /// What must be observed.
    pub then: String,
    /// The requirement as one sentence, at most 77 characters, for the table of a report.
    pub sentence: String,
    /// Why a violation matters.
    pub why: String,
    /// The published statements behind it.
    pub source: Vec<Source>,
    /// The positive control of a negative requirement: what must succeed at the same place, so that
    /// a refusal means something.
    #[serde(default)]
    pub twin: Option<String>,
    /// Where the text leaves a question open, how it is answered here.
    #[serde(default)]
    pub interpretation: Vec<Interpretation>,
}

/// Which part of a target a requirement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The management server.
    #[serde(rename = "SRV")]
    Server,
    /// The directory that stores credentials.
    #[serde(rename = "DIR")]
    Directory,
}

/// Where a requirement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Stated by the article "Manage Windows LAPS policy with Microsoft Intune" of 2023-04-18.
    #[serde(rename = "SEED")]
    Seed,
    /// Follows from that article.
    #[serde(rename = "SEED+")]
    SeedInferred,
    /// Stated by another published document.
    #[serde(rename = "DOC")]
    Document,
}

/// A statement in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `SEED`, or the title of the document.
    pub doc: String,
    /// `S1` to `S27` for the statements of `SEED`, otherwise the topic.
    pub anchor: String,
}

/// An open question and the answer chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpretation {
    /// What the text leaves open.
    pub question: String,
    /// What is judged here.
    pub decision: String,
    /// Why.
    pub reason: String,
}

/// A group of requirements; the middle part of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Delivery of policies.
    Assign,
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
}

impl Area {
    /// Every area, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Assign,
        Self::Conflict,
        Self::Schedule,
        Self::Rotate,
        Self::Bulk,
        Self::View,
        Self::Audit,
        Self::Rbac,
        Self::Join,
        Self::Account,
    ];

    /// The middle part of the ids, for example `ROTATE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assign => "ASSIGN",
            Self::Conflict => "CONFLICT",
            Self::Schedule => "SCHEDULE",
            Self::Rotate => "ROTATE",
            Self::Bulk => "BULK",
            Self::View => "VIEW",
            Self::Audit => "AUDIT",
            Self::Rbac => "RBAC",
            Self::Join => "JOIN",
            Self::Account => "ACCOUNT",
        }
    }

    /// The area of a requirement's id, for example of `REQ-ROTATE-003`; `None` when it is no such
    /// id.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let (area, number) = id.strip_prefix("REQ-")?.rsplit_once('-')?;
        if number.len() != 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::ALL.into_iter().find(|known| known.as_str() == area)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Assign => include_str!("../../fixtures/requirements/assign.toml"),
            Self::Conflict => include_str!("../../fixtures/requirements/conflict.toml"),
            Self::Schedule => include_str!("../../fixtures/requirements/schedule.toml"),
            Self::Rotate => include_str!("../../fixtures/requirements/rotate.toml"),
            Self::Bulk => include_str!("../../fixtures/requirements/bulk.toml"),
            Self::View => include_str!("../../fixtures/requirements/view.toml"),
            Self::Audit => include_str!("../../fixtures/requirements/audit.toml"),
            Self::Rbac => include_str!("../../fixtures/requirements/rbac.toml"),
            Self::Join => include_str!("../../fixtures/requirements/join.toml"),
            Self::Account => include_str!("../../fixtures/requirements/account.toml"),
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
        let catalogue = Self { requirements };
        catalogue.check_references()?;
        Ok(catalogue)
    }

    /// Every requirement in order.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The requirement with this id.
    #[must_use]
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|known| known.id == id)
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

fn read_area(area: Area, text: &str) -> Result<Vec<Requirement>, Error> {
    let name = area.as_str();
    let file: AreaFile = toml::from_str(text)
        .map_err(|error| Error::Harness(format!("catalogue, area {name}: {error}")))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;

    /// The requirements that this version judges, typed from its task and not from the files.
    const JUDGED: [(&str, &[&str]); 10] = [
        ("ASSIGN", &["001", "003"]),
        (
            "CONFLICT",
            &[
                "001", "002", "003", "004", "005", "007", "008", "009", "010",
            ],
        ),
        ("SCHEDULE", &["002", "003"]),
        ("ROTATE", &["001", "003", "004", "005", "006", "015"]),
        ("BULK", &["001", "002", "004"]),
        ("VIEW", &["001", "002", "004"]),
        ("AUDIT", &["001", "002", "003", "004", "005"]),
        ("RBAC", &["001", "003", "007"]),
        ("JOIN", &["002"]),
        ("ACCOUNT", &["003"]),
    ];

    #[test]
    fn the_catalogue_holds_exactly_the_judged_requirements_in_order() {
        let judged: Vec<String> = JUDGED
            .iter()
            .flat_map(|(area, numbers)| numbers.iter().map(move |n| format!("REQ-{area}-{n}")))
            .collect();
        let catalogue = Catalogue::builtin().unwrap();
        let ids: Vec<&str> = catalogue
            .requirements()
            .iter()
            .map(|row| row.id.as_str())
            .collect();
        assert_eq!(ids.len(), 35);
        assert_eq!(ids, judged);
    }

    #[test]
    fn every_row_is_written_for_readers() {
        for row in Catalogue::builtin().unwrap().requirements() {
            let id = &row.id;
            assert!(row.title.chars().count() <= 80, "{id}: title");
            assert!(!row.title.ends_with('.'), "{id}: title");
            assert!(row.sentence.chars().count() <= 77, "{id}: sentence");
            assert!(row.sentence.ends_with('.'), "{id}: sentence");
            assert!(row.why.ends_with('.'), "{id}: why");
            for part in [&row.given, &row.when, &row.then] {
                assert!(!part.is_empty() && !part.ends_with('.'), "{id}: {part}");
            }
            assert!(!row.source.is_empty(), "{id}: source");
            for source in row.source.iter().filter(|source| source.doc == "SEED") {
                let number = source
                    .anchor
                    .strip_prefix('S')
                    .unwrap()
                    .parse::<u8>()
                    .unwrap();
                assert!((1..=27).contains(&number), "{id}: {}", source.anchor);
            }
        }
    }

    #[test]
    fn every_judged_requirement_is_a_must() {
        for row in Catalogue::builtin().unwrap().requirements() {
            assert_eq!(row.level, Level::Must, "{}", row.id);
        }
    }

    #[test]
    fn checks_and_requirements_cover_each_other() {
        let catalogue = Catalogue::builtin().unwrap();
        for check in checks::CHECKS {
            let known = catalogue.requirement(check.requirement).is_some();
            assert!(
                known,
                "{} judges the unknown {}",
                check.id, check.requirement
            );
        }
        for row in catalogue.requirements() {
            assert!(
                checks::of_requirement(&row.id).count() > 0,
                "{} has no check",
                row.id
            );
        }
    }

    #[test]
    fn every_refusal_has_a_positive_control() {
        let catalogue = Catalogue::builtin().unwrap();
        for id in [
            "REQ-ASSIGN-003",
            "REQ-CONFLICT-001",
            "REQ-CONFLICT-003",
            "REQ-CONFLICT-007",
            "REQ-CONFLICT-009",
            "REQ-ROTATE-003",
            "REQ-ROTATE-005",
            "REQ-ROTATE-015",
            "REQ-BULK-001",
            "REQ-BULK-002",
            "REQ-VIEW-002",
            "REQ-VIEW-004",
            "REQ-RBAC-001",
            "REQ-RBAC-003",
            "REQ-RBAC-007",
            "REQ-JOIN-002",
            "REQ-ACCOUNT-003",
        ] {
            let twin = catalogue.requirement(id).unwrap().twin.as_deref();
            assert!(
                twin.is_some_and(|twin| catalogue.requirement(twin).is_some()),
                "{id}"
            );
        }
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_and_the_mistake_named() {
        let good = Area::Join.text();
        assert!(read_area(Area::Join, good).is_ok());
        for (from, to, named) in [
            ("why =", "because =", "because"),
            ("level = \"MUST\"", "level = \"MAY\"", "MAY"),
            ("subject = \"SRV\"", "subject = \"DEV\"", "DEV"),
            ("sentence =", "#", "sentence"),
            ("REQ-JOIN-002", "REQ-ROTATE-002", "REQ-ROTATE-002"),
            ("REQ-JOIN-002", "REQ-JOIN-2", "REQ-JOIN-2"),
        ] {
            let error = read_area(Area::Join, &good.replacen(from, to, 1))
                .unwrap_err()
                .to_string();
            assert!(error.contains(named), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn a_double_id_and_an_unknown_twin_are_refused() {
        let rows = read_area(Area::Join, Area::Join.text()).unwrap();
        let twice = Catalogue {
            requirements: [rows.clone(), rows.clone()].concat(),
        };
        let alone = Catalogue { requirements: rows };
        assert!(
            twice
                .check_references()
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
        assert!(
            alone
                .check_references()
                .unwrap_err()
                .to_string()
                .contains("REQ-VIEW-001")
        );
    }
}
