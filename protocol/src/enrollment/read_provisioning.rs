//! Reading the provisioning document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::write_provisioning::thumbprint;
use super::{
    AppAuth, Application, DmClient, PollSchedule, ProvisioningDocument, Retries, Store, names,
};
use crate::xml::Element;
use crate::{Malformed, MalformedKind};

impl ProvisioningDocument {
    /// Reads the document.
    ///
    /// # Errors
    /// What is missing, doubled or wrong, by its path, for example `APPLICATION/ADDR`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let root = Element::read(bytes)?;
        if root.name != "wap-provisioningdoc" {
            return Err(Malformed::new(
                root.name.as_str(),
                root.offset,
                MalformedKind::Unexpected,
            ));
        }
        let root = Node {
            element: &root,
            path: String::new(),
        };
        root.only(&["CertificateStore", "APPLICATION", "DMClient"])?;
        let stores = root.required("CertificateStore")?;
        let root_der = stores
            .required("Root")?
            .required("System")?
            .certificate()?
            .1;
        let mine = stores.required("My")?;
        let (store, place) = match (mine.child("User")?, mine.child("System")?) {
            (Some(user), _) => (Store::User, user),
            (None, Some(system)) => (Store::System, system),
            (None, None) => return Err(mine.missing("User")),
        };
        let (certificate, client_der) = place.certificate()?;
        certificate.required("PrivateKeyContainer")?;
        let renew = mine.required("WSTEP")?.required("Renew")?;
        let application = Application::read(&root.required("APPLICATION")?)?;
        let provider = root
            .required("DMClient")?
            .required("Provider")?
            .required(&application.provider_id)?;
        Ok(Self {
            root_der,
            client_der,
            store,
            renew_period_days: renew
                .typed_integer("RenewPeriod")?
                .unwrap_or(RENEW_PERIOD_DAYS),
            retry_interval_days: renew
                .typed_integer("RetryInterval")?
                .unwrap_or(RETRY_INTERVAL_DAYS),
            application,
            dm_client: DmClient::read(&provider)?,
        })
    }
}

impl Application {
    fn read(node: &Node<'_>) -> Result<Self, Malformed> {
        let id = node.required_parm("APPID")?;
        if id != "w7" {
            return Err(node.wrong("APPID", id));
        }
        if let Some(encoding) = node.parm("DEFAULTENCODING")?
            && encoding != names::DEFAULT_ENCODING
        {
            return Err(node.wrong("DEFAULTENCODING", encoding));
        }
        Ok(Self {
            provider_id: node.required_parm("PROVIDER-ID")?.to_owned(),
            name: node.parm("NAME")?.unwrap_or_default().to_owned(),
            addr: node.required_parm("ADDR")?.to_owned(),
            client_auth: AppAuth::read(node, "APPSRV")?,
            server_auth: AppAuth::read(node, "CLIENT")?,
            ssl_search: node
                .parm("SSLCLIENTCERTSEARCHCRITERIA")?
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

impl AppAuth {
    /// Reads the credentials of this level.
    fn read(application: &Node<'_>, level: &str) -> Result<Self, Malformed> {
        for node in application.children("APPAUTH") {
            if node.required_parm("AAUTHLEVEL")? != level {
                continue;
            }
            let kind = node.required_parm("AAUTHTYPE")?;
            if kind != "DIGEST" {
                return Err(node.wrong("AAUTHTYPE", kind));
            }
            // A real client refuses the document without either nonce, although both are
            // documented as optional (wire-facts 1.7).
            return Ok(Self {
                name: match level {
                    "APPSRV" => node.required_parm("AAUTHNAME")?,
                    _ => node.parm("AAUTHNAME")?.unwrap_or_default(),
                }
                .to_owned(),
                secret: node.required_parm("AAUTHSECRET")?.into(),
                nonce_base64: node.required_parm("AAUTHDATA")?.to_owned(),
            });
        }
        Err(application.missing(&format!("APPAUTH[{level}]")))
    }
}

impl DmClient {
    fn read(node: &Node<'_>) -> Result<Self, Malformed> {
        let poll = match node.child("Poll")? {
            Some(poll) => PollSchedule::read(&poll)?,
            None => PollSchedule::DEFAULT,
        };
        Ok(Self {
            ent_dm_id: node.parm("EntDMID")?.unwrap_or_default().to_owned(),
            upn: node.parm("UPN")?.map(str::to_owned),
            poll,
        })
    }
}

impl PollSchedule {
    fn read(node: &Node<'_>) -> Result<Self, Malformed> {
        let set = |count: &str, interval: &str, default: Retries| {
            Ok(Retries {
                count: node.integer(count)?.unwrap_or(default.count),
                interval_min: node.integer(interval)?.unwrap_or(default.interval_min),
            })
        };
        Ok(Self {
            first: set(
                "NumberOfFirstRetries",
                "IntervalForFirstSetOfRetries",
                Self::DEFAULT.first,
            )?,
            second: set(
                "NumberOfSecondRetries",
                "IntervalForSecondSetOfRetries",
                Self::DEFAULT.second,
            )?,
            remaining: set(
                "NumberOfRemainingScheduledRetries",
                "IntervalForRemainingScheduledRetries",
                Self::DEFAULT.remaining,
            )?,
        })
    }
}

/// A characteristic with its path, for errors.
#[derive(Debug)]
struct Node<'a> {
    element: &'a Element,
    path: String,
}

impl<'a> Node<'a> {
    /// The characteristics of this type below this one.
    fn children(&self, kind: &str) -> impl Iterator<Item = Self> {
        self.element
            .all("characteristic")
            .filter(move |child| child.attribute("type") == Some(kind))
            .map(|element| Self {
                element,
                path: self.below(kind),
            })
    }

    fn child(&self, kind: &str) -> Result<Option<Self>, Malformed> {
        let mut found = self.children(kind);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => Err(Malformed::new(
                second.path,
                second.element.offset,
                MalformedKind::Repeated,
            )),
        }
    }

    fn required(&self, kind: &str) -> Result<Self, Malformed> {
        self.child(kind)?.ok_or_else(|| self.missing(kind))
    }

    /// Refuses every characteristic below this one that is of another type.
    fn only(&self, kinds: &[&str]) -> Result<(), Malformed> {
        for child in self.element.all("characteristic") {
            let kind = child.attribute("type").unwrap_or_default();
            if !kinds.contains(&kind) {
                return Err(Malformed::new(
                    self.below(kind),
                    child.offset,
                    MalformedKind::Unexpected,
                ));
            }
        }
        Ok(())
    }

    /// The first certificate below this node: the characteristic and the DER. Its type must be
    /// the thumbprint.
    fn certificate(&self) -> Result<(Self, Vec<u8>), Malformed> {
        let element = self
            .element
            .all("characteristic")
            .next()
            .ok_or_else(|| self.missing("<thumbprint>"))?;
        let name = element.attribute("type").unwrap_or_default();
        let node = Self {
            element,
            path: self.below(name),
        };
        let text = node.required_parm("EncodedCertificate")?;
        let der = STANDARD
            .decode(text)
            .map_err(|_shape| node.wrong("EncodedCertificate", "not base64"))?;
        if !thumbprint(&der).eq_ignore_ascii_case(name) {
            return Err(self.wrong("<thumbprint>", name));
        }
        Ok((node, der))
    }

    fn parm_element(&self, name: &str) -> Result<Option<&'a Element>, Malformed> {
        let mut found = self
            .element
            .all("parm")
            .filter(|parm| parm.attribute("name") == Some(name));
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => Err(Malformed::new(
                self.below(name),
                second.offset,
                MalformedKind::Repeated,
            )),
        }
    }

    fn parm(&self, name: &str) -> Result<Option<&'a str>, Malformed> {
        let parm = self.parm_element(name)?;
        Ok(parm.and_then(|parm| parm.attribute("value")))
    }

    /// The value of a parameter, which must not be empty.
    fn required_parm(&self, name: &str) -> Result<&'a str, Malformed> {
        self.parm(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| self.missing(name))
    }

    fn integer(&self, name: &str) -> Result<Option<u32>, Malformed> {
        self.parm(name)?
            .map(|value| value.parse().map_err(|_shape| self.wrong(name, value)))
            .transpose()
    }

    /// An integer whose `datatype` must be given, as below `Renew` (wire-facts 1.7).
    fn typed_integer(&self, name: &str) -> Result<Option<u32>, Malformed> {
        if let Some(parm) = self.parm_element(name)?
            && parm.attribute("datatype") != Some("integer")
        {
            return Err(self.missing(&format!("{name}@datatype")));
        }
        self.integer(name)
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    fn missing(&self, name: &str) -> Malformed {
        Malformed::new(
            self.below(name),
            self.element.offset,
            MalformedKind::Missing,
        )
    }

    fn wrong(&self, name: &str, value: &str) -> Malformed {
        self.element.wrong(&self.below(name), value)
    }
}

/// Defaults of MS-MDE2 2.2.9.1.
const RENEW_PERIOD_DAYS: u32 = 42;
const RETRY_INTERVAL_DAYS: u32 = 7;
