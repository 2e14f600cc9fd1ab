//! The commands, and how a sequence of them is written down.

use std::fmt;

/// The number of policies.
pub(super) const POLICIES: usize = 3;

/// The state of a policy, as an administrator sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// It does not reach the device.
    Absent,
    /// It reaches the device with the first value.
    A,
    /// It reaches the device with the second value.
    B,
}

impl Setting {
    /// The value of `PasswordLength`.
    pub(super) const fn value(self) -> Option<i64> {
        match self {
            Self::Absent => None,
            Self::A => Some(20),
            Self::B => Some(24),
        }
    }

    const fn others(self) -> [Self; 2] {
        match self {
            Self::Absent => [Self::A, Self::B],
            Self::A => [Self::Absent, Self::B],
            Self::B => [Self::Absent, Self::A],
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A policy, counted from 0, is brought to another state.
    Set(usize, Setting),
    /// The device has a session.
    CheckIn,
}

impl Command {
    /// The seven commands that are possible when the policies are in these states.
    pub(super) fn all(policies: [Setting; POLICIES]) -> Vec<Self> {
        let sets = policies
            .into_iter()
            .enumerate()
            .flat_map(|(policy, setting)| setting.others().map(|other| Self::Set(policy, other)));
        sets.chain([Self::CheckIn]).collect()
    }

    fn parse(text: &str) -> Self {
        if text == "check-in" {
            return Self::CheckIn;
        }
        let (policy, setting) = text.split_once('=').unwrap();
        let policy: usize = policy.parse().unwrap();
        let setting = match setting {
            "absent" => Setting::Absent,
            "a" => Setting::A,
            "b" => Setting::B,
            other => panic!("no setting is called {other}"),
        };
        Self::Set(policy - 1, setting)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckIn => f.write_str("check-in"),
            Self::Set(policy, setting) => {
                let setting = match setting {
                    Setting::Absent => "absent",
                    Setting::A => "a",
                    Setting::B => "b",
                };
                write!(f, "{}={setting}", policy + 1)
            }
        }
    }
}

/// Commands in the order in which they are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence(pub Vec<Command>);

impl Sequence {
    /// The sequence that is displayed like this.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(Command::parse).collect())
    }

    /// True unless the policies or the two values can be renamed so that the sequence comes
    /// earlier in the order of the walk: policies and values are taken up in their order.
    pub(super) fn is_first_of_its_kind(&self) -> bool {
        let mut policies = 0;
        let mut saw_value = false;
        for command in &self.0 {
            let Command::Set(policy, setting) = command else {
                continue;
            };
            if *policy > policies || (!saw_value && *setting == Setting::B) {
                return false;
            }
            policies = policies.max(policy + 1);
            saw_value |= *setting != Setting::Absent;
        }
        true
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, command) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{command}")?;
        }
        Ok(())
    }
}
