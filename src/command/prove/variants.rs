//! Legal variants of the right core: the whole catalogue against each of them, which must raise
//! nothing.

use std::future::Future;
use std::time::Duration;

use harness::conform::{self, ConformOptions, Selection};
use harness::error::Error;
use harness::profile::Terms;
use harness::prove::variant::VariantRow;
use harness::report::Report;
use harness::run::Origin;
use reference::{VARIANTS, Variants};
use tokio::sync::watch;

use super::cores::SET;
use crate::child::{CoreChild, CoreOptions};
use crate::cli::ProveArgs;

/// Seeds of each variant, and of a full proof.
const SEEDS: u64 = 2;
const SEEDS_FULL: u64 = 20;
/// What a run may take: a variant may be slow by right.
const RUN_LIMIT: Duration = Duration::from_secs(240);
const PUSH_TOKEN: &str = "muster-prove";

/// One core that differs by right.
#[derive(Clone, Debug)]
pub(super) struct Legal {
    id: String,
    on: Vec<&'static str>,
    seeds: Vec<u64>,
}

/// The variants whose name fits, each with its seeds, and one mix a seed.
pub(super) fn wanted(arguments: &ProveArgs) -> Vec<Legal> {
    let usual = if arguments.full { SEEDS_FULL } else { SEEDS };
    let count = arguments.seeds.map_or(usual, u64::from);
    let seeds: Vec<u64> = (0..count)
        .map(|place| arguments.seed.wrapping_add(place))
        .collect();
    let alone = VARIANTS.iter().map(|row| Legal {
        id: row.name.to_owned(),
        on: vec![row.name],
        seeds: seeds.clone(),
    });
    let mixed = seeds.iter().map(|seed| Legal {
        id: format!("V-CHAOS-{seed}"),
        on: Variants::drawn(*seed).names(),
        seeds: vec![*seed],
    });
    let fits = |legal: &Legal| {
        let only = arguments.only.as_deref();
        only.is_none_or(|only| conform::matches_pattern(only, &legal.id))
    };
    alone.chain(mixed).filter(fits).collect()
}

/// The suite against this variant with every one of its seeds.
pub(super) async fn judged(legal: Legal) -> VariantRow {
    let mix = if let [_alone] = legal.on.as_slice() {
        Vec::new()
    } else {
        legal.on.iter().map(|&name| name.to_owned()).collect()
    };
    let mut row = VariantRow::new(legal.id.clone(), mix);
    for seed in &legal.seeds {
        match run(*seed, &legal.on).await {
            Ok(report) => row.add(*seed, &report),
            Err(error) => row.add_failure(*seed, &error),
        }
    }
    row
}

/// A conformance run against a core of its own.
async fn run(seed: u64, on: &[&'static str]) -> Result<Report, Error> {
    let (core, target) = CoreChild::start(&CoreOptions {
        seed,
        variants: on.to_vec(),
        push_token: PUSH_TOKEN.to_owned(),
        virtual_clock: true,
        ..CoreOptions::default()
    })
    .await?;
    let options = ConformOptions {
        selection: Selection::of_set(SET),
        strict: true,
        collateral: false,
        device: false,
        seed,
        push_token: PUSH_TOKEN.to_owned(),
        origin: Origin::BuiltIn {
            pid: core.pid(),
            fault: None,
        },
        terms: Terms::variant()?,
    };
    let (_cancel, cancelled) = watch::channel(false);
    let outcome = in_time(Box::pin(conform::conform(target, options, cancelled))).await;
    let _counters = core.stop().await;
    Ok(outcome?.report)
}

async fn in_time<T>(run: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(RUN_LIMIT, run)
        .await
        .map_err(|_elapsed| {
            let seconds = RUN_LIMIT.as_secs();
            Error::SetUp(format!("not over after {seconds} s"))
        })
}

/// The line of a variant that was proved.
pub(super) fn line(row: &VariantRow) -> String {
    let seen = match row.defect() {
        None => "nothing raised".to_owned(),
        Some(defect) => defect,
    };
    let seeds = row.seeds.len();
    format!("{:<44} {seeds:>2} seeds  {seen}", row.id)
}
