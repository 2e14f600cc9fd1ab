//! The commands of an answer, sorted by what they are for.

use protocol::laps_csp::{RESET_PASSWORD, is_same_node};
use protocol::syncml::{Command, Container, ContainerKind, Item, Message, Meta, Request, Verb};

use super::{What, is_status_node};

/// One item of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) cmd_id: &'a str,
    pub(super) verb: Verb,
    pub(super) loc_uri: &'a str,
    pub(super) format: Option<&'a str>,
    pub(super) data: Option<&'a str>,
}

/// The commands of an answer. The stages are the order in which contract 2 wants them.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) set_up: Vec<Ask<'a>>,
    /// `CmdID` and content of each Atomic.
    pub(super) atomics: Vec<(&'a str, Vec<Ask<'a>>)>,
    pub(super) execs: Vec<Ask<'a>>,
    pub(super) status_reads: Vec<Ask<'a>>,
    /// Commands that no rule asks for, as texts.
    pub(super) strange: Vec<String>,
    /// The stage of each command, in document order.
    pub(super) stages: Vec<u8>,
}

impl<'a> Asked<'a> {
    /// Sorts the commands of an answer.
    pub(super) fn of(answer: &'a Message<'_>, provider_id: &str) -> Self {
        let mut asked = Self::default();
        for command in &answer.commands {
            match command {
                Command::Request(request) => asked.request(request, provider_id),
                Command::Container(container) => asked.container(container),
                Command::Status(_) => {}
                Command::Results(_) | Command::Alert(_) | Command::Unknown(_) => {
                    asked.strange.push(command.name().to_owned());
                }
            }
        }
        asked
    }

    /// The commands that the device answers, by `CmdID`.
    pub(super) fn answers(&self) -> impl Iterator<Item = (&'a str, What)> + '_ {
        let set_up = self.set_up.iter().filter_map(|ask| match ask.verb {
            Verb::Add | Verb::Replace => Some((ask.cmd_id, What::PushNode)),
            Verb::Get if ask.loc_uri.ends_with("/ChannelURI") => {
                Some((ask.cmd_id, What::ChannelUri))
            }
            Verb::Get | Verb::Delete | Verb::Exec => None,
        });
        let atomics = self
            .atomics
            .iter()
            .map(|(cmd_id, _)| (*cmd_id, What::Policy));
        let execs = self.execs.iter().map(|ask| (ask.cmd_id, What::Exec));
        let reads = self
            .status_reads
            .iter()
            .map(|ask| (ask.cmd_id, What::StatusRead));
        set_up.chain(atomics).chain(execs).chain(reads)
    }

    fn request(&mut self, request: &'a Request<'_>, provider_id: &str) {
        for ask in asks(request) {
            let (list, stage) = match ask.verb {
                _ if is_push_node(ask.loc_uri, provider_id) => (&mut self.set_up, 0),
                Verb::Exec if is_same_node(ask.loc_uri, RESET_PASSWORD) => (&mut self.execs, 2),
                Verb::Get if is_status_node(ask.loc_uri) => (&mut self.status_reads, 3),
                Verb::Add | Verb::Replace | Verb::Delete | Verb::Get | Verb::Exec => {
                    self.strange.push(format!("{} `{}`", ask.verb, ask.loc_uri));
                    continue;
                }
            };
            list.push(ask);
            self.stages.push(stage);
        }
    }

    fn container(&mut self, container: &'a Container<'_>) {
        let cmd_id = container.cmd_id.as_deref().unwrap_or_default();
        if container.kind == ContainerKind::Sequence {
            self.strange.push("Sequence".to_owned());
            return;
        }
        let mut content = Vec::new();
        for inner in &container.commands {
            match inner {
                Command::Request(request) => content.extend(asks(request)),
                Command::Status(_)
                | Command::Results(_)
                | Command::Alert(_)
                | Command::Container(_)
                | Command::Unknown(_) => {
                    self.strange.push(format!("{} in an Atomic", inner.name()));
                }
            }
        }
        self.atomics.push((cmd_id, content));
        self.stages.push(1);
    }
}

/// The items of a command, each with the command's `Meta` where it has none of its own.
fn asks<'a>(request: &'a Request<'_>) -> impl Iterator<Item = Ask<'a>> {
    let cmd_id = request.cmd_id.as_deref().unwrap_or_default();
    request.items.iter().map(move |item: &'a Item<'_>| {
        let meta: Option<&'a Meta<'_>> = item.meta.as_ref().or(request.meta.as_ref());
        Ask {
            cmd_id,
            verb: request.verb,
            loc_uri: item.target.as_deref().unwrap_or_default(),
            format: meta.and_then(|meta| meta.format.as_deref()),
            data: item.data.as_ref().map(|data| data.as_str()),
        }
    })
}

/// True for the push node of the provider and what is below it (wire-facts 4.1).
fn is_push_node(loc_uri: &str, provider_id: &str) -> bool {
    let below = loc_uri
        .strip_prefix("./Device/Vendor/MSFT/DMClient/Provider/")
        .or_else(|| loc_uri.strip_prefix("./Vendor/MSFT/DMClient/Provider/"))
        .and_then(|rest| rest.strip_prefix(provider_id));
    below.is_some_and(|rest| rest == "/Push" || rest.starts_with("/Push/"))
}
