//! How many devices of each join state, and how many of each are offline.

use protocol::JoinType;

/// Shares of the join states in percent; they add up to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    percent: [u8; 5],
}

impl Mix {
    /// The default fleet: mostly Entra joined and hybrid, some of each other kind.
    pub const DEFAULT: Self = Self {
        percent: [50, 30, 5, 10, 5],
    };

    /// Shares in the order of [`JoinType::ALL`]; `None` when they do not add up to 100.
    #[must_use]
    pub fn new(percent: [u8; 5]) -> Option<Self> {
        let sum: u32 = percent.iter().copied().map(u32::from).sum();
        (sum == 100).then_some(Self { percent })
    }

    /// The share of a join state in percent.
    #[must_use]
    pub fn percent(&self, join: JoinType) -> u8 {
        JoinType::ALL
            .iter()
            .zip(self.percent)
            .find_map(|(of, percent)| (*of == join).then_some(percent))
            .unwrap_or(0)
    }

    /// The number of devices of each join state, in the order of [`JoinType::ALL`]; they add up to
    /// `devices`, and none is a whole device away from its share.
    #[must_use]
    pub fn apportion(&self, devices: u64) -> [u64; 5] {
        let weights = self.percent.map(u64::from);
        largest_remainder(devices, weights)
    }
}

impl std::str::FromStr for Mix {
    type Err = String;

    /// Reads `entra=50,hybrid=30,registered=5,domain=10,none=5`; a join state left out has no share.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut percent: [Option<u8>; 5] = [None; 5];
        for part in text.split(',') {
            let (name, share) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not of the form NAME=PERCENT"))?;
            let place = NAMES.iter().position(|known| *known == name.trim());
            let slot = place
                .and_then(|place| percent.get_mut(place))
                .ok_or_else(|| {
                    format!("`{name}` is no join state; known are {}", NAMES.join(", "))
                })?;
            let share = share
                .trim()
                .parse::<u8>()
                .map_err(|_range| format!("`{share}` is no percentage from 0 to 100"))?;
            if slot.replace(share).is_some() {
                return Err(format!("`{name}` stands twice"));
            }
        }
        let percent = percent.map(Option::unwrap_or_default);
        let sum: u32 = percent.iter().copied().map(u32::from).sum();
        Self::new(percent).ok_or_else(|| format!("the shares add up to {sum}, not to 100"))
    }
}

/// The words for the join states, in the order of [`JoinType::ALL`].
const NAMES: [&str; 5] = ["entra", "hybrid", "registered", "domain", "none"];

/// How many of each join state are offline: the same share of each, together the share of all.
/// `offline_ppm` is the share in millionths, at most a million.
#[must_use]
pub fn offline_of_each(devices: [u64; 5], offline_ppm: u32) -> [u64; 5] {
    let all: u64 = devices.iter().sum();
    let ppm = u64::from(offline_ppm.min(PPM_ONE));
    let offline = (all * ppm + u64::from(PPM_ONE) / 2) / u64::from(PPM_ONE);
    // Weighting by size gives each join state the same share; none can get more than it has, as
    // the whole is at most all devices.
    largest_remainder(offline, devices)
}

/// All of something, in millionths.
pub const PPM_ONE: u32 = 1_000_000;

/// Splits `seats` by weight: whole parts first, what is left to the largest remainders; equal
/// remainders in order.
fn largest_remainder(seats: u64, weights: [u64; 5]) -> [u64; 5] {
    let sum: u64 = weights.iter().sum();
    if sum == 0 {
        return [0; 5];
    }
    let mut parts = weights.map(|weight| seats * weight / sum);
    let remainders = weights.map(|weight| seats * weight % sum);
    let mut order = [0, 1, 2, 3, 4];
    order.sort_by_key(|place: &usize| std::cmp::Reverse(remainders[*place]));
    let given: u64 = parts.iter().sum();
    let left = usize::try_from(seats - given).unwrap_or(usize::MAX);
    for place in order.into_iter().take(left) {
        parts[place] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_adds_up_to_a_hundred() {
        assert!(Mix::new([50, 30, 5, 10, 5]).is_some());
        assert!(Mix::new([50, 30, 5, 10, 6]).is_none());
        assert!(Mix::new([0, 0, 0, 0, 0]).is_none());
        assert!(Mix::new([255, 255, 255, 255, 255]).is_none());
    }

    #[test]
    fn a_mix_reads_as_the_command_line_writes_it() {
        let default = "entra=50,hybrid=30,registered=5,domain=10,none=5".parse();
        assert_eq!(default, Ok(Mix::DEFAULT));
        assert_eq!(
            "none=40,entra=60".parse(),
            Ok(Mix::new([60, 0, 0, 0, 40]).unwrap())
        );
        for (text, names) in [
            ("entra=50,hybrid=30", "80"),
            ("entra=50,azure=50", "`azure`"),
            ("entra=50,entra=50", "`entra`"),
            ("entra=half", "`half`"),
            ("entra", "`entra`"),
            ("entra=-1,hybrid=101", "`-1`"),
            ("", "``"),
        ] {
            let complaint = text.parse::<Mix>().unwrap_err();
            assert!(complaint.contains(names), "{text}: {complaint}");
        }
    }

    #[test]
    fn devices_are_apportioned_exactly() {
        for (percent, devices, parts) in [
            ([50, 30, 5, 10, 5], 2_000, [1_000, 600, 100, 200, 100]),
            ([50, 30, 5, 10, 5], 300, [150, 90, 15, 30, 15]),
            ([50, 30, 5, 10, 5], 1, [1, 0, 0, 0, 0]),
            ([50, 30, 5, 10, 5], 7, [4, 2, 0, 1, 0]),
            ([34, 33, 33, 0, 0], 2, [1, 1, 0, 0, 0]),
            ([100, 0, 0, 0, 0], 9, [9, 0, 0, 0, 0]),
            ([20, 20, 20, 20, 20], 0, [0, 0, 0, 0, 0]),
        ] {
            let mix = Mix::new(percent).unwrap();
            assert_eq!(mix.apportion(devices), parts, "{percent:?} of {devices}");
        }
    }

    #[test]
    fn each_join_state_has_the_same_share_offline() {
        for (devices, ppm, offline) in [
            ([1_000, 600, 100, 200, 100], 300_000, [300, 180, 30, 60, 30]),
            ([1, 1, 1, 1, 1], 500_000, [1, 1, 1, 0, 0]),
            ([1_000, 0, 0, 0, 0], 0, [0, 0, 0, 0, 0]),
            ([3, 2, 1, 0, 0], 1_000_000, [3, 2, 1, 0, 0]),
        ] {
            assert_eq!(offline_of_each(devices, ppm), offline, "{devices:?} {ppm}");
        }
    }

    #[test]
    fn parts_always_add_up() {
        for devices in 0..500 {
            let parts = Mix::DEFAULT.apportion(devices);
            assert_eq!(parts.iter().sum::<u64>(), devices);
            let offline = offline_of_each(parts, 333_333);
            for (part, offline) in parts.iter().zip(offline) {
                assert!(offline <= *part, "{devices}");
            }
        }
    }
}
