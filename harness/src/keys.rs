//! Keys and certificate requests of devices. Keys come from the system's random source: they need
//! not be reproducible, everything else about a device is.

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
};

use crate::error::Error;

/// The extension in which the request names the device (MS-MDE2 3.6.4).
const DEVICE_ID_EXTENSION: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 66, 1, 0];
/// DER tag of an `OCTET STRING`.
const OCTET_STRING: u8 = 0x04;

/// A P-256 key and a signed PKCS #10 request for it, as DER.
///
/// # Errors
/// [`Error::Harness`] when the library refuses the subject or the system has no randomness.
pub fn certificate_request(request: &emulator::KeyRequest) -> Result<(Vec<u8>, KeyPair), Error> {
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let der = signed_request(request, &key)?;
    Ok((der, key))
}

fn failed(error: &rcgen::Error) -> Error {
    Error::Harness(format!("certificate request: {error}"))
}

fn signed_request(request: &emulator::KeyRequest, key: &KeyPair) -> Result<Vec<u8>, Error> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, request.subject_cn.as_str());
    params.distinguished_name = subject;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.custom_extensions = device_id_extension(&request.device_id)
        .into_iter()
        .collect();
    let signed = params
        .serialize_request(key)
        .map_err(|error| failed(&error))?;
    Ok(signed.der().to_vec())
}

/// The keys of a fleet: made beforehand and shared by its devices, or one a device. A key is not
/// kept for a device that has one of its own.
#[derive(Debug)]
pub struct KeyPool {
    keys: Vec<KeyPair>,
}

impl KeyPool {
    /// A pool of this many keys; with 0 every device gets its own.
    ///
    /// # Errors
    /// [`Error::Harness`] when the system has no randomness.
    pub fn of(keys: u32) -> Result<Self, Error> {
        let keys = (0..keys).map(|_| KeyPair::generate().map_err(|error| failed(&error)));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// A signed PKCS #10 request of a device of the fleet, as DER.
    ///
    /// # Errors
    /// As [`certificate_request`].
    pub fn certificate_request(
        &self,
        device: u32,
        request: &emulator::KeyRequest,
    ) -> Result<Vec<u8>, Error> {
        let device = usize::try_from(device).unwrap_or(0);
        match self.keys.get(device % self.keys.len().max(1)) {
            Some(key) => signed_request(request, key),
            None => certificate_request(request).map(|(der, _key)| der),
        }
    }
}

/// The extension with the DeviceID; `None` for an id too long for a short DER length, which the
/// server then misses.
fn device_id_extension(device_id: &str) -> Option<CustomExtension> {
    let length = u8::try_from(device_id.len())
        .ok()
        .filter(|length| *length < 0x80)?;
    let mut value = vec![OCTET_STRING, length];
    value.extend_from_slice(device_id.as_bytes());
    Some(CustomExtension::from_oid_content(
        &DEVICE_ID_EXTENSION,
        value,
    ))
}
