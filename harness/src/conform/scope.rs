//! Which rows of the catalogue a run judges, and what can be said of each before it.

use crate::catalogue::{Area, Catalogue, Requirement, RequirementSet, Subject};
use crate::checks;

/// The rows that are wanted.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The requirement set.
    pub set: RequirementSet,
    /// Patterns for ids with `*` and `?` and commas between them, for example `REQ-ROTATE-*`.
    pub only: Option<String>,
    /// An area.
    pub area: Option<Area>,
}

/// What can be said of a row before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// A check judges it against a target.
    Tested,
    /// It binds the device: our own emulated device is judged, not a target.
    Device,
    /// It is to be judged and is not yet.
    Planned,
    /// No black box can observe it.
    Untestable(String),
}

impl RowState {
    /// The word in lists.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::Device => "device",
            Self::Planned => "planned",
            Self::Untestable(_) => "untestable",
        }
    }

    /// Why it is not judged against a target; `None` for one that is.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Tested => None,
            Self::Device => Some("binds the device, not a target".to_owned()),
            Self::Planned => Some("planned: no check yet".to_owned()),
            Self::Untestable(why) => Some(format!("untestable: {why}")),
        }
    }
}

impl Selection {
    /// Every row of a set.
    #[must_use]
    pub const fn of_set(set: RequirementSet) -> Self {
        Self {
            set,
            only: None,
            area: None,
        }
    }

    /// Every row that is wanted, in the catalogue's order.
    pub fn rows<'a>(&'a self, catalogue: &'a Catalogue) -> impl Iterator<Item = &'a Requirement> {
        catalogue
            .requirements()
            .iter()
            .filter(move |row| self.includes(row))
    }

    /// True for a row that is wanted.
    #[must_use]
    pub fn includes(&self, requirement: &Requirement) -> bool {
        let id = requirement.id.as_str();
        let only = self.only.as_deref();
        let only = only.is_none_or(|glob| matches_pattern(glob, id));
        let area = self.area.is_none_or(|area| Area::of_id(id) == Some(area));
        only && area && requirement.is_in(self.set)
    }
}

/// What can be said of a row before a run.
#[must_use]
pub fn state_of(requirement: &Requirement) -> RowState {
    if let Some(why) = &requirement.untestable {
        return RowState::Untestable(why.clone());
    }
    if requirement.subject == Subject::Device {
        return RowState::Device;
    }
    if checks::of_requirement(&requirement.id).next().is_some() {
        RowState::Tested
    } else {
        RowState::Planned
    }
}

/// True when a pattern fits the whole text: `*` for any characters, `?` for one, letters of either
/// case, commas between several patterns. A pattern without `REQ-` is tried behind it, too.
#[must_use]
pub fn matches_pattern(glob: &str, text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let glob = glob.to_ascii_uppercase();
    let behind = text.strip_prefix("REQ-").unwrap_or(&text);
    glob.split(',').any(|glob| {
        let glob = glob.as_bytes();
        fits(glob, text.as_bytes()) || fits(glob, behind.as_bytes())
    })
}

/// Goes on behind the last `*` with one character more whenever the rest does not fit.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry = None;
    while seen < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(symbol) if *symbol == b'?' || *symbol == text[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    at = behind;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|symbol| *symbol == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_ids() {
        for (glob, id, fit) in [
            ("REQ-ROTATE-003", "REQ-ROTATE-003", true),
            ("rotate-003", "REQ-ROTATE-003", true),
            ("ROTATE-*", "REQ-ROTATE-003", true),
            ("*-003", "REQ-ROTATE-003", true),
            ("REQ-*-00?", "REQ-ROTATE-003", true),
            ("*R*T*3", "REQ-ROTATE-003", true),
            ("*", "REQ-ROTATE-003", true),
            ("ROTATE", "REQ-ROTATE-003", false),
            ("REQ-ROTATE-00", "REQ-ROTATE-003", false),
            ("REQ-ROTATE-0033", "REQ-ROTATE-003", false),
            ("", "REQ-ROTATE-003", false),
            ("VIEW-001,ROTATE-00?", "REQ-ROTATE-003", true),
            ("VIEW-001,ROTATE-004", "REQ-ROTATE-003", false),
            (",", "REQ-ROTATE-003", false),
            ("REQ-VIEW-*", "REQ-ROTATE-003", false),
        ] {
            assert_eq!(matches_pattern(glob, id), fit, "{glob} on {id}");
        }
    }
}
