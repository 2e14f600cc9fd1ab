//! What administrators do beside the check-ins of a load, and how often.

use crate::metrics::Operation;
use crate::schedule::spec::RateSpec;

/// How often each operation is begun in the measured phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationsMix {
    /// Manual rotations; `None` for the share that every load makes (a tenth of the online devices,
    /// and a quarter more on devices that must not rotate).
    pub rotate: Option<RateSpec>,
    /// The others.
    pub errands: Vec<(Errand, RateSpec)>,
}

/// An operation of the admin plane that is no rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Errand {
    /// Read the password of a device that has backed one up.
    CredentialRead,
    /// Read the audit log's newest events.
    AuditRead,
    /// Change a policy that reaches no device, and read it back.
    PolicyEdit,
    /// Change who is signed in on a device.
    SignIn,
    /// Ask for rotation in bulk, which no literal of the enumeration offers (F-233).
    BulkAttempt,
}

impl Errand {
    /// Every errand, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::CredentialRead,
        Self::AuditRead,
        Self::PolicyEdit,
        Self::SignIn,
        Self::BulkAttempt,
    ];

    /// What it counts as.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::CredentialRead => Operation::CredentialRead,
            Self::AuditRead => Operation::AuditRead,
            Self::PolicyEdit => Operation::PolicyEdit,
            Self::SignIn => Operation::SignIn,
            Self::BulkAttempt => Operation::BulkAttempt,
        }
    }
}

impl OperationsMix {
    /// Sets the rate of an operation by its name in reports.
    ///
    /// # Errors
    /// A sentence that names an operation that a load cannot be asked for, or that is named twice.
    pub fn set(&mut self, name: &str, rate: RateSpec) -> Result<(), String> {
        let twice = || format!("the operation `{name}` is named twice");
        if name == Operation::Rotate.as_str() {
            return match self.rotate.replace(rate) {
                None => Ok(()),
                Some(_) => Err(twice()),
            };
        }
        let known = |errand: &Errand| errand.operation().as_str() == name;
        let Some(errand) = Errand::ALL.into_iter().find(known) else {
            let names = Errand::ALL.map(|errand| errand.operation().as_str());
            let names = names.join(", ");
            return Err(format!("`{name}` is no operation: rotate, {names}"));
        };
        if self.errands.iter().any(|(one, _)| *one == errand) {
            return Err(twice());
        }
        self.errands.push((errand, rate));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_set_once_by_name() {
        let rate = RateSpec::parse("5/s").unwrap();
        let mut mix = OperationsMix::default();
        for name in [
            "rotate",
            "credential_read",
            "audit_read",
            "policy_edit",
            "sign_in",
            "bulk_attempt",
        ] {
            assert_eq!(mix.set(name, rate), Ok(()), "{name}");
            assert!(mix.set(name, rate).unwrap_err().contains("twice"), "{name}");
        }
        let complaint = mix.set("check_in", rate).unwrap_err();
        assert!(
            complaint.contains("`check_in` is no operation"),
            "{complaint}"
        );
    }
}
