//! Reading requests, as a server does.

use super::envelope::{self, Envelope};
use super::{AuthPolicy, Credential, Discover, GetPolicies, Request, RequestSecurityToken, names};
use crate::xml::Element;
use crate::{Malformed, MalformedKind};

/// Reads a request to any of the three services; the element in the body decides which.
///
/// Context items that a server wants and does not get are no error here.
///
/// # Errors
/// What is missing, doubled or wrong, by the name of its element, for example `a:MessageID`.
pub fn decode_request(bytes: &[u8]) -> Result<Request, Malformed> {
    let envelope = Envelope::read(bytes)?;
    let header = envelope.required_header()?;
    let body = envelope.content()?;
    let stated = header.required_text("a:Action")?;
    let expect = |action: &str| {
        if stated == action {
            Ok(())
        } else {
            Err(header.wrong("a:Action", stated))
        }
    };
    match body.name.as_str() {
        "Discover" => expect(names::ACTION_DISCOVER).and_then(|()| discover(header, body)),
        "GetPolicies" => {
            expect(names::ACTION_GET_POLICIES).and_then(|()| get_policies(header, body))
        }
        "RequestSecurityToken" => {
            expect(names::ACTION_RST).and_then(|()| request_security_token(header, body))
        }
        name => Err(Malformed::new(name, body.offset, MalformedKind::Unexpected)),
    }
}

fn discover(header: &Element, body: &Element) -> Result<Request, Malformed> {
    let (message_id, to) = addresses(header)?;
    let request = body.required("request")?;
    let auth_policies = request
        .required("AuthPolicies")?
        .all("AuthPolicy")
        .filter_map(|policy| AuthPolicy::parse(policy.text()))
        .collect();
    Ok(Request::Discover(Discover {
        message_id,
        to,
        // Empty in a programmatic enrolment (MS-MDE2 3.1.4.1.3).
        email_address: request.required("EmailAddress")?.text().to_owned(),
        request_version: request.required_text("RequestVersion")?.to_owned(),
        device_type: request.required_text("DeviceType")?.to_owned(),
        application_version: request.required_text("ApplicationVersion")?.to_owned(),
        os_edition: request.required_number("OSEdition")?,
        auth_policies,
    }))
}

fn get_policies(header: &Element, body: &Element) -> Result<Request, Malformed> {
    let (message_id, to) = addresses(header)?;
    body.required("client")?;
    Ok(Request::GetPolicies(GetPolicies {
        message_id,
        to,
        credential: credential(header)?,
    }))
}

fn request_security_token(header: &Element, body: &Element) -> Result<Request, Malformed> {
    let (message_id, to) = addresses(header)?;
    expect_text(body, "wst:TokenType", names::TOKEN)?;
    expect_text(body, "wst:RequestType", names::ISSUE)?;
    let token = body.required("wsse:BinarySecurityToken")?;
    match token.attribute("ValueType") {
        Some(names::PKCS10) => {}
        Some(other) => return Err(token.wrong("wsse:BinarySecurityToken@ValueType", other)),
        None => {
            return Err(Malformed::new(
                "wsse:BinarySecurityToken@ValueType",
                token.offset,
                MalformedKind::Missing,
            ));
        }
    }
    Ok(Request::RequestSecurityToken(RequestSecurityToken {
        message_id,
        to,
        credential: credential(header)?,
        pkcs10_der: envelope::base64(token, "wsse:BinarySecurityToken")?,
        context: context(body)?,
    }))
}

/// The message id and the address, which every request has.
fn addresses(header: &Element) -> Result<(String, String), Malformed> {
    Ok((
        header.required_text("a:MessageID")?.to_owned(),
        header.required_text("a:To")?.to_owned(),
    ))
}

fn expect_text(parent: &Element, label: &str, expected: &str) -> Result<(), Malformed> {
    let text = parent.required_text(label)?;
    if text == expected {
        Ok(())
    } else {
        Err(parent.wrong(label, text))
    }
}

/// What the security header says about who enrols. Half a credential is a credential that no
/// server accepts, not a message that none can read.
fn credential(header: &Element) -> Result<Option<Credential>, Malformed> {
    let Some(security) = header.child("wsse:Security")? else {
        return Ok(None);
    };
    if let Some(token) = security.child("wsse:BinarySecurityToken")? {
        return Ok(Some(Credential::Token {
            value_type: token.attribute("ValueType").unwrap_or_default().to_owned(),
            text: token.text().into(),
        }));
    }
    let Some(token) = security.child("wsse:UsernameToken")? else {
        return Ok(None);
    };
    Ok(Some(Credential::UsernameToken {
        username: token
            .optional_text("wsse:Username")?
            .unwrap_or_default()
            .to_owned(),
        password: token
            .optional_text("wsse:Password")?
            .unwrap_or_default()
            .into(),
    }))
}

fn context(body: &Element) -> Result<Vec<(String, String)>, Malformed> {
    let Some(context) = body.child("ac:AdditionalContext")? else {
        return Ok(Vec::new());
    };
    context
        .all("ContextItem")
        .map(|item| {
            let name = item.attribute("Name").ok_or_else(|| {
                Malformed::new("ac:ContextItem@Name", item.offset, MalformedKind::Missing)
            })?;
            let value = item.optional_text("ac:Value")?.unwrap_or_default();
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
