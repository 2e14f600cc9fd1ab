//! Runs scenarios, each between two sanity sessions, so that a target that died is not taken for
//! one that is wrong.

use std::sync::Arc;
use std::time::Instant;

use emulator::OsBuild;
use protocol::JoinType;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ConformOptions;
use crate::catalogue::Catalogue;
use crate::error::Error;
use crate::lab::Lab;
use crate::run::{Ground, require_health};
use crate::scenario::{self, Picked, ScenarioContext, ScenarioOutcome};

/// Scenarios that run beside each other.
const SIDE_BY_SIDE: usize = 12;
/// Scope of the sanity sessions.
const SCOPE: &str = "sanity";

/// What the scenarios gave.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) scenarios: Vec<PlayedScenario>,
    /// Why the target is taken for dead.
    pub(super) down: Option<String>,
    pub(super) cancelled: bool,
}

/// One scenario and its sanity sessions.
#[derive(Debug)]
pub(super) struct PlayedScenario {
    pub(super) outcome: ScenarioOutcome,
    pub(super) seconds: f64,
    /// What was wrong with the session before or behind it.
    pub(super) insane: Option<String>,
}

/// Runs every scenario that the selected rows need: those that bear company first, then the others
/// one by one.
pub(super) async fn play(
    ground: &Ground,
    catalogue: &Catalogue,
    options: &ConformOptions,
) -> Played {
    // A refusal is worth as much as its positive control.
    let wanted: Vec<&str> = options
        .selection
        .rows(catalogue)
        .flat_map(|row| [Some(row.id.as_str()), row.twin.as_deref()])
        .flatten()
        .collect();
    let picked = scenario::pick(|id| wanted.contains(&id));
    let (alone, beside): (Vec<Picked>, Vec<Picked>) =
        picked.into_iter().partition(|picked| picked.alone());
    let context = ScenarioContext {
        lab: ground.lab.clone(),
        admin: ground.admin.clone(),
        ledger: ground.ledger.clone(),
        patience: ground.options.terms.patience(),
    };
    let mut played = Played::default();
    let mut cancel = ground.controls.cancel.clone();
    let groups = std::iter::once(beside).chain(alone.into_iter().map(|picked| vec![picked]));
    for group in groups {
        let run = together(ground, &context, &group);
        tokio::select! {
            scenarios = run => played.scenarios.extend(scenarios),
            _ = cancel.wait_for(|cancelled| *cancelled) => played.cancelled = true,
        }
        played.down = down(ground, &played).await;
        if played.cancelled || played.down.is_some() {
            break;
        }
    }
    played
}

/// Asks a target that left something unanswered whether it is still there.
async fn down(ground: &Ground, played: &Played) -> Option<String> {
    let silent = played.scenarios.iter().find_map(|played| {
        let unreachable = matches!(played.outcome.error, Some(Error::Unreachable { .. }));
        (unreachable || played.insane.is_some()).then_some(played.outcome.name)
    })?;
    match require_health(&ground.target, &ground.clock).await {
        Ok(()) => None,
        Err(error) => Some(format!(
            "target down, noticed in scenario `{silent}`: {error}"
        )),
    }
}

async fn together(
    ground: &Ground,
    context: &ScenarioContext,
    group: &[Picked],
) -> Vec<PlayedScenario> {
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = JoinSet::new();
    for (order, picked) in group.iter().copied().enumerate() {
        let (context, places) = (context.clone(), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (order, one(context, picked).await)
        });
    }
    let mut played: Vec<Option<PlayedScenario>> = group.iter().map(|_| None).collect();
    let mut panics = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((order, scenario)) => {
                ground.record_scenario(&scenario.outcome, Some(scenario.seconds));
                played[order] = Some(scenario);
            }
            Err(error) => panics.push(error.to_string()),
        }
    }
    let mut panics = panics.into_iter();
    let played = played.into_iter().zip(group);
    played
        .map(|(played, picked)| {
            played.unwrap_or_else(|| PlayedScenario {
                outcome: scenario::died(picked.name(), &panics.next().unwrap_or_default()),
                seconds: 0.0,
                insane: None,
            })
        })
        .collect()
}

async fn one(context: ScenarioContext, picked: Picked) -> PlayedScenario {
    let began = Instant::now();
    let before = Box::pin(sane(&context.lab)).await.err();
    let outcome = if let Some(error @ Error::Unreachable { .. }) = before {
        return PlayedScenario {
            insane: Some(error.to_string()),
            outcome: ScenarioOutcome {
                name: picked.name(),
                cases: Vec::new(),
                error: Some(error),
            },
            seconds: began.elapsed().as_secs_f64(),
        };
    } else {
        picked.run(context.clone()).await
    };
    let behind = Box::pin(sane(&context.lab)).await.err();
    PlayedScenario {
        outcome,
        seconds: began.elapsed().as_secs_f64(),
        insane: before.or(behind).map(|error| error.to_string()),
    }
}

/// A device enrols and checks in, which every target must be able to take at any time.
async fn sane(lab: &Lab) -> Result<(), Error> {
    let mut device = lab
        .enrolled_device(SCOPE, JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let session = device.check_in().await?;
    if session.complete {
        return Ok(());
    }
    Err(Error::Target {
        what: format!("session of device `{}`", device.name()),
        seen: "it broke off".to_owned(),
    })
}
