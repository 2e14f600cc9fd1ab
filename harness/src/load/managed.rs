//! The managed devices behind a load fleet, by the number of the device.

use uuid::Uuid;

/// Ids of managed devices, 16 bytes a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed {
    /// Nil where the target lists none.
    ids: Vec<Uuid>,
}

impl Managed {
    /// No ids yet, for this many devices.
    pub(super) fn new(devices: u32) -> Self {
        let devices = usize::try_from(devices).unwrap_or(usize::MAX);
        Self {
            ids: vec![Uuid::nil(); devices],
        }
    }

    /// Enters the id of a device; a number beyond the fleet is ignored.
    pub(super) fn enter(&mut self, device: u32, id: Uuid) {
        let place = usize::try_from(device).ok();
        if let Some(entry) = place.and_then(|place| self.ids.get_mut(place)) {
            *entry = id;
        }
    }

    /// The id of a device, if it has one.
    pub(super) fn id(&self, device: u32) -> Option<Uuid> {
        let id = self.ids.get(usize::try_from(device).ok()?)?;
        (!id.is_nil()).then_some(*id)
    }
}
