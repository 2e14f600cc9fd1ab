//! The books of what is planned.

/// The books of the planned check-ins. What starts is counted where it starts, so that the sums
/// prove that nothing was lost in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Check-ins that the plan holds.
    pub planned: u64,
    /// Sessions started for a planned check-in.
    pub started: u64,
    /// Planned check-ins that could not start within a second of their time, or were due while as
    /// many sessions as may be were under way.
    pub not_started: u64,
    /// Started ones that came to their proper end.
    pub completed: u64,
    /// Started ones that did not.
    pub failed: u64,
}

impl Books {
    /// True when planned = started + `not_started` and started = completed + failed.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.planned == self.started + self.not_started
            && self.started == self.completed + self.failed
    }

    /// Adds the books of another shard.
    pub const fn merge(&mut self, other: &Self) {
        self.planned += other.planned;
        self.started += other.started;
        self.not_started += other.not_started;
        self.completed += other.completed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_over_shards() {
        let mut one = Books {
            planned: 5,
            started: 4,
            not_started: 1,
            completed: 3,
            failed: 1,
        };
        let two = Books {
            planned: 2,
            started: 2,
            not_started: 0,
            completed: 2,
            failed: 0,
        };
        assert!(one.balance() && two.balance());
        one.merge(&two);
        assert!(one.balance());
        one.started += 1;
        assert!(!one.balance());
    }
}
