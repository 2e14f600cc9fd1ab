//! A device of a cohort, and what is read from its sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use emulator::OsBuild;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::Verb;
use protocol::time::UtcMillis;
use uuid::Uuid;

use crate::case::WriteSeen;
use crate::error::Error;
use crate::lab::{LabDevice, SessionSeen};

/// A device of a cohort.
pub(super) struct Member {
    pub(super) device: LabDevice,
    pub(super) managed: Uuid,
    pub(super) entra: Uuid,
    pub(super) os: OsBuild,
    /// Values that the device acknowledged, from the writes on the wire.
    pub(super) held: BTreeMap<Leaf, Value>,
    /// Rotation actions listed when last looked at.
    pub(super) rows: usize,
}

/// Counters of a device at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) execs: u32,
    pub(super) backups: u32,
    pub(super) password: Option<[u8; 32]>,
}

impl Member {
    pub(super) fn name(&self) -> String {
        self.device.name().to_owned()
    }

    pub(super) fn marks(&self) -> Marks {
        let seen = self.device.seen();
        Marks {
            execs: seen.execs,
            backups: u32::try_from(seen.uploads_accepted.len()).unwrap_or(u32::MAX),
            password: self.device.held_password().map(|held| held.digest),
        }
    }

    /// A session, and what follows from it.
    pub(super) async fn check_in(&mut self) -> Result<SessionSeen, Error> {
        let session = self.device.check_in().await?;
        self.acknowledge(&session);
        Ok(session)
    }

    /// The session that a push causes; `None` when no push came in time.
    pub(super) async fn answer_push(&mut self, limit: Duration) -> Option<SessionSeen> {
        let session = self.device.answer_push(limit).await?;
        self.acknowledge(&session);
        Some(session)
    }

    fn acknowledge(&mut self, session: &SessionSeen) {
        if !session.complete {
            return;
        }
        for write in writes(session) {
            let Some(leaf) = Leaf::by_loc_uri(&write.loc_uri) else {
                continue;
            };
            let value = write
                .data
                .as_deref()
                .and_then(|data| leaf.node().parse(data));
            match value.filter(|_| write.verb != Verb::Delete) {
                Some(value) => self.held.insert(leaf, value),
                None => self.held.remove(&leaf),
            };
        }
    }

    /// Whole hours to the expiry of the password last backed up, by the device's clock.
    pub(super) fn hours_to_expiry(&self) -> i64 {
        let upload = self.device.seen().uploads_accepted.last();
        upload.map_or(0, |upload| {
            upload.refresh.millis().millis_since(self.device.now()) / UtcMillis::HOUR_MS
        })
    }
}

/// The writes of LAPS settings in a session.
pub(super) fn writes(session: &SessionSeen) -> Vec<WriteSeen> {
    session
        .commands
        .iter()
        .filter(|command| match command.verb {
            Verb::Add | Verb::Replace | Verb::Delete => command.loc_uri.contains("/LAPS/Policies"),
            Verb::Get | Verb::Exec => false,
        })
        .map(|command| WriteSeen {
            verb: command.verb,
            loc_uri: command.loc_uri.clone(),
            format: command.format.clone(),
            data: command.data.clone(),
            exchange: command.exchange,
        })
        .collect()
}

/// The writes of one setting in a session.
pub(super) fn writes_of(session: &SessionSeen, leaf: Leaf) -> Vec<WriteSeen> {
    let mut writes = writes(session);
    writes.retain(|write| Leaf::by_loc_uri(&write.loc_uri) == Some(leaf));
    writes
}
