//! Walks the commands of a server message over the tree: containers, items, roll-back, answers.

use std::borrow::Cow;

use protocol::syncml::{
    Command, Container, ContainerKind, Data, Item, Meta, Request, Results, Status, StatusCode,
    Text, Verb,
};

use crate::csp::tree::{
    Done, Execution, INSIDE_TRANSACTION, NOT_JOINED, NodeValue, Operation, Refusal, Surroundings,
    Tree,
};

/// Something a message asks of the device beyond the tree, in the order in which it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Execute(Execution),
    ReadResetStatus,
    DirectiveRefused,
}

/// A value that is sent in chunks: its target and what has arrived so far.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    target: String,
    data: String,
}

/// Carries out the commands of one message.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    tree: &'a mut Tree,
    around: Surroundings<'a>,
    chunk: &'a mut Option<Chunk>,
    effects: Vec<Effect>,
    policy_changed: bool,
}

/// The answer to one command.
#[derive(Debug)]
pub(crate) struct Answer {
    cmd_ref: String,
    cmd: String,
    items: Vec<ItemAnswer>,
}

#[derive(Clone, Debug)]
struct ItemAnswer {
    target: String,
    code: StatusCode,
    original_error: Option<&'static str>,
    value: Option<Read>,
}

/// A value read.
#[derive(Clone, Debug)]
enum Read {
    Value(NodeValue),
    /// Filled in when the answer goes out.
    ResetStatus,
}

impl ItemAnswer {
    fn code(target: &str, code: StatusCode) -> Self {
        Self {
            target: target.to_owned(),
            code,
            original_error: None,
            value: None,
        }
    }

    fn refused(target: &str, refusal: Refusal) -> Self {
        Self {
            original_error: refusal.original_error,
            ..Self::code(target, refusal.code)
        }
    }
}

impl Answer {
    fn of(command: &Command<'_>, code: StatusCode) -> Self {
        Self::refused(command, Refusal::new(code))
    }

    fn refused(command: &Command<'_>, refusal: Refusal) -> Self {
        Self {
            // F-051: a command without CmdID is answered with an empty reference.
            cmd_ref: command.cmd_id().unwrap_or_default().to_owned(),
            cmd: command.name().to_owned(),
            items: vec![ItemAnswer::refused("", refusal)],
        }
    }

    fn failed(&self) -> bool {
        self.items.iter().any(|item| item.code.is_failure())
    }

    /// Marks what had been done as undone.
    fn roll_back(&mut self) {
        for item in &mut self.items {
            if item.code.is_success() && item.code != StatusCode::NOT_EXECUTED {
                *item = ItemAnswer::code(&item.target, StatusCode::ROLLED_BACK);
            }
        }
    }
}

impl<'a> Executor<'a> {
    pub(crate) const fn new(
        tree: &'a mut Tree,
        around: Surroundings<'a>,
        chunk: &'a mut Option<Chunk>,
    ) -> Self {
        Self {
            tree,
            around,
            chunk,
            effects: Vec::new(),
            policy_changed: false,
        }
    }

    /// Carries out commands in order; status, results and alerts need nothing from the tree.
    pub(crate) fn run(&mut self, commands: &[Command<'_>]) -> Vec<Answer> {
        commands
            .iter()
            .flat_map(|command| self.command(command))
            .collect()
    }

    /// What is left to do for the device, and whether a LAPS setting changed.
    pub(crate) fn finish(self) -> (Vec<Effect>, bool) {
        (self.effects, self.policy_changed)
    }

    fn command(&mut self, command: &Command<'_>) -> Vec<Answer> {
        match command {
            Command::Status(_) | Command::Results(_) => Vec::new(),
            Command::Unknown(_) => vec![Answer::of(command, StatusCode::BAD_REQUEST)],
            Command::Alert(_) | Command::Request(_) | Command::Container(_)
                if command.cmd_id().is_none() =>
            {
                let mut answers = vec![Answer::of(command, StatusCode::BAD_REQUEST)];
                answers.extend(not_executed_children(command));
                answers
            }
            Command::Alert(_) => vec![Answer::of(command, StatusCode::OK)],
            Command::Request(request) => vec![self.request(command, request, &mut None)],
            Command::Container(container) => match container.kind {
                ContainerKind::Atomic => self.atomic(command, container),
                ContainerKind::Sequence => {
                    let mut answers = vec![Answer::of(command, StatusCode::OK)];
                    answers.extend(self.run(&container.commands));
                    answers
                }
            },
        }
    }

    /// All or nothing: one failure undoes what was done (216), leaves out what follows (215) and
    /// fails the container (507). The container's status comes first.
    fn atomic(&mut self, command: &Command<'_>, container: &Container<'_>) -> Vec<Answer> {
        let tree_before = self.tree.clone();
        let (effects_before, changed_before) = (self.effects.len(), self.policy_changed);
        let mut touched = Some(Vec::new());
        let mut answers = Vec::new();
        let mut failed = false;
        for child in &container.commands {
            if failed {
                answers.extend(not_executed(child));
                continue;
            }
            let answer = self.atomic_child(child, &mut touched);
            failed = answer.first().is_some_and(Answer::failed);
            answers.extend(answer);
        }
        let code = if failed {
            *self.tree = tree_before;
            self.effects.truncate(effects_before);
            self.policy_changed = changed_before;
            answers.iter_mut().for_each(Answer::roll_back);
            StatusCode::ATOMIC_FAILED
        } else {
            StatusCode::OK
        };
        let mut all = vec![Answer::of(command, code)];
        all.append(&mut answers);
        all
    }

    fn atomic_child(
        &mut self,
        child: &Command<'_>,
        touched: &mut Option<Vec<(String, Verb)>>,
    ) -> Vec<Answer> {
        let illegal = Refusal::because(StatusCode::FAILED, INSIDE_TRANSACTION);
        match child {
            Command::Status(_) | Command::Results(_) => Vec::new(),
            Command::Unknown(_) => vec![Answer::of(child, StatusCode::BAD_REQUEST)],
            Command::Alert(_) | Command::Request(_) | Command::Container(_)
                if child.cmd_id().is_none() =>
            {
                let mut answers = vec![Answer::of(child, StatusCode::BAD_REQUEST)];
                answers.extend(not_executed_children(child));
                answers
            }
            Command::Alert(_) => vec![Answer::of(child, StatusCode::OK)],
            // F-051: Get and containers inside an Atomic fail with 500.
            Command::Request(request) if request.verb == Verb::Get => {
                vec![Answer::refused(child, illegal)]
            }
            Command::Request(request) => vec![self.request(child, request, touched)],
            Command::Container(_) => {
                let mut answers = vec![Answer::refused(child, illegal)];
                answers.extend(not_executed_children(child));
                answers
            }
        }
    }

    /// The items of a request, each with its own outcome; inside an Atomic the first failure
    /// leaves the rest out.
    fn request(
        &mut self,
        command: &Command<'_>,
        request: &Request<'_>,
        touched: &mut Option<Vec<(String, Verb)>>,
    ) -> Answer {
        if request.items.is_empty() {
            return Answer::of(command, StatusCode::BAD_REQUEST);
        }
        let mut items: Vec<ItemAnswer> = Vec::with_capacity(request.items.len());
        for item in &request.items {
            let target = item.target.as_deref().unwrap_or_default();
            let stopped = touched.is_some() && items.iter().any(|it| it.code.is_failure());
            items.push(if stopped {
                ItemAnswer::code(target, StatusCode::NOT_EXECUTED)
            } else {
                self.item(request, item, touched)
            });
        }
        Answer {
            cmd_ref: command.cmd_id().unwrap_or_default().to_owned(),
            cmd: command.name().to_owned(),
            items,
        }
    }

    fn item(
        &mut self,
        request: &Request<'_>,
        item: &Item<'_>,
        touched: &mut Option<Vec<(String, Verb)>>,
    ) -> ItemAnswer {
        let target = item.target.as_deref().unwrap_or_default();
        if let Some(touched) = touched {
            // F-051: Add and then Replace of one node inside one Atomic is not supported.
            if touched
                .iter()
                .any(|(node, verb)| node == target && *verb != request.verb)
            {
                let refusal = Refusal::because(StatusCode::FAILED, INSIDE_TRANSACTION);
                return ItemAnswer::refused(target, refusal);
            }
            touched.push((target.to_owned(), request.verb));
        }
        let data = match self.gather(target, item) {
            Ok(data) => data,
            Err(code) => return ItemAnswer::code(target, code),
        };
        let (own, common) = (item.meta.as_ref(), request.meta.as_ref());
        let operation = Operation {
            verb: request.verb,
            loc_uri: target,
            format: meta_text(own, common, |meta| meta.format.as_deref()),
            media_type: meta_text(own, common, |meta| meta.content_type.as_deref()),
            data: &data,
            inside_atomic: touched.is_some(),
        };
        match self.tree.operate(&operation, &self.around) {
            Ok(done) => self.done(target, done),
            Err(refusal) => {
                if refusal.original_error == Some(NOT_JOINED) {
                    self.effects.push(Effect::DirectiveRefused);
                }
                ItemAnswer::refused(target, refusal)
            }
        }
    }

    fn done(&mut self, target: &str, done: Done) -> ItemAnswer {
        let mut answer = ItemAnswer::code(target, StatusCode::OK);
        match done {
            Done::Plain => {}
            Done::PolicyChanged => self.policy_changed = true,
            Done::Read(value) => answer.value = Some(Read::Value(value)),
            Done::ReadResetStatus => {
                self.effects.push(Effect::ReadResetStatus);
                answer.value = Some(Read::ResetStatus);
            }
            Done::Execute(execution) => self.effects.push(Effect::Execute(execution)),
        }
        answer
    }

    /// The whole value of an item; a chunk that is not the last is kept and answered with 213.
    fn gather<'i>(&mut self, target: &str, item: &'i Item<'_>) -> Result<Cow<'i, str>, StatusCode> {
        let begun = self.chunk.take().filter(|chunk| chunk.target == target);
        if !item.more_data {
            return Ok(match begun {
                Some(chunk) => Cow::Owned(chunk.data + item.text()),
                None => Cow::Borrowed(item.text()),
            });
        }
        let data = begun.map_or_else(String::new, |chunk| chunk.data) + item.text();
        if data.len() > CHUNKED_VALUE_MAX {
            return Err(StatusCode(REQUEST_TOO_LARGE));
        }
        *self.chunk = Some(Chunk {
            target: target.to_owned(),
            data,
        });
        Err(StatusCode::CHUNK_ACCEPTED)
    }
}

/// Largest value that is put together from chunks, in bytes.
const CHUNKED_VALUE_MAX: usize = 64 * 1024;
/// Status 413, the entity is too large (OMA-DM).
const REQUEST_TOO_LARGE: u32 = 413;

/// A text of the item's own `Meta`, or of the command's.
fn meta_text<'m>(
    own: Option<&'m Meta<'_>>,
    common: Option<&'m Meta<'_>>,
    field: impl Fn(&'m Meta<'_>) -> Option<&'m str>,
) -> Option<&'m str> {
    own.and_then(&field).or_else(|| common.and_then(&field))
}

/// 215 for a command and everything in it.
fn not_executed(command: &Command<'_>) -> Vec<Answer> {
    match command {
        Command::Status(_) | Command::Results(_) => Vec::new(),
        Command::Alert(_) | Command::Request(_) | Command::Container(_) | Command::Unknown(_) => {
            let mut answers = vec![Answer::of(command, StatusCode::NOT_EXECUTED)];
            answers.extend(not_executed_children(command));
            answers
        }
    }
}

fn not_executed_children(command: &Command<'_>) -> Vec<Answer> {
    match command {
        Command::Container(container) => container.commands.iter().flat_map(not_executed).collect(),
        Command::Status(_)
        | Command::Results(_)
        | Command::Alert(_)
        | Command::Request(_)
        | Command::Unknown(_) => Vec::new(),
    }
}

/// Numbers the commands of a message from 1 on.
#[derive(Debug, Default)]
pub(crate) struct CmdIds(u32);

impl CmdIds {
    pub(crate) fn next(&mut self) -> Text<'static> {
        self.0 += 1;
        Cow::Owned(self.0.to_string())
    }
}

/// Writes answers as commands: a status each, one an item where items differ, then the results.
pub(crate) fn render(
    answers: Vec<Answer>,
    msg_ref: u32,
    ids: &mut CmdIds,
    out: &mut Vec<Command<'static>>,
) {
    for answer in answers {
        let first = answer
            .items
            .first()
            .map(|item| (item.code, item.original_error));
        let equal = answer
            .items
            .iter()
            .all(|item| Some((item.code, item.original_error)) == first);
        let spoken_for = if equal { 1 } else { answer.items.len() };
        for item in answer.items.iter().take(spoken_for) {
            let cmd_ref = Cow::Owned(answer.cmd_ref.clone());
            let mut status =
                Status::new(ids.next(), msg_ref, cmd_ref, answer.cmd.clone(), item.code);
            status.original_error = item.original_error.map(Cow::Borrowed);
            if !equal {
                status.target_refs.push(Cow::Owned(item.target.clone()));
            }
            out.push(Command::Status(status));
        }
        let read: Vec<Item<'static>> = answer.items.into_iter().filter_map(read_item).collect();
        if !read.is_empty() {
            out.push(Command::Results(Results {
                cmd_id: Some(ids.next()),
                msg_ref: Some(msg_ref),
                cmd_ref: Cow::Owned(answer.cmd_ref),
                cmd: Some(Cow::Owned(answer.cmd)),
                meta: None,
                items: read,
            }));
        }
    }
}

/// An item of `Results`; one without data waits for [`fill_reset_status`].
fn read_item(answer: ItemAnswer) -> Option<Item<'static>> {
    let (format, data) = match answer.value? {
        Read::Value(value) => (value.format, Some(Data::Text(Cow::Owned(value.text)))),
        Read::ResetStatus => ("int", None),
    };
    Some(Item {
        source: Some(Cow::Owned(answer.target)),
        meta: Some(Meta::format(format)),
        data,
        ..Item::default()
    })
}

/// Puts the status of the last reset where an answer left room for it.
pub(crate) fn fill_reset_status(commands: &mut [Command<'static>], reset_status: i32) {
    for command in commands {
        if let Command::Results(results) = command {
            let open = results.items.iter_mut().filter(|item| item.data.is_none());
            for item in open {
                item.data = Some(Data::Text(Cow::Owned(reset_status.to_string())));
            }
        }
    }
}
