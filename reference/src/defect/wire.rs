//! The defects in the form of management answers, and in what is sent to devices that do not know it.

use std::borrow::Cow;

use protocol::laps_csp::{POLICIES, RESET_PASSWORD};
use protocol::syncml::{Command, Container, ContainerKind, Item, Meta, Request, Verb};

use crate::conflict::{Evaluation, Outlook, Write};
use crate::core::Core;
use crate::fault::{Fault, Faults};
use crate::state::{ManagedDevice, ManagedId};

/// Puts the commands of an answer into a wrong form.
pub(crate) fn spoil_answer(
    faults: &Faults,
    device: Option<&ManagedDevice>,
    commands: &mut Vec<Command<'_>>,
) {
    for (fault, change) in FORMS.iter().filter(|(fault, _)| faults.has(*fault)) {
        let mut changed = commands.clone();
        change(&mut changed);
        if changed != *commands && faults.on_any(*fault, device) {
            *commands = changed;
        }
    }
}

/// A change of the commands of an answer.
type Change = fn(&mut Vec<Command<'_>>);

/// What each defect of the form does to the commands.
const FORMS: [(Fault, Change); 7] = [
    (Fault::ProtoLeafOutsideAtomic, leaf_outside),
    (Fault::ProtoExecInAtomic, exec_inside),
    (Fault::ProtoGetInAtomic, get_inside),
    (Fault::ProtoNestedAtomic, nest),
    (Fault::ProtoUserPath, below_user),
    (Fault::ProtoWrongFormat, as_text),
    (Fault::ProtoCmdIdTwice, first_id),
];

fn below_user(commands: &mut Vec<Command<'_>>) {
    each_setting(commands, |request| {
        for item in &mut request.items {
            let path = item.target.as_deref().unwrap_or_default();
            item.target = Some(Cow::Owned(path.replacen("./Device/", "./User/", 1)));
        }
    });
}

fn as_text(commands: &mut Vec<Command<'_>>) {
    each_setting(commands, |request| {
        for item in &mut request.items {
            item.meta = item.meta.is_some().then(|| Meta::format("chr"));
        }
    });
}

fn first_id(commands: &mut Vec<Command<'_>>) {
    each_setting(commands, |request| {
        request.cmd_id = Some(Cow::Borrowed("1"));
    });
}

fn each_setting(commands: &mut [Command<'_>], change: impl Fn(&mut Request<'_>)) {
    for command in commands {
        let Command::Container(container) = command else {
            continue;
        };
        for inner in &mut container.commands {
            if let Command::Request(request) = inner
                && is_setting(request)
            {
                change(request);
            }
        }
    }
}

fn is_setting(request: &Request<'_>) -> bool {
    let below = |item: &Item<'_>| {
        item.target
            .as_deref()
            .is_some_and(|path| path.starts_with(POLICIES))
    };
    request.items.iter().any(below)
}

fn leaf_outside(commands: &mut Vec<Command<'_>>) {
    let container = commands.iter_mut().find_map(container_of);
    if let Some(last) = container.and_then(|container| container.commands.pop()) {
        commands.push(last);
    }
}

fn exec_inside<'a>(commands: &mut Vec<Command<'a>>) {
    let resets = |command: &Command<'a>| {
        if let Command::Request(request) = command {
            let reset = |item: &Item<'_>| item.target.as_deref() == Some(RESET_PASSWORD);
            request.verb == Verb::Exec && request.items.iter().any(reset)
        } else {
            false
        }
    };
    let Some(place) = commands.iter().position(resets) else {
        return;
    };
    let cmd_id = free_id(commands);
    let exec = commands.remove(place);
    commands.insert(
        place,
        Command::Container(Container {
            kind: ContainerKind::Atomic,
            cmd_id: Some(cmd_id),
            meta: None,
            commands: vec![exec],
        }),
    );
}

fn get_inside(commands: &mut Vec<Command<'_>>) {
    let cmd_id = free_id(commands);
    if let Some(container) = commands.iter_mut().find_map(container_of) {
        container.commands.push(Command::Request(Request {
            verb: Verb::Get,
            cmd_id: Some(cmd_id),
            meta: None,
            items: vec![Item::target(format!("{POLICIES}/BackupDirectory"))],
        }));
    }
}

fn nest(commands: &mut Vec<Command<'_>>) {
    let cmd_id = free_id(commands);
    if let Some(container) = commands.iter_mut().find_map(container_of) {
        let inner = Container {
            cmd_id: Some(cmd_id),
            ..container.clone()
        };
        container.commands = vec![Command::Container(inner)];
    }
}

fn container_of<'c, 'a>(command: &'c mut Command<'a>) -> Option<&'c mut Container<'a>> {
    if let Command::Container(container) = command {
        Some(container)
    } else {
        None
    }
}

/// A `CmdID` that no command has: there are not as many.
fn free_id<'a>(commands: &[Command<'_>]) -> Cow<'a, str> {
    let inside = commands.iter().map(|command| {
        if let Command::Container(container) = command {
            container.commands.len()
        } else {
            0
        }
    });
    let all = commands.len() + inside.sum::<usize>();
    Cow::Owned((all + 1).to_string())
}

impl Core {
    /// Sends what the device's build does not know.
    pub(super) fn send_unknown_leaves(&self, device: ManagedId, evaluation: &mut Evaluation) {
        if !self.faults.has(Fault::ProtoNewLeavesToOld) {
            return;
        }
        let mut unknown = Vec::new();
        for (policy, prospects) in &evaluation.prospects {
            let Some(policy) = self.tenant.policies.get(policy) else {
                continue;
            };
            let foreign = prospects
                .iter()
                .filter(|(_, prospect)| prospect.outlook == Outlook::NotApplicable);
            unknown.extend(foreign.map(|(leaf, _)| Write {
                leaf: *leaf,
                value: policy.leaves.get(leaf).cloned(),
            }));
        }
        let device = self.devices.by_id.get(&device);
        if !unknown.is_empty() && self.faults.on_any(Fault::ProtoNewLeavesToOld, device) {
            evaluation.writes.extend(unknown);
        }
    }
}
