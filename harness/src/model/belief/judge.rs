//! The commands of an answer against what was expected of it.

use std::collections::BTreeMap;

use protocol::laps_csp::{Leaf, Value, is_laps};
use protocol::syncml::Verb;

use super::asked::{Ask, Asked};
use super::{Belief, Expectation, Judgement, Owed, Rotation};
use crate::model::WrongAnswer;

/// Every configured leaf with its exact value, and no other (S1, S7).
const ASSIGN: &str = "REQ-ASSIGN-001";
/// A rotation reaches a device that is online and backed up (S21).
const ROTATE: &str = "REQ-ROTATE-001";

impl Belief {
    pub(super) fn judge_commands(
        &self,
        expectation: &Expectation,
        asked: &Asked<'_>,
        judgement: &mut Judgement,
    ) {
        let wrong = &mut judgement.wrong;
        for strange in &asked.strange {
            wrong.push(strange_command(strange));
        }
        if !asked.stages.is_sorted() {
            // Contract 2: set-up, policy, rotation, status reads.
            wrong.push(WrongAnswer::common(
                "set-up before policy before rotation before status reads",
                "another order",
            ));
        }
        judge_set_up(expectation.set_up, &asked.set_up, wrong);
        judgement.policy_delivered = self.judge_policy(expectation.policy, asked, wrong);
        self.judge_execs(expectation, asked, wrong);
        judge_status_reads(expectation.status_read, &asked.status_reads, wrong);
        judgement.execs = u32::try_from(asked.execs.len()).unwrap_or(u32::MAX);
    }

    /// True when the policy was delivered exactly.
    fn judge_policy(&self, owed: Owed, asked: &Asked<'_>, wrong: &mut Vec<WrongAnswer>) -> bool {
        let expected = match (&self.class.policy, owed) {
            (Some(policy), Owed::Yes | Owed::Maybe) => Some(policy),
            (Some(_), Owed::No) | (None, _) => None,
        };
        match (asked.atomics.as_slice(), expected) {
            ([], None) => false,
            ([], Some(_)) => {
                if owed == Owed::Yes {
                    wrong.push(WrongAnswer::of(
                        ASSIGN,
                        "laps-policy-missing",
                        "the assigned policy in the first answer",
                        "no Atomic",
                    ));
                }
                false
            }
            ([(_, content)], Some(policy)) => {
                let before = wrong.len();
                judge_leaves(policy, content, wrong);
                wrong.len() == before
            }
            ([(_, content), ..], None) => {
                wrong.push(self.unexpected_atomic(content));
                false
            }
            ([_, _, ..], Some(_)) => {
                wrong.push(WrongAnswer::common(
                    "all settings in one Atomic",
                    format!("{} of them", asked.atomics.len()),
                ));
                false
            }
        }
    }

    /// An Atomic to a device that has, or must not get, the policy.
    fn unexpected_atomic(&self, content: &[Ask<'_>]) -> WrongAnswer {
        let seen: Vec<String> = content.iter().map(text).collect();
        let seen = seen.join(", ");
        // Sending again what was acknowledged is not allowed (contract 2) but changes nothing.
        let unchanged = self.class.policy.as_ref().is_some_and(|policy| {
            content.iter().all(|ask| {
                let leaf = Leaf::by_loc_uri(ask.loc_uri);
                let value = leaf
                    .and_then(|leaf| policy.get(&leaf))
                    .map(ToString::to_string);
                ask.verb == Verb::Replace && value.is_some() && value.as_deref() == ask.data
            })
        });
        if unchanged {
            return WrongAnswer::common("no setting that was acknowledged already", seen);
        }
        WrongAnswer::of(
            ASSIGN,
            "laps-leaf-unexpected",
            "no LAPS setting written",
            seen,
        )
    }

    fn judge_execs(
        &self,
        expectation: &Expectation,
        asked: &Asked<'_>,
        wrong: &mut Vec<WrongAnswer>,
    ) {
        match asked.execs.as_slice() {
            [] => {
                if expectation.exec_due() {
                    wrong.push(WrongAnswer::of(
                        ROTATE,
                        "exec-missing",
                        "Exec ResetPassword in the first answer after the push",
                        "none",
                    ));
                }
            }
            [exec] => {
                // The request may have been made after the message left: what is known when the
                // answer is in decides whether an Exec may come.
                wrong.extend(self.unasked_exec(expectation));
                if exec.format.is_some_and(|format| format != "null")
                    || exec.data.is_some_and(|data| !data.is_empty())
                {
                    wrong.push(WrongAnswer::common(
                        "Exec ResetPassword with the format null and no data",
                        text(exec),
                    ));
                }
            }
            [_, _, ..] => wrong.push(WrongAnswer::common(
                "at most one Exec ResetPassword",
                format!("{} of them", asked.execs.len()),
            )),
        }
    }

    fn unasked_exec(&self, expectation: &Expectation) -> Option<WrongAnswer> {
        match self.rotation {
            Rotation::Requested | Rotation::Due if expectation.first => None,
            Rotation::Refused(refusal) => Some(WrongAnswer::of(
                refusal.requirement(),
                "exec-after-failed-action",
                "no Exec for a rotation that fails",
                "Exec ResetPassword",
            )),
            Rotation::None
            | Rotation::Requested
            | Rotation::Due
            | Rotation::Executing
            | Rotation::Told => Some(WrongAnswer::common(
                "one Exec ResetPassword for a rotation request, in a first answer",
                "an Exec that nothing asked for",
            )),
        }
    }
}

fn strange_command(strange: &str) -> WrongAnswer {
    let fact = "only the commands that are due";
    if strange.contains("/LAPS/Policies") {
        return WrongAnswer::of(ASSIGN, "laps-leaf-unexpected", fact, strange);
    }
    WrongAnswer::common(fact, strange)
}

/// Set-up of the push channel (contract 2): Add `Push`, Add `Push/PFN`, Get `Push/ChannelURI`, Get
/// `Push/Status`.
fn judge_set_up(owed: Owed, asked: &[Ask<'_>], wrong: &mut Vec<WrongAnswer>) {
    let matches =
        |ask: &Ask<'_>, verb: Verb, end: &str| ask.verb == verb && ask.loc_uri.ends_with(end);
    match (owed, asked) {
        (Owed::No | Owed::Maybe, []) => {}
        (Owed::Yes | Owed::Maybe, [node, pfn, uri, status])
            if matches(node, Verb::Add, "/Push")
                && node.format == Some("node")
                && matches(pfn, Verb::Add, "/Push/PFN")
                && pfn.format == Some("chr")
                && pfn.data.is_some_and(|data| !data.is_empty())
                && matches(uri, Verb::Get, "/Push/ChannelURI")
                && matches(status, Verb::Get, "/Push/Status") => {}
        (Owed::No | Owed::Yes | Owed::Maybe, _) => {
            let seen: Vec<String> = asked.iter().map(text).collect();
            let required = match owed {
                Owed::No => "no set-up of a channel that is set up",
                Owed::Yes | Owed::Maybe => {
                    "Add Push (node), Add Push/PFN (chr), Get Push/ChannelURI, Get Push/Status"
                }
            };
            wrong.push(WrongAnswer::common(required, seen.join(", ")));
        }
    }
}

fn judge_status_reads(owed: Owed, asked: &[Ask<'_>], wrong: &mut Vec<WrongAnswer>) {
    let right = match (owed, asked.len()) {
        (Owed::Yes | Owed::Maybe, 1) | (Owed::No | Owed::Maybe, 0) => true,
        (Owed::No | Owed::Yes | Owed::Maybe, _) => false,
    };
    if !right {
        let required = match owed {
            Owed::No => "no Get ResetPasswordStatus",
            Owed::Yes | Owed::Maybe => "one Get ResetPasswordStatus",
        };
        wrong.push(WrongAnswer::common(
            required,
            format!("{} of them", asked.len()),
        ));
    }
}

/// Every leaf of the policy with its value and format, and no other.
fn judge_leaves(policy: &BTreeMap<Leaf, Value>, content: &[Ask<'_>], wrong: &mut Vec<WrongAnswer>) {
    let mut missing: Vec<Leaf> = policy.keys().copied().collect();
    for ask in content {
        let leaf = Leaf::by_loc_uri(ask.loc_uri).filter(|leaf| missing.contains(leaf));
        let (Some(leaf), Verb::Replace) = (leaf, ask.verb) else {
            wrong.push(WrongAnswer::of(
                ASSIGN,
                "laps-leaf-unexpected",
                "a Replace of each configured leaf and nothing else",
                text(ask),
            ));
            continue;
        };
        missing.retain(|one| *one != leaf);
        let value = policy
            .get(&leaf)
            .map(ToString::to_string)
            .unwrap_or_default();
        let same = match leaf.node().parse(ask.data.unwrap_or_default()) {
            Some(read) => policy.get(&leaf) == Some(&read),
            None => false,
        };
        if !same {
            wrong.push(WrongAnswer::of(
                ASSIGN,
                "laps-leaf-value",
                format!("{leaf} = {value}"),
                text(ask),
            ));
        }
        let format = leaf.node().format.as_str();
        if ask.format != Some(format) {
            wrong.push(WrongAnswer::common(
                format!("{leaf} with the format {format}"),
                text(ask),
            ));
        }
    }
    for leaf in missing {
        wrong.push(WrongAnswer::of(
            ASSIGN,
            "laps-leaf-missing",
            format!("a Replace of {leaf}"),
            "none",
        ));
    }
}

/// A command as evidence shows it; values only of LAPS settings, none of which is secret.
fn text(ask: &Ask<'_>) -> String {
    let Ask {
        verb,
        loc_uri,
        format,
        data,
        ..
    } = ask;
    let format = format.unwrap_or("no format");
    match data {
        Some(data) if is_laps(loc_uri) => format!("{verb} {loc_uri} ({format}) = {data}"),
        Some(_) | None => format!("{verb} {loc_uri} ({format})"),
    }
}
