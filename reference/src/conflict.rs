//! What a device should have, given the policies that reach it: which leaves are written, which
//! stay, which policies are withheld (contract 2 "LAPS policy", contract 5 "Conflicts").

use std::collections::{BTreeMap, BTreeSet};

use protocol::JoinType;
use protocol::laps_csp::{FIRST_BUILD, Leaf, Value};

use crate::assignment::{Reach, UserContext};
use crate::state::{ManagedDevice, PolicyId, Tenant};
use crate::variant::{Variant, Variants};

/// What a session finds at its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    /// What to write, in the order of the node table.
    pub(crate) writes: Vec<Write>,
    /// What becomes of each setting of each policy that reaches the device.
    pub(crate) prospects: BTreeMap<PolicyId, BTreeMap<Leaf, Prospect>>,
    /// The policies withheld as a whole.
    pub(crate) withheld: BTreeSet<PolicyId>,
    /// The device had acknowledged at least one leaf.
    pub(crate) had_leaves: bool,
}

/// One write: `Replace` of a value, or `Delete`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) leaf: Leaf,
    pub(crate) value: Option<Value>,
}

/// What becomes of one setting of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prospect {
    pub(crate) outlook: Outlook,
    /// The policies that set the leaf on this device.
    pub(crate) sources: Vec<PolicyId>,
}

/// See [`Prospect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// The device's build or join state has no use for it.
    NotApplicable,
    /// Policies give the leaf different values.
    Conflict,
    /// Its policy is withheld as a whole, for another leaf's sake.
    Withheld,
    /// The device should have this value.
    Set(Value),
}

/// A policy's wish for a leaf.
struct Claim<'a> {
    policy: PolicyId,
    value: &'a Value,
    /// It may be written in this session.
    may_be_written: bool,
}

/// Contract 2: nothing of LAPS goes to these join states and builds.
pub(crate) const fn laps_applies(join_type: JoinType, build: u32) -> bool {
    match join_type {
        JoinType::EntraJoined | JoinType::EntraHybridJoined => build >= FIRST_BUILD,
        JoinType::EntraRegistered | JoinType::DomainJoined | JoinType::NotJoined => false,
    }
}

/// Looks at every policy that reaches the device.
pub(crate) fn evaluate(
    tenant: &Tenant,
    device: &ManagedDevice,
    context: UserContext,
    variants: Variants,
) -> Evaluation {
    let applies = laps_applies(device.join_type, device.build);
    let mut claims: BTreeMap<Leaf, Vec<Claim<'_>>> = BTreeMap::new();
    let mut settings: BTreeMap<PolicyId, BTreeMap<Leaf, &Value>> = BTreeMap::new();
    for (id, policy) in &tenant.policies {
        let Some(reach) = tenant.reach(&policy.assignments, device, context.user) else {
            continue;
        };
        // Contract 6: what only the last user's policies set stays as it is while nobody is there.
        let may_be_written = reach == Reach::Device || context.present;
        let of_policy = settings.entry(*id).or_default();
        for (leaf, value) in &policy.leaves {
            of_policy.insert(*leaf, value);
            if applies && leaf.node().allows(value, device.build) {
                claims.entry(*leaf).or_default().push(Claim {
                    policy: *id,
                    value,
                    may_be_written,
                });
            }
        }
    }
    let clashing: BTreeSet<Leaf> = claims
        .iter()
        .filter(|(_, claims)| clash(claims))
        .map(|(leaf, _)| *leaf)
        .collect();
    let withheld = if variants.has(Variant::ConflictWithholdsSetting) {
        BTreeSet::new()
    } else {
        withheld(device, &claims, &clashing)
    };
    let mut writes = if applies {
        writes(device, &claims, &clashing, &withheld)
    } else {
        Vec::new()
    };
    if variants.has(Variant::UnassignKeeps) {
        writes.retain(|write| write.value.is_some());
    }
    Evaluation {
        writes,
        prospects: settings
            .into_iter()
            .map(|(id, values)| (id, prospects(id, values, &claims, &withheld)))
            .collect(),
        withheld,
        had_leaves: !device.acknowledged.is_empty(),
    }
}

/// Two policies give the leaf different values.
fn clash(claims: &[Claim<'_>]) -> bool {
    claims.windows(2).any(|pair| match pair {
        [one, other] => one.value != other.value,
        _ => false,
    })
}

/// Contract 5, `conflict.withhold`: on a device without any acknowledged leaf, the whole of every
/// policy in conflict; and a policy once withheld until it is in no conflict on this device.
fn withheld(
    device: &ManagedDevice,
    claims: &BTreeMap<Leaf, Vec<Claim<'_>>>,
    clashing: &BTreeSet<Leaf>,
) -> BTreeSet<PolicyId> {
    let in_conflict = clashing
        .iter()
        .filter_map(|leaf| claims.get(leaf))
        .flatten()
        .map(|claim| claim.policy);
    in_conflict
        .filter(|policy| device.acknowledged.is_empty() || device.withheld.contains(policy))
        .collect()
}

fn writes(
    device: &ManagedDevice,
    claims: &BTreeMap<Leaf, Vec<Claim<'_>>>,
    clashing: &BTreeSet<Leaf>,
    withheld: &BTreeSet<PolicyId>,
) -> Vec<Write> {
    let mut writes = Vec::new();
    let leaves: BTreeSet<Leaf> = claims
        .keys()
        .chain(device.acknowledged.keys())
        .copied()
        .collect();
    for leaf in leaves {
        let acknowledged = device.acknowledged.get(&leaf);
        let Some(claims) = claims.get(&leaf) else {
            // Only acknowledged leaves come here: no policy sets this one any more.
            writes.push(Write { leaf, value: None });
            continue;
        };
        // S22, S24: what the device has stays, what it never had is not sent.
        if clashing.contains(&leaf) {
            continue;
        }
        let sender = claims
            .iter()
            .find(|claim| claim.may_be_written && !withheld.contains(&claim.policy));
        if let Some(claim) = sender
            && acknowledged != Some(claim.value)
        {
            writes.push(Write {
                leaf,
                value: Some(claim.value.clone()),
            });
        }
    }
    writes
}

fn prospects(
    policy: PolicyId,
    values: BTreeMap<Leaf, &Value>,
    claims: &BTreeMap<Leaf, Vec<Claim<'_>>>,
    withheld: &BTreeSet<PolicyId>,
) -> BTreeMap<Leaf, Prospect> {
    let prospect = |leaf: Leaf, value: &Value| {
        let claims = claims.get(&leaf).map_or(&[][..], Vec::as_slice);
        let sources: Vec<PolicyId> = claims.iter().map(|claim| claim.policy).collect();
        let outlook = if !sources.contains(&policy) {
            Outlook::NotApplicable
        } else if clash(claims) {
            Outlook::Conflict
        } else if withheld.contains(&policy) {
            Outlook::Withheld
        } else {
            Outlook::Set(value.clone())
        };
        Prospect { outlook, sources }
    };
    values
        .into_iter()
        .map(|(leaf, value)| (leaf, prospect(leaf, value)))
        .collect()
}
