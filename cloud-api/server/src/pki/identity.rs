//! From a certificate to a name. Owns the one rule: exactly one URI in the subject alternative
//! name says `urn:riser:<tenant>:<gateway>`. Subject, e-mail or DNS names mean nothing.
//!
//! source: RFC 5280, clause 4.2.1.6.

use crate::db::Origin;
use riser_model::{Key, Timestamp};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Who a certificate says its holder is. Whether to believe it is the verifier's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Tenant and gateway.
    pub origin: Origin,
    /// Serial number, lower-case hexadecimal without leading zeros.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
}

/// Why a certificate names no gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a certificate.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// No `urn:riser:` URI, or more than one.
    #[error(
        "the certificate has {0} names of the form urn:riser:<tenant>:<gateway>, but must have \
         one; issue it with 'riser-cloud pki issue-gateway'"
    )]
    Names(usize),
    /// The URI is there, but not of the right form.
    #[error("the name '{name}' in the certificate is not urn:riser:<tenant>:<gateway>: {why}")]
    Name {
        /// The URI.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

const SCHEME: &str = "urn:riser:";

/// The URI of a gateway.
pub(super) fn urn(origin: &Origin) -> String {
    format!("{SCHEME}{}:{}", origin.tenant, origin.gateway)
}

impl Identity {
    /// Reads the name out of a certificate.
    ///
    /// # Errors
    /// When the certificate cannot be read or does not name exactly one gateway.
    pub fn from_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|e| IdentityError::Unreadable(e.to_string()))?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|e| IdentityError::Unreadable(e.to_string()))?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
                _ => None,
            })
            .collect();
        let [uri] = uris[..] else {
            return Err(IdentityError::Names(uris.len()));
        };
        let validity = certificate.validity();
        Ok(Self {
            origin: parse_urn(uri)?,
            serial: canonical_serial(certificate.raw_serial()),
            fingerprint: fingerprint(der),
            not_before: seconds(validity.not_before.timestamp()),
            not_after: seconds(validity.not_after.timestamp()),
        })
    }
}

fn parse_urn(uri: &str) -> Result<Origin, IdentityError> {
    let wrong = |why: String| IdentityError::Name {
        name: uri.chars().take(200).collect(),
        why,
    };
    let rest = uri.strip_prefix(SCHEME).unwrap_or_default();
    let (tenant, gateway) = rest
        .split_once(':')
        .ok_or_else(|| wrong("the gateway is missing".to_owned()))?;
    let key = |text: &str| Key::new(text).map_err(|e| wrong(e.to_string()));
    Ok(Origin {
        tenant: key(tenant)?,
        gateway: key(gateway)?,
    })
}

fn seconds(at: i64) -> Timestamp {
    Timestamp(at.saturating_mul(1000))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        use std::fmt::Write;
        // Writing into a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// SHA-256 of a certificate in DER, lower-case hexadecimal.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    hex(&Sha256::digest(der))
}

/// A serial number as revocation compares it.
pub(super) fn canonical_serial(octets: &[u8]) -> String {
    hex(octets).trim_start_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_valid_names_make_an_identity() {
        let good = parse_urn("urn:riser:acme:gw-001").unwrap();
        assert_eq!(good.to_string(), "acme/gw-001");
        assert_eq!(urn(&good), "urn:riser:acme:gw-001");
        for bad in [
            "urn:riser:",
            "urn:riser:acme",
            "urn:riser:acme:",
            "urn:riser::gw",
            "urn:riser:acme:gw:more",
            "urn:riser:acme:gw/../x",
            "urn:riser:+:gw",
            "urn:riser:acme:#",
            "urn:riser:ACME:gw",
        ] {
            assert!(parse_urn(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn octets_that_are_no_certificate_are_refused() {
        assert!(matches!(
            Identity::from_certificate(b"no"),
            Err(IdentityError::Unreadable(_))
        ));
    }
}
