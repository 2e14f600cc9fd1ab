//! `muster properties`: what the sources leave to a target.

use std::process::ExitCode;

use harness::properties::PROPERTIES;

use super::say;

/// One block a property: name, choices, sentence, source, requirement.
pub(crate) fn properties() -> ExitCode {
    for row in &PROPERTIES {
        let words: Vec<&str> = row.property.words().collect();
        say(&format!("{}: {}", row.name, words.join(" | ")));
        say(&format!("  {}", row.sentence));
        say(&format!(
            "  open by {}; held by {}; touches {}",
            row.source,
            row.owner,
            row.touches.join(", ")
        ));
    }
    ExitCode::SUCCESS
}
