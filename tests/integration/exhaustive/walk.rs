//! The walk over the tree of sequences, and the judgement of each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::time::{UtcMillis, UtcTicks};
use reference::FaultChoice;
use serde_json::Value;
use uuid::Uuid;

use super::command::{Command, Sequence, Setting};
use super::model::{Model, State, Summary, Write};
use super::rig::{Manner, Rig, Written};

/// Which sequences are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// All of them.
    Every,
    /// One of those that differ only in the names of policies and values.
    UpToRenaming,
}

/// A walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The defect that the core has.
    pub(super) fault: Option<FaultChoice>,
    pub(super) manner: Manner,
    pub(super) breadth: Breadth,
    /// The length of the sequences.
    pub(super) depth: usize,
}

/// A step after which something was not as it must be.
#[derive(Debug)]
pub(super) struct Violation {
    sequence: Sequence,
    manner: Manner,
    misfit: Misfit,
    /// What happened at each step, when the sequence was gone through again.
    story: Vec<String>,
}

/// What is wrong.
#[derive(Debug)]
struct Misfit {
    rule: &'static str,
    expected: String,
    seen: String,
}

impl Violation {
    /// The number of commands that it took.
    pub(super) const fn length(&self) -> usize {
        self.sequence.0.len()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit {
            rule,
            expected,
            seen,
        } = &self.misfit;
        writeln!(f, "{rule}\n  expected {expected}\n  seen     {seen}")?;
        for line in &self.story {
            writeln!(f, "  | {line}")?;
        }
        // A line of SEQUENCES, which goes through it again.
        write!(f, "  \"{}\",  // {:?}", self.sequence, self.manner)
    }
}

impl Walk {
    /// Goes through every sequence. The number of steps, or the first step that is wrong.
    pub(super) fn run(&self) -> Result<u64, Box<Violation>> {
        let start = Node {
            rig: Rig::new(self.fault, self.manner),
            model: Model::default(),
        };
        let mut steps = 0;
        self.descend(&start, &mut Sequence::default(), &mut steps)?;
        Ok(steps)
    }

    /// The shortest sequence, no longer than those of this walk, after which something is wrong.
    pub(super) fn shortest_violation(&self) -> Option<Box<Violation>> {
        (1..=self.depth).find_map(|depth| Self { depth, ..*self }.run().err())
    }

    fn descend(
        &self,
        from: &Node,
        sequence: &mut Sequence,
        steps: &mut u64,
    ) -> Result<(), Box<Violation>> {
        if sequence.0.len() == self.depth {
            return Ok(());
        }
        for command in Command::all(from.model.settings()) {
            sequence.0.push(command);
            if self.breadth == Breadth::Every || sequence.is_first_of_its_kind() {
                *steps += 1;
                let next = self.follow(from, command, sequence)?;
                self.descend(&next, sequence, steps)?;
            }
            sequence.0.pop();
        }
        Ok(())
    }

    fn follow(
        &self,
        from: &Node,
        command: Command,
        sequence: &Sequence,
    ) -> Result<Node, Box<Violation>> {
        let mut next = from.clone();
        let Err(misfit) = next.step(command) else {
            return Ok(next);
        };
        // Once more from the start, for the story.
        replay(self.fault, self.manner, sequence)?;
        panic!("{sequence} is wrong on the walk alone: {misfit:?}");
    }
}

/// Goes through one sequence.
pub(super) fn replay(
    fault: Option<FaultChoice>,
    manner: Manner,
    sequence: &Sequence,
) -> Result<(), Box<Violation>> {
    let mut node = Node {
        rig: Rig::new(fault, manner),
        model: Model::default(),
    };
    let mut story = Vec::new();
    for (place, command) in sequence.0.iter().enumerate() {
        let outcome = node.step(*command);
        story.push(node.told(*command));
        if let Err(misfit) = outcome {
            let sequence = Sequence(sequence.0[..=place].to_vec());
            return Err(Box::new(Violation {
                sequence,
                manner,
                misfit,
                story,
            }));
        }
    }
    Ok(())
}

/// A point of the tree: the world, and as it must be.
#[derive(Clone)]
struct Node {
    rig: Rig,
    model: Model,
}

impl Node {
    fn step(&mut self, command: Command) -> Result<(), Misfit> {
        self.rig.pass_a_minute();
        match command {
            Command::Set(place, setting) => self.set(place, setting)?,
            Command::CheckIn => self.check_in()?,
        }
        let held = (self.model.held(), self.rig.held());
        equal("the value on the device (contract 2, 5)", &held.0, &held.1)?;
        self.configuration_states()?;
        self.device_statuses()?;
        self.conflict_summary()
    }

    fn set(&mut self, place: usize, setting: Setting) -> Result<(), Misfit> {
        let pushes = self.rig.pushes;
        let id = self.rig.set(place, setting);
        let former = self.model.next_write();
        self.model.set(place, id, setting);
        let write = self.model.next_write();
        // Contract 3: pushed when a change alters what a device should have.
        if write.is_some() && write != former && self.rig.pushes == pushes {
            return Err(Misfit {
                rule: "a change of what the device should have wakes it (contract 3)",
                expected: "a push".to_owned(),
                seen: "none".to_owned(),
            });
        }
        Ok(())
    }

    fn check_in(&mut self) -> Result<(), Misfit> {
        let expected: Vec<Written> = match self.model.check_in(self.rig.now) {
            None => Vec::new(),
            Some(Write::Value(value)) => vec![Written::of_leaf(Some(value))],
            Some(Write::Delete) => vec![Written::of_leaf(None)],
        };
        equal(
            "the LAPS settings written in a session (contract 2, 5)",
            &expected,
            &self.rig.check_in(),
        )
    }

    /// `deviceConfigurationStates` of the device.
    fn configuration_states(&mut self) -> Result<(), Misfit> {
        let seen = self.rig.configuration_states();
        let mut rows = BTreeMap::new();
        for row in &seen {
            rows.insert(id_of(row), row);
        }
        let expected = self.model.states();
        equal(
            "the policies with a row on the device",
            &seen.len(),
            &rows.len(),
        )?;
        equal(
            "the policies with a row on the device",
            &keys(expected),
            &keys(&rows),
        )?;
        for (id, state) in expected {
            let row = rows[id];
            equal(
                "the state of a policy on the device",
                &name(state),
                &text(&row["state"]),
            )?;
            let settings = row["settingStates"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let [setting] = settings else {
                return Err(misfit("the settings of a policy", &"one", &settings));
            };
            equal(
                "the setting of a policy",
                &"PasswordLength",
                &text(&setting["setting"]),
            )?;
            equal(
                "the state of a setting",
                &name(state),
                &text(&setting["state"]),
            )?;
            equal(
                "the code of a setting that is no error",
                &Value::Null,
                &setting["errorCode"],
            )?;
            if let State::Compliant { policies, .. } | State::Conflict { policies, .. } = state {
                equal(
                    "the sources of a setting",
                    policies,
                    &ids(&setting["sources"]),
                )?;
            }
        }
        Ok(())
    }

    /// `deviceStatuses` of each policy.
    fn device_statuses(&mut self) -> Result<(), Misfit> {
        for id in self.rig.policies.into_iter().flatten() {
            let rows = self.rig.device_statuses(id);
            let state = self.model.states().get(&id);
            equal(
                "the devices that a policy reaches",
                &usize::from(state.is_some()),
                &rows.len(),
            )?;
            let (Some(state), Some(row)) = (state, rows.first()) else {
                continue;
            };
            equal(
                "the device in the report of a policy",
                &self.rig.managed_id(),
                &text(&row["deviceId"]),
            )?;
            equal(
                "the state in the report of a policy",
                &name(state),
                &text(&row["status"]),
            )?;
            let reported = row["lastReportedDateTime"].as_str().map(instant);
            equal(
                "the time in the report of a policy",
                &reported_at(state),
                &reported,
            )?;
        }
        Ok(())
    }

    fn conflict_summary(&mut self) -> Result<(), Misfit> {
        let seen = self.rig.conflict_summary();
        let expected = match (self.model.summary(), seen.is_empty()) {
            (Summary::Empty, _) | (Summary::RowOrEmpty(_), true) => None,
            (Summary::Row(policies), _) | (Summary::RowOrEmpty(policies), false) => Some(policies),
        };
        equal(
            "the rows of the conflict summary",
            &usize::from(expected.is_some()),
            &seen.len(),
        )?;
        let (Some(policies), Some(row)) = (expected, seen.first()) else {
            return Ok(());
        };
        let mut sorted: Vec<String> = policies.iter().map(Uuid::to_string).collect();
        sorted.sort_unstable();
        equal(
            "the id of a conflict",
            &sorted.join("_").as_str(),
            &text(&row["id"]),
        )?;
        let named = ids(&row["conflictingDeviceConfigurations"]);
        equal("the policies of a conflict", &policies, &named)?;
        let leaves = serde_json::json!(["PasswordLength"]);
        equal(
            "the leaves of a conflict",
            &leaves,
            &row["contributingSettings"],
        )?;
        equal(
            "the devices of a conflict",
            &Some(1),
            &row["deviceCheckinsImpacted"].as_u64(),
        )
    }

    /// A line about what there is after a command.
    fn told(&mut self, command: Command) -> String {
        let held = self.rig.held();
        let policies = self.rig.policies;
        let place = |id: &str| {
            let found = policies
                .iter()
                .position(|it| it.is_some_and(|it| it.to_string() == id));
            found.map_or_else(|| id.to_owned(), |place| (place + 1).to_string())
        };
        let states: Vec<String> = self
            .rig
            .configuration_states()
            .iter()
            .map(|row| format!("{} {}", place(text(&row["id"])), text(&row["state"])))
            .collect();
        let summary: Vec<String> = self
            .rig
            .conflict_summary()
            .iter()
            .map(|row| {
                text(&row["id"])
                    .split('_')
                    .map(place)
                    .collect::<Vec<_>>()
                    .join("+")
            })
            .collect();
        format!("{command}: the device holds {held:?}; states {states:?}; conflicts {summary:?}")
    }
}

fn equal<T: fmt::Debug + PartialEq>(
    rule: &'static str,
    expected: &T,
    seen: &T,
) -> Result<(), Misfit> {
    if expected == seen {
        Ok(())
    } else {
        Err(misfit(rule, expected, seen))
    }
}

fn misfit(rule: &'static str, expected: &impl fmt::Debug, seen: &impl fmt::Debug) -> Misfit {
    Misfit {
        rule,
        expected: format!("{expected:?}"),
        seen: format!("{seen:?}"),
    }
}

/// The name of a state in the reports.
const fn name(state: &State) -> &'static str {
    match state {
        State::Unknown => "unknown",
        State::Compliant { .. } => "compliant",
        State::Conflict { .. } => "conflict",
    }
}

/// Contract 5: `lastReportedDateTime`, "null while `unknown`".
const fn reported_at(state: &State) -> Option<UtcMillis> {
    match state {
        State::Unknown => None,
        State::Compliant { at, .. } | State::Conflict { at, .. } => Some(*at),
    }
}

fn instant(text: &str) -> UtcMillis {
    UtcTicks::parse(text).unwrap().millis()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn id_of(row: &Value) -> Uuid {
    Uuid::parse_str(text(&row["id"])).unwrap()
}

fn ids(rows: &Value) -> BTreeSet<Uuid> {
    rows.as_array().unwrap().iter().map(id_of).collect()
}

fn keys<V>(map: &BTreeMap<Uuid, V>) -> Vec<Uuid> {
    map.keys().copied().collect()
}
