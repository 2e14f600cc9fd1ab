//! The query string: which options a call takes, and the two filter languages.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use protocol::time::UtcTicks;

use super::reply::Refusal;

/// The options of a query string, decoded, in the order given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    options: Vec<(String, String)>,
}

/// The order in which a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// Which events of a log are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    pub(crate) from: Option<UtcTicks>,
    pub(crate) to: Option<UtcTicks>,
    pub(crate) activity: Option<String>,
}

/// What has a meaning inside a query string, beside the bytes that no URL holds.
const QUERY_VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>');

impl Query {
    /// Splits and decodes a query string; bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let options = query
            .unwrap_or_default()
            .split('&')
            .filter(|option| !option.is_empty())
            .map(|option| {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                (decode(name), decode(value))
            })
            .collect();
        Self { options }
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Refuses options beside `allowed` and options given twice (contract 0).
    pub(crate) fn allow_only(&self, allowed: &[&str]) -> Result<(), Refusal> {
        for (place, (name, _)) in self.options.iter().enumerate() {
            if !allowed.contains(&name.as_str()) {
                let message = format!("The query option `{name}` is not served here.");
                return Err(Refusal::bad_request(message));
            }
            if self.options[..place]
                .iter()
                .any(|(earlier, _)| earlier == name)
            {
                let message = format!("The query option `{name}` stands more than once.");
                return Err(Refusal::bad_request(message));
            }
        }
        Ok(())
    }

    /// True when `$select` names this member.
    pub(crate) fn selects(&self, member: &str) -> bool {
        self.selection().any(|name| name == member)
    }

    /// The members that `$select` names.
    pub(crate) fn selection(&self) -> impl Iterator<Item = &str> {
        self.option("$select")
            .into_iter()
            .flat_map(|names| names.split(','))
            .map(str::trim)
    }

    /// The query string with another `$skiptoken`.
    pub(crate) fn with_skip_token(&self, token: &str) -> String {
        let kept = self.options.iter().filter(|(name, _)| name != "$skiptoken");
        let mut text = String::new();
        for (name, value) in kept {
            text.push_str(name);
            text.push('=');
            text.extend(utf8_percent_encode(value, QUERY_VALUE));
            text.push('&');
        }
        text.push_str("$skiptoken=");
        text.push_str(token);
        text
    }
}

impl Direction {
    /// Reads `$orderby`, which names the time and nothing else (contract 5).
    pub(crate) fn parse(orderby: Option<&str>) -> Result<Self, Refusal> {
        let Some(text) = orderby else {
            return Ok(Self::Ascending);
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["activityDateTime"] | ["activityDateTime", "asc"] => Ok(Self::Ascending),
            ["activityDateTime", "desc"] => Ok(Self::Descending),
            _ => Err(Refusal::bad_request(format!(
                "`$orderby={text}` is not served."
            ))),
        }
    }
}

impl EventFilter {
    /// Reads the forms of contract section 5, where `activity` is the member that names the
    /// activity in this log.
    pub(crate) fn parse(filter: Option<&str>, activity: &str) -> Result<Self, Refusal> {
        let Some(text) = filter else {
            return Ok(Self::default());
        };
        Self::read(text, activity)
            .ok_or_else(|| Refusal::bad_request(format!("`$filter={text}` is not served.")))
    }

    fn read(text: &str, activity: &str) -> Option<Self> {
        let mut clauses = split_clauses(text)?.into_iter().peekable();
        let mut filter = Self::default();
        if let Some(time) = clauses.peek().and_then(|clause| time_clause(clause, "ge")) {
            filter.from = Some(time);
            clauses.next();
            filter.to = clauses.peek().and_then(|clause| time_clause(clause, "le"));
            if filter.to.is_some() {
                clauses.next();
            }
        }
        if let Some(clause) = clauses.next() {
            let (member, value) = equality_clause(&clause)?;
            filter.activity = (member == activity).then_some(value);
            filter.activity.as_ref()?;
        }
        clauses.next().is_none().then_some(filter)
    }
}

/// Reads `member eq 'value'` where the member is one of those named.
pub(crate) fn equality<'a>(
    filter: &str,
    members: &[&'a str],
) -> Result<(&'a str, String), Refusal> {
    let read = || {
        let clauses = split_clauses(filter)?;
        let [clause] = clauses.as_slice() else {
            return None;
        };
        let (member, value) = equality_clause(clause)?;
        members
            .iter()
            .find(|known| **known == member)
            .map(|known| (*known, value))
    };
    read().ok_or_else(|| Refusal::bad_request(format!("`$filter={filter}` is not served.")))
}

/// A comparison: member, operator, operand. The operand of text keeps its first quote.
type Clause = (String, String, String);

/// Splits `a eq 'x' and b ge T`; a quote inside a text is doubled.
fn split_clauses(text: &str) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    let mut rest = text.trim();
    loop {
        let (member, after) = word(rest)?;
        let (operator, after) = word(after)?;
        let (operand, after) = operand(after)?;
        clauses.push((member.to_owned(), operator.to_owned(), operand));
        if after.is_empty() {
            return Some(clauses);
        }
        rest = after.strip_prefix("and ")?.trim_start();
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let (word, after) = text.split_once(' ')?;
    (!word.is_empty()).then(|| (word, after.trim_start()))
}

fn operand(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (operand, after) = text.split_once(' ').unwrap_or((text, ""));
        return (!operand.is_empty()).then(|| (operand.to_owned(), after.trim_start()));
    };
    let mut value = String::from("'");
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        let Some(more) = after.strip_prefix('\'') else {
            let ended = after.is_empty() || after.starts_with(' ');
            return ended.then(|| (value, after.trim_start()));
        };
        value.push('\'');
        rest = more;
    }
}

fn time_clause((member, operator, operand): &Clause, wanted: &str) -> Option<UtcTicks> {
    let fits = member == "activityDateTime" && operator == wanted;
    fits.then(|| UtcTicks::parse(operand).ok()).flatten()
}

fn equality_clause((member, operator, operand): &Clause) -> Option<(&str, String)> {
    let value = operand.strip_prefix('\'')?;
    (operator == "eq").then(|| (member.as_str(), value.to_owned()))
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "2026-03-01T00:00:00Z";
    const U: &str = "2026-03-02T00:00:00.5Z";

    #[test]
    fn event_filters_are_read_in_the_named_forms_only() {
        let filter = |from: bool, to: bool, activity: Option<&str>| EventFilter {
            from: from.then(|| UtcTicks::parse(T).unwrap()),
            to: to.then(|| UtcTicks::parse(U).unwrap()),
            activity: activity.map(str::to_owned),
        };
        let (ge, le) = (
            format!("activityDateTime ge {T}"),
            format!("activityDateTime le {U}"),
        );
        for (text, expected) in [
            (ge.clone(), filter(true, false, None)),
            (format!("{ge} and {le}"), filter(true, true, None)),
            (
                format!("{ge} and activity eq 'a b'"),
                filter(true, false, Some("a b")),
            ),
            (
                format!("{ge} and {le} and activity eq 'it''s'"),
                filter(true, true, Some("it's")),
            ),
            (
                "activity eq 'a and b'".to_owned(),
                filter(false, false, Some("a and b")),
            ),
        ] {
            assert_eq!(
                EventFilter::parse(Some(&text), "activity"),
                Ok(expected),
                "{text}"
            );
        }
        for text in [
            String::new(),
            le.clone(),
            format!("{le} and {ge}"),
            format!("{ge} or {le}"),
            format!("{ge} and"),
            format!("{ge} and {ge}"),
            "activity eq a".to_owned(),
            "activity eq 'a".to_owned(),
            "activity eq 'a'b".to_owned(),
            "activity ne 'a'".to_owned(),
            "category eq 'a'".to_owned(),
            "activity eq 'a' and activity eq 'b'".to_owned(),
            "activityDateTime ge yesterday".to_owned(),
            "activityDateTime gt 2026-03-01T00:00:00Z".to_owned(),
        ] {
            assert!(
                EventFilter::parse(Some(&text), "activity").is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn equalities_name_a_known_member() {
        let members = ["deviceName", "azureADDeviceId"];
        let read = equality("deviceName eq 'O''Neil'", &members);
        assert_eq!(read, Ok(("deviceName", "O'Neil".to_owned())));
        for text in [
            "deviceName",
            "deviceName eq x",
            "id eq 'x'",
            "deviceName eq 'x' and id eq 'y'",
        ] {
            assert!(equality(text, &members).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_decoded_and_the_next_link_carries_them_again() {
        let query = Query::parse(Some("%24top=5&$filter=activity+eq%20'a%26b'&$skiptoken=x"));
        assert_eq!(query.option("$top"), Some("5"));
        assert_eq!(query.option("$filter"), Some("activity eq 'a&b'"));
        let again = Query::parse(Some(&query.with_skip_token("y")));
        assert_eq!(again.option("$filter"), Some("activity eq 'a&b'"));
        assert_eq!(again.option("$skiptoken"), Some("y"));
    }

    #[test]
    fn unknown_and_doubled_options_are_refused() {
        for (text, fine) in [
            ("", true),
            ("$top=1", true),
            ("top=1", false),
            ("$top=1&$top=2", false),
        ] {
            let query = Query::parse(Some(text));
            assert_eq!(query.allow_only(&["$top"]).is_ok(), fine, "{text}");
        }
    }
}
