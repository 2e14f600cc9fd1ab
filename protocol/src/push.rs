//! The headers of a push request and of its answer, as Windows Notification Services names them
//! (contract section 3).

/// Kind of the notification; the management core always sends [`TYPE_RAW`].
pub const TYPE: &str = "X-WNS-Type";
/// The value of [`TYPE`] for a raw notification.
pub const TYPE_RAW: &str = "wns/raw";
/// Asks for [`DEVICE_CONNECTION_STATUS`] in the answer, with the value `true`.
pub const REQUEST_FOR_STATUS: &str = "X-WNS-RequestForStatus";
/// Media type of the body of a raw notification.
pub const CONTENT_TYPE: &str = "application/octet-stream";
/// The most bytes that a body may have.
pub const MAX_BODY_BYTES: usize = 5000;

/// What the service did with the notification: `received`, `dropped` or `channelthrottled`.
pub const STATUS: &str = "X-WNS-Status";
/// The value of [`STATUS`] for a notification that was taken.
pub const STATUS_RECEIVED: &str = "received";
/// The value of [`STATUS`] for a notification that was thrown away.
pub const STATUS_DROPPED: &str = "dropped";
/// Whether the device is connected, see [`ConnectionStatus`]; only on request.
pub const DEVICE_CONNECTION_STATUS: &str = "X-WNS-DeviceConnectionStatus";
/// Id of the notification, at most 16 letters and digits.
pub const MSG_ID: &str = "X-WNS-Msg-ID";
/// Text for people about an error.
pub const ERROR_DESCRIPTION: &str = "X-WNS-Error-Description";

/// Whether the device was connected when the push was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionStatus {
    /// Connected: the only value that counts as online (contract 3).
    Connected,
    /// Not connected.
    Disconnected,
    /// Not connected for the moment.
    TempDisconnected,
}

impl ConnectionStatus {
    /// The text of the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::TempDisconnected => "tempdisconnected",
        }
    }

    /// Reads the header, without regard to case; `tempconnected`, the second spelling of the
    /// published table, is taken for `tempdisconnected` (wire-facts 4.3).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        [Self::Connected, Self::Disconnected, Self::TempDisconnected]
            .into_iter()
            .find(|status| text.eq_ignore_ascii_case(status.as_str()))
            .or_else(|| {
                text.eq_ignore_ascii_case("tempconnected")
                    .then_some(Self::TempDisconnected)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_status_is_read_without_regard_to_case() {
        for (text, status) in [
            ("connected", Some(ConnectionStatus::Connected)),
            (" Disconnected ", Some(ConnectionStatus::Disconnected)),
            ("TempDisconnected", Some(ConnectionStatus::TempDisconnected)),
            ("tempconnected", Some(ConnectionStatus::TempDisconnected)),
            ("", None),
            ("online", None),
        ] {
            assert_eq!(ConnectionStatus::parse(text), status, "{text}");
        }
    }
}
