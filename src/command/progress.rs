//! Shows how far a run is: a bar on a terminal, a line a phase elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use harness::load::{Phase, Progress, Progressed};
use indicatif::{ProgressBar, ProgressStyle};

/// How often the counts are looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// How many of these pass between two lines of counts where there is no terminal.
const COUNTS_EVERY: u32 = 100;

/// Prints a line for people on standard error.
#[expect(clippy::print_stderr, reason = "progress goes to people")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

/// Shows progress until the task is aborted.
pub(crate) async fn show(progress: Progress, devices: u32) {
    let devices = u64::from(devices);
    if std::io::stderr().is_terminal() {
        bars(progress, devices).await;
    } else {
        lines(progress, devices).await;
    }
}

async fn lines(progress: Progress, devices: u64) {
    let mut shown = None;
    let mut told = 0;
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut quiet = 0;
    loop {
        ticks.tick().await;
        quiet += 1;
        let trials = progress.trials();
        trials.iter().skip(told).for_each(|trial| line(trial));
        told = trials.len();
        let now = progress.now();
        if shown != Some(now.phase) {
            shown = Some(now.phase);
            line(&sentence(&now, devices));
            quiet = 0;
        } else if quiet >= COUNTS_EVERY {
            let (done, all) = position(&now, devices);
            line(&format!("  {done} of {all}"));
            quiet = 0;
        }
    }
}

async fn bars(progress: Progress, devices: u64) {
    let bar = Finished(ProgressBar::new(devices));
    let style = ProgressStyle::with_template("{msg:<44} {bar:30} {pos:>8}/{len} {elapsed:>4}");
    bar.0
        .set_style(style.unwrap_or_else(|_template| ProgressStyle::default_bar()));
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let now = progress.now();
        let (done, all) = position(&now, devices);
        bar.0.set_length(all);
        bar.0.set_position(done);
        bar.0.set_message(sentence(&now, devices));
    }
}

/// Clears the bar when the task is aborted, so that the report stands alone.
struct Finished(ProgressBar);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn sentence(now: &Progressed, devices: u64) -> String {
    match now.phase {
        Phase::Register => format!("registering {devices} devices"),
        Phase::Group => "building the load's group".to_owned(),
        Phase::Enroll => format!("enrolling {devices} devices"),
        Phase::Measure => format!("measuring {} check-ins", now.planned),
        Phase::Drain => "ending what is under way".to_owned(),
        Phase::Done => "reading the audit log".to_owned(),
    }
}

/// How much of the phase is done, and of how much.
const fn position(now: &Progressed, devices: u64) -> (u64, u64) {
    match now.phase {
        Phase::Register => (now.registered, devices),
        Phase::Group => (now.grouped, devices),
        Phase::Enroll => (now.enrolled, devices),
        Phase::Measure | Phase::Drain | Phase::Done => (now.completed, now.planned),
    }
}
