//! Proves that two plans are the same.

use emulator::generate_password;
use sha2::{Digest, Sha256};

use super::{LoadPlan, ROTATION_ACTOR};
use crate::transcript::LoadPasswords;

/// The first passwords of a device that go into the fleet digest.
const PASSWORDS: u32 = 3;

impl LoadPlan {
    /// SHA-256 over every device: identity, join state, build, accounts, offline or not, and its
    /// first passwords under the policy. Equal seeds prove equal fleets and equal passwords.
    #[must_use]
    pub fn fleet_digest(&self) -> String {
        let mut hash = Sha256::new();
        let (complexity, length) = LoadPasswords::asked_for(&self.policy);
        for (device, member) in (0_u32..).zip(&self.members) {
            let Some(spec) = self.unsalted(device) else {
                continue;
            };
            hash.update(format!(
                "{device} {} {} {} {} {:?} {} {} {}",
                spec.device_name,
                spec.join_type,
                spec.os,
                spec.device_id,
                spec.entra_device_id,
                spec.hardware_id,
                spec.machine_sid,
                member.offline,
            ));
            for account in &spec.accounts {
                hash.update(format!(
                    "{} {} {};",
                    account.name, account.rid, account.enabled
                ));
            }
            for generation in 1..=PASSWORDS {
                let key = (spec.seed, spec.index, generation);
                hash.update(generate_password(key, complexity, length).expose());
            }
        }
        hex(&hash.finalize())
    }

    /// SHA-256 over every planned check-in and every planned rotation.
    #[must_use]
    pub fn plan_digest(&self) -> String {
        let mut hash = Sha256::new();
        for (event, device) in (0..self.rate.events()).zip(self.order.iter().cycle()) {
            hash.update(device.to_le_bytes());
            hash.update(self.rate.start_ns(event).to_le_bytes());
        }
        for rotation in &self.rotations {
            hash.update(rotation.device.to_le_bytes());
            hash.update(rotation.at_ns.to_le_bytes());
            hash.update(ROTATION_ACTOR);
        }
        for (leaf, value) in &self.policy {
            hash.update(format!("{leaf}={value};"));
        }
        hex(&hash.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
