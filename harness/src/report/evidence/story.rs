//! What belongs to a violation: the exchanges that prove it, and everything that went over both
//! planes for the same devices or made the policies and groups that reach them.

use std::collections::{BTreeMap, BTreeSet};

use super::objects;
use crate::transcript::{DeviceIds, Exchange, ExchangeId, Plane, Transcript};
use crate::verdict::Violation;

/// Most exchanges of a story; those that prove come first, then those nearest before the last proof.
pub(super) const EXCHANGES_MAX: usize = 400;
/// Most devices whose exchanges are told.
const DEVICES_MAX: usize = 3;

/// The exchanges of a violation, in order.
#[derive(Debug)]
pub(super) struct Story {
    /// The devices concerned, with the ids under which admin calls name them.
    pub(super) devices: BTreeMap<String, DeviceIds>,
    /// What went over the wire, in order.
    pub(super) scenes: Vec<Scene>,
    /// Exchanges that are not told: not kept, or beyond [`EXCHANGES_MAX`].
    pub(super) left_out: usize,
}

/// One exchange of a story.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) id: ExchangeId,
    pub(super) exchange: Exchange,
    /// What it does in the story.
    pub(super) part: Part,
}

/// What an exchange does in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The check cites it.
    Proof,
    /// It concerns the same device.
    Context,
}

impl Story {
    /// Gathers what a violation needs.
    pub(super) fn of(violation: &Violation, transcript: &Transcript) -> Self {
        let proofs: BTreeSet<ExchangeId> = violation.exchanges.iter().copied().collect();
        let devices = concerned(&proofs, transcript);
        let objects = objects::of(&devices, transcript);
        let mut scenes = Vec::new();
        let mut context = Vec::new();
        transcript.for_each(|id, exchange| {
            if proofs.contains(&id) {
                scenes.push(scene(id, exchange, Part::Proof));
            } else if concerns(exchange, &devices) || objects::changes(exchange, &objects) {
                context.push(id);
            }
        });
        let not_kept = proofs.len() - scenes.len();
        let beyond = scenes.len().saturating_sub(EXCHANGES_MAX);
        scenes.truncate(EXCHANGES_MAX);
        let last = scenes.last().map(|scene| scene.id);
        let room = EXCHANGES_MAX - scenes.len();
        let told = nearest(context, last, room);
        for id in &told.0 {
            let exchange = transcript.exchange(*id);
            scenes.extend(exchange.map(|exchange| scene(*id, &exchange, Part::Context)));
        }
        // By time, not by number: a push is recorded before the call that caused it has its answer.
        scenes.sort_by_key(|scene| (scene.exchange.sent_at, scene.id));
        Self {
            devices,
            scenes,
            left_out: not_kept + beyond + told.1,
        }
    }

    /// Everything up to the last proof.
    pub(super) fn until_proven(&self) -> &[Scene] {
        let proof = |scene: &Scene| scene.part == Part::Proof;
        let end = self.scenes.iter().rposition(proof);
        &self.scenes[..end.map_or(0, |last| last + 1)]
    }

    /// The exchanges that prove the violation.
    pub(super) fn proofs(&self) -> impl DoubleEndedIterator<Item = &Scene> {
        let scenes = self.scenes.iter();
        scenes.filter(|scene| scene.part == Part::Proof)
    }
}

fn scene(id: ExchangeId, exchange: &Exchange, part: Part) -> Scene {
    Scene {
        id,
        exchange: exchange.clone(),
        part,
    }
}

/// The first devices that the proofs speak of.
fn concerned(
    proofs: &BTreeSet<ExchangeId>,
    transcript: &Transcript,
) -> BTreeMap<String, DeviceIds> {
    let known = transcript.devices();
    let mut devices = BTreeMap::new();
    for exchange in proofs.iter().filter_map(|id| transcript.exchange(*id)) {
        let named = known.iter().filter(|(name, ids)| {
            exchange.party == **name || is_called(&exchange, ids.keys().map(String::as_str))
        });
        for (name, ids) in named {
            if devices.len() < DEVICES_MAX {
                devices.insert(name.clone(), ids.clone());
            }
        }
        // A device of the load is known by its name alone.
        if is_device_plane(exchange.plane) && devices.len() < DEVICES_MAX {
            devices.entry(exchange.party).or_default();
        }
    }
    devices
}

fn concerns(exchange: &Exchange, devices: &BTreeMap<String, DeviceIds>) -> bool {
    devices.iter().any(|(name, ids)| {
        exchange.party == *name || is_called(exchange, ids.keys().map(String::as_str))
    })
}

/// True for an admin call that names one of these ids in its path or body. Answers do not count:
/// lists name every device.
fn is_called<'i>(exchange: &Exchange, mut ids: impl Iterator<Item = &'i str>) -> bool {
    if is_device_plane(exchange.plane) {
        return false;
    }
    let body = std::str::from_utf8(&exchange.request).unwrap_or_default();
    ids.any(|id| exchange.path.contains(id) || body.contains(id))
}

pub(super) const fn is_device_plane(plane: Plane) -> bool {
    match plane {
        Plane::Enroll | Plane::Manage | Plane::Directory | Plane::Push => true,
        Plane::Admin | Plane::Control => false,
    }
}

/// As many as there is room for, those just before `last` first; and how many are left out.
fn nearest(
    mut ids: Vec<ExchangeId>,
    last: Option<ExchangeId>,
    room: usize,
) -> (Vec<ExchangeId>, usize) {
    let later = ids.partition_point(|id| Some(*id) <= last);
    // In the order of interest: backwards from the last proof, then what came behind it.
    ids[..later].reverse();
    let left_out = ids.len().saturating_sub(room);
    ids.truncate(room);
    (ids, left_out)
}
