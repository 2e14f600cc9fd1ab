//! Legal variants of the core: each uses one freedom that the target contract leaves.
//!
//! A suite that raises a violation against one of them is wrong. Where the contract says nothing of
//! a freedom, there is no variant: the title of the page for a vendor is the contract. With none
//! switched on, asking costs one comparison.
//!
//! | file | what it changes |
//! |---|---|
//! | `variant` | the table, sets of variants, mixes drawn from a seed |
//! | `memory` | what variants that act late or now and then remember |
//! | `json`, `syncml` | how an answer is written; what it says stays the same |

mod json;
mod memory;
mod syncml;

#[cfg(test)]
mod tests;

use std::fmt;

use rand::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub(crate) use self::memory::Memory;
pub(crate) use self::syncml::incoming;

/// A legal difference from the built-in core as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is described by its sentence in the table below"
)]
pub enum Variant {
    HttpAccepted,
    HttpCloses,
    HttpChunked,
    HttpOtherPaths,
    HttpThrottles,
    HttpThrottlesUntil,
    JsonExtraMembers,
    JsonOtherForm,
    JsonLongTimes,
    ErrorOtherWords,
    PageThree,
    ListReversed,
    ListShuffled,
    AuditNoCorrelation,
    AuditOwnCorrelation,
    AuditLate,
    AuditRefusedCalls,
    ConflictWithholdsSetting,
    UnassignKeeps,
    ReportLate,
    RotationFailsLate,
    RotationRefusedOffline,
    RotationHybridNeedsConnection,
    RotationNotSupported,
    RotationReadsOnce,
    RotationOtherWords,
    RotationExpiresEarly,
    RotationExpiresLate,
    PushTempIsOnline,
    PushLate,
    DirectoryKeepsOne,
    DirectoryKeepsFive,
    DirectoryHybridDespiteSwitch,
    EnrollFaultsAccepted,
    EnrollOnce,
    EnrollAnyName,
    SyncCommandIds,
    SyncVendorForm,
    SyncWhiteSpace,
    SyncPrefix,
    SyncWriteOrder,
}

/// A row of the table of variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantRow {
    /// The variant.
    pub variant: Variant,
    /// Its name on the command line.
    pub name: &'static str,
    /// Where it is left free: a section of the contract, or a document that it follows.
    pub freedom: &'static str,
    /// What the core does otherwise.
    pub sentence: &'static str,
}

macro_rules! row {
    ($variant:ident, $name:literal, $freedom:literal, $sentence:literal) => {
        VariantRow {
            variant: Variant::$variant,
            name: $name,
            freedom: $freedom,
            sentence: $sentence,
        }
    };
}

/// Every variant, in the order of the contract's planes.
#[rustfmt::skip]
pub const VARIANTS: &[VariantRow] = &[
    row!(HttpAccepted, "V-HTTP-202", "contract 0, open", "answers 202 in the place of 204"),
    row!(HttpCloses, "V-HTTP-closes", "RFC 9112 9.6", "closes each connection after one answer"),
    row!(HttpChunked, "V-HTTP-chunked", "contract 0, bodies", "sends the answers of the admin, control and directory planes in chunks"),
    row!(HttpOtherPaths, "V-HTTP-other-paths", "contract 0, base URLs", "serves each plane below a path drawn from the seed"),
    row!(HttpThrottles, "V-HTTP-throttles", "contract 0, 429", "refuses one admin call in 20 with 429, to be repeated after a second"),
    row!(HttpThrottlesUntil, "V-HTTP-throttles-until", "RFC 9110 10.2.3", "refuses one admin call in 20 with 429 and names the time of the repetition as a date"),
    row!(JsonExtraMembers, "V-JSON-extra-members", "contract 0, open", "adds members that nobody asked for to every object of every answer"),
    row!(JsonOtherForm, "V-JSON-other-form", "RFC 8259 2, 4 and 7", "writes members in another order, with white space, and escapes what need not be escaped"),
    row!(JsonLongTimes, "V-JSON-long-times", "contract 0, times", "writes seven digits behind the second even where all are zero"),
    row!(ErrorOtherWords, "V-ERROR-other-words", "contract 0, errors", "explains refusals in other words"),
    row!(PageThree, "V-PAGE-three", "contract 0, open", "puts three elements on a page unless asked for another number"),
    row!(ListReversed, "V-LIST-reversed", "contract 0, open", "turns lists around whose order nobody asked for"),
    row!(ListShuffled, "V-LIST-shuffled", "contract 0, open", "shuffles lists whose order nobody asked for"),
    row!(AuditNoCorrelation, "V-AUDIT-no-correlation", "contract 0, open", "leaves correlationId out of audit events"),
    row!(AuditOwnCorrelation, "V-AUDIT-own-correlation", "contract 0, open", "puts ids of its own into correlationId"),
    row!(AuditLate, "V-AUDIT-late", "contract 8, T_audit", "shows audit events 0.4 s after the answer to their call"),
    row!(AuditRefusedCalls, "V-AUDIT-refused-calls", "contract 5, open", "logs rotations that were refused with 403 or 404"),
    row!(ConflictWithholdsSetting, "V-CONFLICT-withholds-setting", "contract 5, conflict.withhold", "withholds the clashing setting alone from a device without policy"),
    row!(UnassignKeeps, "V-UNASSIGN-keeps", "contract 2, open", "leaves settings on the device that no policy sets any more"),
    row!(ReportLate, "V-REPORT-late", "contract 8, T_report", "shows the states of a session 0.4 s after its end"),
    row!(RotationFailsLate, "V-ROTATION-fails-late", "contract 5, open", "lists the rotation of an offline Entra joined device as failed 0.4 s after the answer"),
    row!(RotationRefusedOffline, "V-ROTATION-refused-offline", "contract 5, open", "answers 409 to the rotation of an offline Entra joined device, and lists it as failed"),
    row!(RotationHybridNeedsConnection, "V-ROTATION-hybrid-needs-connection", "contract 5, open", "fails the rotation of an offline hybrid joined device at once"),
    row!(RotationNotSupported, "V-ROTATION-not-supported", "contract 5, open", "lists the rotation of a device whose join state has none as notSupported"),
    row!(RotationReadsOnce, "V-ROTATION-reads-once", "contract 2, at most three times", "asks once a session for the result of a rotation"),
    row!(RotationOtherWords, "V-ROTATION-other-words", "contract 5, detail", "says in other words why a rotation failed"),
    row!(RotationExpiresEarly, "V-ROTATION-expires-early", "contract 5, open", "fails an action that is open for more than six hours"),
    row!(RotationExpiresLate, "V-ROTATION-expires-late", "contract 8, T_max", "fails an action that is open for seven days"),
    row!(PushTempIsOnline, "V-PUSH-temp-is-online", "contract 3, open", "takes a device that is disconnected for a moment as online"),
    row!(PushLate, "V-PUSH-late", "contract 8, T_push", "sends the push for a change 0.4 s after it"),
    row!(DirectoryKeepsOne, "V-DIRECTORY-keeps-one", "contract 4, open", "stores the newest credential of a device alone"),
    row!(DirectoryKeepsFive, "V-DIRECTORY-keeps-five", "contract 4, open", "stores five credentials of a device"),
    row!(DirectoryHybridDespiteSwitch, "V-DIRECTORY-hybrid-despite-switch", "contract 4, tenantSwitch.hybrid", "takes the backups of hybrid joined devices while the tenant's switch is off"),
    row!(EnrollFaultsAccepted, "V-ENROLL-faults-200", "contract 1, open", "sends SOAP faults with HTTP 200"),
    row!(EnrollOnce, "V-ENROLL-once", "contract 1, open", "refuses a credential that was used, by the same device, too"),
    row!(EnrollAnyName, "V-ENROLL-any-name", "contract 1, open", "does not compare the device's name with the registered one"),
    row!(SyncCommandIds, "V-SYNC-command-ids", "wire-facts 2.3, opaque ids", "numbers its commands with texts that are no numbers"),
    row!(SyncVendorForm, "V-SYNC-vendor-form", "wire-facts 2.8, no prefix is the device", "addresses nodes below ./Vendor in the place of ./Device/Vendor"),
    row!(SyncWhiteSpace, "V-SYNC-white-space", "XML 1.0 2.10", "puts white space between the elements of its messages"),
    row!(SyncPrefix, "V-SYNC-prefix", "Namespaces in XML 6", "writes its messages with a namespace prefix"),
    row!(SyncWriteOrder, "V-SYNC-write-order", "contract 2, one Atomic", "writes the settings of an Atomic in another order"),
];

/// Variants that contradict each other: of each group at most one is switched on.
const EXCLUSIVE: &[&[Variant]] = &[
    &[Variant::HttpThrottles, Variant::HttpThrottlesUntil],
    &[Variant::ListReversed, Variant::ListShuffled],
    &[Variant::AuditNoCorrelation, Variant::AuditOwnCorrelation],
    &[Variant::RotationFailsLate, Variant::RotationRefusedOffline],
    &[Variant::RotationExpiresEarly, Variant::RotationExpiresLate],
    &[Variant::DirectoryKeepsOne, Variant::DirectoryKeepsFive],
];

impl Variant {
    /// The variant with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let row = VARIANTS.iter().find(|row| row.name == name);
        row.map(|row| row.variant)
    }

    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Two variants that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction(pub &'static str, pub &'static str);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(one, other) = self;
        write!(f, "`{one}` and `{other}` contradict each other")
    }
}

/// A set of variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variants(u64);

impl Variants {
    /// The core as it stands.
    pub const NONE: Self = Self(0);

    /// These variants together.
    ///
    /// # Errors
    /// The first two that contradict each other.
    pub fn of(wanted: &[Variant]) -> Result<Self, Contradiction> {
        let mut set = Self::NONE;
        for variant in wanted {
            set.0 |= variant.bit();
        }
        for group in EXCLUSIVE {
            let mut chosen = VARIANTS
                .iter()
                .filter(|row| group.contains(&row.variant) && set.has(row.variant));
            if let (Some(one), Some(other)) = (chosen.next(), chosen.next()) {
                return Err(Contradiction(one.name, other.name));
            }
        }
        Ok(set)
    }

    /// A mix that the seed decides: each variant with even chances, of a group at most one.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        // Another stream than that of ids and tokens, which has the same seed.
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x5641_5249_414e_5453);
        let mut set = Self::NONE;
        for row in VARIANTS {
            let heads = rng.next_u32() & 1 == 1;
            let mut groups = EXCLUSIVE.iter();
            let taken = groups.any(|group| {
                group.contains(&row.variant) && group.iter().any(|other| set.has(*other))
            });
            if heads && !taken {
                set.0 |= row.variant.bit();
            }
        }
        set
    }

    /// True when the variant is switched on.
    #[must_use]
    pub const fn has(self, variant: Variant) -> bool {
        self.0 & variant.bit() != 0
    }

    /// True for the core as it stands.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the variants switched on, in the order of the table.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let rows = VARIANTS.iter().filter(|row| self.has(row.variant));
        rows.map(|row| row.name).collect()
    }

    const fn any_of(self, variants: &[Variant]) -> bool {
        let mut mask = 0;
        let mut rest = variants;
        while let [first, others @ ..] = rest {
            mask |= first.bit();
            rest = others;
        }
        self.0 & mask != 0
    }
}
