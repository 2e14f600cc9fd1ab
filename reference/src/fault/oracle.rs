//! The oracle that the core asks at each place where a defect could act, and what it counted.
//!
//! The core asks last, when everything else that the defect needs is there: `reached` counts the
//! times at which it could act, `fired` those at which it did. A core without defects pays one
//! comparison with a null pointer for a question.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use protocol::time::UtcMillis;

use super::trigger::{Ask, Trigger};
use super::{CONFORM_FAULTS, FAULTS, Fault, FaultRow};
use crate::state::ManagedDevice;

/// A defect of the library with the trigger that it runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultChoice {
    /// The defect.
    pub row: &'static FaultRow,
    /// When it acts.
    pub trigger: Trigger,
}

impl FaultChoice {
    /// The defect with the trigger that the library gives it.
    #[must_use]
    pub const fn of_row(row: &'static FaultRow) -> Self {
        Self {
            row,
            trigger: row.trigger,
        }
    }
}

/// `NAME`, with the library's own trigger, or `NAME@TRIGGER`.
impl FromStr for FaultChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, trigger) = match text.split_once('@') {
            Some((name, trigger)) => (name, Some(trigger)),
            None => (text, None),
        };
        let mut rows = FAULTS.iter().chain(CONFORM_FAULTS);
        let row = rows
            .find(|row| row.name == name)
            .ok_or_else(|| format!("`{name}` is no fault; `muster faults --all` lists them"))?;
        let trigger = trigger.map_or(Ok(row.trigger), Trigger::parse)?;
        Ok(Self { row, trigger })
    }
}

/// The name, and the trigger where it is not the library's own.
impl fmt::Display for FaultChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        if self.trigger == self.row.trigger {
            return Ok(());
        }
        write!(f, "@{}", self.trigger)
    }
}

/// What a defect did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCount {
    /// Which, with which trigger.
    pub choice: FaultChoice,
    /// How often the core asked: the defect could have acted.
    pub reached: u64,
    /// How often it acted.
    pub fired: u64,
}

/// The defects that are switched on. Copies share their counters: they tell of the whole run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Absent in a core without defects, which is all that such a core ever looks at.
    plan: Option<Arc<Plan>>,
}

#[derive(Debug)]
struct Plan {
    seed: u64,
    armed: Vec<Armed>,
    /// [`UNSET`] before the first request.
    started_ms: AtomicI64,
    now_ms: AtomicI64,
    in_flight: AtomicU32,
}

#[derive(Debug)]
struct Armed {
    choice: FaultChoice,
    reached: AtomicU64,
    fired: AtomicU64,
}

/// No time that a clock shows.
const UNSET: i64 = i64::MIN;

impl Faults {
    /// No name stands twice in what is asked for: the first one counts.
    pub(crate) fn new(seed: u64, choices: &[FaultChoice]) -> Self {
        let armed: Vec<Armed> = choices.iter().copied().map(Armed::new).collect();
        if armed.is_empty() {
            return Self::default();
        }
        let plan = Plan {
            seed,
            armed,
            started_ms: AtomicI64::new(UNSET),
            now_ms: AtomicI64::new(UNSET),
            in_flight: AtomicU32::new(0),
        };
        Self {
            plan: Some(Arc::new(plan)),
        }
    }

    /// True when any defect is switched on.
    #[inline]
    pub(crate) const fn any(&self) -> bool {
        self.plan.is_some()
    }

    /// True when this defect is switched on. It counts nothing: for what has to be prepared before
    /// the defect can act.
    #[inline]
    pub(crate) fn has(&self, fault: Fault) -> bool {
        match &self.plan {
            None => false,
            Some(plan) => plan.find(fault).is_some(),
        }
    }

    /// True when this defect acts now; for answers that are about no device.
    #[inline]
    pub(crate) fn on(&self, fault: Fault) -> bool {
        match &self.plan {
            None => false,
            Some(plan) => plan.acts(fault, None),
        }
    }

    /// True when this defect acts now on this device.
    #[inline]
    pub(crate) fn on_device(&self, fault: Fault, device: &ManagedDevice) -> bool {
        match &self.plan {
            None => false,
            Some(plan) => plan.acts(fault, Some(device)),
        }
    }

    /// As [`Self::on_device`] where the device may be unknown.
    #[inline]
    pub(crate) fn on_any(&self, fault: Fault, device: Option<&ManagedDevice>) -> bool {
        match &self.plan {
            None => false,
            Some(plan) => plan.acts(fault, device),
        }
    }

    /// True when this defect may act later because of what happens to this device now;
    /// [`Self::acted`] tells that it did.
    #[inline]
    pub(crate) fn due_later(&self, fault: Fault, device: &ManagedDevice) -> bool {
        match &self.plan {
            None => false,
            Some(plan) => plan.asks(fault, Some(device)).is_some(),
        }
    }

    /// What [`Self::due_later`] announced has happened.
    #[inline]
    pub(crate) fn acted(&self, fault: Fault) {
        if let Some(armed) = self.plan.as_ref().and_then(|plan| plan.find(fault)) {
            armed.fired.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The core's clock shows this.
    #[inline]
    pub(crate) fn note_time(&self, now: UtcMillis) {
        if let Some(plan) = &self.plan {
            plan.note_time(now.as_millis());
        }
    }

    /// The shell's side of the counters.
    pub(crate) fn monitor(&self) -> FaultMonitor {
        FaultMonitor {
            plan: self.plan.clone(),
        }
    }
}

/// The shell's view of the defects that are switched on, which needs no access to the core.
#[derive(Clone, Debug, Default)]
pub struct FaultMonitor {
    plan: Option<Arc<Plan>>,
}

impl FaultMonitor {
    /// What each defect did so far, in the order in which they were switched on.
    #[must_use]
    pub fn counts(&self) -> Vec<FaultCount> {
        let armed = self.plan.iter().flat_map(|plan| &plan.armed);
        armed.map(Armed::count).collect()
    }

    /// A request was taken; it counts as unanswered until the value is dropped.
    #[inline]
    #[must_use]
    pub fn request(&self) -> InFlight {
        if let Some(plan) = &self.plan {
            plan.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        InFlight(self.plan.clone())
    }
}

/// A request that is not answered yet.
#[derive(Debug)]
pub struct InFlight(Option<Arc<Plan>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(plan) = &self.0 {
            plan.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Plan {
    fn find(&self, fault: Fault) -> Option<&Armed> {
        let mut armed = self.armed.iter();
        armed.find(|armed| armed.choice.row.fault == fault)
    }

    /// Counts that the defect could act; the defect when its trigger says so.
    #[cold]
    fn asks(&self, fault: Fault, device: Option<&ManagedDevice>) -> Option<&Armed> {
        let armed = self.find(fault)?;
        let started = self.started_ms.load(Ordering::Relaxed);
        let now = self.now_ms.load(Ordering::Relaxed);
        let ask = Ask {
            seed: self.seed,
            name: armed.choice.row.name,
            reached: armed.reached.fetch_add(1, Ordering::Relaxed) + 1,
            device: device.map(|device| (&*device.device_id, device.join_type)),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            since_start_ms: now.saturating_sub(started),
        };
        armed.choice.trigger.fires(&ask).then_some(armed)
    }

    #[cold]
    fn acts(&self, fault: Fault, device: Option<&ManagedDevice>) -> bool {
        let Some(armed) = self.asks(fault, device) else {
            return false;
        };
        armed.fired.fetch_add(1, Ordering::Relaxed);
        true
    }

    #[cold]
    fn note_time(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
        let unset = self.started_ms.load(Ordering::Relaxed) == UNSET;
        if unset {
            self.started_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

impl Armed {
    const fn new(choice: FaultChoice) -> Self {
        Self {
            choice,
            reached: AtomicU64::new(0),
            fired: AtomicU64::new(0),
        }
    }

    fn count(&self) -> FaultCount {
        FaultCount {
            choice: self.choice,
            reached: self.reached.load(Ordering::Relaxed),
            fired: self.fired.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_name_with_or_without_a_trigger() {
        for (text, trigger, written) in [
            ("M-AUD-view-silent", Trigger::Always, "M-AUD-view-silent"),
            (
                "M-AUD-view-silent@always",
                Trigger::Always,
                "M-AUD-view-silent",
            ),
            (
                "M-AUD-view-silent@nth=3",
                Trigger::Nth(3),
                "M-AUD-view-silent@nth=3",
            ),
            (
                "M-AUD-lost-1-in-100",
                Trigger::Every(100),
                "M-AUD-lost-1-in-100",
            ),
            (
                "M-AUD-lost-1-in-100@always",
                Trigger::Always,
                "M-AUD-lost-1-in-100@always",
            ),
        ] {
            let choice: FaultChoice = text.parse().unwrap();
            assert_eq!(choice.trigger, trigger, "{text}");
            assert_eq!(choice.to_string(), written);
        }
        for (text, said) in [
            ("M-NONE", "`M-NONE` is no fault"),
            ("M-NONE@nth=1", "`M-NONE` is no fault"),
            ("M-AUD-view-silent@", "`` is no trigger"),
        ] {
            let error = text.parse::<FaultChoice>().unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_was_reached_and_what_acted_are_counted_apart() {
        let choices = ["M-AUD-view-silent@every=3", "M-AUD-view-double"];
        let choices = choices.map(|text| text.parse().unwrap());
        let faults = Faults::new(1, &choices);
        assert!(faults.has(Fault::AudViewSilent));
        assert!(!faults.on(Fault::AudPhantom));
        let acted = (1..=7).filter(|_| faults.on(Fault::AudViewSilent)).count();
        assert_eq!(acted, 2);
        let counts = faults.monitor().counts();
        let counts = counts.iter().map(|count| (count.reached, count.fired));
        assert_eq!(counts.collect::<Vec<_>>(), [(7, 2), (0, 0)]);
    }

    #[test]
    fn a_core_without_defects_has_nothing_to_count() {
        let none = Faults::new(1, &[]);
        assert!(!none.any() && !none.on(Fault::AudViewSilent));
        assert!(none.monitor().counts().is_empty());
    }
}
