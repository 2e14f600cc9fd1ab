//! What the harness knows of an implementation under test: URLs and tokens, nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;

/// An implementation under test, as the line of `muster serve --json` describes it.
#[derive(Clone, Deserialize)]
pub struct Target {
    /// Base URL of the enrolment plane.
    pub enroll: String,
    /// Base URL of the management plane.
    pub manage: String,
    /// Base URL of the directory plane.
    pub directory: String,
    /// Base URL of the admin plane.
    pub admin: String,
    /// Base URL of the control plane.
    pub control: String,
    /// Bearer token of each actor, and of the control plane under `control`.
    pub tokens: BTreeMap<String, String>,
}

impl Target {
    /// Reads the line of `muster serve --json`.
    ///
    /// # Errors
    /// [`Error::SetUp`] when it is no such object, a URL is not `http://host:port[/path]`, or the
    /// control token is absent.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let target: Self = serde_json::from_str(line)
            .map_err(|error| Error::SetUp(format!("target description: {error}")))?;
        for (plane, url) in target.planes() {
            if crate::http::Authority::of_url(url).is_none() {
                return Err(Error::SetUp(format!(
                    "target description: `{plane}` is not an http URL: `{url}`"
                )));
            }
        }
        if !target.tokens.contains_key("control") {
            return Err(Error::SetUp(
                "target description: `tokens` holds no `control`".to_owned(),
            ));
        }
        Ok(target)
    }

    /// The planes by name with their base URLs.
    fn planes(&self) -> [(&'static str, &str); 5] {
        [
            ("enroll", &self.enroll),
            ("manage", &self.manage),
            ("directory", &self.directory),
            ("admin", &self.admin),
            ("control", &self.control),
        ]
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("planes", &self.planes())
            .finish_non_exhaustive()
    }
}
