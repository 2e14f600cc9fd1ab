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
use super::reply::{Refusal, Reply};
use crate::variant::{Variant, Variants};

/// Contract 0.
const TOP_MAX: usize = 999;
/// Contract 0.
const TOP_DEFAULT: usize = 100;
/// Another default size (contract 0: open).
const TOP_SMALL: usize = 3;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    top: usize,
    /// Key of the last element of the page before.
    after: Option<String>,
    order: Order,
}

/// Contract 0: the order of a list is open where `$orderby` does not name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    ByKey,
    Backwards,
    /// By a digest of the key.
    Shuffled,
}

impl Paging {
    /// Reads the paging options of a list in whatever order; `also` are the other options that the
    /// list takes.
    pub(crate) fn parse(call: &Call<'_>, also: &[&str]) -> Result<Self, Refusal> {
        let order = Order::of(call.variants);
        Ok(Self {
            order,
            ..Self::in_order(call, also)?
        })
    }

    /// As [`Self::parse`], of a list whose order the contract names.
    pub(crate) fn in_order(call: &Call<'_>, also: &[&str]) -> Result<Self, Refusal> {
        let query = &call.query;
        let allowed = [&["$top", "$skiptoken"], also].concat();
        query.allow_only(&allowed)?;
        let top = match query.option("$top") {
            None if call.variants.has(Variant::PageThree) => TOP_SMALL,
            None => TOP_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|top| (1..=TOP_MAX).contains(top))
                .ok_or_else(|| Refusal::bad_request(format!("`$top={text}` is not 1 to 999.")))?,
        };
        let after = query.option("$skiptoken").map(read_token).transpose()?;
        let order = Order::ByKey;
        Ok(Self { top, after, order })
    }

    /// Key of the last element shown, in a list whose keys are of this type and in order; `None`
    /// where the page has to be cut out of the whole list.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>, Refusal> {
        let Some(text) = &self.after else {
            return Ok(None);
        };
        let key = text.parse().map_err(|_not_of_this_list| foreign_token())?;
        Ok((self.order == Order::ByKey).then_some(key))
    }

    /// The keys still to show, in a list ordered by id.
    pub(crate) fn ids(&self) -> Result<(Bound<Uuid>, Bound<Uuid>), Refusal> {
        let start = self.after()?.map_or(Bound::Unbounded, Bound::Excluded);
        Ok((start, Bound::Unbounded))
    }

    /// The page, from the elements that follow the boundary, each with its key.
    pub(crate) fn page<K, T>(&self, call: &Call<'_>, rest: impl Iterator<Item = (K, T)>) -> Reply
    where
        K: Display + Ord + FromStr,
        T: Serialize,
    {
        if self.order != Order::ByKey {
            let rest = self.reordered(rest);
            return self.cut(call, rest.into_iter());
        }
        self.cut(call, rest)
    }

    /// What follows the boundary of the whole list, in its own order.
    fn reordered<K, T>(&self, whole: impl Iterator<Item = (K, T)>) -> Vec<(K, T)>
    where
        K: Display + Ord + FromStr,
    {
        let mut elements: Vec<(u64, K, T)> = whole
            .map(|(key, element)| (self.order.rank(&key), key, element))
            .collect();
        elements.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        if self.order == Order::Backwards {
            elements.reverse();
        }
        let after: Option<K> = self.after.as_ref().and_then(|text| text.parse().ok());
        let shown = after.map(|key| (self.order.rank(&key), key));
        let follows = |rank: u64, key: &K| match &shown {
            None => true,
            Some((last, shown)) if self.order == Order::Backwards => (rank, key) < (*last, shown),
            Some((last, shown)) => (rank, key) > (*last, shown),
        };
        let rest = elements.into_iter();
        rest.filter(|(rank, key, _)| follows(*rank, key))
            .map(|(_, key, element)| (key, element))
            .collect()
    }

    fn cut<K, T>(&self, call: &Call<'_>, rest: impl Iterator<Item = (K, T)>) -> Reply
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

impl Order {
    const fn of(variants: Variants) -> Self {
        if variants.has(Variant::ListReversed) {
            Self::Backwards
        } else if variants.has(Variant::ListShuffled) {
            Self::Shuffled
        } else {
            Self::ByKey
        }
    }

    /// What elements are sorted by before their key.
    fn rank(self, key: &impl Display) -> u64 {
        if self != Self::Shuffled {
            return 0;
        }
        // FNV-1a: any digest will do that has no order of its own.
        let digest =
            |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        key.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, digest)
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
