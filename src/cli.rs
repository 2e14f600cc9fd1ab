//! The command line: types for clap and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use harness::catalogue::{Area, RequirementSet};
use harness::fleet::mix::{Mix, PPM_ONE};
use harness::load::{CONNECTIONS, OperationsMix};
use harness::quantity::time_ns;
use harness::schedule::spec::{PhaseSpec, RateSpec};
use harness::threshold::Threshold;
use reference::{FaultChoice, RightsSet, Variant};

use crate::serve::null::Null;

/// Fleet-scale load and conformance harness for Windows LAPS management.
#[derive(Debug, Parser)]
#[command(name = "muster", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What muster can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrol a fleet, let it check in, judge the target while it does, and time it.
    Run(RunArgs),
    /// Offer a load, judge every answer, and hold the figures against thresholds.
    Load(LoadArgs),
    /// Find the largest rate at which a target keeps its goals.
    Capacity(CapacityArgs),
    /// Say how much load this machine can offer, and with what it would be short.
    Doctor(DoctorArgs),
    /// Judge a target by every requirement of the catalogue, without load.
    Conform(ConformArgs),
    /// Say what a requirement demands, where it comes from, what judges and what breaks it.
    Explain(ExplainArgs),
    /// Prove that the suite catches every deliberate defect of the built-in core, and raises nothing
    /// against its legal variants.
    Prove(ProveArgs),
    /// Print the text of a report again, after checking that the file is whole and unchanged.
    Show(ShowArgs),
    /// Run the built-in reference management core alone.
    Serve(ServeArgs),
    /// List the requirements that are judged, with their checks.
    Requirements,
    /// List what the sources leave to a target, with the choices that a profile may declare.
    Properties,
    /// Check a list of expected failures, or propose one from a report.
    Expectations {
        /// What to do with it.
        #[command(subcommand)]
        command: ExpectationsCommand,
    },
    /// List the deliberate defects of the built-in core that `run` must catch.
    Faults(FaultsArgs),
    /// List the legal variants of the built-in core, against which nothing may be raised.
    Variants,
}

/// Options of `muster run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Devices of the load fleet; the cohorts of the requirements come on top.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,
    /// Share of each join state that goes offline after its first session, 0 to 1.
    #[arg(long, default_value = "0.3", value_name = "FRACTION", value_parser = parts_per_million)]
    pub offline: u32,
    /// Share of each join state in percent; the shares add up to 100.
    #[arg(
        long,
        default_value = "entra=50,hybrid=30,registered=5,domain=10,none=5",
        value_name = "MIX"
    )]
    pub mix: Mix,
    /// How long devices check in, for example 10s, 500ms or 2m.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub duration: Duration,
    /// Check-ins a second over the whole fleet [default: each online device once in 2 s].
    #[arg(long, value_name = "CHECK_INS_PER_S", value_parser = per_1000_s)]
    pub rate: Option<u64>,
    /// Keys made beforehand that the load fleet shares, 0 for a key a device [default: 0 up to
    /// 50000 devices, then 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub key_pool: Option<u32>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `muster load`.
/// Whom a load is offered to, what is known of that, and where the report goes.
#[derive(Args, Debug)]
pub(crate) struct TargetArgs {
    /// Seed of everything that is drawn: devices, passwords, order of check-ins.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Switch on one deliberate defect of the built-in core, see `muster faults`.
    #[arg(long, value_name = "NAME[@TRIGGER]", conflicts_with = "target_json")]
    pub fault: Option<FaultChoice>,
    /// Judge the target that this file describes (the line of `muster serve --json`) instead of
    /// starting the built-in core.
    #[arg(long, value_name = "FILE")]
    pub target_json: Option<PathBuf>,
    /// What the target declares of itself [default: the built-in core's own; nothing for another
    /// target].
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Failures that are known and expected; a list that does not fit what is seen ends with exit
    /// code 3.
    #[arg(long, value_name = "FILE")]
    pub expectations: Option<PathBuf>,
    /// Write report.json, results.jsonl, junit.xml, the evidence of violations and, of a load,
    /// intervals.hlog into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Bearer token that the target sends with its pushes.
    #[arg(long, default_value = DEFAULT_PUSH_TOKEN, value_name = "T", hide_default_value = true)]
    pub push_token: String,
}

/// How much a load fleet does at a time.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests of the fleet that are out at a time, each with a connection; a target that takes
    /// 100 ms for a check-in can do 10 a second for each.
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    pub connections: u32,
    /// Sessions of the fleet under way at a time, those that wait for a connection with them; a
    /// check-in that is due beyond them is not started [default: 2048, or as many as a storm
    /// starts].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub in_flight: Option<u32>,
}

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// A shipped fleet (steady-8h, poll-1m, post-enrolment, enrolment-storm, policy-push-storm,
    /// monday-morning, expiry-cohort, outage-recovery) or the path of a fleet file.
    #[arg(long, value_name = "NAME|FILE")]
    pub fleet: Option<String>,
    /// Devices of the load fleet [default: 2000, or the fleet's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: Option<u32>,
    /// Share of each join state that goes offline, 0 to 1 [default: 0.3, or the fleet's].
    #[arg(long, value_name = "FRACTION", value_parser = parts_per_million)]
    pub offline: Option<u32>,
    /// Check-ins a second over the whole fleet [default: each online device once in 2 s].
    #[arg(long, value_name = "CHECK_INS_PER_S", value_parser = per_1000_s, conflicts_with_all = ["fleet", "schedule"])]
    pub rate: Option<u64>,
    /// Phases in the place of an even rate, separated by `;`: constant:500/s,60s;
    /// ramp:100/s..500/s,30s; stairs:100/s..500/s/5,50s; poisson:200/s,10s; storm:1000/5s,30s;
    /// @8h as a rate is every online device once in 8 h.
    #[arg(long, value_name = "SPEC", value_parser = phases, conflicts_with = "fleet")]
    pub schedule: Option<Phases>,
    /// Only the first part of the fleet's or the schedule's phases, in their own time: 15m with
    /// --compress 6 takes two and a half minutes.
    #[arg(long, value_name = "TIME", value_parser = part)]
    pub first: Option<Duration>,
    /// Length of the measured phase without a schedule [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["fleet", "schedule"])]
    pub duration: Option<Duration>,
    /// How much faster than the phases say time runs [default: 1, or the fleet's].
    #[arg(long, value_name = "F", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub compress: Option<u32>,
    /// How long the load goes on before the measured phase, not judged [default: 0s, or the
    /// fleet's].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub warm_up: Option<Duration>,
    /// How often administrators do something beside the check-ins, for example rotate=5/s,
    /// credential_read=2/s, audit_read=1/s, policy_edit=1/s, sign_in=1/s or bulk_attempt=1/s; may be
    /// repeated, and replaces the fleet's.
    #[arg(long = "operation", value_name = "NAME=RATE", value_parser = operation)]
    pub operations: Vec<(String, RateSpec)>,
    /// A limit, for example check_in.latency.p99<250ms or error_ratio<0.1%; may be repeated, and
    /// replaces the fleet's. A missed one ends with exit code 6.
    #[arg(long = "threshold", value_name = "EXPR")]
    pub thresholds: Vec<Threshold>,
    /// End the load as soon as a threshold can no longer be kept.
    #[arg(long)]
    pub abort_on_fail: bool,
    /// Do not hold the answers of the measured phase against the model, and make no rotations: only
    /// to measure what that costs. The verdict is never a pass. Answers are compared with known
    /// bytes all the same: by them a device knows that it has nothing to do.
    #[arg(long)]
    pub no_verify: bool,
    /// Play cadences that the target's poll table does not have.
    #[arg(long)]
    pub ignore_poll: bool,
    /// Keys made beforehand that the load fleet shares, 0 for a key a device [default: 0 up to
    /// 50000 devices, then 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub key_pool: Option<u32>,
    #[command(flatten)]
    pub bounds: Bounds,
    /// Threads that carry the fleet [default: one a core, 2 to 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub shards: Option<u8>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `muster capacity`.
#[derive(Args, Debug)]
pub(crate) struct CapacityArgs {
    /// A coarser search: trials of 10 s and more, bounds 10 % apart, two confirmations, p90.
    #[arg(long)]
    pub quick: bool,
    /// What the target must keep to; may be repeated [default: check_in.latency.p99<1s, or
    /// p90<500ms when quick, and error_ratio<0.1%].
    #[arg(long = "goal", value_name = "EXPR")]
    pub goals: Vec<Threshold>,
    /// The highest rate that is tried, in check-ins a second [default: 100000].
    #[arg(long, value_name = "R", value_parser = per_1000_s)]
    pub max_rate: Option<u64>,
    /// The first rate that is tried, in check-ins a second [default: 64, or more where the goals need
    /// more operations than the longest trial then has].
    #[arg(long, value_name = "R", value_parser = per_1000_s)]
    pub start_rate: Option<u64>,
    /// The shortest measured phase of a trial [default: 60s, or 10s when quick].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub trial: Option<Duration>,
    /// Devices of the load fleet.
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,
    /// Keys made beforehand that the load fleet shares, 0 for a key a device [default: 0 up to
    /// 50000 devices, then 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub key_pool: Option<u32>,
    #[command(flatten)]
    pub bounds: Bounds,
    /// Threads that carry the fleet [default: one a core, 2 to 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub shards: Option<u8>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// The phases of a schedule, as one value of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Phases(pub Vec<PhaseSpec>);

/// Options of `muster doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {}

/// Options of `muster conform`.
#[derive(Args, Debug)]
pub(crate) struct ConformArgs {
    /// Judge the target that this file describes (the line of `muster serve --json`) instead of
    /// starting the built-in core.
    #[arg(long, value_name = "FILE")]
    pub target_json: Option<PathBuf>,
    /// Which requirement set is judged: seed-2023-04, ga-2023-10 or current-2025 [default: the
    /// profile's, or else current-2025].
    #[arg(long, value_name = "NAME", value_parser = known_set)]
    pub set: Option<RequirementSet>,
    /// Judge only requirements whose id fits this pattern, for example `ROTATE-*`; commas stand
    /// between several patterns.
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// Judge only this area, for example ROTATE.
    #[arg(long, value_name = "AREA", value_parser = area)]
    pub area: Option<Area>,
    /// Let a violated SHOULD fail the run.
    #[arg(long)]
    pub strict: bool,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// What the target declares of itself [default: the built-in core's own; nothing for another
    /// target].
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Failures that are known and expected; a list that does not fit what is seen ends with exit
    /// code 3.
    #[arg(long, value_name = "FILE")]
    pub expectations: Option<PathBuf>,
    /// Write report.json, results.jsonl, junit.xml and the evidence of violations into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// List the rows and whether they can be judged, and end.
    #[arg(long)]
    pub list: bool,
    /// Prove with one deliberate defect, chosen by the seed, that the suite can fail: against the
    /// built-in core, whatever the target is.
    #[arg(long)]
    pub self_check: bool,
    /// Switch on one deliberate defect of the built-in core.
    #[arg(long, value_name = "NAME[@TRIGGER]", conflicts_with = "target_json")]
    pub fault: Option<FaultChoice>,
    /// Switch on one legal variant of the built-in core, see `muster variants`; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = variant, conflicts_with = "target_json")]
    pub variant: Vec<Variant>,
    /// Bearer token that the target sends with its pushes.
    #[arg(long, default_value = DEFAULT_PUSH_TOKEN, value_name = "T", hide_default_value = true)]
    pub push_token: String,
}

/// What can be done with a list of expected failures.
#[derive(Debug, Subcommand)]
pub(crate) enum ExpectationsCommand {
    /// Say what is wrong with a list: exit code 3 if anything is.
    Check(CheckArgs),
    /// Write a list that fits a report, for editing.
    Propose(ProposeArgs),
}

/// Options of `muster expectations check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The list.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Options of `muster expectations propose`.
#[derive(Args, Debug)]
pub(crate) struct ProposeArgs {
    /// `report.json` of a run that came to its end.
    #[arg(long, value_name = "FILE")]
    pub report: PathBuf,
    /// The list in use: its comments and what still holds are kept.
    #[arg(long, value_name = "FILE")]
    pub current: Option<PathBuf>,
    /// A new file; one that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Options of `muster prove`.
#[derive(Args, Debug)]
pub(crate) struct ProveArgs {
    /// Prove only with faults, variants and null cores whose name fits this pattern, for example
    /// `M-ROT-*`.
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// Prove 50 pairs of faults, too, which must not hide each other, and each legal variant with 20
    /// seeds instead of 2.
    #[arg(long)]
    pub full: bool,
    /// Seeds of each legal variant [default: 2, with --full 20].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub seeds: Option<u16>,
    /// How many pairs of faults are proved [default: none, with --full 50].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub pairs: Option<u16>,
    /// Prove with N of the faults that fit, chosen by the seed over all areas.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub sample: Option<u16>,
    /// Cores that run at a time.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub jobs: u8,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write kill-matrix.json into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// Options of `muster faults`.
#[derive(Args, Debug)]
pub(crate) struct FaultsArgs {
    /// List those that only `conform` must catch, too, and those that are planned.
    #[arg(long)]
    pub all: bool,
}

/// Options of `muster explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// For example REQ-ROTATE-003.
    #[arg(value_name = "REQUIREMENT")]
    pub requirement: String,
}

/// Options of `muster show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// report.json, results.jsonl, or a folder with one of them.
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    /// Show what there is of results whose run was killed; marked as incomplete, exit code 2.
    #[arg(long)]
    pub incomplete: bool,
}

/// Options of `muster serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where to listen, on loopback; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Print URLs and tokens as one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// Answer the management plane like one server that works on one request at a time and takes
    /// 1/R seconds for each, with an endless queue in front: for tests of load and capacity.
    #[arg(long, value_name = "R", value_parser = per_1000_s)]
    pub limit_rate: Option<u64>,
    /// Switch on a deliberate defect, see `muster faults`; may be repeated. When it acts is its own
    /// affair unless a trigger is given: always, ppm=N, nth=N, every=N, devices=PPM, join=STATE,
    /// inflight=N or window=0s..2h.
    #[arg(long, value_name = "NAME[@TRIGGER]")]
    pub fault: Vec<FaultChoice>,
    /// Switch on one legal variant, see `muster variants`; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = variant)]
    pub variant: Vec<Variant>,
    /// Switch on a mix of legal variants that this seed draws.
    #[arg(long, value_name = "SEED", conflicts_with = "variant")]
    pub chaos: Option<u64>,
    /// Seed of ids, tokens and nonces [default: drawn].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Bearer token that goes with pushes.
    #[arg(long, default_value = DEFAULT_PUSH_TOKEN, value_name = "T", hide_default_value = true)]
    pub push_token: String,
    /// Host, or host:port, that may be pushed to; may be repeated [default: loopback].
    #[arg(long, value_name = "HOST")]
    pub push_allow: Vec<String>,
    /// Let the control plane advance the core's clock.
    #[arg(long)]
    pub virtual_clock: bool,
    /// Which requirement set decides the rights that a rotation needs.
    #[arg(long, default_value = "current-2025", value_name = "NAME", value_parser = requirement_set)]
    pub set: RightsSet,
    /// Serve a null core, which does nothing right, in place of the real one.
    #[arg(long, value_name = "NAME", value_parser = null, hide = true)]
    pub null: Option<Null>,
    /// End when standard input closes.
    #[arg(long)]
    pub exit_with_stdin: bool,
}

/// The push token of `serve` and of what drives a target when none is given, so that they fit each
/// other.
const DEFAULT_PUSH_TOKEN: &str = "muster-push";

fn parts_per_million(text: &str) -> Result<u32, String> {
    thousandths(text, 6)
        .and_then(|ppm| u32::try_from(ppm).ok())
        .filter(|ppm| *ppm <= PPM_ONE)
        .ok_or_else(|| format!("`{text}` is not a fraction from 0 to 1"))
}

fn per_1000_s(text: &str) -> Result<u64, String> {
    thousandths(text, 3)
        .filter(|rate| (1..=1_000_000_000).contains(rate))
        .ok_or_else(|| format!("`{text}` is not a rate above 0 and up to 1000000 a second"))
}

/// A decimal number without sign, times ten to the power of `places`; more places are refused.
fn thousandths(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || part.len() > places {
        return None;
    }
    if !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 10s, 500ms or 2m, up to 24h");
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_syntax| wrong())? * seconds_per_unit;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

fn part(text: &str) -> Result<Duration, String> {
    time_ns(text)
        .filter(|ns| *ns > 0)
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("`{text}` is not a time above 0 such as 90s, 15m or 2h"))
}

fn phases(text: &str) -> Result<Phases, String> {
    harness::schedule::spec::parse(text).map(Phases)
}

fn operation(text: &str) -> Result<(String, RateSpec), String> {
    let (name, rate) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not of the form NAME=RATE"))?;
    // Whether there is such an operation is asked here, so that the complaint names the option.
    OperationsMix::default().set(name, RateSpec::parse(rate)?)?;
    Ok((name.to_owned(), RateSpec::parse(rate)?))
}

fn variant(text: &str) -> Result<Variant, String> {
    Variant::by_name(text)
        .ok_or_else(|| format!("`{text}` is no variant; `muster variants` lists them"))
}

fn known_set(text: &str) -> Result<RequirementSet, String> {
    RequirementSet::by_name(text).ok_or_else(|| no_set(text))
}

fn area(text: &str) -> Result<Area, String> {
    let known = |area: &Area| area.as_str().eq_ignore_ascii_case(text);
    Area::ALL.into_iter().find(known).ok_or_else(|| {
        let areas = Area::ALL.map(Area::as_str).join(", ");
        format!("`{text}` is no area: {areas}")
    })
}

fn no_set(text: &str) -> String {
    format!("`{text}` is no requirement set: seed-2023-04, ga-2023-10 or current-2025")
}

fn null(text: &str) -> Result<Null, String> {
    Null::by_name(text).ok_or_else(|| {
        let names = Null::ALL.map(Null::as_str).join(", ");
        format!("`{text}` is no null core: {names}")
    })
}

fn requirement_set(text: &str) -> Result<RightsSet, String> {
    RightsSet::by_name(text).ok_or_else(|| no_set(text))
}
