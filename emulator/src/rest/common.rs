//! What devices at rest have in common, held once.

use std::sync::Arc;

use protocol::enrollment::PollSchedule;

use crate::csp::tree::{Push, Tree};
use crate::device::Device;
use crate::enrollment::Enrollment;
use crate::identity::LoginStatus;
use crate::laps::policy::Settings;
use crate::rest::opening::Opening;
use crate::rest::shelf::Shelf;
use crate::session::flow::request_url;

/// What devices at rest have in common: where they are enrolled, what is set, who is signed in.
#[derive(Debug)]
pub struct Common {
    pub(super) management_url: Box<str>,
    pub(super) provider_id: Box<str>,
    pub(super) directory_url: Box<str>,
    /// The channel's URL without the index of the device at its end.
    pub(super) channel_prefix: Box<str>,
    pub(super) poll: PollSchedule,
    pub(super) policies: Settings,
    pub(super) push: Option<Box<Push>>,
    login_status: LoginStatus,
    request_url: Box<str>,
    opening: Option<Opening>,
}

impl Common {
    fn new(device: &Device, enrollment: &Enrollment, channel_prefix: &str) -> Self {
        let login_status = device.identity.login_status;
        Self {
            management_url: enrollment.management_url.clone(),
            provider_id: enrollment.provider_id.clone(),
            directory_url: enrollment.directory_url.clone(),
            channel_prefix: channel_prefix.into(),
            poll: enrollment.poll,
            policies: device.tree.policies.clone(),
            push: device.tree.push.clone(),
            login_status,
            request_url: request_url(&enrollment.management_url).into_boxed_str(),
            opening: Opening::new(&enrollment.management_url, login_status),
        }
    }

    fn fits(&self, device: &Device, enrollment: &Enrollment, channel_prefix: &str) -> bool {
        let Tree { policies, push } = &device.tree;
        self.management_url == enrollment.management_url
            && self.provider_id == enrollment.provider_id
            && self.directory_url == enrollment.directory_url
            && *self.channel_prefix == *channel_prefix
            && self.poll == enrollment.poll
            && self.policies == *policies
            && self.push == *push
            && self.login_status == device.identity.login_status
    }

    /// The URL that management messages go to.
    #[must_use]
    pub fn request_url(&self) -> &str {
        &self.request_url
    }

    /// The first message of an ordinary session, but for its ids; `None` when it cannot be told
    /// apart from them.
    #[must_use]
    pub const fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }
}

/// The commons of a fleet, or of a part of it, and the certificates of its devices.
#[derive(Debug, Default)]
pub struct Commons {
    known: Vec<Arc<Common>>,
    pub(super) shelf: Shelf,
}

/// Most commons that are shared. A fleet has a few; where every device differs, each has its own
/// and nothing is searched for long.
const COMMONS_MAX: usize = 64;

impl Commons {
    pub(super) fn of(
        &mut self,
        device: &Device,
        enrollment: &Enrollment,
        channel_prefix: &str,
    ) -> Arc<Common> {
        let fits = |known: &&Arc<Common>| known.fits(device, enrollment, channel_prefix);
        if let Some(known) = self.known.iter().find(fits) {
            return Arc::clone(known);
        }
        let common = Arc::new(Common::new(device, enrollment, channel_prefix));
        if self.known.len() < COMMONS_MAX {
            self.known.push(Arc::clone(&common));
        }
        common
    }
}
