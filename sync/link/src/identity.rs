//! The gateway's certificate, its key and the CA it trusts. Owns reading them and turning them
//! into a TLS 1.3 configuration; they are read again before every connection, so a renewed
//! certificate needs no restart.

use crate::config::LinkConfig;
use riser_store::Now;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file cannot be read.
    #[error("could not read {what} {}", path.display())]
    File {
        /// Which of the three.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no usable PEM.
    #[error("{what} {} is not usable: {detail}", path.display())]
    Pem {
        /// Which of the three.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Certificate and key do not fit, or TLS refuses them.
    #[error("the gateway's certificate {} and its key cannot be used", path.display())]
    Pair {
        /// The certificate.
        path: PathBuf,
        /// What TLS said.
        source: rustls::Error,
    },
}

const CA: &str = "the CA certificate";
const CERT: &str = "the gateway's certificate";
const KEY: &str = "the gateway's private key";

/// The three files as last read, and the configuration made of them. Kept while they are the
/// same, so that TLS sessions can be resumed.
#[derive(Default)]
pub(crate) struct Identity {
    last: Option<([Vec<u8>; 3], Arc<ClientConfig>)>,
}

impl Identity {
    /// The configuration for the next connection.
    pub(crate) async fn tls(
        &mut self,
        config: &LinkConfig,
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        let files = [
            read(CA, &config.ca).await?,
            read(CERT, &config.cert).await?,
            read(KEY, &config.key).await?,
        ];
        if let Some((known, tls)) = &self.last
            && *known == files
        {
            return Ok(Arc::clone(tls));
        }
        let tls = Arc::new(build(config, &files)?);
        self.last = Some((files, Arc::clone(&tls)));
        Ok(tls)
    }
}

async fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, IdentityError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| IdentityError::File {
            what,
            path: path.to_owned(),
            source,
        })
}

fn build(
    config: &LinkConfig,
    [ca, cert, key]: &[Vec<u8>; 3],
) -> Result<ClientConfig, IdentityError> {
    let unusable = |what, path: &Path, detail: String| IdentityError::Pem {
        what,
        path: path.to_owned(),
        detail,
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, &config.ca, ca)? {
        roots
            .add(certificate)
            .map_err(|e| unusable(CA, &config.ca, e.to_string()))?;
    }
    let chain = certificates(CERT, &config.cert, cert)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|e| unusable(KEY, &config.key, e.to_string()))?;
    let pair = |source| IdentityError::Pair {
        path: config.cert.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let time = Arc::new(WallClock(Arc::clone(&config.now)));
    ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(pair)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(pair)
}

/// The gateway's clock, for the validity of certificates: on a box without a battery clock the
/// system's may be decades wrong, and no connection would ever be made.
struct WallClock(Now);

impl std::fmt::Debug for WallClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallClock")
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = u64::try_from((self.0)().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(now)))
    }
}

fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let unusable = |detail| IdentityError::Pem {
        what,
        path: path.to_owned(),
        detail,
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| unusable(e.to_string()))?;
    if found.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(found)
}
