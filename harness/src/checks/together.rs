//! REQ-BULK: bulk calls of odd forms, and single calls side by side.

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{Aim, Case, OddBulkCase, SingleSeen, SinglesCase, TogetherCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "bulk.rotate.odd-forms-refused",
        requirement: "REQ-BULK-003",
        source: "F-233",
        judge: |case| {
            if let Case::Together(TogetherCase::Odd(case)) = case {
                Some(refused(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "bulk.singles.handled-apart",
        requirement: "REQ-BULK-005",
        source: "F-234",
        judge: |case| {
            if let Case::Together(TogetherCase::Singles(case)) = case {
                Some(handled_apart(case))
            } else {
                None
            }
        },
    },
];

fn refused(case: &OddBulkCase) -> Finding {
    let Some(status) = case.status.filter(|status| *status != 429 && case.alive) else {
        return Finding::NotArmed;
    };
    let aim = match case.aim {
        Aim::OneDevice => "one device",
        Aim::Group => "a group",
    };
    let breach = if !matches!(status, 400..=499) {
        Some(Breach::new(
            "odd-bulk-not-refused",
            format!("a bulk rotation that names {aim}: status {status}"),
        ))
    } else if case.execs > 0 || case.rows > 0 {
        Some(Breach::new(
            "odd-bulk-effect",
            format!(
                "a bulk rotation that names {aim}: {} Exec, {} actions listed",
                case.execs, case.rows
            ),
        ))
    } else {
        None
    };
    finding(
        breach,
        "a bulk call that asks for rotation is refused also when it names one device or a group",
        &case.exchanges,
    )
}

fn handled_apart(case: &SinglesCase) -> Finding {
    let throttled = |device: &SingleSeen| matches!(device.status, None | Some(429 | 503));
    if case.devices.len() < 2 || case.devices.iter().any(throttled) {
        return Finding::NotArmed;
    }
    let breach = case.devices.iter().find_map(not_handled);
    let exchanges: Vec<_> = case
        .devices
        .iter()
        .flat_map(|device| device.exchanges.iter().copied())
        .collect();
    finding(
        breach,
        "single requests for several devices, side by side or in one batch, have each its own result and its own event",
        &exchanges,
    )
}

fn not_handled(device: &SingleSeen) -> Option<Breach> {
    let name = &device.device;
    if !device.status.is_some_and(is_success) {
        return Some(Breach::new(
            "single-refused-among-others",
            format!("{name}: {}", status_text(device.status)),
        ));
    }
    let ended = device.states.iter().filter(|state| state.is_final());
    if device.states.len() != 1 || ended.count() != 1 {
        return Some(Breach::new(
            "no-result-of-its-own",
            format!(
                "{name}: {} actions listed for one request",
                device.states.len()
            ),
        ));
    }
    (device.events != 1).then(|| {
        Breach::new(
            "no-event-of-its-own",
            format!("{name}: {} events for one request", device.events),
        )
    })
}
