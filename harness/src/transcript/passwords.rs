//! The passwords that a load fleet uploads, known without being kept: each is a function of seed,
//! device, number and policy, so that only the numbers used so far are noted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use emulator::generate_password;
use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::laps_csp::{Leaf, Value};

/// How many numbers a device may have passed over since its last upload.
const SKIPPED_MAX: u32 = 8;
/// Stands for the newest upload of a device that sent a password which cannot be made again.
const UNKNOWN: u32 = u32::MAX;

/// The passwords of a load fleet.
#[derive(Debug)]
pub struct LoadPasswords {
    seed: u64,
    complexity: u32,
    length: u32,
    uploads: Box<[Uploads]>,
}

/// The uploads of one device.
#[derive(Debug, Default)]
struct Uploads {
    /// The highest number of a password that went out.
    sent: AtomicU32,
    /// The highest of which the target said that it took it, or [`UNKNOWN`].
    taken: AtomicU32,
}

impl LoadPasswords {
    /// The passwords of the devices 0 to n - 1 of a fleet under its policy; none was uploaded yet.
    #[must_use]
    pub fn new(seed: u64, devices: u32, policy: &BTreeMap<Leaf, Value>) -> Self {
        let (complexity, length) = Self::asked_for(policy);
        Self {
            seed,
            complexity,
            length,
            uploads: (0..devices).map(|_| Uploads::default()).collect(),
        }
    }

    /// Complexity and length of the passwords that a policy asks for.
    #[must_use]
    pub fn asked_for(policy: &BTreeMap<Leaf, Value>) -> (u32, u32) {
        let number = |leaf, unset| match policy.get(&leaf) {
            Some(Value::Int(value)) => u32::try_from(*value).unwrap_or(unset),
            Some(Value::Bool(_) | Value::Text(_)) | None => unset,
        };
        // What holds where the policy says nothing (F-022, F-023).
        (
            number(Leaf::PasswordComplexity, 4),
            number(Leaf::PasswordLength, 14),
        )
    }

    /// Notes an upload of a device that is about to go out. False when its password is not one that
    /// can be made again: then the upload itself has to be kept.
    #[must_use]
    pub fn note(&self, device: u32, body: &[u8]) -> bool {
        let Some(uploads) = self.of(device) else {
            return false;
        };
        let upload = serde_json::from_slice::<CredentialUpload>(body).ok();
        let password = upload.and_then(|it| password_from_base64(it.password_base64.expose()));
        let last = uploads.sent.load(Ordering::Relaxed);
        let mut next = last + 1..=last + SKIPPED_MAX;
        let is_it = |generation| Some(self.password(device, generation)) == password;
        if let Some(generation) = next.find(|generation| is_it(*generation)) {
            uploads.sent.fetch_max(generation, Ordering::Release);
            return true;
        }
        // The same password is sent again after an answer that never came.
        let known = last > 0 && is_it(last);
        if !known {
            uploads.taken.fetch_max(UNKNOWN, Ordering::Release);
        }
        known
    }

    /// Notes that the target took the upload that the device sent last.
    pub fn taken(&self, device: u32) {
        if let Some(uploads) = self.of(device) {
            let sent = uploads.sent.load(Ordering::Relaxed);
            uploads.taken.fetch_max(sent, Ordering::Release);
        }
    }

    /// The number of the newest password of a device that the target took; `None` before the first
    /// one, and for a device of which it cannot be told.
    #[must_use]
    pub fn newest_taken(&self, device: u32) -> Option<u32> {
        let taken = self.of(device)?.taken.load(Ordering::Acquire);
        (taken > 0 && taken < UNKNOWN).then_some(taken)
    }

    /// Whether a password that the target shows now as the newest one of a device can be that: it is
    /// the one with the number `taken`, the newest when the target was asked, or one that the device
    /// sent since, be it still under way. `None` when it cannot be told.
    #[must_use]
    pub fn is_since(&self, (device, taken): (u32, u32), shown: &str) -> Option<bool> {
        let uploads = self.of(device)?;
        if uploads.taken.load(Ordering::Acquire) == UNKNOWN {
            return None;
        }
        let sent = uploads.sent.load(Ordering::Acquire);
        Some((taken..=sent).any(|generation| self.password(device, generation) == shown))
    }

    /// Every password up to the highest number that was uploaded, device by device.
    pub fn all(&self) -> impl Iterator<Item = String> + '_ {
        let devices = (0_u32..).zip(&self.uploads);
        devices.flat_map(move |(device, uploads)| {
            let sent = uploads.sent.load(Ordering::Relaxed);
            (1..=sent).map(move |generation| self.password(device, generation))
        })
    }

    fn of(&self, device: u32) -> Option<&Uploads> {
        self.uploads.get(usize::try_from(device).ok()?)
    }

    fn password(&self, device: u32, generation: u32) -> String {
        let key = (self.seed, u64::from(device), generation);
        generate_password(key, self.complexity, self.length)
            .expose()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use protocol::directory::password_to_base64;
    use protocol::secret::Secret;
    use protocol::time::UtcTicks;

    use super::*;

    fn upload(password: &str) -> Vec<u8> {
        let upload = CredentialUpload {
            device_name: "LOAD-000001".to_owned(),
            account_name: "Administrator".to_owned(),
            account_sid: "S-1-5-21-1-2-3-500".to_owned(),
            password_base64: Secret::new(password_to_base64(password)),
            backup_date_time: UtcTicks::from_ticks(0),
            refresh_date_time: UtcTicks::from_ticks(0),
        };
        serde_json::to_vec(&upload).unwrap()
    }

    #[test]
    fn what_was_uploaded_is_known_and_what_cannot_be_made_again_is_refused() {
        let policy = BTreeMap::from([
            (Leaf::PasswordComplexity, Value::Int(4)),
            (Leaf::PasswordLength, Value::Int(20)),
        ]);
        let passwords = LoadPasswords::new(7, 3, &policy);
        let of = |generation| {
            generate_password((7, 1, generation), 4, 20)
                .expose()
                .to_owned()
        };
        assert_eq!(passwords.all().count(), 0);
        // The second was generated and never sent.
        for generation in [1, 3, 3] {
            assert!(passwords.note(1, &upload(&of(generation))), "{generation}");
        }
        assert_eq!(passwords.all().collect::<Vec<_>>(), [of(1), of(2), of(3)]);
        for (device, body) in [
            (0, upload(&of(4))),
            (1, upload("something else")),
            (1, upload(&of(100))),
            (9, upload(&of(1))),
            (1, b"{}".to_vec()),
        ] {
            assert!(!passwords.note(device, &body), "{device}");
        }
    }

    #[test]
    fn a_password_shown_is_the_newest_that_was_taken_or_one_sent_since() {
        let policy = BTreeMap::from([(Leaf::PasswordLength, Value::Int(20))]);
        let passwords = LoadPasswords::new(7, 2, &policy);
        let of = |generation| passwords.password(1, generation);
        let send = |generation| assert!(passwords.note(1, &upload(&of(generation))));
        send(1);
        assert_eq!(passwords.newest_taken(1), None, "sent is not taken");
        passwords.taken(1);
        // A device rotates as often as it is asked to.
        for generation in 2..=200 {
            send(generation);
            passwords.taken(1);
        }
        let taken = passwords.newest_taken(1);
        assert_eq!(taken, Some(200));
        let judge = |taken, shown: &str| passwords.is_since((1, taken), shown);
        for (shown, fits) in [(199, false), (200, true), (201, false)] {
            assert_eq!(judge(200, &of(shown)), Some(fits), "{shown}, all taken");
        }
        // Rotated while the password was read: the target may show either.
        send(201);
        for (shown, fits) in [(199, false), (200, true), (201, true), (202, false)] {
            assert_eq!(judge(200, &of(shown)), Some(fits), "{shown}, under way");
        }
        passwords.taken(1);
        assert_eq!(judge(200, &of(200)), Some(true), "taken after it was asked");
        assert_eq!(
            judge(201, &of(200)),
            Some(false),
            "taken before it was asked"
        );
        assert_eq!(judge(201, "something else"), Some(false));
        // Of a password that cannot be made again nothing is said.
        assert!(!passwords.note(1, &upload("something else")));
        passwords.taken(1);
        assert_eq!(passwords.newest_taken(1), None);
        assert_eq!(judge(201, "something else"), None);
        assert_eq!(passwords.newest_taken(0), None);
        assert_eq!(passwords.is_since((9, 1), "x"), None);
    }
}
