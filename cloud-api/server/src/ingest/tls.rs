//! The TLS half of the endpoint: version 1.3 only, a client certificate of our own authority or
//! nothing. Owns the verifier (chain, then name, then revocation), the certificate that can be
//! replaced while running, and the words for why a handshake failed.

use crate::pki::{Identity, IdentityError, Revoked};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    ServerConfig, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}")]
pub struct TlsError {
    path: PathBuf,
    message: String,
}

impl TlsError {
    pub(super) fn new(path: &Path, message: impl std::fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            message: message.to_string(),
        }
    }
}

/// The certificate authorities in a PEM file.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| TlsError::new(path, e))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| TlsError::new(path, e))?;
        store.add(certificate).map_err(|e| TlsError::new(path, e))?;
    }
    if store.is_empty() {
        return Err(TlsError::new(path, "there is no certificate in it"));
    }
    Ok(store)
}

/// A certificate chain with its key, checked to belong together.
///
/// # Errors
/// When a file cannot be read, or key and certificate are not a pair.
pub fn certified(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| TlsError::new(cert, e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| TlsError::new(key, e))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|e| {
        TlsError::new(
            cert,
            format!("does not go with the key {}: {e}", key.display()),
        )
    })
}

/// The service's own certificate, replaced without a restart. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerCertificate(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    current: ArcSwap<CertifiedKey>,
    cert: PathBuf,
    key: PathBuf,
}

impl ServerCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = certified(cert, key, &rustls::crypto::ring::default_provider())?;
        Ok(Self(Arc::new(Slot {
            current: ArcSwap::from_pointee(current),
            cert: cert.to_owned(),
            key: key.to_owned(),
        })))
    }

    /// Reads the files again. New connections get what is in them now.
    ///
    /// # Errors
    /// When they cannot be used; then the one before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let provider = rustls::crypto::ring::default_provider();
        let fresh = certified(&self.0.cert, &self.0.key, &provider)?;
        self.0.current.store(Arc::new(fresh));
        Ok(())
    }
}

impl ResolvesServerCert for Slot {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// TLS settings of the endpoint.
///
/// # Errors
/// When the authority's certificate cannot be used as one.
pub fn server_config(
    ca: &Path,
    certificate: &ServerCertificate,
    revoked: Revoked,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), Arc::clone(&provider))
            .build()
            .map_err(|e| TlsError::new(ca, e))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| TlsError::new(ca, e))?
        .with_client_cert_verifier(Arc::new(Verifier { inner, revoked }))
        .with_cert_resolver(Arc::clone(&certificate.0) as Arc<dyn ResolvesServerCert>);
    // One ticket per connection is all a gateway can use.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// Chain by webpki, then the name, then revocation.
#[derive(Debug)]
struct Verifier {
    inner: Arc<dyn ClientCertVerifier>,
    revoked: Revoked,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let identity = Identity::from_certificate(end_entity);
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        let outcome = verified.and_then(|verified| {
            let identity = identity.as_ref().map_err(|e| nameless(e.clone()))?;
            if self.revoked.contains(identity) {
                return Err(CertificateError::Revoked.into());
            }
            Ok(verified)
        });
        if outcome.is_err() {
            // The error itself does not say whose certificate it was.
            let text = identity.map_or_else(
                |_| "a certificate that names no gateway".to_owned(),
                |id| format!("certificate {} of {}", id.serial, id.origin),
            );
            let _ = SHOWN.try_with(|shown| shown.replace(Some(text)));
        }
        outcome
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn nameless(error: IdentityError) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

tokio::task_local! {
    /// Which certificate was shown in the handshake of this task, for the log.
    pub(super) static SHOWN: std::cell::RefCell<Option<String>>;
}

/// Why a handshake failed, and what to do about it.
pub(super) fn explain(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match tls {
        Some(Error::NoCertificatesPresented) => {
            "it showed no client certificate; give the gateway the one 'riser-cloud pki \
             issue-gateway' made"
                .to_owned()
        }
        Some(Error::InvalidCertificate(reason)) => explain_certificate(reason),
        Some(Error::AlertReceived(alert)) => {
            format!(
                "it ended the handshake ({alert:?}); it may not trust this service's certificate"
            )
        }
        Some(other) => format!("{other}"),
        None => format!("{error}"),
    }
}

fn explain_certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; issue a new one".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check the clock of this machine".to_owned()
        }
        CertificateError::Revoked => {
            "its certificate was revoked; issue a new one if it should come back".to_owned()
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not from this service's authority".to_owned()
        }
        CertificateError::Other(OtherError(inner)) => inner.to_string(),
        other => format!("its certificate is not accepted ({other:?})"),
    }
}
