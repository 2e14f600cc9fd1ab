//! The profile of a target: what it declares of itself, as a file that people write. A declaration
//! narrows what is right, never what is judged: a claim takes rows out of the judgement and shows
//! them as such, and turns none of them into a pass.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Area, Param, Requirement, RequirementSet, Subject};
use crate::error::Error;
use crate::expectations::Expectations;
use crate::limits::{self, Limits, Patience};
use crate::properties::{AUTO, Declarations, Property};
use crate::verdict::{Claim, Control, Course, Standing, Tally};

/// The schema of a profile.
pub const SCHEMA: &str = "muster.profile/1";

/// What is declared and known of a target.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What it declares.
    pub profile: Profile,
    /// What it is known to fail, if there is such a list.
    pub expectations: Option<Expectations>,
    /// No limit is judged by less than this.
    pub least: Duration,
}

/// What a target declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The file, or `built-in`, or `none`.
    pub name: String,
    /// Vendor, product and version, as far as they are told.
    pub target: TargetNote,
    /// The requirement set.
    pub set: Option<RequirementSet>,
    /// Where passwords are stored.
    pub directory: DirectoryPlane,
    /// Areas that are not to be judged.
    pub untested: Vec<Area>,
    /// The choices that it declares.
    pub properties: Declarations,
    /// The time that it needs.
    pub limits: Limits,
}

/// Who the target is, for the report alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetNote {
    /// The vendor.
    pub vendor: String,
    /// The product.
    pub product: String,
    /// Its version.
    pub version: String,
}

/// Where passwords are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryPlane {
    /// The target stores them.
    #[default]
    Native,
    /// Something else does: the requirements of the directory do not apply to the target.
    External,
}

/// The profile as it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileNote {
    /// The file, or `built-in`, or `none`.
    pub name: String,
    /// Who the target is.
    pub target: TargetNote,
    /// Where passwords are stored.
    pub directory: DirectoryPlane,
    /// Areas that are claimed as untested.
    pub untested: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    #[serde(default)]
    set: Option<String>,
    #[serde(default)]
    directory: DirectoryPlane,
    #[serde(default)]
    target: TargetNote,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    #[serde(default)]
    properties: toml::Table,
    #[serde(default)]
    limits_ms: BTreeMap<Param, u64>,
}

impl Terms {
    /// The terms of the built-in core.
    ///
    /// # Errors
    /// [`Error::Harness`] when its profile is not well-formed; the tests keep it so.
    pub fn built_in() -> Result<Self, Error> {
        let text = include_str!("../../fixtures/targets/builtin.toml");
        let profile = Profile::parse("built-in", text)
            .map_err(|error| Error::Harness(format!("built-in profile: {error}")))?;
        Ok(Self {
            profile,
            expectations: None,
            least: Patience::LEAST,
        })
    }

    /// The terms of the built-in core with a deliberate fault that is known. Nothing is declared: a
    /// fault of one device is to be seen by the others, and not by what this core declares.
    ///
    /// # Errors
    /// Those of [`Terms::built_in`].
    pub fn faulty() -> Result<Self, Error> {
        Ok(Self {
            least: Patience::LEAST_FAULTY,
            ..Self::variant()?
        })
    }

    /// The terms of a legal variant of the built-in core: with every property to be inferred, and as
    /// quick as that but for the life of an action, which one variant stretches as far as it goes.
    ///
    /// # Errors
    /// Those of [`Terms::built_in`].
    pub fn variant() -> Result<Self, Error> {
        let mut terms = Self::built_in()?;
        terms.profile.name = "variant".to_owned();
        terms.profile.properties = Declarations::default();
        let max = limits::longest(Param::Max);
        terms.profile.limits.set(Param::Max, max);
        Ok(terms)
    }

    /// The terms of a target that declares nothing: every property is inferred, and every limit is
    /// the longest that the contract allows.
    #[must_use]
    pub fn undeclared() -> Self {
        Self {
            profile: Profile {
                name: "none".to_owned(),
                target: TargetNote::default(),
                set: None,
                directory: DirectoryPlane::Native,
                untested: Vec::new(),
                properties: Declarations::default(),
                limits: Limits::LONGEST,
            },
            expectations: None,
            least: Patience::LEAST,
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of(&self.profile.limits, self.least)
    }
}

impl Profile {
    /// Reads a profile; `name` is what reports call it.
    ///
    /// # Errors
    /// [`Error::SetUp`] with the first thing that is wrong and its value.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let file: File =
            toml::from_str(text).map_err(|error| refused(name, error.to_string().trim_end()))?;
        if file.schema != SCHEMA {
            let text = format!("schema `{}`, expected `{SCHEMA}`", file.schema);
            return Err(refused(name, &text));
        }
        let parts = || -> Result<Self, String> {
            Ok(Self {
                name: name.to_owned(),
                set: file.set.as_deref().map(set).transpose()?,
                directory: file.directory,
                untested: claims(&file.claims)?,
                properties: declarations(&file.properties)?,
                limits: limits(&file.limits_ms)?,
                target: file.target,
            })
        };
        parts().map_err(|text| refused(name, &text))
    }

    /// What it says of a requirement.
    #[must_use]
    pub fn claim(&self, requirement: &Requirement) -> Claim {
        match (self.directory, requirement.subject) {
            (DirectoryPlane::External, Subject::Directory) => return Claim::NotApplicable,
            (DirectoryPlane::External, Subject::Server | Subject::Device)
            | (DirectoryPlane::Native, _) => {}
        }
        let area = Area::of_id(&requirement.id);
        if area.is_some_and(|area| self.untested.contains(&area)) {
            Claim::Untested
        } else {
            Claim::Judged
        }
    }

    /// What the report says of it.
    #[must_use]
    pub fn note(&self) -> ProfileNote {
        ProfileNote {
            name: self.name.clone(),
            target: self.target.clone(),
            directory: self.directory,
            untested: self
                .untested
                .iter()
                .map(|area| area.as_str().to_owned())
                .collect(),
        }
    }
}

impl ProfileNote {
    /// What a reader of the table has to know.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.name.clone();
        let TargetNote {
            vendor,
            product,
            version,
        } = &self.target;
        let known: Vec<&str> = [vendor, product, version]
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(String::as_str)
            .collect();
        if !known.is_empty() {
            text = format!("{text} ({})", known.join(" "));
        }
        match self.directory {
            DirectoryPlane::Native => {}
            DirectoryPlane::External => text.push_str("; directory external"),
        }
        if !self.untested.is_empty() {
            text = format!("{text}; claimed untested: {}", self.untested.join(", "));
        }
        text
    }
}

/// What verdicts depend on besides the counts of their own row.
pub(crate) struct Bench<'a> {
    profile: &'a Profile,
    /// Requirements that were put to the test and held: what a positive control must be.
    held: BTreeSet<&'static str>,
    /// Requirements of scenarios that a defect of the harness ended.
    broken: &'a BTreeSet<&'a str>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        profile: &'a Profile,
        tallies: &BTreeMap<&'static str, Tally>,
        broken: &'a BTreeSet<&'a str>,
    ) -> Self {
        let held = tallies.iter().filter(|(_, tally)| tally.held());
        Self {
            profile,
            held: held.map(|(id, _)| *id).collect(),
            broken,
        }
    }

    pub(crate) fn standing(&self, requirement: &Requirement) -> Standing {
        // A control is asked for whatever the profile says of its own row: what was not seen to
        // work proves no refusal.
        let control = match &requirement.twin {
            None => Control::None,
            Some(twin) if self.held.contains(twin.as_str()) => Control::Passed,
            Some(_) => Control::NotPassed,
        };
        let course = if self.broken.contains(requirement.id.as_str()) {
            Course::Broken
        } else {
            Course::Whole
        };
        Standing {
            claim: self.profile.claim(requirement),
            control,
            course,
        }
    }
}

fn refused(name: &str, what: &str) -> Error {
    Error::SetUp(format!("profile `{name}`: {what}"))
}

fn set(name: &str) -> Result<RequirementSet, String> {
    let sets = RequirementSet::ALL.map(RequirementSet::as_str).join(", ");
    RequirementSet::by_name(name).ok_or_else(|| format!("set `{name}`, expected one of {sets}"))
}

fn claims(claims: &BTreeMap<String, String>) -> Result<Vec<Area>, String> {
    let mut untested = Vec::new();
    for (name, claim) in claims {
        let known = Area::ALL.into_iter().find(|area| area.as_str() == name);
        let area = known.ok_or_else(|| {
            let areas = Area::ALL.map(Area::as_str).join(", ");
            format!("claim `{name}` is no area: {areas}")
        })?;
        match claim.as_str() {
            "supported" => {}
            "untested" => untested.push(area),
            "unsupported" => {
                return Err(format!(
                    "claim `{name}` is `unsupported`, which nothing here can prove; say `untested`"
                ));
            }
            other => {
                return Err(format!(
                    "claim `{name}` is `{other}`, expected supported or untested"
                ));
            }
        }
    }
    Ok(untested)
}

fn declarations(table: &toml::Table) -> Result<Declarations, String> {
    let mut words = BTreeMap::new();
    flatten("", table, &mut words)?;
    let mut declarations = Declarations::default();
    for (name, word) in words {
        let property = Property::by_name(&name)
            .ok_or_else(|| format!("`{name}` is no property; `muster properties` lists them"))?;
        if word == AUTO {
            continue;
        }
        let choice = property.choice(&word).ok_or_else(|| {
            let words: Vec<&str> = property.words().collect();
            format!(
                "property `{name}` is `{word}`, expected {AUTO} or one of {}",
                words.join(", ")
            )
        })?;
        declarations.declare(property, choice);
    }
    Ok(declarations)
}

/// `a.b = "c"` is a table in a table to TOML, and `"a.b" = "c"` is not: both name one property.
fn flatten(
    prefix: &str,
    table: &toml::Table,
    words: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        if let Some(word) = value.as_str() {
            if words.insert(name.clone(), word.to_owned()).is_some() {
                return Err(format!("property `{name}` stands twice"));
            }
        } else if let Some(table) = value.as_table() {
            flatten(&name, table, words)?;
        } else {
            return Err(format!(
                "property `{name}` is of the type {}, expected a text",
                value.type_str()
            ));
        }
    }
    Ok(())
}

fn limits(declared: &BTreeMap<Param, u64>) -> Result<Limits, String> {
    let mut limits = Limits::LONGEST;
    for (param, millis) in declared {
        let limit = Duration::from_millis(*millis);
        let longest = limits::longest(*param);
        if limit > longest {
            return Err(format!(
                "{} of {millis} ms is above the contract's maximum of {} ms",
                param.as_str(),
                longest.as_millis()
            ));
        }
        limits.set(*param, limit);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::properties::PROPERTIES;

    #[test]
    fn the_built_in_profile_declares_every_property() {
        let terms = Terms::built_in().unwrap();
        for row in &PROPERTIES {
            let declared = terms.profile.properties.of(row.property);
            assert!(declared.is_some(), "{}", row.name);
        }
        assert_eq!(terms.profile.set, Some(RequirementSet::Current2025));
        assert_eq!(terms.profile.limits.max, Duration::from_secs(86_400));
    }

    #[test]
    fn a_variant_declares_no_property_and_is_as_quick_as_the_core() {
        let (terms, variant) = (Terms::built_in().unwrap(), Terms::variant().unwrap());
        let max = variant.profile.limits.max;
        assert_eq!(max, Duration::from_secs(7 * 86_400));
        let core = terms.profile.limits;
        assert_eq!(variant.profile.limits, Limits { max, ..core });
        assert_eq!(variant.profile.properties, Declarations::default());
    }

    #[test]
    fn whoever_declares_nothing_has_the_longest_limits_and_no_property() {
        let terms = Terms::undeclared();
        for row in &PROPERTIES {
            assert_eq!(terms.profile.properties.of(row.property), None);
        }
        let patience = terms.patience();
        assert_eq!(patience.fail, Duration::from_secs(30));
        assert_eq!(patience.report, Duration::from_secs(60));
        assert_eq!(patience.drain, Duration::from_secs(30));
    }

    #[test]
    fn every_mistake_has_its_sentence() {
        for (body, sentence) in [
            ("serv = 1", "unknown field `serv`"),
            (
                "set = \"seed\"",
                "set `seed`, expected one of seed-2023-04,",
            ),
            ("directory = \"far\"", "unknown variant `far`"),
            ("[target]\nname = \"x\"", "unknown field `name`"),
            (
                "[claims]\nBULKY = \"untested\"",
                "claim `BULKY` is no area: POLICY,",
            ),
            (
                "[claims]\nBULK = \"unsupported\"",
                "claim `BULK` is `unsupported`, which nothing here can prove; say `untested`",
            ),
            (
                "[claims]\nBULK = \"no\"",
                "claim `BULK` is `no`, expected supported or untested",
            ),
            (
                "[properties]\nconflict.hold = \"auto\"",
                "`conflict.hold` is no property",
            ),
            (
                "[properties]\nconflict.withhold = \"all\"",
                "property `conflict.withhold` is `all`, expected auto or one of policy, setting",
            ),
            (
                "[properties]\n\"conflict.withhold\" = 1",
                "property `conflict.withhold` is of the type integer, expected a text",
            ),
            (
                "[properties]\n\"conflict.withhold\" = \"auto\"\nconflict.withhold = \"auto\"",
                "property `conflict.withhold` stands twice",
            ),
            (
                "[limits_ms]\nT_fail = 30001",
                "T_fail of 30001 ms is above the contract's maximum of 30000 ms",
            ),
            (
                "[limits_ms]\nT_max = 604800001",
                "T_max of 604800001 ms is above the contract's maximum of 604800000 ms",
            ),
            ("[limits_ms]\nT_wait = 1", "unknown variant `T_wait`"),
            ("[limits_ms]\nT_fail = -1", "invalid value: integer `-1`"),
        ] {
            let text = format!("schema = \"{SCHEMA}\"\n{body}\n");
            let error = Profile::parse("x.toml", &text).unwrap_err().to_string();
            assert!(error.starts_with("profile `x.toml`: "), "{error}");
            assert!(error.contains(sentence), "{body}: {error}");
        }
        let error = Profile::parse("x.toml", "schema = \"muster.profile/9\"\n").unwrap_err();
        let sentence = "schema `muster.profile/9`, expected `muster.profile/1`";
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(Profile::parse("x.toml", "").is_err());
    }

    #[test]
    fn both_ways_to_write_a_property_are_one() {
        for line in [
            "conflict.withhold = \"setting\"",
            "\"conflict.withhold\" = \"setting\"",
        ] {
            let text = format!("schema = \"{SCHEMA}\"\n[properties]\n{line}\n");
            let profile = Profile::parse("x", &text).unwrap();
            let declared = profile.properties.of(Property::Withhold);
            assert_eq!(
                declared.map(crate::properties::Choice::word),
                Some("setting")
            );
        }
    }

    #[test]
    fn claims_take_rows_out_and_pass_none() {
        let catalogue = Catalogue::builtin().unwrap();
        let text = format!(
            "schema = \"{SCHEMA}\"\ndirectory = \"external\"\n[claims]\nBULK = \"untested\"\n"
        );
        let profile = Profile::parse("x", &text).unwrap();
        for row in catalogue.requirements() {
            let claim = profile.claim(row);
            let expected = if row.subject == Subject::Directory {
                Claim::NotApplicable
            } else if row.id.starts_with("REQ-BULK-") {
                Claim::Untested
            } else {
                Claim::Judged
            };
            assert_eq!(claim, expected, "{}", row.id);
        }
    }
}
