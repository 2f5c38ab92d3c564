//! The certificate authority as files in a folder. Owns what a certificate of each kind says:
//! ECDSA P-256, CA:FALSE and one key usage for leaves, a path length of 0 for the CA.
//!
//! source: RFC 5280, clauses 4.2.1.3 (key usage), 4.2.1.9 (basic constraints), 4.2.1.12.

use super::files::{self, CA_CERT, CA_KEY, ISSUED, PkiError, REVOKED, SERVER_CERT, SERVER_KEY};
use super::identity::{canonical_serial, fingerprint, urn};
use crate::db::Origin;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use riser_model::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From when to when a certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Start.
    pub not_before: Timestamp,
    /// End.
    pub not_after: Timestamp,
}

impl Validity {
    /// From an hour ago, so that a clock that is a little behind takes it, for so many days.
    #[must_use]
    pub fn days(now: Timestamp, days: u32) -> Self {
        Self {
            not_before: Timestamp(now.0 - 3_600_000),
            not_after: now.plus(Duration::from_secs(u64::from(days) * 86_400)),
        }
    }
}

/// A certificate for a gateway.
#[derive(Debug, Clone)]
pub struct GatewayRequest {
    /// Tenant and gateway: the only name that counts.
    pub origin: Origin,
    /// From when to when.
    pub validity: Validity,
}

/// A certificate with its private key, both PEM.
#[derive(Clone)]
pub struct Issued {
    /// Certificate.
    pub certificate: String,
    /// Private key (PKCS #8).
    pub key: String,
    /// Serial number as revocation names it.
    pub serial: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({}, key hidden)", self.serial)
    }
}

/// The authority.
pub struct Authority {
    dir: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.dir.display())
    }
}

impl Authority {
    /// Makes a new authority and the service's own certificate in a folder without one.
    ///
    /// # Errors
    /// When the folder has an authority already, or cannot be written.
    pub fn init(dir: &Path, hosts: &[String], validity: Validity) -> Result<Self, PkiError> {
        files::make_dir(dir)?;
        let mut params = CertificateParams::default();
        // Two authorities of one name would make "not from our authority" look like a damaged
        // signature.
        let name = format!("Riser gateway CA {:08x}", rand::random::<u32>());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        stamp(&mut params, validity);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key)?;
        files::create(&dir.join(CA_KEY), &key.serialize_pem())?;
        files::create(&dir.join(CA_CERT), &certificate.pem())?;
        files::create(
            &dir.join(REVOKED),
            "# serial or SHA-256 fingerprint of certificates that count no more\n",
        )?;
        let authority = Self::open(dir)?;
        authority.issue_server(hosts, validity)?;
        Ok(authority)
    }

    /// Opens the authority in a folder.
    ///
    /// # Errors
    /// When there is none, or its files cannot be read.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let (cert_path, key_path) = (dir.join(CA_CERT), dir.join(CA_KEY));
        let certificate = files::read(&cert_path)?;
        let key = KeyPair::from_pem(&files::read(&key_path)?)
            .map_err(|e| PkiError::file(&key_path, e))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(|e| PkiError::file(&cert_path, e))?;
        Ok(Self {
            dir: dir.to_owned(),
            certificate,
            issuer,
        })
    }

    /// The certificate of the authority itself, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues the service's own certificate for some host names or addresses, in place of the
    /// one before. A running service takes it over on SIGHUP.
    ///
    /// # Errors
    /// When no host is given, one is not valid, or a file cannot be written.
    pub fn issue_server(&self, hosts: &[String], validity: Validity) -> Result<Issued, PkiError> {
        let Some(first) = hosts.first() else {
            return Err(PkiError::Request(
                "a server certificate needs the name or address gateways connect to: --host"
                    .to_owned(),
            ));
        };
        let mut params = CertificateParams::new(hosts.to_vec())?;
        params
            .distinguished_name
            .push(DnType::CommonName, first.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let issued = self.issue(params, validity, ("server", first))?;
        files::replace(&self.dir.join(SERVER_KEY), &issued.key)?;
        files::replace(&self.dir.join(SERVER_CERT), &issued.certificate)?;
        Ok(issued)
    }

    /// Issues a certificate for a gateway.
    ///
    /// # Errors
    /// When it cannot be made or noted.
    pub fn issue_gateway(&self, request: &GatewayRequest) -> Result<Issued, PkiError> {
        let name = request.origin.to_string();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
        params.subject_alt_names = vec![SanType::URI(urn(&request.origin).try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, request.validity, ("gateway", &name))
    }

    /// Issues a certificate for a client of a third-party broker that is no gateway, such as this
    /// service itself. It opens nothing at the service's own endpoint.
    ///
    /// # Errors
    /// When it cannot be made or noted.
    pub fn issue_client(&self, name: &str, validity: Validity) -> Result<Issued, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, validity, ("client", name))
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        validity: Validity,
        (kind, name): (&str, &str),
    ) -> Result<Issued, PkiError> {
        if validity.not_after <= validity.not_before {
            return Err(PkiError::Request(
                "the certificate would end before it begins; check the dates".to_owned(),
            ));
        }
        // 127 random bits: positive and at most 20 octets (RFC 5280, clause 4.1.2.2).
        let mut serial: [u8; 16] = rand::random();
        serial[0] = serial[0] & 0x7f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        stamp(&mut params, validity);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let serial = canonical_serial(&serial);
        let line = format!(
            "{serial}\t{kind}\t{name}\t{}\t{}\t{}",
            validity.not_before.0 / 1000,
            validity.not_after.0 / 1000,
            fingerprint(certificate.der())
        );
        // Noted before it is handed out: what is not in the list could not be revoked by name.
        files::append(&self.dir.join(ISSUED), &line)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            serial,
        })
    }
}

fn stamp(params: &mut CertificateParams, validity: Validity) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |t: Timestamp| epoch + Duration::from_millis(u64::try_from(t.0).unwrap_or(0));
    params.not_before = at(validity.not_before);
    params.not_after = at(validity.not_after);
}

/// Refuses a folder that has the files [`Issued::save`] would write: to be asked before issuing,
/// or there would be a certificate nobody holds.
///
/// # Errors
/// When one of them is there.
pub fn expect_room(dir: &Path, name: &str) -> Result<(), PkiError> {
    for file in [format!("{name}.key"), format!("{name}.pem")] {
        let path = dir.join(file);
        if path.exists() {
            let message = "is there already and is not written over; nothing was issued";
            return Err(PkiError::file(&path, message));
        }
    }
    Ok(())
}

impl Issued {
    /// Writes certificate, key and the authority's certificate into a folder:
    /// `<name>.pem`, `<name>.key`, `ca.pem`.
    ///
    /// # Errors
    /// When a file is there already or cannot be written.
    pub fn save(&self, dir: &Path, name: &str, authority: &Authority) -> Result<(), PkiError> {
        files::make_dir(dir)?;
        files::create(&dir.join(format!("{name}.key")), &self.key)?;
        files::create(&dir.join(format!("{name}.pem")), &self.certificate)?;
        let ca = dir.join(CA_CERT);
        if ca.exists() {
            return Ok(());
        }
        files::create(&ca, authority.certificate())
    }
}
