//! Holds the catalogue, the checks and the deliberate defects together: whatever is missing on one
//! side is named. A suite that quietly lost a check would pass everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Catalogue, Requirement, Suite};
use crate::verdict::Level;

/// The published ids, by what stands between `REQ-` and the number, typed by hand and not read from
/// the files: a row can neither disappear nor change its name unnoticed.
pub const FROZEN: [(&str, &[&str]); 29] = [
    ("POLICY", &["001", "002"]),
    (
        "ASSIGN",
        &["001", "002", "003", "004", "005", "006", "007", "008"],
    ),
    ("CHECKIN", &["001", "002"]),
    (
        "CONFLICT",
        &[
            "001", "002", "003", "004", "005", "006", "007", "008", "009", "010", "011", "012",
            "013", "014", "015", "016", "017",
        ],
    ),
    ("SCHEDULE", &["001", "002", "003", "004", "005", "006"]),
    (
        "ROTATE",
        &[
            "001", "002", "003", "004", "005", "006", "007", "008", "009", "010", "011", "012",
            "013", "014", "015",
        ],
    ),
    ("BULK", &["001", "002", "003", "004", "005"]),
    ("VIEW", &["001", "002", "003", "004", "005", "006"]),
    (
        "AUDIT",
        &[
            "001", "002", "003", "004", "005", "006", "007", "008", "009", "010", "011", "012",
        ],
    ),
    ("RBAC", &["001", "002", "003", "004", "005", "006", "007"]),
    (
        "JOIN",
        &["001", "002", "003", "004", "005", "006", "007", "008"],
    ),
    ("ACCOUNT", &["001", "002", "003", "004", "005", "006"]),
    ("BACKUP", &["001", "002", "003", "004"]),
    ("PWGEN", &["001", "002"]),
    ("POSTAUTH", &["001"]),
    ("REPORT", &["001", "002", "003", "004"]),
    ("CSP-BackupDirectory", &["001"]),
    ("CSP-PasswordAgeDays", &["001", "002"]),
    ("CSP-PasswordComplexity", &["001"]),
    ("CSP-PasswordLength", &["001"]),
    ("CSP-PassphraseLength", &["001"]),
    ("CSP-AdministratorAccountName", &["001"]),
    ("CSP-ADonly", &["001"]),
    ("CSP-PostAuthenticationResetDelay", &["001"]),
    ("CSP-PostAuthenticationActions", &["001"]),
    ("CSP-AutomaticAccountManagement", &["001"]),
    ("CSP-ResetPassword", &["001"]),
    ("CSP-ResetPasswordStatus", &["001"]),
    ("PROTO", &["001", "002", "003", "004", "005", "006", "007"]),
];

/// One thing that the lint has to say. Only [`LintError::Planned`] is no reason to refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the fields are the ids that the variant's sentence speaks of"
)]
pub enum LintError {
    /// A row without a published id.
    UnknownId { id: String },
    /// A published id without a row.
    MissingId { id: String },
    /// An id with two rows.
    DoubledId { id: String },
    /// A row that nobody judges, or that only `muster run` does.
    NotInConform { id: String },
    /// A row that is neither planned nor untestable and has no check.
    NoCheck { id: String },
    /// A MUST that is neither planned nor untestable and that no defect breaks.
    NoFault { id: String },
    /// A negative row without a positive control.
    NoTwin { id: String },
    /// A positive control that does not exist, is the row itself, or is negative, too.
    BadTwin { id: String, twin: String },
    /// A row lists a check that does not exist or decides another row.
    LostCheck { id: String, check: String },
    /// A row lists a defect that does not exist or breaks another row.
    LostFault { id: String, fault: String },
    /// A check that its row does not list.
    UnlistedCheck { id: String, check: String },
    /// A defect that its row does not list.
    UnlistedFault { id: String, fault: String },
    /// Two checks with one id.
    DoubledCheck { check: String },
    /// A check that names no requirement.
    StrayCheck { check: String, id: String },
    /// A defect that names no requirement.
    StrayFault { fault: String, id: String },
    /// A row is marked untestable and used by a check or a defect, or planned as well.
    UntestableUsed { id: String, by: String },
    /// A row is marked planned and has a check or a defect.
    PlannedUsed { id: String, by: String },
    /// A row says that nothing fulfils it: its list of allowed outcomes is empty.
    NothingAllowed { id: String },
    /// A row without a source, or with one that resolves to nothing.
    BadSource { id: String, source: String },
    /// A row whose check is still to come; reported, not refused.
    Planned { id: String },
}

impl LintError {
    /// True when the catalogue must not be used: everything but [`LintError::Planned`].
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Planned { .. })
    }
}

impl fmt::Display for LintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownId { id } => write!(f, "{id}: no published id"),
            Self::MissingId { id } => write!(f, "{id}: published, and without a row"),
            Self::DoubledId { id } => write!(f, "{id}: stands twice"),
            Self::NotInConform { id } => write!(f, "{id}: not judged by `conform`"),
            Self::NoCheck { id } => write!(f, "{id}: no check decides it"),
            Self::NoFault { id } => write!(f, "{id}: no fault breaks it"),
            Self::NoTwin { id } => write!(f, "{id}: negative and without a twin"),
            Self::BadTwin { id, twin } => {
                write!(f, "{id}: `{twin}` is no positive control of it")
            }
            Self::LostCheck { id, check } => {
                write!(
                    f,
                    "{id}: its check `{check}` does not exist or decides another one"
                )
            }
            Self::LostFault { id, fault } => {
                write!(
                    f,
                    "{id}: its fault `{fault}` does not exist or breaks another one"
                )
            }
            Self::UnlistedCheck { id, check } => {
                write!(f, "{id}: the row does not list its check `{check}`")
            }
            Self::UnlistedFault { id, fault } => {
                write!(f, "{id}: the row does not list its fault `{fault}`")
            }
            Self::DoubledCheck { check } => write!(f, "check `{check}`: stands twice"),
            Self::StrayCheck { check, id } => {
                write!(f, "check `{check}`: there is no requirement `{id}`")
            }
            Self::StrayFault { fault, id } => {
                write!(f, "fault `{fault}`: there is no requirement `{id}`")
            }
            Self::UntestableUsed { id, by } => {
                write!(f, "{id}: marked untestable, and yet `{by}`")
            }
            Self::PlannedUsed { id, by } => write!(f, "{id}: marked planned, and yet `{by}`"),
            Self::NothingAllowed { id } => write!(f, "{id}: no allowed outcome"),
            Self::BadSource { id, source } => write!(f, "{id}: the source `{source}` is unknown"),
            Self::Planned { id } => write!(f, "{id}: planned, no check yet"),
        }
    }
}

/// The published ids in order.
pub fn frozen_ids() -> impl Iterator<Item = String> {
    FROZEN
        .into_iter()
        .flat_map(|(group, numbers)| numbers.iter().map(move |n| format!("REQ-{group}-{n}")))
}

/// The name under which a row of the device lists the scenarios that judge it, for example
/// `dev.backup-001`: they have no ids of their own.
#[must_use]
pub fn device_check(id: &str) -> String {
    let name = id.strip_prefix("REQ-").unwrap_or(id);
    format!("dev.{}", name.to_ascii_lowercase())
}

impl Catalogue {
    /// What is wrong between the catalogue, the checks and the deliberate defects, each given as a
    /// pair of its name and the requirement that it decides or breaks. A defect of the target and
    /// one of the device are told apart by their names only.
    #[must_use]
    pub fn lint(&self, checks: &[(&str, &str)], faults: &[(&str, &str)]) -> Vec<LintError> {
        self.lint_against(&frozen_ids().collect(), checks, faults)
    }

    pub(super) fn lint_against(
        &self,
        frozen: &BTreeSet<String>,
        checks: &[(&str, &str)],
        faults: &[(&str, &str)],
    ) -> Vec<LintError> {
        let mut errors = self.lint_ids(frozen);
        let ids: BTreeSet<&str> = self
            .requirements()
            .iter()
            .map(|row| row.id.as_str())
            .collect();
        let mut seen = BTreeSet::new();
        for (check, id) in checks {
            let check = || (*check).to_owned();
            if !seen.insert(check()) {
                errors.push(LintError::DoubledCheck { check: check() });
            }
            if !ids.contains(id) {
                let id = (*id).to_owned();
                errors.push(LintError::StrayCheck { check: check(), id });
            }
        }
        for (fault, id) in faults.iter().filter(|(_, id)| !ids.contains(id)) {
            let (fault, id) = ((*fault).to_owned(), (*id).to_owned());
            errors.push(LintError::StrayFault { fault, id });
        }
        let (checks, faults) = (by_requirement(checks), by_requirement(faults));
        let none = BTreeSet::new();
        for row in self.requirements() {
            let id = row.id.as_str();
            let checks = checks.get(id).unwrap_or(&none);
            let faults = faults.get(id).unwrap_or(&none);
            self.lint_row(row, &mut errors);
            lint_lists(row, checks, faults, &mut errors);
            lint_cover(row, checks, faults, &mut errors);
        }
        errors
    }

    fn lint_ids(&self, frozen: &BTreeSet<String>) -> Vec<LintError> {
        let mut errors = Vec::new();
        let mut seen = BTreeSet::new();
        for Requirement { id, .. } in self.requirements() {
            let id = || id.clone();
            if !seen.insert(id()) {
                errors.push(LintError::DoubledId { id: id() });
            } else if !frozen.contains(&id()) {
                errors.push(LintError::UnknownId { id: id() });
            }
        }
        for id in frozen.difference(&seen) {
            errors.push(LintError::MissingId { id: id.clone() });
        }
        errors
    }

    /// What a row says of itself.
    fn lint_row(&self, row: &Requirement, errors: &mut Vec<LintError>) {
        let id = || row.id.clone();
        if !row.is_judged_by(Suite::Conform) {
            errors.push(LintError::NotInConform { id: id() });
        }
        if row.allowed.is_empty() {
            errors.push(LintError::NothingAllowed { id: id() });
        }
        if row.source.is_empty() {
            let source = String::new();
            errors.push(LintError::BadSource { id: id(), source });
        }
        for source in &row.source {
            if !self.resolves(&source.doc, &source.anchor) {
                let source = format!("{} {}", source.doc, source.anchor);
                errors.push(LintError::BadSource { id: id(), source });
            }
        }
        match &row.twin {
            None if row.negative => errors.push(LintError::NoTwin { id: id() }),
            Some(twin)
                if *twin == row.id || self.requirement(twin).is_none_or(|twin| twin.negative) =>
            {
                let twin = twin.clone();
                errors.push(LintError::BadTwin { id: id(), twin });
            }
            None | Some(_) => {}
        }
    }

    fn resolves(&self, doc: &str, anchor: &str) -> bool {
        if self.document(doc).is_none() {
            return false;
        }
        if doc == "SEED" {
            let number = anchor.strip_prefix('S').and_then(|n| n.parse::<u8>().ok());
            return number.is_some_and(|number| (1..=27).contains(&number));
        }
        self.fact(anchor).is_some()
    }
}

fn by_requirement<'a>(pairs: &[(&'a str, &'a str)]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, id) in pairs {
        names.entry(id).or_default().insert(name);
    }
    names
}

/// A row lists exactly the checks that decide it and the defects that break it.
fn lint_lists(
    row: &Requirement,
    checks: &BTreeSet<&str>,
    faults: &BTreeSet<&str>,
    errors: &mut Vec<LintError>,
) {
    let id = || row.id.clone();
    let listed = |list: &[String], name: &str| list.iter().any(|known| known == name);
    for check in row
        .checks
        .iter()
        .filter(|check| !checks.contains(check.as_str()))
    {
        let check = check.clone();
        errors.push(LintError::LostCheck { id: id(), check });
    }
    for fault in row
        .faults
        .iter()
        .filter(|fault| !faults.contains(fault.as_str()))
    {
        let fault = fault.clone();
        errors.push(LintError::LostFault { id: id(), fault });
    }
    for check in checks.iter().filter(|check| !listed(&row.checks, check)) {
        let check = (*check).to_owned();
        errors.push(LintError::UnlistedCheck { id: id(), check });
    }
    for fault in faults.iter().filter(|fault| !listed(&row.faults, fault)) {
        let fault = (*fault).to_owned();
        errors.push(LintError::UnlistedFault { id: id(), fault });
    }
}

/// A row is decided and, if it binds, broken by something; or it says why not.
fn lint_cover(
    row: &Requirement,
    checks: &BTreeSet<&str>,
    faults: &BTreeSet<&str>,
    errors: &mut Vec<LintError>,
) {
    let id = || row.id.clone();
    let used = checks.iter().chain(faults).map(|by| (*by).to_owned());
    if row.untestable.is_some() {
        let planned = row.planned.then(|| "planned".to_owned());
        errors.extend(
            used.chain(planned)
                .map(|by| LintError::UntestableUsed { id: id(), by }),
        );
        return;
    }
    if row.planned {
        errors.extend(used.map(|by| LintError::PlannedUsed { id: id(), by }));
        errors.push(LintError::Planned { id: id() });
        return;
    }
    if checks.is_empty() {
        errors.push(LintError::NoCheck { id: id() });
    }
    if faults.is_empty() && row.level == Level::Must {
        errors.push(LintError::NoFault { id: id() });
    }
}
