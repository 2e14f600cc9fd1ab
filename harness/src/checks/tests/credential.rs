//! What is shown of credentials.

use protocol::time::UtcTicks;

use super::Says::{Held, NotArmed, Violated};
use super::{check, exchange};
use crate::case::{
    AdViewCase, AdViewKind, Case, CredentialViewCase, ExplicitRead, MetadataRead, ViewAuditCase,
};

fn view() -> CredentialViewCase {
    let (last, next) = (UtcTicks::from_ticks(10), UtcTicks::from_ticks(20));
    CredentialViewCase {
        device: "d".to_owned(),
        account: "Administrator".to_owned(),
        sid: "S-1-5-21-1-2-3-500".to_owned(),
        rid: 500,
        last,
        next,
        metadata: MetadataRead {
            status: Some(200),
            last: Some(last),
            next: Some(next),
        },
        leaks: Vec::new(),
        explicit: ExplicitRead {
            status: Some(200),
            account: Some("Administrator".to_owned()),
            sid: Some("S-1-5-21-1-2-3-500".to_owned()),
            backup: Some(last),
            password_matches: true,
        },
        exchanges: vec![exchange(1)],
    }
}

#[test]
fn a_reader_with_rights_sees_every_field() {
    check(
        "view.read.all-fields",
        &view(),
        Case::CredentialView,
        &[
            (|_| {}, Held),
            (|case| case.metadata.status = None, NotArmed),
            (|case| case.explicit.status = None, NotArmed),
            (
                |case| case.metadata.status = Some(404),
                Violated("credential-not-readable"),
            ),
            (
                |case| case.explicit.status = Some(403),
                Violated("credential-not-readable"),
            ),
            (
                |case| case.explicit.account = None,
                Violated("account-name-wrong"),
            ),
            (
                |case| case.explicit.account = Some(String::new()),
                Violated("account-name-wrong"),
            ),
            (|case| case.explicit.sid = None, Violated("sid-wrong")),
            (|case| case.rid = 501, Violated("sid-wrong")),
            (
                |case| std::mem::swap(&mut case.metadata.last, &mut case.metadata.next),
                Violated("last-rotation-wrong"),
            ),
            (
                |case| case.metadata.next = None,
                Violated("next-rotation-wrong"),
            ),
            (
                |case| case.explicit.backup = None,
                Violated("last-rotation-wrong"),
            ),
            (
                |case| case.explicit.password_matches = false,
                Violated("password-not-shown"),
            ),
        ],
    );
}

#[test]
fn a_default_read_has_no_password() {
    check(
        "view.read.no-password-by-default",
        &view(),
        Case::CredentialView,
        &[
            (|_| {}, Held),
            (|case| case.metadata.status = Some(404), NotArmed),
            (|case| case.explicit.password_matches = false, NotArmed),
            (
                |case| case.leaks.push("the list"),
                Violated("password-by-default"),
            ),
        ],
    );
}

#[test]
fn no_password_of_a_device_that_uses_active_directory_is_shown() {
    for kind in [
        AdViewKind::FormerlyEntra,
        AdViewKind::FromStart,
        AdViewKind::NotBackedUp,
    ] {
        let right = AdViewCase {
            device: "d".to_owned(),
            kind,
            delivered: true,
            status: Some(404),
            leaked: false,
            twin: true,
            exchanges: vec![exchange(1)],
        };
        check(
            "view.active-directory.no-password",
            &right,
            Case::AdView,
            &[
                (|_| {}, Held),
                (|case| case.status = Some(200), Held),
                (|case| case.delivered = false, NotArmed),
                (|case| case.status = Some(500), NotArmed),
                (|case| case.twin = false, NotArmed),
                (|case| case.status = None, NotArmed),
                (
                    |case| {
                        case.status = Some(200);
                        case.leaked = true;
                    },
                    Violated("password-of-ad-device"),
                ),
            ],
        );
    }
}

#[test]
fn each_read_of_a_password_leaves_one_event() {
    let right = ViewAuditCase {
        device: "d".to_owned(),
        reads: 3,
        metadata_reads: 3,
        events: 3,
        exchanges: vec![exchange(1)],
    };
    check(
        "audit.view.each-read",
        &right,
        Case::ViewAudit,
        &[
            (|_| {}, Held),
            (|case| case.reads = 0, NotArmed),
            (|case| case.events = 0, Violated("view-not-logged")),
            (|case| case.events = 2, Violated("view-not-logged")),
            (|case| case.events = 6, Violated("view-logged-too-often")),
        ],
    );
}
