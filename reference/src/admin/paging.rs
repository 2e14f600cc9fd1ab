//! Pages of a list: `$top`, the opaque `$skiptoken` and the link to the next page.
//!
//! A token names the last element shown. Lists are ordered by a key that an element keeps (its id,
//! its place in a log), so that a boundary neither repeats nor skips an element, whatever is added
//! or removed meanwhile (contract 0).

use std::fmt::Display;
use std::ops::Bound;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::graph::list::Page;
use serde::Serialize;
use uuid::Uuid;

use super::Call;
use super::query::Query;
use super::reply::{Refusal, Reply};

/// Contract 0.
const TOP_MAX: usize = 999;
/// Contract 0.
const TOP_DEFAULT: usize = 100;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    top: usize,
    /// Key of the last element of the page before.
    after: Option<String>,
}

impl Paging {
    /// Reads the paging options; `also` are the other options that the list takes.
    pub(crate) fn parse(query: &Query, also: &[&str]) -> Result<Self, Refusal> {
        let allowed = [&["$top", "$skiptoken"], also].concat();
        query.allow_only(&allowed)?;
        let top = match query.option("$top") {
            None => TOP_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|top| (1..=TOP_MAX).contains(top))
                .ok_or_else(|| Refusal::bad_request(format!("`$top={text}` is not 1 to 999.")))?,
        };
        let after = query.option("$skiptoken").map(read_token).transpose()?;
        Ok(Self { top, after })
    }

    /// Key of the last element shown, in a list whose keys are of this type.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>, Refusal> {
        let Some(text) = &self.after else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_not_of_this_list| foreign_token())
    }

    /// The keys still to show, in a list ordered by id.
    pub(crate) fn ids(&self) -> Result<(Bound<Uuid>, Bound<Uuid>), Refusal> {
        let start = self.after()?.map_or(Bound::Unbounded, Bound::Excluded);
        Ok((start, Bound::Unbounded))
    }

    /// The page, from the elements that follow the boundary, each with its key.
    pub(crate) fn page<K, T>(&self, call: &Call<'_>, rest: impl Iterator<Item = (K, T)>) -> Reply
    where
        K: Display,
        T: Serialize,
    {
        let mut rest = rest;
        let mut value = Vec::new();
        let mut last = None;
        for (key, element) in rest.by_ref().take(self.top) {
            value.push(element);
            last = Some(key);
        }
        let next_link = last
            .filter(|_| rest.next().is_some())
            .map(|key| call.next_link(&URL_SAFE_NO_PAD.encode(key.to_string())));
        Reply::ok(&Page { value, next_link })
    }
}

fn read_token(text: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_not_ours| foreign_token())?;
    String::from_utf8(bytes).map_err(|_not_ours| foreign_token())
}

fn foreign_token() -> Refusal {
    Refusal::bad_request("The `$skiptoken` is not one of this list.")
}
