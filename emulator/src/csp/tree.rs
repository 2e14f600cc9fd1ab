//! The values of the tree and the single operations on it.

use protocol::JoinType;
use protocol::laps_csp::{DefaultValue, Leaf, Value};
use protocol::syncml::{StatusCode, Verb};

use crate::csp::path::{DEV_INFO, Node, PathError, escape, is_laps, resolve};
use crate::fault::{DeviceFault, takes};
use crate::identity::{DeviceId, Identity};
use crate::laps::policy::Settings;

/// The values that a server can change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// `LAPS/Policies`.
    pub(crate) policies: Settings,
    /// `DMClient/Provider/<id>/Push`, once added.
    pub(crate) push: Option<Box<Push>>,
}

/// The push node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) pfn: Option<Box<str>>,
}

/// What a device knows beside the tree; most of it is fixed for a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) provider_id: &'a str,
    pub(crate) ent_dm_id: &'a str,
    pub(crate) channel_uri: &'a str,
}

/// One operation on one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) verb: Verb,
    pub(crate) loc_uri: &'a str,
    pub(crate) format: Option<&'a str>,
    pub(crate) media_type: Option<&'a str>,
    pub(crate) data: &'a str,
    pub(crate) inside_atomic: bool,
}

/// What an operation that succeeded gives or asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing more.
    Plain,
    /// The operation changed a LAPS setting.
    PolicyChanged,
    /// The value read.
    Read(NodeValue),
    /// The value of `ResetPasswordStatus`, to be read when the answer goes out.
    ReadResetStatus,
    /// An Exec to be carried out by the device.
    Execute(Execution),
}

/// An Exec that the device carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Execution {
    ResetPassword,
    Unenroll,
    Wipe,
}

/// A value with its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeValue {
    pub(crate) format: &'static str,
    pub(crate) text: String,
}

/// Why an operation failed: the code and the HRESULT behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: StatusCode,
    pub(crate) original_error: Option<&'static str>,
}

impl Refusal {
    pub(crate) const fn new(code: StatusCode) -> Self {
        Self {
            code,
            original_error: None,
        }
    }

    pub(crate) const fn because(code: StatusCode, original_error: &'static str) -> Self {
        Self {
            code,
            original_error: Some(original_error),
        }
    }
}

impl Tree {
    /// Carries out one operation; on refusal nothing has changed.
    pub(crate) fn operate(
        &mut self,
        operation: &Operation<'_>,
        around: &Surroundings<'_>,
    ) -> Result<Done, Refusal> {
        if is_laps(operation.loc_uri) && around.identity.join_type == JoinType::NotJoined {
            // F-009: the status is not published; the general failure is the model.
            return Err(Refusal::because(StatusCode::FAILED, NOT_JOINED));
        }
        let (build, fault) = (around.identity.os.build, around.identity.fault);
        let node =
            resolve(operation.loc_uri, around.provider_id, build, fault).map_err(|error| {
                Refusal::new(match error {
                    PathError::Malformed => StatusCode::BAD_REQUEST,
                    PathError::Unknown => StatusCode::NOT_FOUND,
                })
            })?;
        match operation.verb {
            Verb::Get => self.read(node, around),
            Verb::Exec => execute(node, around.identity),
            Verb::Add | Verb::Replace | Verb::Delete => self.write(node, operation, around),
        }
    }

    /// The value of a node.
    pub(crate) fn read(&self, node: Node, around: &Surroundings<'_>) -> Result<Done, Refusal> {
        let identity = around.identity;
        let missing = Refusal::new(StatusCode::NOT_FOUND);
        let (format, text) = match node {
            Node::Laps => ("node", "Policies/Actions".to_owned()),
            Node::LapsPolicies => ("node", self.policy_names()),
            Node::LapsActions => ("node", "ResetPassword/ResetPasswordStatus".to_owned()),
            Node::LapsLeaf(leaf) => {
                let value = self.policies.get(leaf).ok_or(missing)?;
                let text = if identity.has(DeviceFault::GetShowsDefault) {
                    default_text(leaf)
                } else {
                    value.to_string()
                };
                (leaf.node().format.as_str(), text)
            }
            Node::ResetPasswordStatus => return Ok(Done::ReadResetStatus),
            Node::DevInfo => ("node", DEV_INFO.join("/")),
            Node::DevInfoLeaf(place) => ("chr", dev_info(place, identity.device_id)),
            Node::DevDetail => ("node", "SwV".to_owned()),
            Node::SoftwareVersion => ("chr", identity.os.to_string()),
            Node::DmClient => ("node", "Provider".to_owned()),
            Node::Providers => ("node", escape(around.provider_id)),
            Node::Provider if self.push.is_some() => ("node", "EntDMID/Unenroll/Push".to_owned()),
            Node::Provider => ("node", "EntDMID/Unenroll".to_owned()),
            Node::EntDmId => ("chr", around.ent_dm_id.to_owned()),
            Node::Push => match self.push.as_deref().ok_or(missing)?.pfn {
                Some(_) => ("node", "PFN/ChannelURI/Status".to_owned()),
                None => ("node", "Status".to_owned()),
            },
            Node::PushPfn => ("chr", self.pfn()?.to_owned()),
            // The channel exists once the server has named itself.
            Node::PushChannelUri => {
                self.pfn()?;
                ("chr", around.channel_uri.to_owned())
            }
            Node::PushStatus => {
                let status = if self.pfn().is_ok() {
                    PUSH_OK
                } else {
                    PUSH_NO_CHANNEL
                };
                (
                    "int",
                    self.push
                        .as_ref()
                        .map(|_| status.to_owned())
                        .ok_or(missing)?,
                )
            }
            Node::RemoteWipe => ("node", "doWipe".to_owned()),
            Node::ResetPassword if identity.has(DeviceFault::ResetReadable) => {
                ("int", "0".to_owned())
            }
            Node::ResetPassword | Node::Unenroll | Node::DoWipe => {
                return Err(Refusal::new(StatusCode::NOT_ALLOWED));
            }
        };
        Ok(Done::Read(NodeValue { format, text }))
    }

    /// `Add`, `Replace` or `Delete`.
    fn write(
        &mut self,
        node: Node,
        operation: &Operation<'_>,
        around: &Surroundings<'_>,
    ) -> Result<Done, Refusal> {
        match node {
            Node::LapsLeaf(leaf) => self.write_leaf(leaf, operation, around.identity),
            Node::ResetPassword if around.identity.has(DeviceFault::ResetWritable) => {
                Ok(Done::Plain)
            }
            Node::Push => self.write_push(operation.verb),
            Node::PushPfn => self.write_pfn(operation),
            Node::Laps
            | Node::LapsPolicies
            | Node::LapsActions
            | Node::ResetPassword
            | Node::ResetPasswordStatus
            | Node::DevInfo
            | Node::DevInfoLeaf(_)
            | Node::DevDetail
            | Node::SoftwareVersion
            | Node::DmClient
            | Node::Providers
            | Node::Provider
            | Node::EntDmId
            | Node::Unenroll
            | Node::PushChannelUri
            | Node::PushStatus
            | Node::RemoteWipe
            | Node::DoWipe => Err(Refusal::new(StatusCode::NOT_ALLOWED)),
        }
    }

    /// F-003: the node asks for an Atomic; what Windows answers without one is not published,
    /// the HRESULT "illegal outside a transaction" is the model.
    fn write_leaf(
        &mut self,
        leaf: Leaf,
        operation: &Operation<'_>,
        identity: &Identity,
    ) -> Result<Done, Refusal> {
        if !operation.inside_atomic {
            return Err(Refusal::because(StatusCode::FAILED, OUTSIDE_TRANSACTION));
        }
        let present = self.policies.get(leaf).is_some();
        if operation.verb == Verb::Delete {
            if !self.policies.remove(leaf) {
                return Err(Refusal::because(StatusCode::NOT_FOUND, NODE_NOT_FOUND));
            }
            return Ok(Done::PolicyChanged);
        }
        let value = leaf_value(leaf, operation, identity)?;
        if !takes(identity.fault, leaf, &value, identity.os.build) {
            // F-052: the code is not published; the effect is that nothing is written.
            return Err(Refusal::because(StatusCode::FAILED, INVALID_ARGUMENT));
        }
        if operation.verb == Verb::Add && present && !identity.has(DeviceFault::AddTwice) {
            return Err(Refusal::new(StatusCode::ALREADY_EXISTS));
        }
        Ok(if self.policies.set(leaf, value) {
            Done::PolicyChanged
        } else {
            Done::Plain
        })
    }

    fn write_push(&mut self, verb: Verb) -> Result<Done, Refusal> {
        match (verb, self.push.is_some()) {
            (Verb::Add, false) => self.push = Some(Box::default()),
            (Verb::Add, true) => return Err(Refusal::new(StatusCode::ALREADY_EXISTS)),
            (Verb::Delete, true) => self.push = None,
            (Verb::Delete, false) => return Err(Refusal::new(StatusCode::NOT_FOUND)),
            (Verb::Replace | Verb::Get | Verb::Exec, _) => {
                return Err(Refusal::new(StatusCode::NOT_ALLOWED));
            }
        }
        Ok(Done::Plain)
    }

    fn write_pfn(&mut self, operation: &Operation<'_>) -> Result<Done, Refusal> {
        if operation.format.is_some_and(|format| format != "chr") {
            return Err(Refusal::because(StatusCode::UNSUPPORTED_FORMAT, WRONG_TYPE));
        }
        let exists = self.pfn().is_ok();
        let value = match (operation.verb, exists) {
            (Verb::Add, true) => return Err(Refusal::new(StatusCode::ALREADY_EXISTS)),
            (Verb::Delete, false) => return Err(Refusal::new(StatusCode::NOT_FOUND)),
            (Verb::Delete, true) => None,
            (Verb::Add | Verb::Replace | Verb::Get | Verb::Exec, _) => Some(operation.data.into()),
        };
        // Implicit Add of the parent is supported (F-051).
        self.push.get_or_insert_default().pfn = value;
        Ok(Done::Plain)
    }

    fn pfn(&self) -> Result<&str, Refusal> {
        let push = self.push.as_deref();
        push.and_then(|push| push.pfn.as_deref())
            .ok_or(Refusal::new(StatusCode::NOT_FOUND))
    }

    fn policy_names(&self) -> String {
        let names: Vec<&str> = self
            .policies
            .leaves()
            .map(|leaf| leaf.node().name)
            .collect();
        names.join("/")
    }
}

/// Reads the value of a write; a wrong format or a text that is none is 415.
fn leaf_value(
    leaf: Leaf,
    operation: &Operation<'_>,
    identity: &Identity,
) -> Result<Value, Refusal> {
    let wrong = Refusal::because(StatusCode::UNSUPPORTED_FORMAT, WRONG_TYPE);
    let row = leaf.node();
    let format_fits = operation
        .format
        .is_none_or(|format| format == row.format.as_str());
    let type_fits = operation
        .media_type
        .is_none_or(|media_type| media_type == "text/plain");
    let looked_at = !identity.has(DeviceFault::FormatUnchecked);
    if looked_at && (!format_fits || !type_fits) {
        return Err(wrong);
    }
    row.parse(operation.data).ok_or(wrong)
}

/// The default of a leaf as text.
fn default_text(leaf: Leaf) -> String {
    match leaf.node().default {
        DefaultValue::Int(value) => value.to_string(),
        DefaultValue::Bool(value) => value.to_string(),
        DefaultValue::Text(value) => value.to_owned(),
    }
}

fn execute(node: Node, identity: &Identity) -> Result<Done, Refusal> {
    let execution = match node {
        Node::ResetPassword => Execution::ResetPassword,
        Node::Unenroll => Execution::Unenroll,
        Node::DoWipe => Execution::Wipe,
        Node::LapsLeaf(_) if identity.has(DeviceFault::ExecOnLeaf) => return Ok(Done::Plain),
        Node::Laps
        | Node::LapsPolicies
        | Node::LapsActions
        | Node::LapsLeaf(_)
        | Node::ResetPasswordStatus
        | Node::DevInfo
        | Node::DevInfoLeaf(_)
        | Node::DevDetail
        | Node::SoftwareVersion
        | Node::DmClient
        | Node::Providers
        | Node::Provider
        | Node::EntDmId
        | Node::Push
        | Node::PushPfn
        | Node::PushChannelUri
        | Node::PushStatus
        | Node::RemoteWipe => return Err(Refusal::new(StatusCode::NOT_ALLOWED)),
    };
    Ok(Done::Execute(execution))
}

/// The value of a leaf of `DevInfo`.
pub(crate) fn dev_info(place: usize, device_id: DeviceId) -> String {
    match place {
        0 => device_id.to_string(),
        1 => "Muster".to_owned(),
        2 => "Emulated Desktop".to_owned(),
        3 => "1.3".to_owned(),
        _ => "en-US".to_owned(),
    }
}

/// `Push/Status`: the channel works.
const PUSH_OK: &str = "0";
/// `Push/Status`: no channel assigned.
const PUSH_NO_CHANNEL: &str = "4";

// The values of `msft:originalerror`.
/// `E_INVALIDARG`.
const INVALID_ARGUMENT: &str = "0x80070057";
/// Invalid data type.
const WRONG_TYPE: &str = "0x86000001";
/// Node not found.
const NODE_NOT_FOUND: &str = "0x86000002";
/// Illegal inside a transaction.
pub(crate) const INSIDE_TRANSACTION: &str = "0x86000003";
/// Illegal outside a transaction.
const OUTSIDE_TRANSACTION: &str = "0x86000004";
/// `HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)`.
pub(crate) const NOT_JOINED: &str = "0x80070032";
