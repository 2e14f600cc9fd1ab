//! From observations to the choice in force, and to violations of it.
//!
//! A declared choice is in force from the beginning. Otherwise the observations decide it in their
//! order: each leaves of the choices that were still possible those that it is compatible with, and
//! one that would leave none contradicts what was seen before. What was inferred first stays in
//! force, so that a target that wavers is told of every device that differs.

use std::collections::BTreeMap;

use super::table::{PROPERTIES, PropertyRow};
use super::{AUTO, Choice, Observation, Property, PropertyReport, Witness};
use crate::transcript::ExchangeId;
use crate::verdict::Violation;

/// Another choice than on an earlier device.
const DIFFERS: &str = "choice-differs";
/// Another choice than the profile declares.
const UNDECLARED: &str = "choice-not-declared";
/// None of the choices that are left open.
const UNACCEPTABLE: &str = "choice-not-acceptable";

/// The choices that a profile declares; every other property is to be inferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations(BTreeMap<Property, Choice>);

impl Declarations {
    /// Declares a choice; the one before, if any, is void.
    pub fn declare(&mut self, property: Property, choice: Choice) {
        self.0.insert(property, choice);
    }

    /// What is declared; `None` when it is to be inferred.
    #[must_use]
    pub fn of(&self, property: Property) -> Option<Choice> {
        self.0.get(&property).copied()
    }
}

/// What the observations say of all properties.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// One row a property, in the order of the table.
    pub reports: Vec<PropertyReport>,
    /// Each violation with the requirement that it violates.
    pub violations: Vec<(&'static str, Violation)>,
}

/// Judges every property.
#[must_use]
pub fn judge(declared: &Declarations, observations: &[Observation]) -> Judgement {
    let mut judgement = Judgement::default();
    for row in &PROPERTIES {
        let mut course = Course::new(row, declared.of(row.property));
        let own = observations
            .iter()
            .filter(|observation| observation.property == row.property);
        for observation in own {
            if let Some(violation) = course.take(observation) {
                judgement.violations.push((row.owner, violation));
            }
        }
        judgement.reports.push(course.report());
    }
    judgement
}

/// A property while its observations go by.
struct Course<'o> {
    row: &'static PropertyRow,
    declared: Option<Choice>,
    /// What is still possible by what was seen.
    possible: Vec<Choice>,
    /// The observation that left no more than that.
    witness: Option<&'o Observation>,
    /// Every observation that fitted those before it.
    agreeing: Vec<&'o Observation>,
    observations: u64,
    contradictions: u64,
}

impl<'o> Course<'o> {
    fn new(row: &'static PropertyRow, declared: Option<Choice>) -> Self {
        Self {
            row,
            declared,
            possible: row.choices.iter().map(|row| row.choice).collect(),
            witness: None,
            agreeing: Vec::new(),
            observations: 0,
            contradictions: 0,
        }
    }

    /// The violation, if the observation is one.
    fn take(&mut self, observation: &'o Observation) -> Option<Violation> {
        let of_property = |choice: &Choice| observation.shown.contains(choice);
        if self.row.choices.iter().all(|row| of_property(&row.choice)) {
            return None;
        }
        self.observations += 1;
        let left: Vec<Choice> = self.possible.iter().copied().filter(of_property).collect();
        let violation = self.violation(observation, left.is_empty());
        self.contradictions += u64::from(violation.is_some());
        if !left.is_empty() {
            if left.len() < self.possible.len() {
                self.witness = Some(observation);
            }
            self.possible = left;
            self.agreeing.push(observation);
        }
        violation
    }

    fn violation(&self, observation: &Observation, contradicts: bool) -> Option<Violation> {
        let name = self.row.name;
        if observation.shown.is_empty() {
            let seen = format!("{name}: {}", told(observation));
            return Some(self.violated(UNACCEPTABLE, seen, [observation]));
        }
        if let Some(declared) = self.declared {
            let fits = observation.shown.contains(&declared);
            let seen = format!(
                "{name}: the profile declares `{}`; {}",
                declared.word(),
                told(observation)
            );
            return (!fits).then(|| Violation {
                required: format!("{}, and it is the one declared", self.row.sentence),
                ..self.violated(UNDECLARED, seen, [observation])
            });
        }
        if !contradicts {
            return None;
        }
        let other = self.witness_against(observation)?;
        let seen = format!("{name}: {}; {}", told(other), told(observation));
        Some(self.violated(DIFFERS, seen, [other, observation]))
    }

    /// An earlier observation that has no choice in common with this one; or else the one that
    /// decided, for several together may leave nothing that one alone would.
    fn witness_against(&self, observation: &Observation) -> Option<&'o Observation> {
        let against = self.agreeing.iter().copied().find(|earlier| {
            let mut shown = earlier.shown.iter();
            !shown.any(|choice| observation.shown.contains(choice))
        });
        against.or(self.witness)
    }

    fn violated<const N: usize>(
        &self,
        fingerprint: &'static str,
        seen: String,
        witnesses: [&Observation; N],
    ) -> Violation {
        let exchanges = witnesses.iter().flat_map(|seen| seen.exchanges.iter());
        Violation {
            fingerprint,
            required: self.row.sentence.to_owned(),
            seen,
            exchanges: exchanges.copied().collect(),
        }
    }

    fn report(self) -> PropertyReport {
        let decided = self.witness.is_some();
        PropertyReport {
            property: self.row.name.to_owned(),
            requirement: self.row.owner.to_owned(),
            declared: self.declared.map_or(AUTO, Choice::word).to_owned(),
            inferred: decided.then(|| words(&self.possible)),
            witness: self.witness.map(|seen| Witness {
                device: seen.device.clone(),
                seen: seen.seen.clone(),
                exchanges: numbers(&seen.exchanges).collect(),
            }),
            observations: self.observations,
            contradictions: self.contradictions,
        }
    }
}

fn words(choices: &[Choice]) -> String {
    let words: Vec<&str> = choices.iter().map(|choice| choice.word()).collect();
    words.join(" or ")
}

/// A witness in words, with the exchanges by number.
fn told(observation: &Observation) -> String {
    let Observation { device, seen, .. } = observation;
    let numbers: Vec<String> = numbers(&observation.exchanges)
        .map(|number| number.to_string())
        .collect();
    let shows = if observation.shown.is_empty() {
        "no choice that is left open".to_owned()
    } else {
        format!("`{}`", words(&observation.shown))
    };
    let proof = match numbers.as_slice() {
        [] => String::new(),
        [one] => format!(", exchange {one}"),
        several => format!(", exchanges {}", several.join(", ")),
    };
    format!("{device} shows {shows} ({seen}{proof})")
}

fn numbers(exchanges: &[ExchangeId]) -> impl Iterator<Item = u64> {
    exchanges.iter().map(|exchange| exchange.0)
}
