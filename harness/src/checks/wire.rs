//! REQ-PROTO and REQ-CSP: the form of management answers, and settings that a device does not take.

use std::collections::BTreeSet;

use protocol::graph::report::PolicyState;
use protocol::syncml::Verb;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{
    AgeCase, AnswerForm, Case, CommandForm, CommandKind, FailedAtomicCase, ItemForm, OldBuildCase,
    WireCase,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "proto.answer.one-atomic",
        requirement: "REQ-PROTO-001",
        source: "F-003",
        judge: |case| answer(case).map(one_atomic),
    },
    Check {
        id: "proto.answer.atomic-content",
        requirement: "REQ-PROTO-002",
        source: "F-051",
        judge: |case| answer(case).map(atomic_content),
    },
    Check {
        id: "proto.answer.paths",
        requirement: "REQ-PROTO-003",
        source: "F-001",
        judge: |case| answer(case).map(paths),
    },
    Check {
        id: "proto.answer.formats-and-ids",
        requirement: "REQ-PROTO-004",
        source: "F-051",
        judge: |case| answer(case).map(formats_and_ids),
    },
    Check {
        id: "proto.failed-atomic.reported-and-retried",
        requirement: "REQ-PROTO-005",
        source: "F-053",
        judge: |case| {
            if let Case::Wire(WireCase::FailedAtomic(case)) = case {
                Some(reported_and_retried(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "proto.old-build.spared",
        requirement: "REQ-PROTO-006",
        source: "F-005",
        judge: |case| {
            if let Case::Wire(WireCase::OldBuild(case)) = case {
                Some(spared(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "csp.password-age.range",
        requirement: "REQ-CSP-PasswordAgeDays-001",
        source: "F-021",
        judge: |case| {
            if let Case::Wire(WireCase::Age(case)) = case {
                Some(in_range(case))
            } else {
                None
            }
        },
    },
];

/// F-001: the root, and the part of its paths that no other node has.
const ROOT: &str = "./Device/Vendor/MSFT/LAPS/";
const SHORT_ROOT: &str = "./Vendor/MSFT/LAPS/";
const MARK: &str = "/MSFT/LAPS";
const POLICIES: &str = "/LAPS/Policies";
const RESET_PASSWORD: &str = "/LAPS/Actions/ResetPassword";

/// The formats of the published table (laps-facts 1.2).
const FORMATS: [(&str, &str); 17] = [
    ("BackupDirectory", "int"),
    ("PasswordAgeDays", "int"),
    ("PasswordComplexity", "int"),
    ("PasswordLength", "int"),
    ("PassphraseLength", "int"),
    ("AdministratorAccountName", "chr"),
    ("PasswordExpirationProtectionEnabled", "bool"),
    ("ADPasswordEncryptionEnabled", "bool"),
    ("ADPasswordEncryptionPrincipal", "chr"),
    ("ADEncryptedPasswordHistorySize", "int"),
    ("PostAuthenticationResetDelay", "int"),
    ("PostAuthenticationActions", "int"),
    ("AutomaticAccountManagementEnabled", "bool"),
    ("AutomaticAccountManagementTarget", "int"),
    ("AutomaticAccountManagementNameOrPrefix", "chr"),
    ("AutomaticAccountManagementEnableAccount", "bool"),
    ("AutomaticAccountManagementRandomizeName", "bool"),
];

fn answer(case: &Case) -> Option<&AnswerForm> {
    if let Case::Wire(WireCase::Answer(case)) = case {
        Some(case)
    } else {
        None
    }
}

const fn verb(command: &CommandForm) -> Option<Verb> {
    match command.kind {
        CommandKind::Request(verb) => Some(verb),
        CommandKind::Atomic | CommandKind::Sequence | CommandKind::Other => None,
    }
}

const fn is_write(command: &CommandForm) -> bool {
    matches!(
        verb(command),
        Some(Verb::Add | Verb::Replace | Verb::Delete)
    )
}

/// The items of writes to settings, with their commands.
fn settings(case: &AnswerForm) -> impl Iterator<Item = (&CommandForm, &ItemForm)> {
    let writes = case.commands.iter().filter(|command| is_write(command));
    writes.flat_map(|command| {
        let items = command.items.iter();
        items
            .filter(|item| item.loc_uri.contains(POLICIES))
            .map(move |item| (command, item))
    })
}

fn one_atomic(case: &AnswerForm) -> Finding {
    let device = &case.device;
    let resets: Vec<&CommandForm> = case
        .commands
        .iter()
        .filter(|command| {
            let reset = |item: &ItemForm| item.loc_uri.ends_with(RESET_PASSWORD);
            verb(command) == Some(Verb::Exec) && command.items.iter().any(reset)
        })
        .collect();
    let writes: Vec<_> = settings(case).collect();
    if writes.is_empty() && resets.is_empty() {
        return Finding::NotArmed;
    }
    let outside = writes
        .iter()
        .find(|(command, _)| command.atomics.is_empty());
    let atomics: BTreeSet<_> = writes
        .iter()
        .filter_map(|(command, _)| command.atomics.first())
        .collect();
    let breach = if let Some((_, item)) = outside {
        Some(Breach::new(
            "setting-outside-atomic",
            format!("{device}: a write of `{}` outside an Atomic", item.loc_uri),
        ))
    } else if atomics.len() > 1 {
        Some(Breach::new(
            "several-atomics",
            format!("{device}: settings in {} Atomics", atomics.len()),
        ))
    } else {
        let inside = resets.iter().any(|command| !command.atomics.is_empty());
        inside.then(|| {
            Breach::new(
                "exec-in-atomic",
                format!("{device}: the Exec of ResetPassword inside an Atomic"),
            )
        })
    };
    finding(
        breach,
        "all settings are written inside one Atomic, and ResetPassword is executed outside it",
        &[case.exchange],
    )
}

fn atomic_content(case: &AnswerForm) -> Finding {
    let device = &case.device;
    if case
        .commands
        .iter()
        .all(|command| command.kind != CommandKind::Atomic)
    {
        return Finding::NotArmed;
    }
    let inside = |command: &&CommandForm| !command.atomics.is_empty();
    let mut added = BTreeSet::new();
    let mut replaced = BTreeSet::new();
    let mut breach = None;
    for command in case.commands.iter().filter(inside) {
        let place = command.atomics.last();
        let nodes = command.items.iter().map(|item| (place, &item.loc_uri));
        let wrong = match command.kind {
            CommandKind::Atomic => Some(("nested-atomic", "an Atomic")),
            CommandKind::Request(Verb::Get) => Some(("get-in-atomic", "a Get")),
            CommandKind::Request(Verb::Add) => {
                added.extend(nodes);
                None
            }
            CommandKind::Request(Verb::Replace) => {
                replaced.extend(nodes);
                None
            }
            CommandKind::Request(Verb::Delete | Verb::Exec)
            | CommandKind::Sequence
            | CommandKind::Other => None,
        };
        breach = breach.or_else(|| {
            wrong.map(|(fingerprint, what)| {
                Breach::new(fingerprint, format!("{device}: {what} inside an Atomic"))
            })
        });
    }
    let breach = breach.or_else(|| {
        added.intersection(&replaced).next().map(|(_, node)| {
            Breach::new(
                "add-and-replace",
                format!("{device}: Add and Replace of `{node}` in one Atomic"),
            )
        })
    });
    finding(
        breach,
        "an Atomic holds no Atomic, no Get, and not both Add and Replace of one node",
        &[case.exchange],
    )
}

fn paths(case: &AnswerForm) -> Finding {
    let requests = case
        .commands
        .iter()
        .filter(|command| verb(command).is_some());
    let nodes: Vec<&str> = requests
        .flat_map(|command| &command.items)
        .map(|item| item.loc_uri.as_str())
        .collect();
    if nodes.is_empty() {
        return Finding::NotArmed;
    }
    let breach = nodes.into_iter().find_map(|node| {
        let laps = node.contains(MARK) && !node.starts_with(ROOT) && !node.starts_with(SHORT_ROOT);
        let wrong = laps || node.starts_with("./User") || !node.starts_with("./");
        wrong.then(|| {
            let device = &case.device;
            Breach::new("wrong-root", format!("{device}: the node `{node}`"))
        })
    });
    finding(
        breach,
        "paths are relative, those of LAPS are device paths, and none is a user path or the bare root",
        &[case.exchange],
    )
}

fn formats_and_ids(case: &AnswerForm) -> Finding {
    let asks = case
        .commands
        .iter()
        .any(|command| command.kind != CommandKind::Other);
    if !asks {
        return Finding::NotArmed;
    }
    let device = &case.device;
    let breach = settings(case)
        .filter(|(command, _)| verb(command) != Some(Verb::Delete))
        .find_map(|(_, item)| wrong_value(item))
        .or_else(|| wrong_exec(case))
        .or_else(|| wrong_id(case))
        .map(|(fingerprint, text)| Breach::new(fingerprint, format!("{device}: {text}")));
    finding(
        breach,
        "Meta/Format is that of the node, numbers are decimal, and each command has a CmdID of its own",
        &[case.exchange],
    )
}

fn wrong_value(item: &ItemForm) -> Option<(&'static str, String)> {
    let name = item.loc_uri.rsplit('/').next().unwrap_or_default();
    let (_, wanted) = FORMATS.iter().find(|(leaf, _)| *leaf == name)?;
    let format = item.format.as_deref().unwrap_or("none");
    if format != *wanted {
        return Some((
            "wrong-format",
            format!("`{name}` has the format {format} instead of {wanted}"),
        ));
    }
    let data = item.data.as_deref().unwrap_or_default();
    let readable = match *wanted {
        "int" => {
            let digits = data.strip_prefix('-').unwrap_or(data);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        // F-041: compared without regard to case.
        "bool" => data.eq_ignore_ascii_case("true") || data.eq_ignore_ascii_case("false"),
        _ => true,
    };
    (!readable).then(|| {
        (
            "wrong-data",
            format!("`{name}` has the value `{data}` in the format {wanted}"),
        )
    })
}

fn wrong_exec(case: &AnswerForm) -> Option<(&'static str, String)> {
    let execs = case
        .commands
        .iter()
        .filter(|command| verb(command) == Some(Verb::Exec));
    let item = execs
        .flat_map(|command| &command.items)
        .find(|item| item.loc_uri.ends_with(RESET_PASSWORD))?;
    let format = item.format.as_deref().filter(|format| *format != "null")?;
    Some((
        "wrong-format",
        format!("ResetPassword has the format {format} instead of null"),
    ))
}

fn wrong_id(case: &AnswerForm) -> Option<(&'static str, String)> {
    let mut seen = BTreeSet::new();
    for command in &case.commands {
        let id = command.cmd_id.as_deref().unwrap_or_default();
        if id.is_empty() || id == "0" {
            return Some(("no-cmd-id", "a command without CmdID".to_owned()));
        }
        if !seen.insert(id) {
            return Some(("cmd-id-twice", format!("two commands with the CmdID {id}")));
        }
    }
    None
}

fn reported_and_retried(case: &FailedAtomicCase) -> Finding {
    let [first, later @ ..] = case.attempts.as_slice() else {
        return Finding::NotArmed;
    };
    if *first == 0 || later.is_empty() {
        return Finding::NotArmed;
    }
    let device = &case.device;
    let succeeded = |state: &Option<PolicyState>| *state == Some(PolicyState::Compliant);
    let setting = case.settings.iter().find(|seen| succeeded(&seen.state));
    let storm = case.attempts.iter().find(|count| **count > 1);
    let breach = if let Some(count) = storm {
        Some(Breach::new(
            "retry-storm",
            format!("{device}: {count} Atomics in one session after a 507"),
        ))
    } else if let Some(seen) = setting {
        Some(Breach::new(
            "rolled-back-setting-succeeded",
            format!("{device}: `{}` is reported as succeeded", seen.leaf),
        ))
    } else if succeeded(&case.policy) {
        Some(Breach::new(
            "rolled-back-policy-succeeded",
            format!("{device}: the policy is reported as succeeded"),
        ))
    } else if later.iter().all(|count| *count == 0) {
        Some(Breach::new(
            "not-tried-again",
            format!("{device}: no Atomic in {} later sessions", later.len()),
        ))
    } else {
        (!succeeded(&case.policy_after)).then(|| {
            Breach::new(
                "never-succeeds",
                format!(
                    "{device}: the policy is not reported as succeeded once the device takes it"
                ),
            )
        })
    };
    finding(
        breach,
        "after a 507 no setting of the Atomic is reported as succeeded, and it is tried again at a later check-in and not before",
        &case.exchanges,
    )
}

fn spared(case: &OldBuildCase) -> Finding {
    // The control shows that the settings are sent where they are known.
    if !case.old || !case.control {
        return Finding::NotArmed;
    }
    let reported = |state: &Option<PolicyState>| {
        matches!(
            state,
            None | Some(PolicyState::NotApplicable | PolicyState::Error)
        )
    };
    let device = &case.device;
    let breach = if let Some(leaf) = case.sent.first() {
        let confined = case.unknown.iter().all(|seen| reported(&seen.state))
            && case
                .known
                .iter()
                .all(|seen| seen.state == Some(PolicyState::Compliant));
        (!confined).then(|| {
            Breach::new(
                "unknown-setting-spoils-others",
                format!("{device}: `{leaf}` was sent, and not those settings alone are in error"),
            )
        })
    } else {
        let wrong = case
            .unknown
            .iter()
            .find(|seen| seen.state == Some(PolicyState::Compliant));
        wrong.map(|seen| {
            Breach::new(
                "unknown-setting-succeeded",
                format!("{device}: `{}` is reported as succeeded", seen.leaf),
            )
        })
    };
    finding(
        breach,
        "settings that the device's build does not know are not sent, or those alone are reported as not applicable or in error",
        &case.exchanges,
    )
}

fn in_range(case: &AgeCase) -> Finding {
    let Some(status) = case.status.filter(|status| *status != 429 && *status < 500) else {
        return Finding::NotArmed;
    };
    let days = case.days;
    // F-021: 7 to 365 when the backup goes to Microsoft Entra ID.
    let allowed = (7..=365).contains(&days);
    if is_success(status) && !case.checked_in {
        return Finding::NotArmed;
    }
    let breach = if allowed {
        let sent = case.sent.as_deref() == Some(days.to_string().as_str());
        (!sent).then(|| {
            let seen = case.sent.as_deref().unwrap_or("nothing");
            let status = status_text(case.status);
            Breach::new(
                "age-in-range-not-sent",
                format!("{days} days: {status}, {seen} was sent"),
            )
        })
    } else {
        let number = case.sent.as_deref().and_then(|sent| sent.parse().ok());
        let bad = case.sent.is_some() && !number.is_some_and(|sent: i32| (7..=365).contains(&sent));
        bad.then(|| {
            let seen = case.sent.as_deref().unwrap_or_default();
            Breach::new(
                "age-out-of-range-sent",
                format!("{days} days: {seen} was sent"),
            )
        })
    };
    finding(
        breach,
        "an age of 7 to 365 days is sent as it is; any other is refused or not sent when the backup goes to Microsoft Entra ID",
        &case.exchanges,
    )
}
