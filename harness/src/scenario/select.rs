//! Which scenarios run for which requirements, and how they run beside each other.

use tokio::task::JoinSet;

use super::{CONFORM_SCENARIOS, SCENARIOS, Scenario, ScenarioContext, ScenarioOutcome};
use crate::error::Error;

/// A scenario that was picked for a run.
#[derive(Clone, Copy)]
pub struct Picked(&'static Scenario);

impl std::fmt::Debug for Picked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Picked").field(&self.0.name).finish()
    }
}

impl Picked {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The requirements that it exercises; empty when they are not listed.
    #[must_use]
    pub const fn serves(self) -> &'static [&'static str] {
        self.0.serves
    }

    /// True for a scenario that nothing may run beside.
    #[must_use]
    pub const fn alone(self) -> bool {
        self.0.alone
    }

    /// Runs it to its end.
    pub async fn run(self, context: ScenarioContext) -> ScenarioOutcome {
        (self.0.start)(context, self.0.name).await
    }
}

/// Every scenario that exercises one of the wanted requirements, or does not say what it exercises.
pub fn pick(wanted: impl Fn(&str) -> bool) -> Vec<Picked> {
    SCENARIOS
        .iter()
        .chain(CONFORM_SCENARIOS)
        .filter(|scenario| {
            scenario.serves.is_empty() || scenario.serves.iter().any(|id| wanted(id))
        })
        .map(Picked)
        .collect()
}

/// Runs these scenarios at once; the outcomes come in their order.
pub(super) async fn together(
    context: &ScenarioContext,
    scenarios: &[&'static Scenario],
) -> Vec<ScenarioOutcome> {
    let mut running = JoinSet::new();
    for (place, scenario) in scenarios.iter().enumerate() {
        let future = (scenario.start)(context.clone(), scenario.name);
        running.spawn(async move { (place, future.await) });
    }
    let mut outcomes: Vec<Option<ScenarioOutcome>> = scenarios.iter().map(|_| None).collect();
    let mut panicked = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((place, outcome)) => outcomes[place] = Some(outcome),
            Err(error) => panicked.push(error.to_string()),
        }
    }
    let mut panicked = panicked.into_iter();
    let outcomes = outcomes.into_iter().zip(scenarios);
    outcomes
        .map(|(outcome, scenario)| {
            outcome.unwrap_or_else(|| died(scenario.name, &panicked.next().unwrap_or_default()))
        })
        .collect()
}

/// The outcome of a scenario that ended by a defect of its own.
#[must_use]
pub(crate) fn died(name: &'static str, cause: &str) -> ScenarioOutcome {
    ScenarioOutcome {
        name,
        cases: Vec::new(),
        error: Some(Error::Harness(format!("scenario `{name}`: {cause}"))),
    }
}
