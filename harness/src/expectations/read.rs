//! Reads a list, and names everything that is wrong with it before a run is made.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::{Date, Defect, Entry, Expect, Expectations, SCHEMA, TODO};
use crate::catalogue::{Catalogue, Requirement, Subject};
use crate::verdict::Level;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: toml::Spanned<String>,
    #[serde(default)]
    expectation: Vec<toml::Spanned<Raw>>,
}

/// An entry in which everything may be missing, so that each missing thing has its sentence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    requirement: Option<String>,
    expect: Option<String>,
    fingerprint: Option<String>,
    reason: Option<String>,
    bug: Option<String>,
    owner: Option<String>,
    expires: Option<toml::Value>,
}

impl Expectations {
    /// Reads a list; `name` is what reports call it, `today` decides what has expired.
    ///
    /// # Errors
    /// Everything that is wrong, by line: what is no TOML or has an unknown key (then that alone),
    /// an unknown requirement, an entry without reason, bug link, owner or last day, one that has
    /// expired, two that overlap.
    pub fn read(
        name: &str,
        text: &str,
        today: &Date,
        catalogue: &Catalogue,
    ) -> Result<Self, Vec<Defect>> {
        let file: File = toml::from_str(text).map_err(|error| {
            vec![Defect {
                line: error.span().map_or(1, |span| line_of(text, span.start)),
                text: error.message().to_owned(),
            }]
        })?;
        let mut defects = Vec::new();
        if file.schema.get_ref() != SCHEMA {
            defects.push(Defect {
                line: line_of(text, file.schema.span().start),
                text: format!("schema `{}`, expected `{SCHEMA}`", file.schema.get_ref()),
            });
        }
        let reader = Reader { catalogue, today };
        let mut entries = Vec::new();
        for spanned in file.expectation {
            let line = line_of_entry(text, spanned.span());
            match reader.entry(line, spanned.into_inner()) {
                Ok(entry) => entries.push(entry),
                Err(texts) => {
                    defects.extend(texts.into_iter().map(|text| Defect { line, text }));
                }
            }
        }
        defects.extend(overlaps(&entries));
        if defects.is_empty() {
            Ok(Self {
                name: name.to_owned(),
                entries,
            })
        } else {
            defects.sort();
            Err(defects)
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// The line of `[[expectation]]`: the span of a table may begin at its header or behind it.
fn line_of_entry(text: &str, span: Range<usize>) -> usize {
    let upto = text.get(..span.start).unwrap_or(text);
    let rest = text.get(span.start..).unwrap_or_default();
    if rest.trim_start().starts_with("[[") {
        let blank = rest.len() - rest.trim_start().len();
        return line_of(text, span.start + blank);
    }
    upto.rfind("[[")
        .map_or_else(|| line_of(text, span.start), |header| line_of(text, header))
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    today: &'a Date,
}

impl Reader<'_> {
    fn entry(&self, line: usize, raw: Raw) -> Result<Entry, Vec<String>> {
        let mut wrong = Vec::new();
        let requirement = note(self.requirement(raw.requirement.as_deref()), &mut wrong);
        let expect = note(expect(raw.expect.as_deref()), &mut wrong);
        if let (Some(requirement), Some(expect)) = (requirement, expect) {
            wrong.extend(unfit(requirement, expect));
        }
        if let Some(expect) = expect {
            wrong.extend(fingerprint(expect, raw.fingerprint.as_deref()));
        }
        let reason = note(told("reason", raw.reason), &mut wrong);
        let bug = note(told("bug", raw.bug).and_then(link), &mut wrong);
        let owner = note(told("owner", raw.owner), &mut wrong);
        let expires = note(self.expires(raw.expires.as_ref()), &mut wrong);
        match (requirement, expect, reason, bug, owner, expires) {
            (
                Some(requirement),
                Some(expect),
                Some(reason),
                Some(bug),
                Some(owner),
                Some(expires),
            ) if wrong.is_empty() => Ok(Entry {
                line,
                requirement: requirement.id.clone(),
                expect,
                fingerprint: raw.fingerprint,
                reason,
                bug,
                owner,
                expires,
            }),
            _ => Err(wrong),
        }
    }

    fn requirement(&self, id: Option<&str>) -> Result<&Requirement, String> {
        let id = id.ok_or("no `requirement`")?;
        let known = self.catalogue.requirement(id);
        let requirement = known.ok_or_else(|| format!("`{id}` is no requirement"))?;
        match requirement.subject {
            Subject::Server | Subject::Directory => Ok(requirement),
            Subject::Device => Err(format!(
                "`{id}` binds our own device; nothing of it can be expected"
            )),
        }
    }

    fn expires(&self, value: Option<&toml::Value>) -> Result<Date, String> {
        let value = value.ok_or("no `expires`")?;
        // With or without quotation marks: TOML knows dates.
        let date = value.as_datetime().map(ToString::to_string);
        let text = value.as_str().map(str::to_owned).or(date);
        let text = text.unwrap_or_else(|| value.type_str().to_owned());
        let date = Date::parse(&text)
            .ok_or_else(|| format!("expires `{text}` is no date such as 2026-12-31"))?;
        if date < *self.today {
            return Err(format!("expired on {date}"));
        }
        Ok(date)
    }
}

/// The value, or a note of what is wrong with it.
fn note<T>(result: Result<T, String>, wrong: &mut Vec<String>) -> Option<T> {
    result.map_err(|text| wrong.push(text)).ok()
}

fn expect(word: Option<&str>) -> Result<Expect, String> {
    let word = word.ok_or("no `expect`")?;
    let known = Expect::ALL.into_iter().find(|known| known.as_str() == word);
    known.ok_or_else(|| {
        let words = Expect::ALL.map(Expect::as_str).join(", ");
        format!("expect `{word}`, expected one of {words}")
    })
}

/// A level cannot end in every way.
fn unfit(requirement: &Requirement, expect: Expect) -> Option<String> {
    let id = &requirement.id;
    match (expect, requirement.level) {
        (Expect::Fail, Level::Should) => {
            Some(format!("`{id}` is a SHOULD and deviates; it never fails"))
        }
        (Expect::Deviation, Level::Must | Level::Recorded) => Some(format!(
            "`{id}` is a {} and fails; it never deviates",
            requirement.level.as_str()
        )),
        (Expect::Fail, Level::Must | Level::Recorded)
        | (Expect::Deviation, Level::Should)
        | (Expect::NotApplicable | Expect::NotExercised, _) => None,
    }
}

fn fingerprint(expect: Expect, fingerprint: Option<&str>) -> Option<String> {
    match (expect, fingerprint) {
        (Expect::Fail | Expect::Deviation, None | Some("")) => {
            Some("no `fingerprint`: a failure is expected in one way, not in any".to_owned())
        }
        (Expect::NotApplicable | Expect::NotExercised, Some(_)) => Some(format!(
            "`fingerprint` beside expect `{}`, which has none",
            expect.as_str()
        )),
        (Expect::Fail | Expect::Deviation, Some(_))
        | (Expect::NotApplicable | Expect::NotExercised, None) => None,
    }
}

fn told(key: &str, text: Option<String>) -> Result<String, String> {
    match text {
        Some(text) if text.trim() == TODO => Err(format!("`{key}` is still `{TODO}`")),
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) | None => Err(format!("no `{key}`")),
    }
}

fn link(text: String) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(text),
        Some(_) | None => Err(format!("bug `{text}` is no link")),
    }
}

/// Two entries for one requirement overlap unless they are two ways of one kind of failure.
fn overlaps(entries: &[Entry]) -> Vec<Defect> {
    let mut first: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    let mut defects = Vec::new();
    for entry in entries {
        let others = first.entry(&entry.requirement).or_default();
        let clash = others
            .iter()
            .find(|other| other.expect != entry.expect || other.fingerprint == entry.fingerprint);
        if let Some(other) = clash {
            defects.push(Defect {
                line: entry.line,
                text: format!("overlaps with the entry of line {}", other.line),
            });
        }
        others.push(entry);
    }
    defects
}
