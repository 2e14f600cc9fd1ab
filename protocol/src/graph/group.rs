//! Users, groups and their members.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text_enum::text_enum;

/// The body of `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewUser {
    /// Name to sign in with.
    pub user_principal_name: String,
    /// Name for people.
    pub display_name: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Object id.
    pub id: Uuid,
    /// Name to sign in with.
    pub user_principal_name: String,
    /// Name for people.
    pub display_name: String,
}

/// The body of `POST /groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewGroup {
    /// Name for people.
    pub display_name: String,
    /// `false` for a security group.
    pub mail_enabled: bool,
    /// Name in mail addresses.
    pub mail_nickname: String,
    /// `true` for a security group.
    pub security_enabled: bool,
}

impl NewGroup {
    /// A security group.
    #[must_use]
    pub fn security(display_name: impl Into<String>, mail_nickname: impl Into<String>) -> Self {
        Self {
            display_name: display_name.into(),
            mail_enabled: false,
            mail_nickname: mail_nickname.into(),
            security_enabled: true,
        }
    }
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Object id.
    pub id: Uuid,
    /// Name for people.
    pub display_name: String,
    /// `false` for a security group.
    pub mail_enabled: bool,
    /// Name in mail addresses.
    pub mail_nickname: String,
    /// `true` for a security group.
    pub security_enabled: bool,
}

/// The body of `POST /groups/{id}/members/$ref`: which object becomes a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReference {
    /// URL that ends in `/directoryObjects/{object id}`.
    #[serde(rename = "@odata.id")]
    pub odata_id: String,
}

impl MemberReference {
    /// Refers to the object with this id; `base` is the URL up to and with the version.
    #[must_use]
    pub fn new(base: &str, object_id: Uuid) -> Self {
        Self {
            odata_id: format!("{base}/directoryObjects/{object_id}"),
        }
    }

    /// The object id at the end of the URL. `users`, `devices` and `groups` stand for
    /// `directoryObjects` too, as with Graph.
    #[must_use]
    pub fn object_id(&self) -> Option<Uuid> {
        let (rest, id) = self.odata_id.rsplit_once('/')?;
        let collection = rest.rsplit('/').next()?;
        matches!(
            collection,
            "directoryObjects" | "users" | "devices" | "groups"
        )
        .then(|| Uuid::try_parse(id).ok())
        .flatten()
    }
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// What kind of object it is.
    #[serde(
        rename = "@odata.type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<MemberKind>,
    /// Object id.
    pub id: Uuid,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
}

text_enum! {
    /// Kinds of directory objects.
    pub enum MemberKind {
        /// A user.
        User = "#microsoft.graph.user",
        /// A device.
        Device = "#microsoft.graph.device",
        /// A group.
        Group = "#microsoft.graph.group",
    }
}
