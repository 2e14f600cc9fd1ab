//! REQ-AUDIT-010: looks for every password that was uploaded in everything that was recorded.
//!
//! Uploads and answers to explicit reads must hold passwords; that the search finds them there is
//! the proof that it would find them elsewhere.

mod log;
mod needles;

use std::collections::BTreeMap;

use crate::case::{LeakCase, LeakHit, LeakPlace};
use crate::transcript::{Exchange, ExchangeId, Plane, Transcript};

pub use log::TargetLog;
pub use needles::{Form, Found, Needles};

/// Hits kept of one kind of place.
const HITS_MAX: usize = 1_000;

/// What a search came to.
#[derive(Debug, Default)]
pub struct Leaks {
    /// One case a kind of place that had anything to be searched.
    pub cases: Vec<LeakCase>,
    /// Messages of our own devices and clients that hold a password and must not: a defect of ours.
    pub own: Vec<String>,
}

/// Searches everything that was recorded, and the log of the target.
#[must_use]
pub fn search(transcript: &Transcript, log: &TargetLog) -> Leaks {
    let owners: BTreeMap<String, String> = transcript
        .uploaded()
        .into_iter()
        .map(|(device, password)| (password, device))
        .collect();
    let mut search = Search {
        needles: Needles::new(owners.keys().map(String::as_str)),
        owners,
        control: 0,
        places: BTreeMap::new(),
        own: Vec::new(),
    };
    transcript.for_each(|id, exchange| search.exchange(id, exchange));
    search.log(log);
    search.end()
}

struct Search {
    needles: Needles,
    /// The device of each password.
    owners: BTreeMap<String, String>,
    control: u64,
    places: BTreeMap<LeakPlace, Searched>,
    own: Vec<String>,
}

#[derive(Default)]
struct Searched {
    texts: u64,
    hits: Vec<LeakHit>,
}

/// Whether a text must, may not or need not hold a password.
enum Rule {
    /// It belongs here.
    Expected,
    /// It must not be here.
    Barred(LeakPlace),
}

impl Search {
    fn exchange(&mut self, id: ExchangeId, exchange: &Exchange) {
        self.request(id, exchange);
        let rule = rule_of_answer(exchange);
        self.text(rule, &exchange.response, (id, exchange));
    }

    /// What was sent: by the target, if it is a push, and by us otherwise.
    fn request(&mut self, id: ExchangeId, exchange: &Exchange) {
        match exchange.plane {
            Plane::Push => {
                self.text(
                    Rule::Barred(LeakPlace::Push),
                    &exchange.request,
                    (id, exchange),
                );
            }
            Plane::Directory => self.text(Rule::Expected, &exchange.request, (id, exchange)),
            Plane::Enroll | Plane::Manage | Plane::Admin | Plane::Control => {
                if self.needles.find(&exchange.request, 0).is_some() {
                    self.own.push(format!(
                        "a password stands in our own request #{} ({} {} of `{}`)",
                        id.0, exchange.method, exchange.path, exchange.party
                    ));
                }
            }
        }
    }

    fn text(&mut self, rule: Rule, text: &[u8], (id, exchange): (ExchangeId, &Exchange)) {
        if text.is_empty() {
            return;
        }
        let found = self.needles.find(text, 0);
        match (rule, found) {
            (Rule::Expected, found) => self.control += u64::from(found.is_some()),
            (Rule::Barred(place), found) => {
                let hit = found.map(|found| LeakHit {
                    device: self.owner(found),
                    form: found.form.as_str(),
                    request: format!("{} {}", exchange.method, exchange.path),
                    exchange: Some(id),
                });
                self.note(place, hit);
            }
        }
    }

    fn log(&mut self, log: &TargetLog) {
        let text = log.text();
        if text.is_empty() {
            return;
        }
        let hits: Vec<LeakHit> = self
            .needles
            .find_all(&text)
            .take(HITS_MAX)
            .map(|found| LeakHit {
                device: self.owner(found),
                form: found.form.as_str(),
                request: String::new(),
                exchange: None,
            })
            .collect();
        self.note(LeakPlace::Log, None);
        let searched = self.places.entry(LeakPlace::Log).or_default();
        searched.hits = hits;
    }

    fn note(&mut self, place: LeakPlace, hit: Option<LeakHit>) {
        let searched = self.places.entry(place).or_default();
        searched.texts += 1;
        if searched.hits.len() < HITS_MAX {
            searched.hits.extend(hit);
        }
    }

    fn owner(&self, found: Found) -> String {
        let owner = self.owners.get(self.needles.secret(found.secret));
        owner.cloned().unwrap_or_default()
    }

    fn end(self) -> Leaks {
        let passwords = u64::try_from(self.needles.len()).unwrap_or(u64::MAX);
        let control = self.control;
        let cases = self.places.into_iter().map(|(place, searched)| LeakCase {
            place,
            searched: searched.texts,
            passwords,
            control,
            hits: searched.hits,
        });
        Leaks {
            cases: cases.collect(),
            own: self.own,
        }
    }
}

fn rule_of_answer(exchange: &Exchange) -> Rule {
    match exchange.plane {
        Plane::Enroll => Rule::Barred(LeakPlace::Enrolment),
        Plane::Manage => Rule::Barred(LeakPlace::Management),
        Plane::Directory => Rule::Barred(LeakPlace::Upload),
        Plane::Control => Rule::Barred(LeakPlace::Control),
        // What we answer to a push.
        Plane::Push => Rule::Expected,
        Plane::Admin if is_explicit_read(exchange) => Rule::Expected,
        Plane::Admin if is_log(&exchange.path) => Rule::Barred(LeakPlace::Audit),
        Plane::Admin => Rule::Barred(LeakPlace::Admin),
    }
}

/// A read that asked for the password and was granted (F-201): `$select` names `credentials`. A
/// batch may hold such reads.
fn is_explicit_read(exchange: &Exchange) -> bool {
    let asks = |text: &str| {
        text.contains("/deviceLocalCredentials/")
            && text
                .split_once("$select=")
                .is_some_and(|(_, select)| select.contains("credentials"))
    };
    let body = || String::from_utf8_lossy(&exchange.request).into_owned();
    let asked = match exchange.method {
        "GET" => asks(&exchange.path),
        "POST" => exchange.path.ends_with("/$batch") && asks(&body()),
        _ => false,
    };
    asked && matches!(exchange.status, Some(200..=299))
}

fn is_log(path: &str) -> bool {
    path.contains("/auditEvents") || path.contains("/directoryAudits")
}

#[cfg(test)]
mod tests;
