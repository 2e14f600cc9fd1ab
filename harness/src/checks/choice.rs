//! Rows that record a choice: these checks say whether it was put to the test and whether it is one
//! that can be accepted. That it is the same for every device is a matter of the whole run, and is
//! judged with the properties.

use super::{Breach, Check, finding};
use crate::case::{Case, ChoiceCase, Question};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rotate.online-rule.same-for-all",
        requirement: "REQ-ROTATE-007",
        source: "S19",
        judge: |case| {
            choice(
                case,
                &[
                    Question::OnlineByPush,
                    Question::OnlineByCheckIn,
                    Question::OnlineForNow,
                ],
            )
            .map(acceptable)
        },
    },
    Check {
        id: "rotate.hybrid.same-for-all",
        requirement: "REQ-ROTATE-009",
        source: "F-185",
        judge: |case| {
            choice(
                case,
                &[Question::HybridOffline, Question::HybridActiveDirectory],
            )
            .map(acceptable)
        },
    },
    Check {
        id: "view.history.same-for-all",
        requirement: "REQ-VIEW-005",
        source: "F-094",
        judge: |case| choice(case, &[Question::History]).map(acceptable),
    },
    Check {
        id: "audit.refused-attempt.same-for-all",
        requirement: "REQ-AUDIT-012",
        source: "S17",
        judge: |case| choice(case, &[Question::RefusedAttempt]).map(acceptable),
    },
    Check {
        id: "assign.unassign.same-for-all",
        requirement: "REQ-ASSIGN-008",
        source: "F-164",
        judge: |case| choice(case, &[Question::Unassign]).map(acceptable),
    },
    Check {
        id: "conflict.withhold.same-for-all",
        requirement: "REQ-CONFLICT-015",
        source: "F-175",
        judge: |case| choice(case, &[Question::Withhold]).map(acceptable),
    },
    Check {
        id: "join.switch-hybrid.same-for-all",
        requirement: "REQ-JOIN-008",
        source: "C-07",
        judge: |case| choice(case, &[Question::SwitchHybrid]).map(acceptable),
    },
];

fn choice<'c>(case: &'c Case, questions: &[Question]) -> Option<&'c ChoiceCase> {
    if let Case::Choice(case) = case {
        questions.contains(&case.question).then_some(case)
    } else {
        None
    }
}

fn acceptable(case: &ChoiceCase) -> Finding {
    // One device alone shows no rule.
    if case.answers.len() < 2 {
        return Finding::NotArmed;
    }
    let breach = case.answers.iter().find_map(|answer| {
        let objection = answer.objection.as_deref()?;
        Some(Breach::new(
            "choice-not-acceptable",
            format!("{}: {objection}", answer.device),
        ))
    });
    let answers = case.answers.iter();
    let exchanges: Vec<_> = answers
        .flat_map(|answer| answer.exchanges.iter().copied())
        .collect();
    finding(breach, required(case.question), &exchanges)
}

const fn required(question: Question) -> &'static str {
    match question {
        Question::OnlineByPush => {
            "whether a device with an open channel and an old check-in counts as online is the same for every device"
        }
        Question::OnlineByCheckIn => {
            "whether a device with a closed channel and a new check-in counts as online is the same for every device"
        }
        Question::OnlineForNow => {
            "whether a device whose connection is lost for a while counts as online is the same for every device"
        }
        Question::Unmanaged => {
            "the rotation of a device that no LAPS policy can reach fails or is not supported"
        }
        Question::HybridOffline => {
            "the rotation of a hybrid joined device that is offline reaches an end, in the same way for every device"
        }
        Question::HybridActiveDirectory => {
            "the rotation of a hybrid joined device that backs up to Active Directory reaches an end, the same for every device"
        }
        Question::History => {
            "former passwords are shown in the same number and order for every device, and the newest entry is the current one"
        }
        Question::RefusedAttempt => {
            "whether a refused request counts as an attempt is the same for every device"
        }
        Question::Unassign => {
            "what becomes of settings whose policy is unassigned is the same for every device"
        }
        Question::Withhold => {
            "how much of a clashing policy is withheld from a device without policy is the same for every device"
        }
        Question::SwitchHybrid => {
            "whether a hybrid joined device may back up while the tenant's switch is off is the same for every device"
        }
    }
}
