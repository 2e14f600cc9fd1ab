//! The seed's example, on device clocks: a policy of 1 March with an age of 10 days rotates on
//! 11 March; with a manual rotation on 5 March it rotates on 15 March instead.

use std::ops::RangeInclusive;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::time::{UtcMillis, UtcTicks};

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use crate::case::{BackupShown, Case, MetadataRead, ScheduleCase};
use crate::error::Error;
use crate::transcript::ExchangeId;

const AGE_DAYS: u32 = 10;
/// 2026-03-01T09:00:00Z.
const FIRST_OF_MARCH: UtcMillis = UtcMillis::from_millis(1_772_355_600_000);
/// After the hour in which the rotation of a day must happen.
const AFTER_CYCLE_MS: i64 = UtcMillis::HOUR_MS + 5 * 60_000;

const DEVICES: [(JoinType, OsBuild); 2] = [
    (JoinType::EntraJoined, OsBuild::W11_24H2),
    (JoinType::EntraJoined, OsBuild::W10_22H2),
];

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "schedule").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(10, 16)).await?;
    for (join, os) in DEVICES {
        let mut days = Days::begin(cohort, join, os).await?;
        days.pass(cohort, 1..=9).await?;
        days.pass_rotation(cohort, 10).await?;
        cases.push(Case::Schedule(days.end()));
    }
    for (join, os) in DEVICES {
        let mut days = Days::begin(cohort, join, os).await?;
        days.pass(cohort, 1..=4).await?;
        let rotation = cohort.rotate(&mut days.member, Reach::Online).await?;
        days.manual_asked = true;
        days.manual_execs = rotation.execs;
        days.manual = (rotation.backups > 0).then_some(days.backups.len());
        days.exchanges.extend_from_slice(&rotation.exchanges);
        cases.push(Case::Rotation(rotation));
        days.look(cohort).await?;
        days.pass(cohort, 5..=13).await?;
        days.pass_rotation(cohort, 14).await?;
        cases.push(Case::Schedule(days.end()));
    }
    Ok(())
}

/// A device on its way through March.
struct Days {
    member: Member,
    backups: Vec<BackupShown>,
    manual_asked: bool,
    manual: Option<usize>,
    manual_execs: u32,
    sessions: u32,
    exchanges: Vec<ExchangeId>,
}

impl Days {
    /// The first session, on 1 March.
    async fn begin(cohort: &Cohort<'_>, join: JoinType, os: OsBuild) -> Result<Self, Error> {
        let member = cohort.device_at(FIRST_OF_MARCH, join, os).await?;
        let mut days = Self {
            member,
            backups: Vec::new(),
            manual_asked: false,
            manual: None,
            manual_execs: 0,
            sessions: 0,
            exchanges: Vec::new(),
        };
        days.check_in(cohort).await?;
        days.sessions = 0;
        Ok(days)
    }

    /// Runs the device's clock through these days after 1 March, with a check-in at nine on each:
    /// nothing is due by then that was not due the day before.
    async fn pass(&mut self, cohort: &Cohort<'_>, days: RangeInclusive<i64>) -> Result<(), Error> {
        for day in days {
            self.run_until(cohort, FIRST_OF_MARCH.plus_millis(day * UtcMillis::DAY_MS))
                .await?;
            self.check_in(cohort).await?;
        }
        Ok(())
    }

    /// Runs the device's clock through the hour in which a rotation is due on this day.
    async fn pass_rotation(&mut self, cohort: &Cohort<'_>, day: i64) -> Result<(), Error> {
        let nine = FIRST_OF_MARCH.plus_millis(day * UtcMillis::DAY_MS);
        self.run_until(cohort, nine.plus_millis(AFTER_CYCLE_MS))
            .await?;
        self.check_in(cohort).await
    }

    async fn run_until(&mut self, cohort: &Cohort<'_>, at: UtcMillis) -> Result<(), Error> {
        for seen in self.member.device.run_until(at).await? {
            self.exchanges.extend_from_slice(&seen.exchanges);
        }
        self.look(cohort).await
    }

    async fn check_in(&mut self, cohort: &Cohort<'_>) -> Result<(), Error> {
        let session = self.member.check_in().await?;
        self.sessions += u32::from(session.complete);
        if session.execs() > 0 {
            self.exchanges.extend_from_slice(&session.exchanges);
        }
        self.look(cohort).await
    }

    /// Reads the metadata when uploads were accepted since the last look. Of several at once only
    /// the last is shown.
    async fn look(&mut self, cohort: &Cohort<'_>) -> Result<(), Error> {
        let uploads = self
            .member
            .device
            .seen()
            .uploads_accepted
            .get(self.backups.len()..);
        let new: Vec<BackupShown> = uploads
            .unwrap_or_default()
            .iter()
            .map(|upload| BackupShown {
                at: upload.at,
                refresh: upload.refresh,
                shown: MetadataRead::default(),
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.backups.extend(new);
        let (shown, read) = cohort.metadata(&self.member).await?;
        self.exchanges.push(read);
        if let Some(last) = self.backups.last_mut() {
            last.shown = shown;
        }
        Ok(())
    }

    fn end(self) -> ScheduleCase {
        let seen = self.member.device.seen();
        ScheduleCase {
            device: self.member.name(),
            age_days: AGE_DAYS,
            manual: self.manual,
            manual_asked: self.manual_asked,
            uploads_refused: u32::try_from(seen.uploads_refused.len()).unwrap_or(u32::MAX),
            backups: self.backups,
            unasked_execs: seen.execs.saturating_sub(self.manual_execs),
            sessions: self.sessions,
            ran_until: UtcTicks::from(self.member.device.now()),
            exchanges: self.exchanges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_begin_on_the_first_of_march() {
        assert_eq!(FIRST_OF_MARCH.to_string(), "2026-03-01T09:00:00Z");
    }
}
