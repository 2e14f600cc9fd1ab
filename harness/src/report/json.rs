//! `report.json`: written by programs for programs, schema [`super::SCHEMA`].
//!
//! Its last member is a digest of all lines before it. The member came before the first release, so
//! that no `muster.report/1` without it was ever published; one that lacks it was cut off or changed.

use serde::Deserialize;

use super::{Report, SCHEMA, seal};
use crate::error::Error;

impl Report {
    /// The report as it stands in `report.json`, with a line feed at the end.
    ///
    /// # Errors
    /// [`Error::Harness`] when the report cannot be put into JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let pretty = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Harness(format!("report.json: {error}")))?;
        let sealed = seal::seal(&pretty)
            .ok_or_else(|| Error::Harness("report.json: no object to be sealed".to_owned()))?;
        Ok(sealed.into_bytes())
    }

    /// Reads a `report.json`. One that was cut off, or of which a byte was changed, is refused;
    /// whether the run itself was complete stands in its footer.
    ///
    /// # Errors
    /// [`Error::SetUp`] when the bytes are no whole report of this schema.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |text: String| Error::SetUp(format!("report.json: {text}"));
        // A newer schema may be sealed in another way: its name says more than the digest.
        if let Ok(Schema { schema }) = serde_json::from_slice(bytes)
            && schema != SCHEMA
        {
            return Err(wrong(format!(
                "unknown schema `{schema}`; this version reads `{SCHEMA}`"
            )));
        }
        seal::check(bytes).map_err(|broken| wrong(broken.as_str().to_owned()))?;
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
    }
}

/// The one member that every version has.
#[derive(Deserialize)]
struct Schema {
    schema: String,
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
        let text_end = bytes.trim_ascii_end().len();
        for cut in 0..text_end {
            assert!(Report::read(&bytes[..cut]).is_err(), "cut at byte {cut}");
        }
        assert!(Report::read(&bytes[..text_end]).is_ok());
    }

    #[test]
    fn a_report_with_one_bit_changed_is_refused() {
        let mut bytes = sample::failed().to_json().unwrap();
        for place in 0..bytes.len() {
            let bit = 1 << (place % 8);
            bytes[place] ^= bit;
            assert!(Report::read(&bytes).is_err(), "byte {place}, bit {bit:#x}");
            bytes[place] ^= bit;
        }
        assert!(Report::read(&bytes).is_ok());
    }

    #[test]
    fn a_report_without_digest_or_footer_or_of_another_schema_is_refused() {
        let whole: Value = serde_json::from_slice(&sample::passed().to_json().unwrap()).unwrap();
        let mut bare = whole.clone();
        bare.as_object_mut().unwrap().remove("digest");
        let mut footless = bare.clone();
        footless.as_object_mut().unwrap().remove("footer");
        let footless = seal::seal(&serde_json::to_string_pretty(&footless).unwrap()).unwrap();
        let mut newer = whole;
        newer["schema"] = Value::from("muster.report/2");
        for (text, named) in [
            (bare.to_string(), "does not end in its digest"),
            (footless, "footer"),
            (newer.to_string(), "muster.report/2"),
        ] {
            let error = Report::read(text.as_bytes()).unwrap_err().to_string();
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
                "set_up planned started not_started completed failed responses \
                 verified_responses \
                 duration_s check_ins_per_s latency_us service_time_us harness_cpu_s core_cpu_s \
                 harness_peak_rss_bytes core_peak_rss_bytes",
            ),
            (
                "/load/set_up",
                "duration_s harness_cpu_s core_cpu_s harness_rss_bytes core_rss_bytes",
            ),
            ("/load/latency_us", "p50 p90 p99 p999 max"),
            ("/load/service_time_us", "p50 p90 p99 p999 max"),
            (
                "/audit",
                "expected_low expected_high log seen lost duplicated phantom",
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
