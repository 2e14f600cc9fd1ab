//! Writing the provisioning document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{AppAuth, Application, DmClient, ProvisioningDocument, names};
use crate::xml::Writer;

impl ProvisioningDocument {
    /// Writes the document, XML declaration first, without white space between elements.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.declaration();
        // Three top-level characteristics and no other: a real client refused a fourth
        // (wire-facts 1.7).
        w.open("wap-provisioningdoc", &[("version", "1.1")]);
        self.write_certificates(&mut w);
        self.application.write(&mut w);
        open(&mut w, "DMClient");
        open(&mut w, "Provider");
        open(&mut w, &self.application.provider_id);
        self.dm_client.write(&mut w);
        w.into_bytes()
    }

    fn write_certificates(&self, w: &mut Writer) {
        open(w, "CertificateStore");
        open(w, "Root");
        open(w, "System");
        open_certificate(w, &self.root_der);
        w.close();
        w.close();
        w.close();
        open(w, "My");
        open(w, self.store.as_str());
        open_certificate(w, &self.client_der);
        w.empty("characteristic", &[("type", "PrivateKeyContainer")]);
        w.close();
        w.close();
        open(w, "WSTEP");
        open(w, "Renew");
        typed(w, "ROBOSupport", "true", "boolean");
        integer(w, "RenewPeriod", self.renew_period_days);
        integer(w, "RetryInterval", self.retry_interval_days);
        w.close();
        w.close();
        w.close();
        w.close();
    }
}

impl Application {
    fn write(&self, w: &mut Writer) {
        open(w, "APPLICATION");
        parm(w, "APPID", "w7");
        parm(w, "PROVIDER-ID", &self.provider_id);
        parm(w, "NAME", &self.name);
        parm(w, "ADDR", &self.addr);
        parm(w, "CONNRETRYFREQ", "6");
        parm(w, "INITIALBACKOFFTIME", "30000");
        parm(w, "MAXBACKOFFTIME", "120000");
        w.empty("parm", &[("name", "BACKCOMPATRETRYDISABLED")]);
        parm(w, "DEFAULTENCODING", names::DEFAULT_ENCODING);
        parm(w, "SSLCLIENTCERTSEARCHCRITERIA", &self.ssl_search);
        self.server_auth.write(w, "CLIENT");
        self.client_auth.write(w, "APPSRV");
        w.close();
    }
}

impl AppAuth {
    fn write(&self, w: &mut Writer, level: &str) {
        open(w, "APPAUTH");
        parm(w, "AAUTHLEVEL", level);
        parm(w, "AAUTHTYPE", "DIGEST");
        if !self.name.is_empty() {
            parm(w, "AAUTHNAME", &self.name);
        }
        parm(w, "AAUTHSECRET", self.secret.expose());
        parm(w, "AAUTHDATA", &self.nonce_base64);
        w.close();
    }
}

impl DmClient {
    fn write(&self, w: &mut Writer) {
        if let Some(upn) = &self.upn {
            typed(w, "UPN", upn, "string");
        }
        typed(w, "EntDMID", &self.ent_dm_id, "string");
        open(w, "Poll");
        for (count, interval, retries) in [
            (
                "NumberOfFirstRetries",
                "IntervalForFirstSetOfRetries",
                self.poll.first,
            ),
            (
                "NumberOfSecondRetries",
                "IntervalForSecondSetOfRetries",
                self.poll.second,
            ),
            (
                "NumberOfRemainingScheduledRetries",
                "IntervalForRemainingScheduledRetries",
                self.poll.remaining,
            ),
        ] {
            integer(w, count, retries.count);
            integer(w, interval, retries.interval_min);
        }
        w.close();
    }
}

/// SHA-1 of a certificate in upper-case hexadecimal, its name in a certificate store.
pub(super) fn thumbprint(der: &[u8]) -> String {
    use std::fmt::Write;
    Sha1::digest(der)
        .iter()
        .fold(String::with_capacity(40), |mut text, byte| {
            // Writing to a String cannot fail.
            write!(text, "{byte:02X}").ok();
            text
        })
}

/// Opens the characteristic of a certificate and writes the certificate.
fn open_certificate(w: &mut Writer, der: &[u8]) {
    open(w, &thumbprint(der));
    parm(w, "EncodedCertificate", &STANDARD.encode(der));
}

/// Opens a characteristic.
fn open(w: &mut Writer, kind: &str) {
    w.open("characteristic", &[("type", kind)]);
}

fn parm(w: &mut Writer, name: &str, value: &str) {
    w.empty("parm", &[("name", name), ("value", value)]);
}

fn typed(w: &mut Writer, name: &str, value: &str, datatype: &str) {
    w.empty(
        "parm",
        &[("name", name), ("value", value), ("datatype", datatype)],
    );
}

fn integer(w: &mut Writer, name: &str, value: u32) {
    typed(w, name, &value.to_string(), "integer");
}
