//! REQ-VIEW: what is shown of a credential.

use protocol::time::UtcTicks;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{AdViewCase, AdViewKind, Case, CredentialViewCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "view.read.all-fields",
        requirement: "REQ-VIEW-001",
        source: "S11",
        judge: |case| view(case).map(shows_all_fields),
    },
    Check {
        id: "view.read.no-password-by-default",
        requirement: "REQ-VIEW-002",
        source: "S11",
        judge: |case| view(case).map(no_password_by_default),
    },
    Check {
        id: "view.active-directory.no-password",
        requirement: "REQ-VIEW-004",
        source: "S13",
        judge: |case| ad_view(case).map(no_password_under_ad),
    },
];

fn view(case: &Case) -> Option<&CredentialViewCase> {
    if let Case::CredentialView(case) = case {
        Some(case)
    } else {
        None
    }
}

fn ad_view(case: &Case) -> Option<&AdViewCase> {
    if let Case::AdView(case) = case {
        Some(case)
    } else {
        None
    }
}

fn shows_all_fields(case: &CredentialViewCase) -> Finding {
    let (Some(metadata), Some(explicit)) = (case.metadata.status, case.explicit.status) else {
        return Finding::NotArmed;
    };
    let breach = (!is_success(metadata) || !is_success(explicit))
        .then(|| {
            Breach::new(
                "credential-not-readable",
                format!("metadata: status {metadata}, password: status {explicit}"),
            )
        })
        .or_else(|| wrong_account(case))
        .or_else(|| {
            wrong_time(
                "last-rotation-wrong",
                "last rotation",
                case.metadata.last,
                case.last,
            )
        })
        .or_else(|| {
            wrong_time(
                "next-rotation-wrong",
                "next rotation",
                case.metadata.next,
                case.next,
            )
        })
        .or_else(|| {
            wrong_time(
                "last-rotation-wrong",
                "time of the entry",
                case.explicit.backup,
                case.last,
            )
        })
        .or_else(|| {
            (!case.explicit.password_matches).then(|| {
                Breach::new(
                    "password-not-shown",
                    "the newest entry does not have the password that the device holds".to_owned(),
                )
            })
        });
    finding(
        breach,
        "a reader with rights sees account name, security identifier, last and next rotation in UTC, and on explicit request the password",
        &case.exchanges,
    )
}

fn wrong_account(case: &CredentialViewCase) -> Option<Breach> {
    let account = case.explicit.account.as_deref().unwrap_or_default();
    if account != case.account {
        return Some(Breach::new(
            "account-name-wrong",
            format!("account name `{account}`, backed up as `{}`", case.account),
        ));
    }
    // S11: the well-known SID of the account; a local account's is S-1-5-21-...-RID.
    let sid = case.explicit.sid.as_deref().unwrap_or_default();
    let well_formed = sid.starts_with("S-1-5-21-") && sid.ends_with(&format!("-{}", case.rid));
    (sid != case.sid || !well_formed).then(|| {
        Breach::new(
            "sid-wrong",
            format!("security identifier `{sid}`, backed up as `{}`", case.sid),
        )
    })
}

fn wrong_time(
    fingerprint: &'static str,
    what: &str,
    shown: Option<UtcTicks>,
    backed_up: UtcTicks,
) -> Option<Breach> {
    (shown != Some(backed_up)).then(|| {
        let shown = shown.map_or_else(|| "absent".to_owned(), |time| time.to_string());
        Breach::new(
            fingerprint,
            format!("{what} {shown}, backed up as {backed_up}"),
        )
    })
}

fn no_password_by_default(case: &CredentialViewCase) -> Finding {
    let readable = case.metadata.status.is_some_and(is_success);
    // The explicit read is the positive control: there is a password that could have been shown.
    if !readable || !case.explicit.password_matches {
        return Finding::NotArmed;
    }
    let breach = case.leaks.first().map(|read| {
        Breach::new(
            "password-by-default",
            format!("a password in the answer to {read}"),
        )
    });
    finding(
        breach,
        "a read that does not ask for the password has none in its answer",
        &case.exchanges,
    )
}

fn no_password_under_ad(case: &AdViewCase) -> Finding {
    // Throttling and trouble of the server prove nothing.
    let answered = case
        .status
        .is_some_and(|status| status != 429 && status < 500);
    if !case.delivered || !case.twin || !answered {
        return Finding::NotArmed;
    }
    let how = match case.kind {
        AdViewKind::FormerlyEntra => "backed up to Active Directory after Microsoft Entra ID",
        AdViewKind::FromStart => "backed up to Active Directory",
        AdViewKind::NotBackedUp => "set to Active Directory and never backed up",
    };
    let breach = case.leaked.then(|| {
        Breach::new(
            "password-of-ad-device",
            format!("device {how}: {} with a password", status_text(case.status)),
        )
    });
    finding(
        breach,
        "no password is shown for a device that backs up, or is set to back up, to Active Directory",
        &case.exchanges,
    )
}
