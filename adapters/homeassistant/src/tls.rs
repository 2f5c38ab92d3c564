//! TLS as a client: what is trusted and who the gateway says it is. Owns reading the certificates.

use crate::client::socket::Unchecked;
use riser_adapter::ConfigError;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Where Debian and most others keep the certificates the system trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What a configuration says of TLS.
pub(crate) struct Trust<'a> {
    /// Who signed the server's certificate; those the system trusts if absent.
    pub(crate) ca: Option<&'a Path>,
    /// Whether the certificate is checked.
    pub(crate) verify: bool,
    /// Certificate and private key of the gateway.
    pub(crate) identity: Option<(&'a Path, &'a Path)>,
}

impl Trust<'_> {
    /// A configuration for connections; `base` is the folder relative paths are meant from.
    pub(crate) fn client(&self, base: &Path) -> Result<Arc<ClientConfig>, ConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| ConfigError::new("", e.to_string()))?;
        let builder = match self.verify {
            true => builder.with_root_certificates(self.roots(base)?),
            false if self.ca.is_some() => {
                return Err(ConfigError::new("ca", "is of no use with 'verify = false'"));
            }
            false => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unchecked::default())),
        };
        self.identified(builder, base).map(Arc::new)
    }

    fn roots(&self, base: &Path) -> Result<RootCertStore, ConfigError> {
        let path = match self.ca {
            Some(ca) => base.join(ca),
            None => SYSTEM_ROOTS.into(),
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates("ca", &path)? {
            let added = roots.add(certificate);
            // Some a system trusts are older than what is accepted today; a given one must be sound.
            if self.ca.is_some() {
                added.map_err(|e| wrong("ca", &path, &e))?;
            }
        }
        if roots.is_empty() {
            return Err(wrong("ca", &path, &"holds no certificate"));
        }
        Ok(roots)
    }

    fn identified(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
        base: &Path,
    ) -> Result<ClientConfig, ConfigError> {
        let Some((cert, key)) = self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let (cert, key) = (base.join(cert), base.join(key));
        let chain = certificates("cert", &cert)?;
        let private =
            PrivateKeyDer::from_pem_file(&key).map_err(|e| wrong("private_key_file", &key, &e))?;
        builder
            .with_client_auth_cert(chain, private)
            .map_err(|e| wrong("cert", &cert, &e))
    }
}

fn wrong(at: &str, path: &Path, problem: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new(at, format!("{}: {problem}", path.display()))
}

fn certificates(at: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|e| wrong(at, path, &e))?;
    read.collect::<Result<_, _>>()
        .map_err(|e| wrong(at, path, &e))
}
