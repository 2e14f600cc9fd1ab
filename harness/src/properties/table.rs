//! Every property as data. Each is left open by the contract or recorded by a row of level REC;
//! points that are open and that no situation of this suite shows are not in it, because a
//! declaration that nothing can contradict would say nothing.

use super::{Choice, Property};

/// What is known of a property before a run.
#[derive(Clone, Copy, Debug)]
pub struct PropertyRow {
    /// The property.
    pub property: Property,
    /// The name in profiles and reports.
    pub name: &'static str,
    /// What it says, as one sentence.
    pub sentence: &'static str,
    /// Where it is left open.
    pub source: &'static str,
    /// The requirement that another choice on another device violates.
    pub owner: &'static str,
    /// Every requirement whose situations depend on it.
    pub touches: &'static [&'static str],
    /// The choices.
    pub choices: &'static [ChoiceRow],
}

/// One choice.
#[derive(Clone, Copy, Debug)]
pub struct ChoiceRow {
    /// The choice.
    pub choice: Choice,
    /// The word in profiles and reports.
    pub word: &'static str,
}

const fn is(choice: Choice, word: &'static str) -> ChoiceRow {
    ChoiceRow { choice, word }
}

/// Every property, in the order of reports.
pub const PROPERTIES: [PropertyRow; 16] = [
    PropertyRow {
        property: Property::OnlineRule,
        name: "online.rule",
        sentence: "what decides whether a device is online is the same for every device",
        source: "S19; contract 3",
        owner: "REQ-ROTATE-007",
        touches: &["REQ-ROTATE-003", "REQ-ROTATE-007"],
        choices: &[
            is(Choice::OnlineByPush, "push"),
            is(Choice::OnlineByCheckIn, "checkIn"),
            is(Choice::OnlineByBoth, "both"),
        ],
    },
    PropertyRow {
        property: Property::TempDisconnected,
        name: "push.tempDisconnected",
        sentence: "whether `tempdisconnected` counts as online is the same for every device",
        source: "contract 3",
        owner: "REQ-ROTATE-007",
        touches: &["REQ-ROTATE-007"],
        choices: &[
            is(Choice::TempOffline, "offline"),
            is(Choice::TempOnline, "online"),
        ],
    },
    PropertyRow {
        property: Property::OfflineForm,
        name: "rotate.offlineForm",
        sentence: "the rotation of an offline Entra joined device fails in one way for all of them",
        source: "contract 5",
        owner: "REQ-ROTATE-003",
        touches: &["REQ-ROTATE-003"],
        choices: &[
            is(Choice::FailedAtOnce, "atOnce"),
            is(Choice::FailedLater, "later"),
            is(Choice::FailedAndRefused, "refused"),
        ],
    },
    PropertyRow {
        property: Property::HybridOffline,
        name: "rotate.hybridOffline",
        sentence: "the rotation of an offline hybrid joined device ends in one way for all of them",
        source: "F-185; contract 5",
        owner: "REQ-ROTATE-009",
        touches: &["REQ-ROTATE-009"],
        choices: &[
            is(Choice::HybridWaits, "waits"),
            is(Choice::HybridFails, "failed"),
            is(Choice::HybridUnsupported, "notSupported"),
        ],
    },
    PropertyRow {
        property: Property::HybridDirectory,
        name: "rotate.hybridDirectory",
        sentence: "the rotation of a hybrid joined device that uses Active Directory ends in one way for all of them",
        source: "F-186",
        owner: "REQ-ROTATE-009",
        touches: &["REQ-ROTATE-009"],
        choices: &[
            is(Choice::DirectoryDelivered, "delivered"),
            is(Choice::DirectoryFails, "failed"),
            is(Choice::DirectoryUnsupported, "notSupported"),
        ],
    },
    PropertyRow {
        property: Property::DirectoryEvidence,
        name: "ad.backupEvidence",
        sentence: "what proves a backup to Active Directory is the same for every device",
        source: "F-055; contract 2",
        owner: "REQ-ROTATE-009",
        touches: &["REQ-ROTATE-009"],
        choices: &[
            is(Choice::EvidenceStatus, "resetStatus"),
            is(Choice::EvidenceNone, "none"),
        ],
    },
    PropertyRow {
        property: Property::Unmanaged,
        name: "rotate.unmanaged",
        sentence: "the rotation of a registered, domain joined or not joined device fails or is not supported, the same for all of them",
        source: "contract 5",
        owner: "REQ-ROTATE-005",
        touches: &["REQ-ROTATE-005"],
        choices: &[
            is(Choice::UnmanagedFails, "failed"),
            is(Choice::UnmanagedUnsupported, "notSupported"),
        ],
    },
    PropertyRow {
        property: Property::AcceptedStatus,
        name: "rotate.acceptedStatus",
        sentence: "a rotation that is accepted is answered with one status",
        source: "contract 0",
        owner: "REQ-ROTATE-001",
        touches: &["REQ-ROTATE-001"],
        choices: &[
            is(Choice::Accepted204, "204"),
            is(Choice::Accepted202, "202"),
        ],
    },
    PropertyRow {
        property: Property::Withhold,
        name: "conflict.withhold",
        sentence: "how much of a clashing policy is withheld from a device without policy is the same for every device",
        source: "F-175; contract 5",
        owner: "REQ-CONFLICT-015",
        touches: &[
            "REQ-CONFLICT-007",
            "REQ-CONFLICT-011",
            "REQ-CONFLICT-013",
            "REQ-CONFLICT-015",
        ],
        choices: &[
            is(Choice::WithholdPolicy, "policy"),
            is(Choice::WithholdSetting, "setting"),
        ],
    },
    PropertyRow {
        property: Property::Unassign,
        name: "unassign.effect",
        sentence: "what becomes of settings whose policy is unassigned is the same for every device",
        source: "F-164; contract 2",
        owner: "REQ-ASSIGN-008",
        touches: &["REQ-ASSIGN-008"],
        choices: &[
            is(Choice::UnassignDeletes, "delete"),
            is(Choice::UnassignKeeps, "keep"),
        ],
    },
    PropertyRow {
        property: Property::HistoryDepth,
        name: "history.depth",
        sentence: "former passwords are shown in the same number for every device",
        source: "F-094; contract 4",
        owner: "REQ-VIEW-005",
        touches: &["REQ-VIEW-005"],
        choices: &[
            is(Choice::History1, "1"),
            is(Choice::History2, "2"),
            is(Choice::History3, "3"),
            is(Choice::History4, "4"),
            is(Choice::History5, "5+"),
        ],
    },
    PropertyRow {
        property: Property::HistoryOrder,
        name: "history.order",
        sentence: "former passwords are shown in the same order for every device",
        source: "F-094; contract 4",
        owner: "REQ-VIEW-005",
        touches: &["REQ-VIEW-005"],
        choices: &[
            is(Choice::NewestFirst, "newestFirst"),
            is(Choice::OldestFirst, "oldestFirst"),
            is(Choice::Unordered, "none"),
        ],
    },
    PropertyRow {
        property: Property::RefusedCounts,
        name: "audit.refusedCounts",
        sentence: "whether a refused request counts as an attempt is the same for every device",
        source: "S17; contract 5",
        owner: "REQ-AUDIT-012",
        touches: &["REQ-AUDIT-004", "REQ-AUDIT-012"],
        choices: &[
            is(Choice::RefusedAudited, "counted"),
            is(Choice::RefusedUnaudited, "notCounted"),
        ],
    },
    PropertyRow {
        property: Property::Correlation,
        name: "audit.correlation",
        sentence: "whether events of device actions carry the id of their request is one choice",
        source: "contract 0",
        owner: "REQ-AUDIT-009",
        touches: &["REQ-AUDIT-004", "REQ-AUDIT-009"],
        choices: &[
            is(Choice::CorrelationEchoed, "echoed"),
            is(Choice::CorrelationAbsent, "absent"),
        ],
    },
    PropertyRow {
        property: Property::DirectoryCorrelation,
        name: "audit.directoryCorrelation",
        sentence: "whether events of the directory carry the id of their request is one choice",
        source: "contract 0",
        owner: "REQ-AUDIT-009",
        touches: &["REQ-AUDIT-005", "REQ-AUDIT-009"],
        choices: &[
            is(Choice::DirectoryEchoed, "echoed"),
            is(Choice::DirectoryAbsent, "absent"),
        ],
    },
    PropertyRow {
        property: Property::SwitchHybrid,
        name: "tenantSwitch.hybrid",
        sentence: "whether a hybrid joined device may back up while the tenant's switch is off is the same for every device",
        source: "C-07; contract 4",
        owner: "REQ-JOIN-008",
        touches: &["REQ-JOIN-008"],
        choices: &[
            is(Choice::SwitchRefuses, "refused"),
            is(Choice::SwitchTakes, "taken"),
        ],
    },
];

/// The row of a property. The table holds every one (a test walks it), so that the first row stands
/// for none.
pub(super) fn row(property: Property) -> &'static PropertyRow {
    let mut rows = PROPERTIES.iter();
    rows.find(|row| row.property == property)
        .unwrap_or(&PROPERTIES[0])
}

/// The row of a choice, with the same promise.
pub(super) fn choice(choice: Choice) -> &'static ChoiceRow {
    let mut choices = PROPERTIES.iter().flat_map(|row| row.choices);
    choices
        .find(|row| row.choice == choice)
        .unwrap_or(&PROPERTIES[0].choices[0])
}
