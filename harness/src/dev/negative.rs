//! Tests generated from the node table: every setting with every illegal value, verb and format,
//! and on builds that do not have it.
//!
//! F-052: which status the CSP gives for an illegal value is not published. Either it is an error
//! and what was in force stays, or it is a success and the default counts.

use emulator::OsBuild;
use protocol::laps_csp::{Allowed, Format, NODES, Node};
use protocol::syncml::Verb;

use super::bench::{Bench, Got, NEW, OLD, atomic, exec, got, request, write};
use super::book::{Book, Rule};
use super::expected::{AUTOMATIC_ENABLED, Setting, by_name, effective};
use super::server::{Hall, Turn};
use crate::error::Error;

const LEGAL: (&str, &str) = (
    "legal-value-lost",
    "a legal value is taken and in force, a Get returns it in the format of the node, and Delete brings the default back (1.2, F-004)",
);
const ILLEGAL: (&str, &str) = (
    "illegal-value-in-force",
    "an illegal value is answered with an error and changes nothing, or the default counts (F-043, F-052)",
);
const FORMAT: (&str, &str) = (
    "wrong-format-in-force",
    "a value in another format is answered with an error and changes nothing, or the default counts (F-050, F-052)",
);
const VERB: (&str, &str) = (
    "illegal-verb-accepted",
    "Exec of a setting, Add of one that exists and Delete of one that does not are errors and change nothing (F-004, F-050)",
);
const ABSENT: (&str, &str) = (
    "new-setting-on-old-build",
    "a build without the setting answers with an error (F-005, F-050)",
);

/// A setting of the table on one device.
struct Trial<'a> {
    bench: &'a mut Bench,
    hall: &'a Hall,
    book: &'a mut Book,
    node: &'static Node,
    setting: &'static Setting,
    os: OsBuild,
}

/// Every setting on both builds.
pub(super) async fn every_setting(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for os in [OLD, NEW] {
        let mut bench = hall.entra(os).await?;
        for node in &NODES {
            let Some(setting) = by_name(node.name) else {
                return Err(Error::Harness(format!(
                    "no expectation for `{}`",
                    node.name
                )));
            };
            let mut trial = Trial {
                bench: &mut bench,
                hall,
                book: &mut *book,
                node,
                setting,
                os,
            };
            if setting.new && os == OLD {
                trial.absent().await?;
            } else {
                trial.present().await?;
            }
        }
    }
    Ok(())
}

/// Texts that the setting does not take on a build: below, above, between, of another type, empty.
fn illegal(node: &Node, os: OsBuild) -> Vec<String> {
    let around = |low: i32, high: i32| vec![low - 1, high + 1, i32::MIN, i32::MAX];
    let numbers = match node.allowed {
        Allowed::Range(low, high) => around(low, high),
        Allowed::OneOf(old, new) => {
            let known = |value: &i32| old.contains(value) || (os == NEW && new.contains(value));
            let all: Vec<i32> = old.iter().chain(new).copied().collect();
            let low = all.iter().min().copied().unwrap_or(0);
            let high = all.iter().max().copied().unwrap_or(0);
            let mut numbers = around(low, high);
            numbers.extend((low..=high).filter(|value| !known(value)));
            numbers
        }
        Allowed::Bool => vec![2, -1],
        // Any text is legal.
        Allowed::Text => return Vec::new(),
    };
    let mut texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    texts.extend(["x", "", "1.5", "99999999999"].map(str::to_owned));
    texts
}

/// A format that is not the node's.
const fn wrong_format(node: &Node) -> &'static str {
    match node.format {
        Format::Int => "chr",
        Format::Bool | Format::Chr => "int",
    }
}

impl Trial<'_> {
    async fn present(&mut self) -> Result<(), Error> {
        self.clear().await?;
        self.legal().await?;
        for text in illegal(self.node, self.os) {
            let data = (self.setting.format, text.as_str());
            self.refused(ILLEGAL, data, None).await?;
            self.refused(ILLEGAL, data, Some(self.setting.sample))
                .await?;
        }
        let data = (wrong_format(self.node), self.setting.sample);
        self.refused(FORMAT, data, None).await?;
        self.verbs().await?;
        self.clear().await
    }

    /// A legal value comes, is read, and goes.
    async fn legal(&mut self) -> Result<(), Error> {
        let (name, sample) = (self.setting.name, self.setting.sample);
        self.enable().await?;
        self.bench.apply(self.hall, &[(name, sample)]).await?;
        let acted = effective(&self.bench.device, name);
        let read = self.bench.get(self.hall, self.node.loc_uri).await?;
        let given = read.value.as_ref().is_some_and(|(format, text)| {
            format == self.setting.format && text.eq_ignore_ascii_case(sample)
        });
        self.bench.clear(self.hall, &[name]).await?;
        let gone = self.acts_by_default();
        let after = self.bench.get(self.hall, self.node.loc_uri).await?;
        let nothing = self.reads_nothing(&after);
        let holds = acted == sample && given && gone && nothing;
        self.hold(LEGAL, holds, || {
            format!("`{sample}`: in force `{acted}`, read {read:?}, after Delete {after:?}")
        });
        Ok(())
    }

    /// A write that must not come into force, over nothing or over a value.
    async fn refused(
        &mut self,
        rule: (&'static str, &'static str),
        (format, text): (&'static str, &str),
        over: Option<&str>,
    ) -> Result<(), Error> {
        let name = self.setting.name;
        self.enable().await?;
        if let Some(value) = over {
            self.bench.apply(self.hall, &[(name, value)]).await?;
        }
        let command = write("w", Verb::Replace, self.node.loc_uri, (format, text));
        let turns = vec![vec![atomic("a", vec![command])], self.read()];
        let heard = self.bench.say(self.hall, turns).await?;
        let code = heard.first().map_or(0, |heard| heard.code("w"));
        let whole = heard.first().map_or(0, |heard| heard.code("a"));
        let read = heard.get(1).map(got);
        let acted = effective(&self.bench.device, name);
        let by_default = self.acts_by_default();
        let holds = match (code >= 400, over) {
            // The Atomic fails with its command (F-053), and what was there is still there.
            (true, Some(value)) => whole == 507 && acted == value,
            (true, None) => {
                whole == 507
                    && by_default
                    && read.as_ref().is_some_and(|read| self.reads_nothing(read))
            }
            (false, _) => by_default,
        };
        let over = over.unwrap_or("nothing");
        self.hold(rule, holds, || {
            format!("`{text}` as {format} over {over}: status {code} in {whole}, in force `{acted}`, read {read:?}")
        });
        self.clear().await
    }

    /// Exec, Add twice, Delete of nothing.
    async fn verbs(&mut self) -> Result<(), Error> {
        let path = self.node.loc_uri;
        let (sample, default) = (self.setting.sample, self.setting.default);
        let missing = atomic("a", vec![request("v", Verb::Delete, path)]);
        let code = self.code(vec![missing]).await?;
        self.hold(VERB, code >= 400, || {
            format!("Delete of nothing: status {code}")
        });

        self.enable().await?;
        self.bench
            .apply(self.hall, &[(self.setting.name, sample)])
            .await?;
        let data = (self.setting.format, default);
        let again = atomic("a", vec![write("v", Verb::Add, path, data)]);
        for (what, turn) in [("Add again", vec![again]), ("Exec", vec![exec("v", path)])] {
            let code = self.code(turn).await?;
            let acted = effective(&self.bench.device, self.setting.name);
            self.hold(VERB, code >= 400 && acted == sample, || {
                format!("{what}: status {code}, in force `{acted}`")
            });
        }
        Ok(())
    }

    /// Every verb on a build without the setting.
    async fn absent(&mut self) -> Result<(), Error> {
        let path = self.node.loc_uri;
        let data = (self.setting.format, self.setting.sample);
        for turn in [
            vec![atomic("a", vec![write("v", Verb::Add, path, data)])],
            vec![atomic("a", vec![write("v", Verb::Replace, path, data)])],
            vec![atomic("a", vec![request("v", Verb::Delete, path)])],
            vec![request("v", Verb::Get, path)],
            vec![exec("v", path)],
        ] {
            let code = self.code(turn).await?;
            self.hold(ABSENT, code >= 400, || format!("status {code}"));
        }
        Ok(())
    }

    /// The status of command `v`.
    async fn code(&mut self, turn: Turn) -> Result<u32, Error> {
        let heard = self.bench.say(self.hall, vec![turn]).await?;
        Ok(heard.first().map_or(0, |heard| heard.code("v")))
    }

    /// The automatic mode on, where the setting counts only there.
    async fn enable(&mut self) -> Result<(), Error> {
        let depends = self.setting.requirement == "REQ-CSP-AutomaticAccountManagement-001"
            && self.setting.name != AUTOMATIC_ENABLED;
        if depends {
            let enabled = [(AUTOMATIC_ENABLED, "true")];
            self.bench.apply(self.hall, &enabled).await?;
        }
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), Error> {
        self.bench.clear(self.hall, &[self.setting.name]).await
    }

    fn read(&self) -> Turn {
        vec![request("g", Verb::Get, self.node.loc_uri)]
    }

    fn acts_by_default(&self) -> bool {
        effective(&self.bench.device, self.setting.name) == self.setting.default
    }

    /// 404, or the default (the prose of section 5, CSP rows, tolerates both).
    fn reads_nothing(&self, read: &Got) -> bool {
        match &read.value {
            None => read.code == 404,
            Some((_, text)) => text.eq_ignore_ascii_case(self.setting.default),
        }
    }

    fn hold(
        &mut self,
        (fingerprint, required): (&'static str, &'static str),
        holds: bool,
        seen: impl FnOnce() -> String,
    ) {
        let rule = Rule {
            requirement: self.setting.requirement,
            fingerprint,
            required,
        };
        let (name, os) = (self.setting.name, self.os);
        self.book
            .hold(rule, holds, || format!("`{name}` on {os}: {}", seen()));
    }
}
