//! What the core has to say: the first answer of a session, and the reads that follow
//! (contract 2, "First answer").

use protocol::laps_csp::{RESET_PASSWORD, RESET_PASSWORD_STATUS};
use protocol::syncml::Verb;
use protocol::time::UtcMillis;

use super::answer::Draft;
use super::{PolicyWork, Sent, SentWrite, Session, Work};
use crate::conflict::evaluate;
use crate::core::Core;
use crate::defect::PlannedWrite;
use crate::enrollment::PROVIDER_ID;
use crate::fault::Fault;
use crate::state::{Action, ActionKind, ActionState, ManagedDevice, ManagedId, PushChannel};
use crate::variant::Variant;

impl Core {
    /// Adds the commands that go out now.
    pub(super) fn plan(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        draft: &mut Draft<'_>,
    ) {
        if session.planned {
            self.plan_reads(id, session, draft);
            return;
        }
        session.planned = true;
        self.plan_setup(now, id, session, draft);
        // Retire and wipe go before everything else that is pending.
        if self.plan_ending(now, id, session, draft) {
            return;
        }
        self.plan_policy(id, session, draft);
        self.plan_rotation(now, id, session, draft);
        self.plan_reads(id, session, draft);
    }

    fn plan_setup(
        &self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        draft: &mut Draft<'_>,
    ) {
        let Some(device) = self.devices.by_id.get(&id) else {
            return;
        };
        let node = |below: &str| format!("./Vendor/MSFT/DMClient/Provider/{PROVIDER_ID}/{below}");
        if !device.push.configured {
            let push = draft.bare(Verb::Add, node("Push"), Some("node"));
            session.sent(draft, push, Work::AddPush);
            let pfn = draft.text(Verb::Add, node("Push/PFN"), PFN);
            session.sent(draft, pfn, Work::AddPfn);
        }
        if !device.push.configured || !device.push.is_good(now) {
            let uri = draft.bare(Verb::Get, node("Push/ChannelURI"), None);
            session.sent(draft, uri, Work::ReadChannel);
            let status = draft.bare(Verb::Get, node("Push/Status"), None);
            session.sent(draft, status, Work::ReadPushStatus);
        }
    }

    fn plan_ending(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        draft: &mut Draft<'_>,
    ) -> bool {
        let device = self.devices.by_id.get_mut(&id);
        let Some(device) = device.filter(|device| device.is_ending()) else {
            return false;
        };
        if self.faults.on_device(Fault::RotWipeIgnored, device) {
            return false;
        }
        let mut actions = device.actions.iter_mut().rev();
        let ending = |action: &&mut Action| action.kind.ends_enrollment() && action.state.is_open();
        let Some(action) = actions.find(ending) else {
            return false;
        };
        action.activate(now, 0);
        let cmd_id = if action.kind == ActionKind::Wipe {
            draft.bare(Verb::Exec, WIPE.to_owned(), Some("null"))
        } else {
            let unenroll = format!("./Device/Vendor/MSFT/DMClient/Provider/{PROVIDER_ID}/Unenroll");
            draft.text(Verb::Exec, unenroll, PROVIDER_ID)
        };
        session.sent(draft, cmd_id, Work::EndEnrollment { action: action.id });
        true
    }

    fn plan_policy(&mut self, id: ManagedId, session: &mut Session, draft: &mut Draft<'_>) {
        let Some(device) = self.devices.by_id.get(&id) else {
            return;
        };
        let context = device.user_context(session.login_is_user);
        session.context = self.spoil_context(device, context);
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        if session.context.present {
            device.last_user = session.context.user;
        }
        let mut writes = Vec::new();
        // A device that has all it should have is not looked at again until something changes.
        if device.settled_for != Some(session.context) || self.faults.any() {
            self.counters.evaluations.add_one();
            let mut evaluation = evaluate(&self.tenant, device, session.context, self.variant.on());
            device.withheld.clone_from(&evaluation.withheld);
            self.spoil_evaluation(id, &mut evaluation);
            writes = evaluation
                .writes
                .iter()
                .cloned()
                .map(PlannedWrite::from)
                .collect();
            if self.variant.has(Variant::SyncWriteOrder) {
                writes.reverse();
            }
            session.evaluation = Some(Box::new(evaluation));
        }
        self.spoil_writes(id, &mut writes);
        if writes.is_empty() {
            return;
        }
        let (atomic, ids) = draft.atomic(&writes);
        let writes = writes
            .into_iter()
            .zip(ids)
            .map(|(write, cmd_id)| SentWrite {
                cmd_id,
                write,
                status: None,
            })
            .collect();
        session.sent(
            draft,
            atomic,
            Work::Policy(PolicyWork {
                writes,
                status: None,
            }),
        );
    }

    /// At most one Exec is outstanding for a device; one that is gets its status read instead.
    fn plan_rotation(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        draft: &mut Draft<'_>,
    ) {
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        let uploads = self
            .tenant
            .directory_device(device.entra_id)
            .map_or(0, |object| object.uploads);
        let active = device.rotation(|action| action.state == ActionState::Active);
        if let Some(&Action { id, arrived, .. }) = active {
            if !arrived && self.faults.on_device(Fault::ProtoLostStatusStrands, device) {
                return;
            }
            session.rotation = Some(id);
            session.ask_status = true;
            return;
        }
        let pending = device.rotation(|action| {
            let doomed = self.variant.is_doomed(action.id);
            action.state == ActionState::Pending && action.awaiting.is_none() && !doomed
        });
        let pending = pending.map(|action| action.id).filter(|_| {
            let later = device.last_answer.lock().is_some();
            !(later && self.faults.on_device(Fault::CheckinHoldsActions, device))
        });
        let Some(action) = pending.and_then(|action| device.action_mut(action)) else {
            if self.stray_exec(id) {
                let cmd_id = draft.bare(Verb::Exec, RESET_PASSWORD.to_owned(), Some("null"));
                session.sent(draft, cmd_id, Work::StrayExec);
            }
            return;
        };
        action.activate(now, uploads);
        session.rotation = Some(action.id);
        let work = Work::Exec { action: action.id };
        let cmd_id = draft.bare(Verb::Exec, RESET_PASSWORD.to_owned(), Some("null"));
        session.sent(draft, cmd_id, work);
        self.note_exec(id);
    }

    /// `ResetPasswordStatus`: of the rotation that is followed, or as evidence of a backup to
    /// Active Directory, which a session ends with.
    fn plan_reads(&self, id: ManagedId, session: &mut Session, draft: &mut Draft<'_>) {
        let ask = std::mem::take(&mut session.ask_status);
        let evidence = self
            .devices
            .by_id
            .get(&id)
            .is_some_and(ManagedDevice::needs_ad_evidence)
            && session.status_reads == 0
            && !session.awaits_answers();
        if ask || evidence {
            session.status_reads = session.status_reads.saturating_add(1);
            let cmd_id = draft.bare(Verb::Get, RESET_PASSWORD_STATUS.to_owned(), None);
            session.sent(draft, cmd_id, Work::ReadResetStatus);
        }
    }
}

impl Session {
    fn sent(&mut self, draft: &Draft<'_>, cmd_id: u32, work: Work) {
        self.sent.push(Sent {
            msg_id: draft.msg_id(),
            cmd_id,
            work,
        });
    }

    /// A policy or a rotation was sent and is not answered, so the evidence would come too early.
    fn awaits_answers(&self) -> bool {
        self.sent.iter().any(|sent| {
            sent.msg_id == self.msg_id && matches!(sent.work, Work::Policy(_) | Work::Exec { .. })
        })
    }
}

impl PushChannel {
    /// The channel need not be asked for.
    pub(super) fn is_good(&self, now: UtcMillis) -> bool {
        self.uri.is_some()
            && self
                .good_at
                .is_some_and(|at| now.millis_since(at) < CHANNEL_LIFE_MS)
    }
}

impl ManagedDevice {
    /// The oldest rotation of this kind.
    fn rotation(&self, wanted: impl Fn(&Action) -> bool) -> Option<&Action> {
        self.actions
            .iter()
            .find(|action| action.kind == ActionKind::RotateLocalAdminPassword && wanted(action))
    }
}

/// The package family name (contract 1).
const PFN: &str = "Muster.Test_0000000000000";
/// Contract 2.
const WIPE: &str = "./Device/Vendor/MSFT/RemoteWipe/doWipe";
/// Contract 2: the channel is asked for again 15 days after it was last good.
const CHANNEL_LIFE_MS: i64 = 15 * UtcMillis::DAY_MS;
