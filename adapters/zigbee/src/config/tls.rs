//! TLS towards the broker. Owns reading the certificates and turning them into a configuration.

use riser_adapter::ConfigError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What the configuration names.
pub(super) struct Files<'a> {
    pub(super) ca: Option<&'a str>,
    pub(super) cert: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// A configuration for TLS; none when no CA is named.
pub(super) fn load(
    files: &Files<'_>,
    folder: &Path,
) -> Result<Option<Arc<ClientConfig>>, ConfigError> {
    let Some(ca) = files.ca else {
        if files.cert.is_some() || files.key.is_some() {
            let text = "name the CA that signs the broker's certificate to use TLS";
            return Err(ConfigError::new("ca", text));
        }
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", ca, folder)? {
        let added = roots.add(certificate);
        added.map_err(|e| ConfigError::new("ca", format!("{ca}: {e}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ConfigError::new("ca", e.to_string()))?
        .with_root_certificates(roots);
    let client = match (files.cert, files.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates("cert", cert, folder)?;
            let text = read("private_key", key, folder)?;
            let private = PrivateKeyDer::from_pem_slice(&text)
                .map_err(|e| ConfigError::new("private_key", format!("{key}: {e}")))?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|e| ConfigError::new("cert", format!("{cert} and {key}: {e}")))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            let text = "a client certificate needs both cert and private_key";
            return Err(ConfigError::new("cert", text));
        }
    };
    Ok(Some(Arc::new(client)))
}

fn read(at: &str, file: &str, folder: &Path) -> Result<Vec<u8>, ConfigError> {
    let path = folder.join(file);
    std::fs::read(&path).map_err(|e| ConfigError::new(at, format!("{}: {e}", path.display())))
}

fn certificates(
    at: &str,
    file: &str,
    folder: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(at, file, folder)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err(ConfigError::new(
            at,
            format!("{file} holds no certificate in PEM"),
        )),
        Err(e) => Err(ConfigError::new(at, format!("{file}: {e}"))),
    }
}
