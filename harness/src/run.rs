//! A whole run, in order: fleet set up, load and scenarios (in `run` side by side), logs read, books
//! balanced, cases judged, report made.

pub(crate) mod audit;
mod capacity;
mod conclude;
mod exam;
mod outcome;
mod reading;
mod record;
mod secrets;

pub use capacity::CapacityOptions;
pub(crate) use conclude::{broken, expected, nothing};
pub use exam::{Exam, Lost, Poll, Weight, processors};
pub use outcome::Outcome;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use reading::LoadUsage;

use crate::admin::AdminClient;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::error::Error;
use crate::exit::{Cause, ExitCode};
use crate::http::{Authority, Connection, Failure, Request, path_of};
use crate::interval_log::Kept;
use crate::lab::{Lab, LabParts};
use crate::leak::TargetLog;
use crate::ledger::Ledger;
use crate::limits::HTTP_EXCHANGE;
use crate::load::{Load, LoadOptions, LoadOutcome, LoadParts, LoadPlan, Progress};
use crate::profile::Terms;
use crate::push::PushEndpoint;
use crate::report::capacity::Capacity;
use crate::report::results::Results;
use crate::scenario::{self, ScenarioContext, ScenarioOutcome};
use crate::target::Target;
use crate::transcript::Transcript;
use crate::usage;

/// What cut a run short that somebody ended.
pub(crate) const ENDED: &str = "the run was ended from the outside";

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The load; its salt is set by the run.
    pub load: LoadOptions,
    /// Bearer token that the target sends with its pushes.
    pub push_token: String,
    /// Whose target it is.
    pub origin: Origin,
    /// What is declared and known of it.
    pub terms: Terms,
    /// What the measurement is held against.
    pub exam: Exam,
}

/// Whose target a run judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in core, started for this run.
    BuiltIn {
        /// Its process, whose processor time and memory are reported.
        pid: u32,
        /// The deliberate defect that is switched on.
        fault: Option<String>,
    },
    /// A target that was described by a file and may see several runs.
    External,
}

/// How a run is watched and ended from the outside, and what it writes meanwhile.
#[derive(Clone, Debug)]
pub struct Controls {
    /// How far it is.
    pub progress: Progress,
    /// True ends the run early.
    pub cancel: watch::Receiver<bool>,
    /// Takes what is found while the run goes on. Where nobody keeps it, no evidence is made.
    pub results: Results,
    /// What the target writes to its log, if it was started for this run.
    pub log: TargetLog,
    /// The arguments that name this target and what is known of it again, each behind a space.
    pub arguments: String,
    /// The command that repeats a whole run; of a part of it the arguments tell what is needed.
    pub command: String,
}

impl From<watch::Receiver<bool>> for Controls {
    /// Only ended from the outside; nothing is kept.
    fn from(cancel: watch::Receiver<bool>) -> Self {
        Self {
            progress: Progress::default(),
            cancel,
            results: Results::nowhere(),
            log: TargetLog::default(),
            arguments: String::new(),
            command: String::new(),
        }
    }
}

/// Everything that the parts of a run share.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) target: Target,
    pub(crate) options: RunOptions,
    pub(crate) clock: Clock,
    pub(crate) transcript: Transcript,
    pub(crate) ledger: Ledger,
    pub(crate) admin: AdminClient,
    pub(crate) lab: Lab,
    push: PushEndpoint,
    plan: Arc<LoadPlan>,
    kept: Kept,
    /// Ends the load, whoever wants it.
    stop: watch::Sender<bool>,
    pub(crate) controls: Controls,
    /// Of the digests that stand for secrets in everything that is written.
    salt: [u8; 16],
}

/// What happened, as far as it came.
#[derive(Debug, Default)]
struct Happened {
    load: Option<LoadOutcome>,
    scenarios: Vec<ScenarioOutcome>,
    usage: LoadUsage,
    causes: Vec<Cause>,
    capacity: Option<Capacity>,
    /// What cut the run short.
    cut: Option<String>,
}

/// Runs everything against `target`. Never fails: what went wrong is a cause in the report.
pub async fn run(target: Target, options: RunOptions, controls: Controls) -> Outcome {
    let seed = options.load.seed;
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => return nothing(seed, error),
    };
    let ground = match Ground::lay(target, options, controls).await {
        Ok(ground) => ground,
        Err(error) => return nothing(seed, error),
    };
    ground.record_start();
    let happened = ground.happen().await;
    conclude::conclude(&ground, &catalogue, happened).await
}

impl Ground {
    pub(crate) async fn lay(
        target: Target,
        mut options: RunOptions,
        controls: Controls,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let transcript = Transcript::default();
        // Distinct for runs against one target, so that none takes another's events for its own.
        let run_id = clock.now().as_millis().unsigned_abs() ^ options.load.seed.rotate_left(32);
        options.load.salt = match options.origin {
            Origin::BuiltIn { .. } => 0,
            Origin::External => run_id & 0xffff_ffff,
        };
        let admin = AdminClient::new(&target, clock.clone(), transcript.clone(), run_id);
        require_health(&target, &clock).await?;
        let push = PushEndpoint::start(
            clock.clone(),
            options.push_token.clone(),
            transcript.clone(),
        )
        .await?;
        let lab = Lab::new(LabParts {
            target: target.clone(),
            clock: clock.clone(),
            push: push.clone(),
            transcript: transcript.clone(),
            seed: options.load.seed,
            salt: options.load.salt,
        });
        let kept = match &options.exam.folder {
            Some(folder) => Kept::with_log(folder)?,
            None => Kept::without_log(),
        };
        Ok(Self {
            stop: stop_with(&controls.cancel),
            plan: Arc::new(LoadPlan::new(options.load.clone())?),
            ledger: Ledger::new(run_id),
            target,
            options,
            clock,
            transcript,
            admin,
            lab,
            push,
            kept,
            controls,
            salt: secrets::salt()?,
        })
    }

    /// Load and scenarios, as far as they come.
    async fn happen(&self) -> Happened {
        let mut happened = Happened::default();
        let load = match Load::prepare(self.load_parts()).await {
            Ok(load) => load,
            Err(error) => {
                happened.cut(&error);
                return happened;
            }
        };
        happened.usage.enrolled = self.read_usage();
        if let Err(error) = load.go_offline().await {
            happened.cut(&error);
            return happened;
        }
        self.record_phase("set-up");
        let scenarios = ScenarioContext {
            lab: self.lab.clone(),
            admin: self.admin.clone(),
            ledger: self.ledger.clone(),
            patience: self.options.terms.patience(),
        };
        if let Err(error) = self.obey_poll(&load.poll_ns()) {
            happened.cut(&error);
            return happened;
        }
        let mut cancelled = self.controls.cancel.clone();
        let exercise = async {
            tokio::select! {
                outcomes = scenario::run_all(&scenarios) => outcomes,
                _ = cancelled.wait_for(|cancelled| *cancelled) => Vec::new(),
            }
        };
        match self.options.exam.weight {
            Weight::Note => {
                let carry = Box::pin(self.carry(load, &mut happened));
                (happened.load, happened.scenarios) = tokio::join!(carry, exercise);
            }
            Weight::Binding => {
                happened.scenarios = exercise.await;
                happened.load = Box::pin(self.carry(load, &mut happened)).await;
            }
        }
        for outcome in &happened.scenarios {
            self.record_scenario(outcome, None);
        }
        self.record_phase("load");
        happened.judge_completeness(&self.controls);
        happened
    }

    /// Measures and sums up.
    async fn carry(&self, mut load: Load, happened: &mut Happened) -> Option<LoadOutcome> {
        happened.usage.before = self.read_usage();
        let measure = async {
            let measure = load.measure();
            tokio::pin!(measure);
            tokio::select! {
                measured = &mut measure => measured,
                lost = self.lost_threshold() => {
                    happened.lose(&lost.to_string());
                    self.stop.send_replace(true);
                    measure.await
                }
            }
        };
        let (measured, descriptors) = usage::watched(measure).await;
        happened.usage.descriptors = descriptors;
        happened.usage.after = self.read_usage();
        match (measured, &self.options.exam.capacity) {
            (Err(error), _) => happened.cut(&error),
            (Ok(()), Some(options)) => {
                happened.capacity = Box::pin(self.search(&load, options, happened)).await;
            }
            (Ok(()), None) => {}
        }
        match load.finish().await {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                happened.cut(&error);
                None
            }
        }
    }

    fn load_parts(&self) -> LoadParts {
        LoadParts {
            target: self.target.clone(),
            clock: self.clock.clone(),
            push: self.push.clone(),
            transcript: self.transcript.clone(),
            admin: self.admin.clone(),
            ledger: self.ledger.clone(),
            plan: Arc::clone(&self.plan),
            progress: self.controls.progress.clone(),
            cancel: self.stop.subscribe(),
            patience: self.options.terms.patience(),
            lab: self.lab.clone(),
            kept: self.kept.clone(),
        }
    }
}

/// A way to end the load that turns true with the one from the outside.
fn stop_with(cancel: &watch::Receiver<bool>) -> watch::Sender<bool> {
    let (stop, _) = watch::channel(*cancel.borrow());
    let (mut outer, inner) = (cancel.clone(), stop.clone());
    tokio::spawn(async move {
        // Nobody can cancel any more when the sender is gone.
        if outer.wait_for(|cancelled| *cancelled).await.is_ok() {
            inner.send_replace(true);
        }
    });
    stop
}

/// A target that does not answer now was never there: nothing can be said of it.
pub(crate) async fn require_health(target: &Target, clock: &Clock) -> Result<(), Error> {
    let url = format!("{}/muster/v1/health", target.control.trim_end_matches('/'));
    let authority =
        Authority::of_url(&url).ok_or_else(|| Error::SetUp(format!("not an http URL: `{url}`")))?;
    let mut connection = Connection::new(authority, clock.clone());
    let request = Request {
        method: "GET",
        path: path_of(&url),
        headers: &[],
        body: Bytes::new(),
    };
    match connection.send(request, HTTP_EXCHANGE).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(Error::SetUp(format!(
            "the target is not ready: GET {url} gave status {}",
            answer.status
        ))),
        Err(Failure::NotSent(cause) | Failure::Unknown(cause)) => Err(Error::Unreachable {
            what: format!("GET {url}"),
            cause,
        }),
    }
}

impl Happened {
    /// An error that ends the run early. The target had answered before, so one that does not
    /// answer any more leaves the run undetermined.
    fn cut(&mut self, error: &Error) {
        let code = match error {
            Error::SetUp(_) => ExitCode::SetUp,
            Error::Unreachable { .. } | Error::Target { .. } => ExitCode::Undetermined,
            Error::Harness(_) => ExitCode::Internal,
        };
        let text = error.to_string();
        self.causes.push(Cause::new(code, text.clone()));
        self.cut.get_or_insert(text);
    }

    /// A threshold that can no longer be kept ended the load.
    fn lose(&mut self, threshold: &str) {
        let text = format!("{threshold} can no longer be kept: the load was ended");
        self.causes
            .push(Cause::new(ExitCode::Threshold, text.clone()));
        self.cut.get_or_insert(text);
    }

    /// Somebody may have ended the run.
    fn note_end(&mut self, controls: &Controls) {
        if *controls.cancel.borrow() {
            self.cut.get_or_insert_with(|| ENDED.to_owned());
        }
    }

    fn judge_completeness(&mut self, controls: &Controls) {
        self.note_end(controls);
        if self.load.as_ref().is_some_and(|load| load.target_down) {
            let text = "the target stopped answering during the run".to_owned();
            self.causes
                .push(Cause::new(ExitCode::Undetermined, text.clone()));
            self.cut.get_or_insert(text);
        }
        let errors: Vec<(&str, &Error)> = self
            .scenarios
            .iter()
            .filter_map(|outcome| Some((outcome.name, outcome.error.as_ref()?)))
            .collect();
        let causes = errors.iter().map(|(name, error)| {
            let code = match error {
                Error::Harness(_) => ExitCode::Internal,
                Error::SetUp(_) | Error::Unreachable { .. } | Error::Target { .. } => {
                    ExitCode::Undetermined
                }
            };
            Cause::new(code, format!("scenario `{name}` ended early: {error}"))
        });
        self.causes.extend(causes);
    }
}
