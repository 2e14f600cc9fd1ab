//! `repeat.sh`: the admin calls of a violation as curl calls, in order, for a shell of any kind.
//!
//! Tokens and the base URL come from variables. Ids that the target gave in an answer are taken from
//! its new answer; those of devices are variables with the recorded ids as defaults, because a
//! device cannot be enrolled with curl.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Proof;
use super::objects::made;
use super::story::{Part, Scene};
use crate::http::path_of;
use crate::report::redact::Redactor;
use crate::transcript::Plane;

/// Most calls of a script.
const CALLS_MAX: usize = 60;

/// The script with the bodies that it sends.
#[derive(Debug)]
pub(super) struct Repeat {
    pub(super) script: String,
    /// Name below the script's folder, and content.
    pub(super) bodies: Vec<(String, Vec<u8>)>,
    /// Calls that it makes.
    pub(super) calls: usize,
}

/// What is known of the script before its text.
struct Plan<'a> {
    /// The calls, and between them what devices did.
    scenes: Vec<&'a Scene>,
    /// Variables by the recorded id that they stand for.
    variables: BTreeMap<String, Variable>,
    base: &'a str,
}

/// A variable of the script.
#[derive(Clone, Debug)]
struct Variable {
    name: String,
    /// Where its value comes from.
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Given by whoever runs the script; the recorded id is the default.
    Given,
    /// Taken from the answer to this call.
    Answer(u64),
}

impl Repeat {
    /// The script of a violation; `None` when nothing was asked of the admin plane.
    pub(super) fn new(proof: &Proof<'_>, admin_url: &str, redactor: &Redactor) -> Option<Self> {
        let plan = Plan::new(proof, admin_url)?;
        let mut script = String::new();
        let mut bodies = Vec::new();
        let mut calls = 0;
        let mut steps = Vec::new();
        let mut devices = Devices::default();
        for scene in &plan.scenes {
            if scene.exchange.plane == Plane::Admin {
                devices.end(&mut steps);
                calls += 1;
                let body = plan.call(scene, redactor, (calls, &mut steps));
                bodies.extend(body);
            } else {
                devices.take(scene, &mut steps);
            }
        }
        devices.end(&mut steps);
        plan.head(proof, &mut script);
        steps.push("\nexit \"$differ\"\n".to_owned());
        script.push_str(&steps.join("\n"));
        let script = redactor.scan(&script);
        Some(Self {
            script,
            bodies,
            calls,
        })
    }
}

impl<'a> Plan<'a> {
    fn new(proof: &'a Proof<'_>, admin_url: &'a str) -> Option<Self> {
        let mut calls = 0;
        let mut scenes: Vec<&Scene> = proof
            .story
            .until_proven()
            .iter()
            .rev()
            .take_while(|scene| {
                calls += usize::from(scene.exchange.plane == Plane::Admin);
                calls <= CALLS_MAX
            })
            .collect();
        scenes.reverse();
        let admin = |scene: &&Scene| scene.exchange.plane == Plane::Admin;
        if !scenes.iter().any(admin) {
            return None;
        }
        let mut variables = given(proof);
        variables.extend(captured(&scenes));
        variables.retain(|id, _| {
            scenes
                .iter()
                .filter(|scene| admin(scene))
                .any(|scene| uses(scene, id))
        });
        Some(Self {
            scenes,
            variables,
            base: admin_url.trim_end_matches('/'),
        })
    }

    fn head(&self, proof: &Proof<'_>, script: &mut String) {
        let (id, number) = (&proof.requirement.id, proof.number);
        let mut line = |text: &str| {
            script.push_str(text);
            script.push('\n');
        };
        line("#!/bin/sh");
        line(&format!(
            "# Repeats the admin calls of violation {number} of {id} ({}).",
            proof.violation.fingerprint
        ));
        line("# What devices did in between stands as comments: it is not repeated here.");
        line("#");
        line(
            "# Exit code 0: every status is as recorded; 1: one differs. SHOW=1 prints the answers,",
        );
        line("# which may hold passwords.");
        line("#");
        line("# $filter, $select and the like are OData and not for the shell:");
        line("# shellcheck disable=SC2016");
        line("set -eu");
        line("");
        line(&format!("ADMIN_URL=\"${{ADMIN_URL:-{}}}\"", self.base));
        line("# Bearer tokens of the actors.");
        for actor in self.actors() {
            let name = token_name(&actor);
            line(&format!(
                ": \"${{{name}:?the token of the actor {actor}}}\""
            ));
        }
        let (given, answered): (Vec<_>, Vec<_>) = self
            .variables
            .iter()
            .partition(|(_, variable)| variable.origin == Origin::Given);
        if !given.is_empty() {
            line("# Devices: the target must know them.");
        }
        for (id, Variable { name, .. }) in given {
            line(&format!("{name}=\"${{{name}:-{id}}}\""));
        }
        if !answered.is_empty() {
            line("# As recorded, until a call makes the thing anew.");
        }
        for (id, Variable { name, .. }) in answered {
            line(&format!("{name}={id}"));
        }
        script.push_str(FUNCTIONS_HEAD);
        self.fill(script);
        script.push_str(FUNCTIONS);
    }

    /// The function that puts the ids of today into a recorded body.
    fn fill(&self, script: &mut String) {
        let with_body = |scene: &&&Scene| {
            scene.exchange.plane == Plane::Admin && !scene.exchange.request.is_empty()
        };
        if self.scenes.iter().any(|scene| with_body(&scene)) {
            script.push_str(
                "\n# Puts the ids of this run in the place of the recorded ones.\nfill() {\n  sed",
            );
            let mut replace = |from: &str, to: &str| {
                // Writing to a string cannot fail.
                write!(script, " -e \"s|{from}|${to}|g\"").unwrap_or_default();
            };
            replace(self.base, "ADMIN_URL");
            for (id, variable) in &self.variables {
                replace(id, &variable.name);
            }
            script.push_str(" \"$here/bodies/$1\" >\"$work/body\"\n}\n");
        }
        let captures = |variable: &Variable| variable.origin != Origin::Given;
        if self.variables.values().any(captures) {
            script.push_str(FIRST_ID);
        }
    }

    fn actors(&self) -> BTreeSet<String> {
        let admin = self
            .scenes
            .iter()
            .filter(|scene| scene.exchange.plane == Plane::Admin);
        admin.map(|scene| scene.exchange.party.clone()).collect()
    }

    /// Writes one call, and gives the body that it sends.
    fn call(
        &self,
        scene: &Scene,
        redactor: &Redactor,
        (number, steps): (usize, &mut Vec<String>),
    ) -> Option<(String, Vec<u8>)> {
        let exchange = &scene.exchange;
        let base = path_of(self.base).trim_end_matches('/');
        let path = exchange.path.strip_prefix(base).unwrap_or(&exchange.path);
        let path = self.quoted(&redactor.scan(path));
        let recorded = exchange
            .status
            .map_or_else(|| "none".to_owned(), |status| status.to_string());
        let star = match scene.part {
            Part::Proof => "  # proves the violation",
            Part::Context => "",
        };
        let mut line = format!(
            "call {} {recorded} \"${}\" {} {path}",
            scene.id.0,
            token_name(&exchange.party),
            exchange.method
        );
        let body = (!exchange.request.is_empty()).then(|| {
            let name = format!("{number:02}.json");
            let text = redactor.body(&exchange.request);
            steps.push(format!("fill {name}"));
            line.push_str(
                " --header 'Content-Type: application/json' --data-binary \"@$work/body\"",
            );
            (format!("bodies/{name}"), text.into_bytes())
        });
        steps.push(line + star);
        for variable in self.variables.values() {
            if variable.origin == Origin::Answer(scene.id.0) {
                let name = &variable.name;
                steps.push(format!("{name}=$(first_id)"));
            }
        }
        body
    }

    /// A word of the shell: recorded ids become variables, everything else stands as it is.
    fn quoted(&self, text: &str) -> String {
        let mut word = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let found = self
                .variables
                .iter()
                .filter_map(|(id, variable)| Some((rest.find(id.as_str())?, id, variable)))
                .min_by_key(|(at, _, _)| *at);
            let (literal, variable, behind) = match found {
                Some((at, id, variable)) => (&rest[..at], Some(variable), at + id.len()),
                None => (rest, None, rest.len()),
            };
            if !literal.is_empty() {
                word.extend(["'", &literal.replace('\'', r"'\''"), "'"]);
            }
            if let Some(variable) = variable {
                word.extend(["\"$", &variable.name, "\""]);
            }
            rest = &rest[behind..];
        }
        word
    }
}

/// The ids of the devices concerned.
fn given(proof: &Proof<'_>) -> BTreeMap<String, Variable> {
    let mut variables = BTreeMap::new();
    for (device, ids) in &proof.story.devices {
        for (id, kind) in ids {
            let name = format!("{}_{}", shell_name(device), kind.as_str());
            let origin = Origin::Given;
            variables.insert(id.clone(), Variable { name, origin });
        }
    }
    variables
}

/// The ids that answers to successful POST calls gave.
fn captured(scenes: &[&Scene]) -> BTreeMap<String, Variable> {
    let mut variables = BTreeMap::new();
    for scene in scenes {
        let exchange = &scene.exchange;
        // What `first_id` of the script will find, too.
        if exchange.plane == Plane::Admin
            && let Some(id) = made(exchange)
        {
            let name = format!("ID_{}", scene.id.0);
            let origin = Origin::Answer(scene.id.0);
            variables.insert(id.to_owned(), Variable { name, origin });
        }
    }
    variables
}

/// True when a call names this id.
fn uses(scene: &Scene, id: &str) -> bool {
    let body = std::str::from_utf8(&scene.exchange.request).unwrap_or_default();
    scene.exchange.path.contains(id) || body.contains(id)
}

fn token_name(actor: &str) -> String {
    format!("TOKEN_{}", shell_name(actor))
}

/// A name as variables of the shell may have.
fn shell_name(text: &str) -> String {
    let symbol = |symbol: char| {
        if symbol.is_ascii_alphanumeric() {
            symbol.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    text.chars().map(symbol).collect()
}

/// What one device does between two calls, for a comment.
#[derive(Default)]
struct Devices {
    run: Option<(String, &'static str, [u64; 2])>,
}

impl Devices {
    fn take(&mut self, scene: &Scene, steps: &mut Vec<String>) {
        let exchange = &scene.exchange;
        let what = match exchange.plane {
            Plane::Enroll => "enrols",
            Plane::Manage => "has a management session",
            Plane::Directory => "backs up a password",
            Plane::Push => "is pushed to",
            Plane::Admin | Plane::Control => return,
        };
        match &mut self.run {
            Some((device, same, [_, last])) if *device == exchange.party && *same == what => {
                *last = scene.id.0;
            }
            Some(_) | None => {
                self.end(steps);
                self.run = Some((exchange.party.clone(), what, [scene.id.0; 2]));
            }
        }
    }

    fn end(&mut self, steps: &mut Vec<String>) {
        if let Some((device, what, [first, last])) = self.run.take() {
            let range = if first == last {
                format!("#{first}")
            } else {
                format!("#{first} to #{last}")
            };
            steps.push(format!("# {device} {what} ({range})"));
        }
    }
}

const FUNCTIONS_HEAD: &str = r#"
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
differ=0
"#;

const FIRST_ID: &str = r#"
# The id of what the last call made.
first_id() {
  grep -o '"id" *: *"[^"]*"' "$work/answer" | head -n 1 | cut -d '"' -f 4
}
"#;

const FUNCTIONS: &str = concat!(
    r#"
# call NUMBER RECORDED-STATUS TOKEN METHOD PATH [OPTIONS OF CURL]
call() {
  number=$1 recorded=$2 token=$3 method=$4 path=$5
  shift 5
  : >"$work/answer"
  # The token goes through standard input, where no list of processes shows it.
  now=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl --silent --show-error --globoff --max-time 30 --config - --request "$method" \
      --header 'User-Agent: muster/"#,
    env!("CARGO_PKG_VERSION"),
    r#"' --output "$work/answer" \
      --write-out '%{http_code}' "$@" "$ADMIN_URL$path") || now=none
  note=
  if [ "$now" != "$recorded" ]; then
    note=', DIFFERENT'
    differ=1
  fi
  printf '#%s %s %s: recorded %s, now %s%s\n' "$number" "$method" "$path" "$recorded" "$now" "$note"
  if [ -n "${SHOW:-}" ]; then
    cat "$work/answer"
    echo
  fi
}

"#
);
