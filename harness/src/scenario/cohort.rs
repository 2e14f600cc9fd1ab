//! A cohort: a group of the directory, its devices, the policies assigned to it, and the actors that
//! handle them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use emulator::{DeviceSpec, OsBuild};
use protocol::JoinType;
use protocol::graph::action::{DeviceActionResult, ROTATE_LOCAL_ADMIN_PASSWORD};
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::ScenarioContext;
use super::member::{Member, writes};
use super::shown::shows_password;
use crate::admin::{Actor, Kept};
use crate::case::{ActionSeen, Case, DeliveryCase, ExplicitRead, MetadataRead, RotationCase};
use crate::error::Error;
use crate::lab::{LabDevice, SessionSeen};
use crate::ledger::Ledger;
use crate::limits;
use crate::transcript::ExchangeId;

/// A group with its devices' policies.
pub(super) struct Cohort<'a> {
    pub(super) context: &'a ScenarioContext,
    pub(super) scope: &'static str,
    /// Handles policies and groups, reads devices and states.
    pub(super) admin: Actor,
    /// Rotates and synchronises.
    pub(super) operator: Actor,
    /// Reads passwords.
    pub(super) reader: Actor,
    pub(super) group: Uuid,
    policies: Vec<(Uuid, String)>,
    /// States took too long once.
    pub(super) reports_late: AtomicBool,
}

/// Whether the target can wake a device at the time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The device told its channel, and answers pushes as connected.
    Online,
    /// It does not; before its first session no device has told a channel.
    Offline,
}

/// Settings that back up to Microsoft Entra ID.
pub(super) fn entra_policy(age_days: i32, length: i32) -> BTreeMap<Leaf, Value> {
    BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordAgeDays, Value::Int(age_days)),
        (Leaf::PasswordComplexity, Value::Int(4)),
        (Leaf::PasswordLength, Value::Int(length)),
    ])
}

impl<'a> Cohort<'a> {
    /// An empty group.
    pub(super) async fn open(
        context: &'a ScenarioContext,
        scope: &'static str,
    ) -> Result<Self, Error> {
        let admin = context.admin.actor("policy-admin", scope);
        let group = admin
            .create_group(&format!("muster {scope}"))
            .await?
            .require("POST /groups")?;
        Ok(Self {
            context,
            scope,
            operator: context.admin.actor("rotate-operator", scope),
            reader: context.admin.actor("password-reader", scope),
            admin,
            group: group.id,
            policies: Vec::new(),
            reports_late: AtomicBool::new(false),
        })
    }

    /// An actor by name.
    pub(super) fn actor(&self, name: &str) -> Actor {
        self.context.admin.actor(name, self.scope)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.context.ledger
    }

    /// The harness's clock.
    pub(super) fn now(&self) -> UtcMillis {
        self.context.lab.clock().now()
    }

    /// A device that is enrolled and a member of the group, and has had no session.
    pub(super) async fn device(&self, join: JoinType, os: OsBuild) -> Result<Member, Error> {
        let device = self
            .context
            .lab
            .enrolled_device(self.scope, join, os)
            .await?;
        self.join(device, os).await
    }

    /// The same with facts of the device changed before it exists.
    pub(super) async fn device_with(
        &self,
        join: JoinType,
        os: OsBuild,
        change: impl FnOnce(&mut DeviceSpec) + Send,
    ) -> Result<Member, Error> {
        let device = self
            .context
            .lab
            .enrolled_device_with(self.scope, join, os, change)
            .await?;
        self.join(device, os).await
    }

    /// The same with the device's own clock at `at` from the beginning.
    pub(super) async fn device_at(
        &self,
        at: UtcMillis,
        join: JoinType,
        os: OsBuild,
    ) -> Result<Member, Error> {
        let mut device = self
            .context
            .lab
            .registered_device(self.scope, join, os)
            .await?;
        device.set_clock(at);
        device.enroll().await?;
        self.join(device, os).await
    }

    async fn join(&self, device: LabDevice, os: OsBuild) -> Result<Member, Error> {
        let member = self.outsider(device, os).await?;
        let found = self
            .admin
            .directory_devices(member.entra)
            .await?
            .require("GET /devices")?;
        let object = found
            .first()
            .map(|device| device.id)
            .ok_or_else(|| Error::Target {
                what: "GET /devices".to_owned(),
                seen: format!("no device `{}`", member.entra),
            })?;
        let added = self.admin.add_member(self.group, object).await?;
        added.require("POST /groups/{id}/members/$ref")?;
        Ok(member)
    }

    /// A device that is in no group.
    pub(super) async fn outsider_device(
        &self,
        join: JoinType,
        os: OsBuild,
    ) -> Result<Member, Error> {
        let device = self
            .context
            .lab
            .enrolled_device(self.scope, join, os)
            .await?;
        self.outsider(device, os).await
    }

    async fn outsider(&self, device: LabDevice, os: OsBuild) -> Result<Member, Error> {
        let missing = |what: &str| Error::Harness(format!("device without {what}"));
        let entra = device
            .entra_device_id()
            .ok_or_else(|| missing("Entra device id"))?;
        let managed = match device.managed_id() {
            Some(id) => id,
            None => self.managed_id(device.name()).await?,
        };
        self.context.ledger.own(managed);
        self.context.ledger.own(entra);
        Ok(Member {
            device,
            managed,
            entra,
            os,
            held: BTreeMap::new(),
            rows: 0,
        })
    }

    pub(super) async fn managed_id(&self, name: &str) -> Result<Uuid, Error> {
        let what = "GET /deviceManagement/managedDevices";
        let found = self
            .admin
            .managed_devices_named(name)
            .await?
            .require(what)?;
        found
            .first()
            .map(|device| device.id)
            .ok_or_else(|| Error::Target {
                what: what.to_owned(),
                seen: format!("no device `{name}`"),
            })
    }

    /// A policy, not assigned; it is deleted when the cohort is closed.
    pub(super) async fn policy(&mut self, leaves: &BTreeMap<Leaf, Value>) -> Result<Uuid, Error> {
        let name = format!("muster {} {}", self.scope, self.policies.len() + 1);
        let what = "POST /deviceManagement/configurationPolicies";
        let policy = self
            .admin
            .create_policy(&name, leaves)
            .await?
            .require(what)?;
        let id = policy.id.ok_or_else(|| Error::Target {
            what: what.to_owned(),
            seen: "a policy without id".to_owned(),
        })?;
        self.policies.push((id, name));
        Ok(id)
    }

    /// A policy, assigned to the group.
    pub(super) async fn assigned_policy(
        &mut self,
        leaves: &BTreeMap<Leaf, Value>,
    ) -> Result<Uuid, Error> {
        let policy = self.policy(leaves).await?;
        self.assign(policy).await?;
        Ok(policy)
    }

    pub(super) async fn assign(&self, policy: Uuid) -> Result<(), Error> {
        let answer = self.admin.assign_groups(policy, &[self.group]).await?;
        answer.require("POST .../assign").map(|_list| ())
    }

    pub(super) async fn unassign(&self, policy: Uuid) -> Result<(), Error> {
        let answer = self.admin.assign_groups(policy, &[]).await?;
        answer.require("POST .../assign").map(|_list| ())
    }

    /// Gives a policy other settings.
    pub(super) async fn edit(
        &self,
        policy: Uuid,
        leaves: &BTreeMap<Leaf, Value>,
    ) -> Result<(), Error> {
        let name = self
            .policies
            .iter()
            .find(|(id, _)| *id == policy)
            .map_or("", |(_, name)| name);
        let answer = self.admin.replace_policy(policy, name, leaves).await?;
        answer.require("PUT .../configurationPolicies/{id}")
    }

    /// Deletes the policies. What is gone already, or will not go, is left.
    pub(super) async fn close(self) -> Result<(), Error> {
        for (policy, _) in &self.policies {
            let _deleted = self.admin.delete_policy(*policy).await?;
        }
        Ok(())
    }

    /// The group.
    pub(super) const fn group(&self) -> Uuid {
        self.group
    }

    /// How long an action may take to its end.
    pub(super) fn fail_limit(&self) -> Duration {
        self.context.patience.fail
    }

    /// How long a push may take to come.
    pub(super) fn push_limit(&self) -> Duration {
        self.context.patience.push
    }

    /// How long an event may take to be readable.
    pub(super) fn audit_limit(&self) -> Duration {
        self.context.patience.audit
    }

    /// The first session of a device whose policy is assigned, as a case of delivery.
    pub(super) async fn first_session(
        &self,
        member: &mut Member,
        leaves: &BTreeMap<Leaf, Value>,
        cases: &mut Vec<Case>,
    ) -> Result<SessionSeen, Error> {
        let session = member.check_in().await?;
        let configured = leaves
            .iter()
            .filter(|(leaf, value)| leaf.node().allows(value, member.os.build))
            .map(|(leaf, value)| (*leaf, value.clone()))
            .collect();
        cases.push(Case::Delivery(DeliveryCase {
            device: member.name(),
            configured,
            writes: writes(&session),
            complete: session.complete,
            exchanges: session.exchanges.clone(),
        }));
        Ok(session)
    }

    /// A read of a credential's metadata.
    pub(super) async fn metadata(
        &self,
        member: &Member,
    ) -> Result<(MetadataRead, ExchangeId), Error> {
        let reply = self.reader.credential(member.entra).await?;
        let read = MetadataRead {
            status: Some(reply.status),
            last: reply
                .body
                .as_ref()
                .and_then(|body| body.last_backup_date_time),
            next: reply.body.as_ref().and_then(|body| body.refresh_date_time),
        };
        Ok((read, reply.exchange))
    }

    /// Whether an element of the list of credentials is such; the pages with one, and the
    /// last page.
    pub(super) async fn listed_credentials(
        &self,
        is_such: impl Fn(&serde_json::Value) -> bool,
    ) -> Result<(bool, Vec<ExchangeId>), Error> {
        let mut pages = Vec::new();
        let take = |element: serde_json::Value, page| {
            if !is_such(&element) {
                return Kept::No;
            }
            pages.push(page);
            Kept::Yes
        };
        let reply = self.reader.each_credential(take).await?;
        let last = reply.exchange;
        reply.require("GET /directory/deviceLocalCredentials")?;
        let found = !pages.is_empty();
        pages.push(last);
        pages.dedup();
        Ok((found, pages))
    }

    /// A read that asks for the password; compared with what the device holds.
    pub(super) async fn password(
        &self,
        member: &Member,
    ) -> Result<(ExplicitRead, bool, ExchangeId), Error> {
        let (_op, reply) = self
            .reader
            .read_password_counted(self.ledger(), member.entra)
            .await?;
        let has_password = shows_password(member, reply.bytes());
        let exchange = reply.exchange;
        // The order of the entries is left to the target; of equal times the one listed first.
        let newest = reply
            .body
            .as_ref()
            .and_then(|body| {
                let entries = body.credentials.as_ref()?.iter().rev();
                entries.max_by_key(|entry| entry.backup_date_time)
            })
            .cloned();
        let held = member.device.held_password();
        let password_matches = match (&newest, &held) {
            (Some(newest), Some(held)) => {
                newest.password_base64.as_ref() == Some(&held.password_base64)
            }
            (Some(_) | None, _) => false,
        };
        let read = ExplicitRead {
            status: Some(reply.status),
            account: newest
                .as_ref()
                .and_then(|newest| newest.account_name.clone()),
            sid: newest
                .as_ref()
                .and_then(|newest| newest.account_sid.clone()),
            backup: newest.as_ref().and_then(|newest| newest.backup_date_time),
            password_matches,
        };
        Ok((read, has_password, exchange))
    }

    /// Asks for a rotation and sees it through: the push, the session, the end of the action.
    pub(super) async fn rotate(
        &self,
        member: &mut Member,
        reach: Reach,
    ) -> Result<RotationCase, Error> {
        let before = member.marks();
        let backed_up = before.backups > 0;
        let hours_to_expiry = member.hours_to_expiry();
        let (op, reply) = self
            .operator
            .rotate_counted(self.ledger(), member.managed)
            .await;
        let reply = reply?;
        let mut exchanges = vec![reply.exchange];
        if reach == Reach::Online {
            let awaited = backed_up && reply.is_success();
            self.answer_request(member, awaited, &mut exchanges).await?;
        }
        let (action, read) = self.action(member).await?;
        exchanges.push(read);
        let after = member.marks();
        let mut password_shown = None;
        if after.backups > before.backups && after.password != before.password {
            let (explicit, _, read) = self.password(member).await?;
            exchanges.push(read);
            let readable = explicit.status.is_some_and(|status| status < 300);
            password_shown = readable.then_some(explicit.password_matches);
        }
        Ok(RotationCase {
            device: member.device.name().to_owned(),
            managed_id: member.managed,
            join_type: member.device.join_type(),
            online: reach == Reach::Online,
            backed_up,
            op,
            status: Some(reply.status),
            action,
            execs: after.execs - before.execs,
            backups: after.backups - before.backups,
            password_changed: after.password != before.password,
            password_shown,
            hours_to_expiry,
            in_load: false,
            exchanges,
        })
    }

    /// The sessions that a request causes: those of the pushes that come, until one brings the Exec
    /// or the action has ended. A push may be a late one of an earlier change (contract 8, T_push),
    /// and a target may answer the request before it pushes.
    async fn answer_request(
        &self,
        member: &mut Member,
        awaited: bool,
        exchanges: &mut Vec<ExchangeId>,
    ) -> Result<(), Error> {
        let limit = tokio::time::Instant::now() + self.push_limit();
        loop {
            let left = limit.saturating_duration_since(tokio::time::Instant::now());
            let pushed = if awaited {
                member.answer_push(left).await
            } else {
                None
            };
            let is_last = pushed.is_none();
            // Without a push the device comes by itself: what was meant for it must show.
            let session = match pushed {
                Some(session) => session,
                None => member.check_in().await?,
            };
            exchanges.extend_from_slice(&session.exchanges);
            if is_last || session.execs() > 0 {
                return Ok(());
            }
            let (rows, read) = self.rotation_rows(member).await?;
            exchanges.push(read);
            let listed = (rows.len() > member.rows).then(|| newest(&rows)).flatten();
            if listed.is_some_and(|action| action.state.is_final()) {
                return Ok(());
            }
        }
    }

    /// The newest rotation action, if one was listed since the last look, as soon as it has ended or
    /// when its time is over.
    async fn action(&self, member: &mut Member) -> Result<(Option<ActionSeen>, ExchangeId), Error> {
        let mut looks = looks(self.context.patience.fail);
        loop {
            let (rows, exchange) = self.rotation_rows(member).await?;
            let newest = (rows.len() > member.rows).then(|| newest(&rows)).flatten();
            let ended = newest
                .as_ref()
                .is_some_and(|action| action.state.is_final());
            looks = looks.saturating_sub(1);
            if ended || looks == 0 {
                member.rows = rows.len();
                return Ok((newest, exchange));
            }
            tokio::time::sleep(limits::POLL_INTERVAL).await;
        }
    }

    /// Rotation actions listed that were not when last looked at.
    pub(super) async fn new_rotation_rows(
        &self,
        member: &mut Member,
    ) -> Result<(usize, ExchangeId), Error> {
        let (rows, exchange) = self.rotation_rows(member).await?;
        let new = rows.len().saturating_sub(member.rows);
        member.rows = rows.len();
        Ok((new, exchange))
    }

    /// The rotation actions of a device as they are listed.
    pub(super) async fn rotation_rows(
        &self,
        member: &Member,
    ) -> Result<(Vec<DeviceActionResult>, ExchangeId), Error> {
        let reply = self.admin.managed_device(member.managed).await?;
        let exchange = reply.exchange;
        let device = reply.require("GET .../managedDevices/{id}")?;
        let rows = device
            .device_action_results
            .into_iter()
            .filter(|row| row.action_name == ROTATE_LOCAL_ADMIN_PASSWORD)
            .collect();
        Ok((rows, exchange))
    }
}

/// How often a wait of this length looks.
pub(super) fn looks(limit: Duration) -> u128 {
    limit.as_millis() / limits::POLL_INTERVAL.as_millis()
}

/// The row that started last; of several at one time the one listed first (contract 5: newest
/// first).
pub(super) fn newest(rows: &[DeviceActionResult]) -> Option<ActionSeen> {
    let row = rows.iter().rev().max_by_key(|row| row.start_date_time)?;
    Some(ActionSeen {
        state: row.action_state.clone(),
        detail: row.detail.clone(),
        error_code: row.error_code,
    })
}
