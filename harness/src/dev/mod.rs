//! The judgement of our own device: the requirements whose subject is the device side.
//!
//! A scripted management server drives an emulated device over real HTTP. What the device sends,
//! the facts it tells and a snapshot of its accounts are compared with values that stand here as
//! literals with their source, never with the emulator's own tables. A red row means that verdicts
//! on targets cannot be trusted; it is never held against a target.
//!
//! | module | holds |
//! |---|---|
//! | `server` | the scripted server and the directory beside it |
//! | `bench` | one device, its clock, and what it sent |
//! | `book` | what was required and whether it held |
//! | `expected` | the settings with their formats and defaults, as literals |
//! | `words` | what a password of each complexity looks like |
//! | the others | the scenarios, by area |

mod account;
mod backup;
mod bench;
mod book;
mod directory;
mod expected;
mod negative;
mod post_authentication;
mod reset;
mod schedule;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use emulator::{DEVICE_FAULTS, DeviceFault};

use crate::error::Error;
use crate::verdict::Violation;
use book::Book;
use server::Hall;

/// Every requirement whose subject is the device.
pub const DEV_REQUIREMENTS: &[&str] = &[
    "REQ-POLICY-001",
    "REQ-SCHEDULE-001",
    "REQ-SCHEDULE-005",
    "REQ-ACCOUNT-001",
    "REQ-ACCOUNT-002",
    "REQ-ACCOUNT-004",
    "REQ-ACCOUNT-005",
    "REQ-ACCOUNT-006",
    "REQ-BACKUP-001",
    "REQ-BACKUP-004",
    "REQ-PWGEN-001",
    "REQ-PWGEN-002",
    "REQ-POSTAUTH-001",
    "REQ-CSP-BackupDirectory-001",
    "REQ-CSP-PasswordAgeDays-002",
    "REQ-CSP-PasswordComplexity-001",
    "REQ-CSP-PasswordLength-001",
    "REQ-CSP-PassphraseLength-001",
    "REQ-CSP-AdministratorAccountName-001",
    "REQ-CSP-ADonly-001",
    "REQ-CSP-PostAuthenticationResetDelay-001",
    "REQ-CSP-PostAuthenticationActions-001",
    "REQ-CSP-AutomaticAccountManagement-001",
    "REQ-CSP-ResetPassword-001",
    "REQ-CSP-ResetPasswordStatus-001",
];

/// The outcome for one requirement of the device.
#[derive(Clone, Debug)]
pub struct DevRow {
    /// The requirement.
    pub requirement: &'static str,
    /// How often its situation arose.
    pub armed: u64,
    /// How often it was violated.
    pub violated: u64,
    /// The first violations.
    pub violations: Vec<Violation>,
}

/// Judges a device: every row with its counts, in the order of [`DEV_REQUIREMENTS`].
///
/// Without a fault every scenario is played. With one, only those are that judge the requirement
/// the fault breaks; the other rows are then not armed.
///
/// # Errors
/// [`Error::SetUp`] when no port can be had; other errors are defects of the scenarios. A device
/// that breaks off is no error but a violation.
pub async fn run(seed: u64, fault: Option<DeviceFault>) -> Result<Vec<DevRow>, Error> {
    let hall = Hall::open(seed, fault).await?;
    let broken = fault.and_then(|fault| DEVICE_FAULTS.iter().find(|row| row.fault == fault));
    let mut book = Book::default();
    for part in Part::ALL {
        let judged = part.requirements();
        let wanted = broken.is_none_or(|row| judged.contains(&row.requirement));
        if !wanted {
            continue;
        }
        match Box::pin(part.play(&hall, &mut book)).await {
            Ok(()) => {}
            Err(Error::Target { what, seen }) => book.broke_off(judged, &what, &seen),
            Err(error) => return Err(error),
        }
    }
    Ok(book.rows())
}

/// Scenarios that are played together.
#[derive(Clone, Copy, Debug)]
enum Part {
    Roots,
    Schedule,
    Account,
    AutomaticAccount,
    AccountName,
    Backup,
    Characters,
    Words,
    PostAuthentication,
    Delay,
    Directory,
    Age,
    AdOnly,
    Complexity,
    Lengths,
    Actions,
    Automatic,
    Reset,
    Negative,
}

impl Part {
    const ALL: [Self; 19] = [
        Self::Roots,
        Self::Schedule,
        Self::Account,
        Self::AutomaticAccount,
        Self::AccountName,
        Self::Backup,
        Self::Characters,
        Self::Words,
        Self::PostAuthentication,
        Self::Delay,
        Self::Directory,
        Self::Age,
        Self::AdOnly,
        Self::Complexity,
        Self::Lengths,
        Self::Actions,
        Self::Automatic,
        Self::Reset,
        Self::Negative,
    ];

    /// What the scenarios of this part judge.
    const fn requirements(self) -> &'static [&'static str] {
        match self {
            Self::Roots => &["REQ-POLICY-001"],
            Self::Schedule => &["REQ-SCHEDULE-001", "REQ-SCHEDULE-005"],
            Self::Account => &[
                "REQ-ACCOUNT-001",
                "REQ-ACCOUNT-002",
                "REQ-ACCOUNT-004",
                "REQ-ACCOUNT-005",
            ],
            Self::AutomaticAccount => &["REQ-ACCOUNT-006"],
            Self::AccountName => &["REQ-CSP-AdministratorAccountName-001"],
            Self::Backup => &["REQ-BACKUP-001", "REQ-BACKUP-004"],
            Self::Characters => &["REQ-PWGEN-001"],
            Self::Words => &["REQ-PWGEN-002"],
            Self::PostAuthentication => &["REQ-POSTAUTH-001"],
            Self::Delay => &["REQ-CSP-PostAuthenticationResetDelay-001"],
            Self::Directory => &["REQ-CSP-BackupDirectory-001"],
            Self::Age => &["REQ-CSP-PasswordAgeDays-002"],
            Self::AdOnly => &["REQ-CSP-ADonly-001"],
            Self::Complexity => &["REQ-CSP-PasswordComplexity-001"],
            Self::Lengths => &["REQ-CSP-PasswordLength-001", "REQ-CSP-PassphraseLength-001"],
            Self::Actions => &["REQ-CSP-PostAuthenticationActions-001"],
            Self::Automatic => &["REQ-CSP-AutomaticAccountManagement-001"],
            Self::Reset => &[
                "REQ-CSP-ResetPassword-001",
                "REQ-CSP-ResetPasswordStatus-001",
            ],
            Self::Negative => expected::REQUIREMENTS,
        }
    }

    async fn play(self, hall: &Hall, book: &mut Book) -> Result<(), Error> {
        match self {
            Self::Roots => schedule::roots(hall, book).await,
            Self::Schedule => schedule::expiry(hall, book).await,
            Self::Account => account::named(hall, book).await,
            Self::AutomaticAccount => account::automatic(hall, book).await,
            Self::AccountName => account::name_setting(hall, book).await,
            Self::Backup => backup::failures(hall, book).await,
            Self::Characters => words::characters(hall, book).await,
            Self::Words => words::phrases(hall, book).await,
            Self::PostAuthentication => post_authentication::rotation(hall, book).await,
            Self::Delay => post_authentication::delay(hall, book).await,
            Self::Directory => directory::choice(hall, book).await,
            Self::Age => directory::age(hall, book).await,
            Self::AdOnly => directory::ad_only(hall, book).await,
            Self::Complexity => settings::complexity(hall, book).await,
            Self::Lengths => settings::lengths(hall, book).await,
            Self::Actions => settings::actions(hall, book).await,
            Self::Automatic => settings::automatic(hall, book).await,
            Self::Reset => reset::both(hall, book).await,
            Self::Negative => negative::every_setting(hall, book).await,
        }
    }
}
