//! Requests that failed because the system of the harness had nothing left to send them with.

use crate::http::Failure;

/// How often the system refused what a request needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortages {
    /// No file descriptor was left.
    pub descriptors: u64,
    /// No local port was left.
    pub ports: u64,
}

/// How the standard library ends the text of an error of the system, on Linux: `EMFILE`, `ENFILE`.
const DESCRIPTORS: [&str; 2] = ["(os error 24)", "(os error 23)"];
/// `EADDRNOTAVAIL`.
const PORTS: &str = "(os error 99)";

impl Shortages {
    /// Counts a failure that was a shortage; true for one.
    pub(crate) fn note(&mut self, failure: &Failure) -> bool {
        let (Failure::NotSent(cause) | Failure::Unknown(cause)) = failure;
        let descriptors = DESCRIPTORS.iter().any(|end| cause.contains(end));
        let ports = cause.contains(PORTS);
        self.descriptors += u64::from(descriptors);
        self.ports += u64::from(ports);
        descriptors || ports
    }

    /// True when a request was refused.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.descriptors > 0 || self.ports > 0
    }

    /// Those since an earlier count.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            descriptors: self.descriptors - earlier.descriptors,
            ports: self.ports - earlier.ports,
        }
    }

    /// Adds those of another shard.
    pub const fn merge(&mut self, other: Self) {
        self.descriptors += other.descriptors;
        self.ports += other.ports;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_told_apart() {
        let mut shortages = Shortages::default();
        for (number, is_ours) in [(24, true), (23, true), (99, true), (111, false)] {
            let cause = std::io::Error::from_raw_os_error(number).to_string();
            let noted = shortages.note(&Failure::NotSent(format!("connect: {cause}")));
            assert_eq!(noted, is_ours, "{cause}");
        }
        assert_eq!((shortages.descriptors, shortages.ports), (2, 1));
    }
}
