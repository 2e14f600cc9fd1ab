//! REQ-BULK: rotation is no bulk action.

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{BulkCase, BulkDevice, BulkSync, Case};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "bulk.rotate.refused",
        requirement: "REQ-BULK-001",
        source: "S20",
        judge: |case| bulk(case).map(refused),
    },
    Check {
        id: "bulk.rotate.no-effect",
        requirement: "REQ-BULK-002",
        source: "S20",
        judge: |case| bulk(case).map(no_effect),
    },
    Check {
        id: "bulk.sync.accepted",
        requirement: "REQ-BULK-004",
        source: "F-231",
        judge: |case| bulk(case).map(sync_accepted),
    },
];

fn bulk(case: &Case) -> Option<&BulkCase> {
    if let Case::Bulk(case) = case {
        Some(case)
    } else {
        None
    }
}

/// The positive control: bulk synchronisation of the same devices works before and after, so a
/// refusal is one of rotation.
fn is_alive(case: &BulkCase) -> bool {
    [Some(&case.sync_before), case.sync_after.as_ref()]
        .into_iter()
        .all(|sync| sync.is_some_and(|sync| sync_breach(sync).is_none() && sync.status.is_some()))
}

fn refused(case: &BulkCase) -> Finding {
    let Some(status) = case
        .status
        .filter(|status| *status != 429 && is_alive(case))
    else {
        return Finding::NotArmed;
    };
    let breach = match status {
        400..=499 => None,
        200..=299 => Some(Breach::new(
            "bulk-rotation-accepted",
            format!(
                "`{}` on {} devices: status {status}",
                case.literal,
                case.devices.len()
            ),
        )),
        _ => Some(Breach::new(
            "no-client-error",
            format!(
                "`{}` on {} devices: status {status}",
                case.literal,
                case.devices.len()
            ),
        )),
    };
    finding(
        breach,
        "a bulk call that asks for rotation is refused as a whole with a client error",
        &[case.exchange],
    )
}

fn no_effect(case: &BulkCase) -> Finding {
    let watched = !case.devices.is_empty() && case.devices.iter().all(|device| device.checked_in);
    if case.status.is_none() || !watched || !is_alive(case) {
        return Finding::NotArmed;
    }
    let breach = case
        .devices
        .iter()
        .find_map(|device| effect_on(device).map(|breach| (breach, device)));
    let mut exchanges = vec![case.exchange];
    if let Some((_, device)) = &breach {
        exchanges.extend_from_slice(&device.exchanges);
    }
    finding(
        breach.map(|(breach, _)| breach),
        "a bulk call that asks for rotation has no effect on any device: no Exec, no new backup, no action",
        &exchanges,
    )
}

fn effect_on(device: &BulkDevice) -> Option<Breach> {
    let name = &device.device;
    if device.execs > 0 {
        Some(Breach::new(
            "exec-after-bulk",
            format!("{name}: {} Exec", device.execs),
        ))
    } else if device.rotate_rows > 0 {
        Some(Breach::new(
            "action-listed-after-bulk",
            format!(
                "{name}: {} rotation actions more than before",
                device.rotate_rows
            ),
        ))
    } else if device.backups > 0 || device.password_changed {
        Some(Breach::new(
            "backup-after-bulk",
            format!("{name}: a new password"),
        ))
    } else {
        None
    }
}

fn sync_accepted(case: &BulkCase) -> Finding {
    let syncs = [Some(&case.sync_before), case.sync_after.as_ref()];
    let answered: Vec<&BulkSync> = syncs
        .into_iter()
        .flatten()
        .filter(|sync| sync.status.is_some())
        .collect();
    if answered.is_empty() {
        return Finding::NotArmed;
    }
    let exchanges: Vec<_> = answered.iter().map(|sync| sync.exchange).collect();
    finding(
        answered.into_iter().find_map(sync_breach),
        "bulk synchronisation of up to 100 devices is accepted for each of them",
        &exchanges,
    )
}

fn sync_breach(sync: &BulkSync) -> Option<Breach> {
    if sync.status.is_some_and(|status| !is_success(status)) {
        return Some(Breach::new("bulk-sync-refused", status_text(sync.status)));
    }
    (sync.successful != sync.named).then(|| {
        Breach::new(
            "bulk-sync-incomplete",
            format!(
                "{} of {} devices listed as successful",
                sync.successful, sync.named
            ),
        )
    })
}
