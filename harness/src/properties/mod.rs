//! Properties: behaviours that the sources leave to an implementation, each with a closed list of
//! choices. What is left open is open once: a target that made a choice is held to it for every
//! device (contract 0).
//!
//! | module | job |
//! |---|---|
//! | `table` | every property with its choices, its source and the rows that it touches |
//! | `observe` | what the cases of a run show of them |
//! | `infer` | from observations to the choice in force, and to violations of it |

mod infer;
mod observe;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use infer::{Declarations, Judgement, judge};
pub use observe::observations;
pub use table::{ChoiceRow, PROPERTIES, PropertyRow};

use crate::case::Case;
use crate::transcript::ExchangeId;
use crate::verdict::{Finding, Tally};

/// A behaviour that the sources leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// What decides whether a device is online.
    OnlineRule,
    /// Whether a device whose connection is lost for a while counts as online.
    TempDisconnected,
    /// How the rotation of an offline Entra joined device is made to fail.
    OfflineForm,
    /// What becomes of the rotation of a hybrid joined device that is offline.
    HybridOffline,
    /// What becomes of the rotation of a hybrid joined device that uses Active Directory.
    HybridDirectory,
    /// What proves a backup to Active Directory.
    DirectoryEvidence,
    /// How the rotation of a device ends that no LAPS policy can reach.
    Unmanaged,
    /// The status of a rotation request that is accepted.
    AcceptedStatus,
    /// How much of a clashing policy a device without policy does not get.
    Withhold,
    /// What becomes of settings that no policy sets any more.
    Unassign,
    /// How many passwords of a device are kept.
    HistoryDepth,
    /// In which order they are shown.
    HistoryOrder,
    /// Whether a rotation request that lacks the right is an attempt that is audited.
    RefusedCounts,
    /// Whether events of device actions carry the id of the request.
    Correlation,
    /// Whether events of the directory carry the id of the request.
    DirectoryCorrelation,
    /// Whether hybrid joined devices may back up while the tenant's switch is off.
    SwitchHybrid,
}

/// One way to behave; each belongs to one [`Property`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// [`Property::OnlineRule`]: the push channel decides.
    OnlineByPush,
    /// [`Property::OnlineRule`]: the last check-in decides.
    OnlineByCheckIn,
    /// [`Property::OnlineRule`]: both are needed.
    OnlineByBoth,
    /// [`Property::TempDisconnected`]: it counts as offline.
    TempOffline,
    /// [`Property::TempDisconnected`]: it counts as online.
    TempOnline,
    /// [`Property::OfflineForm`]: accepted, and listed as failed when the answer arrives.
    FailedAtOnce,
    /// [`Property::OfflineForm`]: accepted, and listed as failed within `T_fail`.
    FailedLater,
    /// [`Property::OfflineForm`]: refused with 4xx, and listed as failed.
    FailedAndRefused,
    /// [`Property::HybridOffline`]: it waits for the next session.
    HybridWaits,
    /// [`Property::HybridOffline`]: it fails.
    HybridFails,
    /// [`Property::HybridOffline`]: it is listed as not supported.
    HybridUnsupported,
    /// [`Property::HybridDirectory`]: it is delivered.
    DirectoryDelivered,
    /// [`Property::HybridDirectory`]: it fails.
    DirectoryFails,
    /// [`Property::HybridDirectory`]: it is listed as not supported.
    DirectoryUnsupported,
    /// [`Property::DirectoryEvidence`]: `ResetPasswordStatus` reads 0.
    EvidenceStatus,
    /// [`Property::DirectoryEvidence`]: nothing does.
    EvidenceNone,
    /// [`Property::Unmanaged`]: it fails.
    UnmanagedFails,
    /// [`Property::Unmanaged`]: it is listed as not supported.
    UnmanagedUnsupported,
    /// [`Property::AcceptedStatus`]: 204.
    Accepted204,
    /// [`Property::AcceptedStatus`]: 202.
    Accepted202,
    /// [`Property::Withhold`]: the whole policy.
    WithholdPolicy,
    /// [`Property::Withhold`]: the clashing setting.
    WithholdSetting,
    /// [`Property::Unassign`]: they are deleted.
    UnassignDeletes,
    /// [`Property::Unassign`]: they are kept.
    UnassignKeeps,
    /// [`Property::HistoryDepth`]: 1.
    History1,
    /// [`Property::HistoryDepth`]: 2.
    History2,
    /// [`Property::HistoryDepth`]: 3.
    History3,
    /// [`Property::HistoryDepth`]: 4.
    History4,
    /// [`Property::HistoryDepth`]: 5 or more.
    History5,
    /// [`Property::HistoryOrder`]: the newest first.
    NewestFirst,
    /// [`Property::HistoryOrder`]: the oldest first.
    OldestFirst,
    /// [`Property::HistoryOrder`]: by no rule.
    Unordered,
    /// [`Property::RefusedCounts`]: it is audited.
    RefusedAudited,
    /// [`Property::RefusedCounts`]: it is not.
    RefusedUnaudited,
    /// [`Property::Correlation`]: they do.
    CorrelationEchoed,
    /// [`Property::Correlation`]: they do not.
    CorrelationAbsent,
    /// [`Property::DirectoryCorrelation`]: they do.
    DirectoryEchoed,
    /// [`Property::DirectoryCorrelation`]: they do not.
    DirectoryAbsent,
    /// [`Property::SwitchHybrid`]: they are refused.
    SwitchRefuses,
    /// [`Property::SwitchHybrid`]: they are taken.
    SwitchTakes,
}

/// What was seen of a property on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The property.
    pub property: Property,
    /// The choices that what was seen is compatible with. One of them: it decides. All of them: it
    /// says nothing. None: the behaviour is not one that is left open.
    pub shown: Vec<Choice>,
    /// The device's name.
    pub device: String,
    /// What was seen, in words.
    pub seen: String,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// A property as it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyReport {
    /// For example `conflict.withhold`.
    pub property: String,
    /// The requirement that a violation of it violates.
    pub requirement: String,
    /// What the profile says: a choice, or `auto`.
    pub declared: String,
    /// What was seen; `None` while nothing has decided it.
    pub inferred: Option<String>,
    /// The observation that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// Observations that say something of it.
    pub observations: u64,
    /// Of those, the ones that contradict the choice in force.
    pub contradictions: u64,
}

/// An observation as it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The device's name.
    pub device: String,
    /// What was seen of it.
    pub seen: String,
    /// The exchanges that prove it, by their numbers.
    pub exchanges: Vec<u64>,
}

/// Judges the properties that the cases show, and counts each violation for its requirement.
#[must_use]
pub fn settle(
    declared: &Declarations,
    cases: &[Case],
    tallies: &mut BTreeMap<&'static str, Tally>,
) -> Vec<PropertyReport> {
    let judgement = judge(declared, &observations(cases));
    for (owner, violation) in judgement.violations {
        let tally = tallies.entry(owner).or_default();
        tally.count(Finding::Violated(violation));
    }
    judgement.reports
}

/// What a profile says instead of a choice when the run is to find out.
pub const AUTO: &str = "auto";

impl Property {
    /// The row of the table.
    #[must_use]
    pub fn row(self) -> &'static PropertyRow {
        table::row(self)
    }

    /// The name in profiles and reports, for example `conflict.withhold`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The property of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let row = PROPERTIES.iter().find(|row| row.name == name)?;
        Some(row.property)
    }

    /// The choice of this property with this word.
    #[must_use]
    pub fn choice(self, word: &str) -> Option<Choice> {
        let mut choices = self.row().choices.iter();
        choices.find(|row| row.word == word).map(|row| row.choice)
    }

    /// The words of its choices.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.row().choices.iter().map(|row| row.word)
    }
}

impl Choice {
    /// The word in profiles and reports, for example `policy`.
    #[must_use]
    pub fn word(self) -> &'static str {
        table::choice(self).word
    }
}

/// The text for people: one line a property that was seen, and one with the declared ones that
/// were not.
#[must_use]
pub fn lines(reports: &[PropertyReport]) -> Vec<String> {
    let (seen, unseen): (Vec<_>, Vec<_>) =
        reports.iter().partition(|report| report.observations > 0);
    let mut lines: Vec<String> = seen.into_iter().map(line).collect();
    let declared = unseen.into_iter().filter(|report| report.declared != AUTO);
    let names: Vec<&str> = declared.map(|report| report.property.as_str()).collect();
    if !lines.is_empty() && !names.is_empty() {
        lines.push(format!("declared and not seen: {}", names.join(", ")));
    }
    if !lines.is_empty() {
        let heading = format!(
            "{:<30} {:<15} {:<17} {:>5}  WITNESS",
            "PROPERTY", "DECLARED", "SEEN", "TIMES"
        );
        lines.insert(0, heading);
        lines.push(String::new());
    }
    lines
}

fn line(report: &PropertyReport) -> String {
    let seen = report.inferred.as_deref().unwrap_or("undecided");
    let mut witness = report
        .witness
        .as_ref()
        .map_or_else(String::new, Witness::text);
    if report.contradictions > 0 {
        witness = format!("{witness}; CONTRADICTED {} times", report.contradictions);
    }
    format!(
        "{:<30} {:<15} {:<17} {:>5}  {witness}",
        report.property, report.declared, seen, report.observations
    )
    .trim_end()
    .to_owned()
}

impl Witness {
    /// Device and the last exchange, which is the one that shows it.
    fn text(&self) -> String {
        match self.exchanges.last() {
            Some(exchange) => format!("{}, exchange {exchange}", self.device),
            None => self.device.clone(),
        }
    }
}
