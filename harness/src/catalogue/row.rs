//! The rows of the catalogue as data: what `fixtures/requirements/*.toml` may say. An unknown key is
//! refused, so that a misspelt one cannot pass unnoticed.

use serde::{Deserialize, Serialize};

use crate::verdict::Level;

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
    /// The sets that contain it.
    pub sets: Vec<RequirementSet>,
    /// The suites that judge it.
    pub judged_by: Vec<Suite>,
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
    /// The closed list of outcomes that fulfil it.
    pub allowed: Vec<String>,
    /// What must not occur beside them; it makes a refusal bite whose wording is free.
    #[serde(default)]
    pub forbidden: Vec<String>,
    /// The time limits that it depends on; a profile declares them.
    #[serde(default)]
    pub params: Vec<Param>,
    /// True when it is fulfilled by something not happening, which an idle target does, too.
    #[serde(default)]
    pub negative: bool,
    /// The positive control of a negative requirement: what must succeed at the same place, so that
    /// a refusal means something.
    #[serde(default)]
    pub twin: Option<String>,
    /// The ids of the checks that decide it.
    #[serde(default)]
    pub checks: Vec<String>,
    /// The names of the deliberate defects that must turn it to fail.
    #[serde(default)]
    pub faults: Vec<String>,
    /// True while no check decides it; it is reported as not tested.
    #[serde(default)]
    pub planned: bool,
    /// Why nobody can observe it from outside; `None` for everything that can be.
    #[serde(default)]
    pub untestable: Option<String>,
    /// Where the text leaves a question open, how it is answered here.
    #[serde(default)]
    pub interpretation: Vec<Interpretation>,
}

impl Requirement {
    /// True when this suite judges it.
    #[must_use]
    pub fn is_judged_by(&self, suite: Suite) -> bool {
        self.judged_by.contains(&suite)
    }

    /// True when it belongs to this set.
    #[must_use]
    pub fn is_in(&self, set: RequirementSet) -> bool {
        self.sets.contains(&set)
    }
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
    /// The device: muster's own emulated one. It never fails a target.
    #[serde(rename = "DEV")]
    Device,
}

impl Subject {
    /// The word in the catalogue and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "SRV",
            Self::Directory => "DIR",
            Self::Device => "DEV",
        }
    }
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
    /// Derived from published facts.
    #[serde(rename = "DER")]
    Derived,
}

impl Origin {
    /// The word in the catalogue and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seed => "SEED",
            Self::SeedInferred => "SEED+",
            Self::Document => "DOC",
            Self::Derived => "DER",
        }
    }
}

/// A set of requirements, by the documents that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RequirementSet {
    /// The article of 2023-04-18 and what follows from it.
    #[serde(rename = "seed-2023-04")]
    Seed202304,
    /// Adds the finished documents of 2023.
    #[serde(rename = "ga-2023-10")]
    Ga202310,
    /// Adds everything published since.
    #[serde(rename = "current-2025")]
    Current2025,
}

impl RequirementSet {
    /// Every set, the oldest first.
    pub const ALL: [Self; 3] = [Self::Seed202304, Self::Ga202310, Self::Current2025];

    /// The name on the command line and in profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seed202304 => "seed-2023-04",
            Self::Ga202310 => "ga-2023-10",
            Self::Current2025 => "current-2025",
        }
    }

    /// The set of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == name)
    }
}

/// A part of muster that judges requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// `muster run`: under load.
    Run,
    /// `muster conform`: one situation at a time.
    Conform,
}

/// A time limit that a profile declares (contract 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Param {
    /// From a change to the push that it causes.
    #[serde(rename = "T_push")]
    Push,
    /// From the request for a rotation of an offline device to the action listed as failed.
    #[serde(rename = "T_fail")]
    Fail,
    /// From the answer to a call to its event.
    #[serde(rename = "T_audit")]
    Audit,
    /// From the end of a session to the states that it caused.
    #[serde(rename = "T_report")]
    Report,
    /// From an accepted action to its final state.
    #[serde(rename = "T_max")]
    Max,
    /// From the end of the load to complete books.
    #[serde(rename = "T_drain")]
    Drain,
}

impl Param {
    /// The name in the contract, the catalogue and profiles.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "T_push",
            Self::Fail => "T_fail",
            Self::Audit => "T_audit",
            Self::Report => "T_report",
            Self::Max => "T_max",
            Self::Drain => "T_drain",
        }
    }
}

/// A statement in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The key of a [`Document`].
    pub doc: String,
    /// `S1` to `S27` for the statements of `SEED`, otherwise the number of a fact.
    pub anchor: String,
}

/// A document that requirements rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The name in [`Source::doc`].
    pub key: String,
    /// What it calls itself.
    pub title: String,
    /// Repository and file of the public sources.
    pub path: String,
    /// The date that it bears, if it bears one.
    #[serde(default)]
    pub date: Option<String>,
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
