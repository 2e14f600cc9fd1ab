//! `report.json`: written by programs for programs, schema [`super::SCHEMA`].

use super::{Report, SCHEMA};
use crate::error::Error;

impl Report {
    /// The report as it stands in `report.json`, with a line feed at the end.
    ///
    /// # Errors
    /// [`Error::Harness`] when the report cannot be put into JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Harness(format!("report.json: {error}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a `report.json`. One that was cut off is refused, since its footer is its last member;
    /// whether the run itself was complete is for the caller to look up there.
    ///
    /// # Errors
    /// [`Error::SetUp`] when the bytes are no whole report of this schema.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let report: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::SetUp(format!("report.json: {error}")))?;
        if report.schema == SCHEMA {
            Ok(report)
        } else {
            let schema = report.schema;
            Err(Error::SetUp(format!(
                "report.json: unknown schema `{schema}`"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::sample;
    use super::*;

    #[test]
    fn a_report_comes_back_as_it_was() {
        for report in [sample::passed(), sample::failed(), sample::interrupted()] {
            assert_eq!(Report::read(&report.to_json().unwrap()).unwrap(), report);
        }
    }

    #[test]
    fn a_report_cut_at_any_byte_is_refused() {
        let bytes = sample::failed().to_json().unwrap();
        let text_end = bytes.len() - 1;
        for cut in 0..text_end {
            assert!(Report::read(&bytes[..cut]).is_err(), "cut at byte {cut}");
        }
    }

    #[test]
    fn a_report_without_footer_or_of_another_schema_is_refused() {
        let whole: Value = serde_json::from_slice(&sample::passed().to_json().unwrap()).unwrap();
        let mut footless = whole.clone();
        footless.as_object_mut().unwrap().remove("footer");
        let mut newer = whole;
        newer["schema"] = Value::from("muster.report/2");
        for (value, named) in [(footless, "footer"), (newer, "muster.report/2")] {
            let error = Report::read(value.to_string().as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn members_have_the_names_that_other_tools_read() {
        let value: Value = serde_json::from_slice(&sample::failed().to_json().unwrap()).unwrap();
        for (pointer, members) in [
            (
                "",
                "schema verdict exit_code seed fleet requirements load audit footer",
            ),
            (
                "/fleet",
                "devices online offline by_join_type cohort_devices",
            ),
            (
                "/fleet/by_join_type",
                "entraJoined entraHybridJoined entraRegistered domainJoined notJoined",
            ),
            (
                "/requirements/0",
                "id level verdict evaluated armed violated checks evidence",
            ),
            (
                "/load",
                "planned started not_started completed failed responses verified_responses \
                 duration_s check_ins_per_s latency_us service_time_us harness_cpu_s core_cpu_s \
                 harness_peak_rss_bytes core_peak_rss_bytes",
            ),
            ("/load/latency_us", "p50 p90 p99 p999 max"),
            ("/load/service_time_us", "p50 p90 p99 p999 max"),
            (
                "/audit",
                "expected_low expected_high seen lost duplicated phantom",
            ),
            ("/footer", "complete"),
        ] {
            let object = value.pointer(pointer).unwrap();
            for member in members.split_whitespace() {
                assert!(object.get(member).is_some(), "{pointer}/{member}");
            }
        }
        assert_eq!(value["schema"], "muster.report/1");
        assert_eq!(value["verdict"], "fail");
        assert_eq!(value["exit_code"], 1);
        assert_eq!(value["requirements"][1]["verdict"], "fail");
        assert_eq!(value["requirements"][1]["level"], "MUST");
        assert_eq!(value["requirements"][3]["verdict"], "not_exercised");
        assert_eq!(value["footer"]["complete"], true);
    }
}
