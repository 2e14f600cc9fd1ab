//! The figures as Markdown.

use std::fmt::Write as _;
use std::process::Command;

/// Which way a figure is better.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// A figure with what it is held against.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) bound: f64,
    pub(crate) aim: f64,
    pub(crate) better: Better,
    pub(crate) unit: &'static str,
    /// How it came about.
    pub(crate) from: String,
}

impl Figure {
    fn standing(&self) -> &'static str {
        let reaches = |limit: f64| match self.better {
            Better::Higher => self.value >= limit,
            Better::Lower => self.value <= limit,
        };
        match (reaches(self.bound), reaches(self.aim)) {
            (true, true) => "aim",
            (true, false) => "bound",
            (false, _) => "missed",
        }
    }

    fn row(&self) -> String {
        let sign = match self.better {
            Better::Higher => ">=",
            Better::Lower => "<=",
        };
        let said = |value: f64| {
            let digits = usize::from(value < 10.0) * 2;
            format!("{value:.digits$}{}", self.unit)
        };
        format!(
            "| {} | {} | {sign} {} | {sign} {} | {} | {} |\n",
            self.what,
            said(self.value),
            plain(self.bound, self.unit),
            plain(self.aim, self.unit),
            self.standing(),
            self.from
        )
    }
}

fn plain(value: f64, unit: &str) -> String {
    format!("{value}{unit}")
}

/// The table of figures.
pub(crate) fn figures(figures: &[Figure]) -> String {
    let mut table =
        "| figure | measured | bound | aim | reaches | from |\n|---|---|---|---|---|---|\n"
            .to_owned();
    table.extend(figures.iter().map(Figure::row));
    table
}

/// A table of names with two numbers each.
pub(crate) fn pairs(head: [&str; 3], rows: &[(String, f64, f64)]) -> String {
    let mut table = format!(
        "| {} | {} | {} |\n|---|---|---|\n",
        head[0], head[1], head[2]
    );
    for (name, first, second) in rows {
        writeln!(table, "| {name} | {first:.1} | {second:.0} |").unwrap();
    }
    table
}

/// The middle of some values, which need not be sorted.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The day and the machine.
pub(crate) fn machine() -> String {
    let day = Command::new("date").args(["-u", "+%F"]).output().unwrap();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split(':').nth(1));
        value.unwrap_or("unknown").trim().to_owned()
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let release = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, {processors} processors ({}), memory {}, Linux {}, everything on loopback",
        String::from_utf8_lossy(&day.stdout).trim(),
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        release.trim()
    )
}
