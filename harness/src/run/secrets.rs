//! Which secrets a run knows, so that none of them is written anywhere.

use rand::TryRngCore as _;
use rand::rngs::OsRng;

use super::Ground;
use crate::error::Error;
use crate::leak::Needles;
use crate::report::redact::Redactor;

/// A salt that nobody can guess: digests of two runs cannot be compared, and none can be tried
/// against a list of passwords.
///
/// # Errors
/// [`Error::SetUp`] when the system gives no random numbers.
pub(super) fn salt() -> Result<[u8; 16], Error> {
    let mut salt = [0; 16];
    OsRng
        .try_fill_bytes(&mut salt)
        .map_err(|error| Error::SetUp(format!("no random numbers: {error}")))?;
    Ok(salt)
}

impl Ground {
    /// Knows the tokens of the target and every password that a device has uploaded so far.
    pub(crate) fn redactor(&self) -> Redactor {
        let passwords = self.transcript.passwords();
        let tokens = self.target.tokens.values().map(String::as_str);
        let push = std::iter::once(self.options.push_token.as_str());
        let secrets = tokens
            .chain(push)
            .chain(passwords.iter().map(String::as_str));
        Redactor::new(self.salt, Needles::new(secrets))
    }
}
