//! Both audit logs.

use protocol::graph::audit::{AuditEvent, DirectoryAudit};
use protocol::time::UtcTicks;

use super::url::{encoded, literal};
use super::{Actor, Reply};
use crate::error::Error;

/// Which events of a log; the forms that contract 5 names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFilter<'a> {
    /// From this time on.
    pub from: Option<UtcTicks>,
    /// Up to this time; counts only with `from`.
    pub to: Option<UtcTicks>,
    /// Only this activity.
    pub activity: Option<&'a str>,
}

impl EventFilter<'_> {
    /// The query string with its question mark; empty when everything is asked for. `activity` is
    /// the name of the member that holds the activity.
    fn query(&self, activity: &str) -> String {
        let mut terms = Vec::new();
        if let Some(from) = self.from {
            terms.push(format!("activityDateTime ge {from}"));
            terms.extend(self.to.map(|to| format!("activityDateTime le {to}")));
        }
        terms.extend(
            self.activity
                .map(|text| format!("{activity} eq {}", literal(text))),
        );
        if terms.is_empty() {
            String::new()
        } else {
            format!("?$filter={}", encoded(&terms.join(" and ")))
        }
    }
}

impl Actor {
    /// `GET /deviceManagement/auditEvents`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn audit_events(
        &self,
        filter: EventFilter<'_>,
    ) -> Result<Reply<Vec<AuditEvent>>, Error> {
        let query = filter.query("activity");
        self.list(&format!("/beta/deviceManagement/auditEvents{query}"))
            .await
    }

    /// `GET /auditLogs/directoryAudits`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn directory_audits(
        &self,
        filter: EventFilter<'_>,
    ) -> Result<Reply<Vec<DirectoryAudit>>, Error> {
        let query = filter.query("activityDisplayName");
        self.list(&format!("/v1.0/auditLogs/directoryAudits{query}"))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_the_forms_of_the_contract() {
        let at = UtcTicks::parse("2026-03-11T09:30:00Z").unwrap();
        let everything = EventFilter::default();
        let window = EventFilter {
            from: Some(at),
            to: Some(at),
            activity: None,
        };
        let activity = EventFilter {
            from: Some(at),
            to: None,
            activity: Some("x y"),
        };
        for (filter, expected) in [
            (everything, ""),
            (
                window,
                "?$filter=activityDateTime%20ge%202026-03-11T09%3A30%3A00Z%20and%20activityDateTime%20le%202026-03-11T09%3A30%3A00Z",
            ),
            (
                activity,
                "?$filter=activityDateTime%20ge%202026-03-11T09%3A30%3A00Z%20and%20activity%20eq%20%27x%20y%27",
            ),
        ] {
            assert_eq!(filter.query("activity"), expected);
        }
    }
}
