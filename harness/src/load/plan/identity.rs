//! Who a device of the load is, in management and in the directory: names and ids, which differ
//! between runs against one target, and whatever is the same in all of them.

use emulator::{DeviceId, DeviceSpec, HardwareId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{LoadOptions, LoadPlan, Member};

impl LoadPlan {
    /// Everything that is fixed about a device, names and ids of this run included.
    #[must_use]
    pub fn spec(&self, device: u32) -> Option<DeviceSpec> {
        let mut spec = self.unsalted(device)?;
        let salt = self.options.salt;
        if salt != 0 {
            let mut rng = self.salted(device);
            spec.device_name = format!("LOAD-{salt:08x}-{device:06}");
            spec.device_id = DeviceId::from_bytes(rng.random());
            spec.hardware_id = HardwareId::from_bytes(rng.random());
            let entra = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
            spec.entra_device_id = spec.entra_device_id.map(|_derived| entra);
        }
        Some(spec)
    }

    /// The id of a device in management: that of [`Self::spec`], without the rest of it.
    #[must_use]
    pub fn device_id(&self, device: u32) -> Option<DeviceId> {
        self.members.get(usize::try_from(device).ok()?)?;
        let seed = self.options.seed;
        Some(match self.options.salt {
            0 => DeviceId::derive(seed, u64::from(device)),
            _ => DeviceId::from_bytes(self.salted(device).random()),
        })
    }

    /// The id of a device in the directory: that of [`Self::spec`].
    #[must_use]
    pub fn entra_device_id(&self, device: u32) -> Option<uuid::Uuid> {
        self.spec(device)?.entra_device_id
    }

    /// The device with this name.
    #[must_use]
    pub fn device_named(&self, name: &str) -> Option<u32> {
        let (_, number) = name.rsplit_once('-')?;
        let device = number.parse().ok()?;
        (self.spec(device)?.device_name == name).then_some(device)
    }

    /// The stream of the ids that only this run has.
    fn salted(&self, device: u32) -> Pcg64Mcg {
        let LoadOptions { seed, salt, .. } = self.options;
        let mut rng = Pcg64Mcg::seed_from_u64(salt ^ seed.rotate_left(17));
        rng.advance(u128::from(device) * 16);
        rng
    }

    /// A device without what only this run has.
    pub(super) fn unsalted(&self, device: u32) -> Option<DeviceSpec> {
        let member = self.members.get(usize::try_from(device).ok()?)?;
        let Member {
            join,
            os,
            offline: _,
        } = *member;
        Some(DeviceSpec::derive(
            self.options.seed,
            u64::from(device),
            "LOAD-",
            join,
            os,
        ))
    }
}
