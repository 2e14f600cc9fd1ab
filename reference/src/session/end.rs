//! What a session leaves behind: acknowledged values, the channel, rows, ended actions.

use std::sync::Arc;

use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::StatusCode;
use protocol::time::UtcMillis;

use super::{PolicyWork, Session, Work};
use crate::action::End;
use crate::core::Core;
use crate::defect::{PlannedWrite, Wire};
use crate::fault::Fault;
use crate::rows::{PolicyRow, ReportedRow, RowState};
use crate::state::{ActionKind, ActionState, ManagedDevice, ManagedId, PolicyId};
use crate::status;

/// Messages of a session in which [`Fault::ProtoRetryStorm`] tries again.
const STORM_MESSAGES: u32 = 6;

impl Core {
    /// Draws the conclusions from the Status of set-up and policy received so far.
    pub(super) fn settle(&mut self, now: UtcMillis, id: ManagedId, session: &mut Session) {
        self.settle_channel(now, id, session);
        let answered = session
            .sent
            .iter_mut()
            .find_map(|sent| match &mut sent.work {
                Work::Policy(policy) if policy.status.is_some() => {
                    let policy = std::mem::take(policy);
                    sent.work = Work::Settled;
                    Some(policy)
                }
                Work::Policy(_)
                | Work::AddPush
                | Work::AddPfn
                | Work::ReadChannel
                | Work::ReadPushStatus
                | Work::EndEnrollment { .. }
                | Work::Exec { .. }
                | Work::StrayExec
                | Work::ReadResetStatus
                | Work::Settled => None,
            });
        if let Some(policy) = answered
            && let Some(status) = policy.status
        {
            self.settle_policy(now, id, session, (policy, status));
            self.share_acknowledged(id);
        }
    }

    /// A session that came to its end: states are computed (contract 5).
    pub(super) fn finish(&mut self, now: UtcMillis, id: ManagedId, session: &mut Session) {
        self.settle(now, id, session);
        self.count_wait(now, id, session);
        self.end_syncs(now, id, session);
        self.compute_rows(now, id, session);
    }

    /// Contract 2: a rotation that is still running at the end of the session after its own has
    /// failed. A session whose Exec is not known to have arrived does not count.
    pub(super) fn count_wait(&mut self, now: UtcMillis, id: ManagedId, session: &Session) {
        let Some(action) = session.rotation else {
            return;
        };
        let mut waited = 0;
        self.with_action(id, action, |action| {
            if action.arrived && action.state == ActionState::Active {
                action.sessions_waited += 1;
                waited = action.sessions_waited;
            }
        });
        if waited >= 2 {
            self.end_action(now, id, action, End::Refused("noCredential"));
        }
    }

    fn settle_channel(&mut self, now: UtcMillis, id: ManagedId, session: &mut Session) {
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        let channel = &mut session.channel;
        if channel.push_added && channel.pfn_added {
            device.push.configured = true;
        }
        if std::mem::take(&mut channel.uri_read) {
            let is_good = channel.status.is_none_or(|status| status == 0);
            device.push.uri = channel.uri.take().map(String::into_boxed_str);
            device.push.good_at = (is_good && device.push.uri.is_some()).then_some(now);
        }
    }

    /// An Atomic is counted by its own Status (contract 2, wire-facts 2.7).
    fn settle_policy(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        (policy, status): (PolicyWork, StatusCode),
    ) {
        let taken = status == StatusCode::OK || status == StatusCode::ACCEPTED;
        let device = self.devices.by_id.get(&id);
        if taken || self.faults.on_any(Fault::ProtoRolledBackSucceeds, device) {
            for sent in policy.writes {
                self.acknowledge_write(now, id, sent.write);
            }
            return;
        }
        let early = session.msg_id < STORM_MESSAGES;
        if early && self.faults.on_any(Fault::ProtoRetryStorm, device) {
            session.planned = false;
        }
        let mut explained = false;
        for sent in &policy.writes {
            let Some(code) = sent.status.filter(|code| code.is_failure()) else {
                continue;
            };
            explained = true;
            // Contract 2: a Delete answered 404 counts as deleted.
            if sent.write.value.is_none() && code == StatusCode::NOT_FOUND {
                self.acknowledge_write(now, id, sent.write.clone());
            } else {
                session.errors.insert(sent.write.leaf, i64::from(code.0));
            }
        }
        if !explained {
            let code = i64::from(status.0);
            session
                .errors
                .extend(policy.writes.iter().map(|sent| (sent.write.leaf, code)));
        }
    }

    /// What the device acknowledged is mostly what others acknowledged, too.
    fn share_acknowledged(&mut self, id: ManagedId) {
        if let Some(device) = self.devices.by_id.get_mut(&id) {
            let values = Arc::clone(&device.acknowledged);
            device.acknowledged = self.common.acknowledged.share(values);
        }
    }

    fn acknowledge_write(&mut self, now: UtcMillis, id: ManagedId, write: PlannedWrite) {
        if write.wire == Wire::Unrecorded {
            return;
        }
        if let Some(value) = &write.value {
            self.note_acknowledged(id, write.leaf, value);
        }
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        if write.leaf == Leaf::BackupDirectory {
            let to_ad = write.value == Some(Value::Int(2));
            device.ad_backup_seen = false;
            let object = self.tenant.device_object(device.entra_id);
            let object = object.and_then(|object| self.tenant.directory_devices.get_mut(&object));
            if let Some(object) = object
                && to_ad
            {
                object.ad_acknowledged_at = Some(now);
            }
        }
        let acknowledged = Arc::make_mut(&mut device.acknowledged);
        match write.value {
            Some(value) => drop(acknowledged.insert(write.leaf, value)),
            None => drop(acknowledged.remove(&write.leaf)),
        }
    }

    /// A sync is done when a session that started after it has ended.
    fn end_syncs(&mut self, now: UtcMillis, id: ManagedId, session: &Session) {
        let Some(device) = self.devices.by_id.get(&id) else {
            return;
        };
        let done: Vec<u64> = device
            .actions
            .iter()
            .filter(|action| {
                action.kind == ActionKind::SyncDevice
                    && action.state.is_open()
                    && action.started_at <= session.started_at
            })
            .map(|action| action.id)
            .collect();
        for action in done {
            self.end_action(now, id, action, End::Done);
        }
    }

    fn compute_rows(&mut self, now: UtcMillis, id: ManagedId, session: &Session) {
        let Some(device) = self.devices.by_id.get(&id) else {
            return;
        };
        let Some(evaluation) = &session.evaluation else {
            // Nothing changed since the last session: the same states, reported once more.
            device.report_again(now);
            return;
        };
        let rows: Vec<(PolicyId, PolicyRow)> = evaluation
            .prospects
            .iter()
            .filter(|(policy, _)| !session.overtaken.contains(policy))
            .map(|(policy, prospects)| {
                let row = status::row(prospects, device, &session.errors);
                let row = self.spoil_row(device, (*policy, evaluation), row);
                (*policy, row)
            })
            .collect();
        let rows: Vec<ReportedRow> = rows
            .into_iter()
            .map(|(policy, row)| ReportedRow::new(policy, self.common.rows.share(row), now))
            .collect();
        let settled = session.overtaken.is_empty() && status::is_settled(evaluation, device);
        self.variant.shows_first(now, id, &device.rows);
        self.devices.change_rows(id, |kept| {
            kept.retain(|policy| {
                session.overtaken.contains(&policy) || evaluation.prospects.contains_key(&policy)
            });
            for row in rows {
                kept.put(row);
            }
        });
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        device.settled_for = settled.then_some(session.context);
    }
}

impl ManagedDevice {
    /// Dates the rows of the device anew, apart from those that are not known.
    pub(super) fn report_again(&self, now: UtcMillis) {
        let known = self
            .rows
            .values()
            .filter(|row| row.state != RowState::Unknown);
        for row in known {
            row.reported_at.set(now);
        }
    }
}
