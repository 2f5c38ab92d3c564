//! Certificates as files: whether they can be used, for whom they are, how long they last. Owns no
//! policy; whoever asks decides what follows.

use crate::config::Cloud;
use riser_adapter::ConfigError;
use riser_model::Timestamp;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Whom it is for, as people read it.
    pub(crate) subject: String,
    /// The URIs it is for (RFC 5280, clause 4.2.1.6).
    pub(crate) uris: Vec<String>,
    /// Not good before.
    pub(crate) from: Timestamp,
    /// Not good after.
    pub(crate) until: Timestamp,
}

/// Reads the first certificate of a PEM file.
pub(crate) fn read(path: &Path) -> Result<Certificate, ConfigError> {
    let unusable = |why: String| ConfigError::new("cert", format!("{}: {why}", path.display()));
    let der = CertificateDer::from_pem_file(path)
        .map_err(|e| unusable(format!("holds no certificate ({e})")))?;
    let (_, parsed) = X509Certificate::from_der(&der)
        .map_err(|e| unusable(format!("holds no certificate that can be read ({e})")))?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let uris = names.map_or(Vec::new(), |names| {
        let names = names.value.general_names.iter();
        let uris = names.filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        });
        uris.collect()
    });
    Ok(Certificate {
        subject: parsed.subject().to_string(),
        uris,
        from: start(&parsed),
        until: at(parsed.validity().not_after),
    })
}

/// The newest start among the certificates of a cloud's identity and its CA: whoever issued them
/// knew the time, so it is not earlier now. What cannot be read says nothing.
pub(crate) fn newest_start(cloud: &Cloud) -> Option<Timestamp> {
    let files = [&cloud.ca, &cloud.cert];
    let all = files.into_iter().filter_map(|file| chain(file).ok());
    all.flatten()
        .filter_map(|der| Some(start(&X509Certificate::from_der(&der).ok()?.1)))
        .max()
}

fn start(certificate: &X509Certificate<'_>) -> Timestamp {
    at(certificate.validity().not_before)
}

fn at(time: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp(time.timestamp().saturating_mul(1000))
}

/// Why the identity towards the cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file cannot be read, or holds no PEM of the kind wanted.
    #[error("could not read the {what} in {}", path.display())]
    File {
        /// The key of the configuration it stands under.
        key: &'static str,
        /// What should have been in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What came back.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not belong together, or are of no use for TLS.
    #[error("the certificate in {} and the key in {} cannot be used together", cert.display(), private.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        private: PathBuf,
        /// What came back.
        #[source]
        source: rustls::Error,
    },
}

impl IdentityError {
    /// The key of `[cloud]` it is about.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } => key,
            Self::Pair { .. } => "key",
        }
    }
}

/// How the gateway speaks TLS to its cloud. Reads the three files, opens no connection.
pub(crate) fn client_tls(cloud: &Cloud) -> Result<Arc<ClientConfig>, IdentityError> {
    let file = |key, what, path: &PathBuf| {
        let path = path.clone();
        move |source| IdentityError::File {
            key,
            what,
            path,
            source,
        }
    };
    let pair = |source| IdentityError::Pair {
        cert: cloud.cert.clone(),
        private: cloud.key.clone(),
        source,
    };
    let no_ca = |_| file("ca", "CA certificates", &cloud.ca)(pem::Error::NoItemsFound);
    let mut roots = RootCertStore::empty();
    for ca in chain(&cloud.ca).map_err(file("ca", "CA certificates", &cloud.ca))? {
        roots.add(ca).map_err(no_ca)?;
    }
    let own = chain(&cloud.cert).map_err(file("cert", "certificate", &cloud.cert))?;
    let key = PrivateKeyDer::from_pem_file(&cloud.key).map_err(file("key", "key", &cloud.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(pair)?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .map_err(pair)?;
    Ok(Arc::new(config))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(pem::Error::NoItemsFound);
    }
    Ok(all)
}
