//! The passwords that a load fleet uploads, known without being kept: each is a function of seed,
//! device, number and policy, so that only the numbers used so far are noted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use emulator::generate_password;
use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::laps_csp::{Leaf, Value};

/// How many numbers a device may have passed over since its last upload.
const SKIPPED_MAX: u32 = 8;

/// The passwords of a load fleet.
#[derive(Debug)]
pub struct LoadPasswords {
    seed: u64,
    complexity: u32,
    length: u32,
    /// For each device the highest number of a password that was uploaded.
    used: Box<[AtomicU32]>,
}

impl LoadPasswords {
    /// The passwords of the devices 0 to n - 1 of a fleet under its policy; none was uploaded yet.
    #[must_use]
    pub fn new(seed: u64, devices: u32, policy: &BTreeMap<Leaf, Value>) -> Self {
        let number = |leaf, unset| match policy.get(&leaf) {
            Some(Value::Int(value)) => u32::try_from(*value).unwrap_or(unset),
            Some(Value::Bool(_) | Value::Text(_)) | None => unset,
        };
        Self {
            seed,
            // What holds where the policy says nothing (F-022, F-024).
            complexity: number(Leaf::PasswordComplexity, 4),
            length: number(Leaf::PasswordLength, 14),
            used: (0..devices).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Notes an upload of a device. False when its password is not one that can be made again: then
    /// the upload itself has to be kept.
    #[must_use]
    pub fn note(&self, device: u32, body: &[u8]) -> bool {
        let used = usize::try_from(device)
            .ok()
            .and_then(|it| self.used.get(it));
        let upload = serde_json::from_slice::<CredentialUpload>(body).ok();
        let password = upload.and_then(|it| password_from_base64(it.password_base64.expose()));
        let (Some(used), Some(password)) = (used, password) else {
            return false;
        };
        let last = used.load(Ordering::Relaxed);
        let mut next = last + 1..=last + SKIPPED_MAX;
        let found = next.find(|generation| self.password(device, *generation) == password);
        if let Some(generation) = found {
            used.fetch_max(generation, Ordering::Relaxed);
        }
        // The same password is sent again after an answer that never came.
        found.is_some() || (last > 0 && self.password(device, last) == password)
    }

    /// Every password up to the highest number that was uploaded, device by device.
    pub fn all(&self) -> impl Iterator<Item = String> + '_ {
        let devices = (0_u32..).zip(&self.used);
        devices.flat_map(move |(device, used)| {
            let used = used.load(Ordering::Relaxed);
            (1..=used).map(move |generation| self.password(device, generation))
        })
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
}
