//! The way to a server: its address, a connection, and TLS where that is wanted.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::checks::outcome::Code;

/// The authorities that this machine trusts. Reading and parsing them takes longer than a handshake, so it is done once.
static PLATFORM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// What got in the way of an answer.
#[derive(Debug)]
pub(super) struct Obstacle {
    /// Its code.
    pub(super) code: Code,
    /// What came instead, in words; never a secret.
    pub(super) detail: String,
}

impl Obstacle {
    /// Something in the way.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// Finds the host and connects to it.
pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, Obstacle> {
    let addresses: Vec<_> = lookup_host((host, port)).await.map_err(|error| unresolved(&error))?.collect();
    TcpStream::connect(addresses.as_slice()).await.map_err(|error| unconnected(&error))
}

/// The system's resolver gives its own numbers away only as text.
fn unresolved(error: &io::Error) -> Obstacle {
    if error.to_string().contains("Temporary failure") {
        return Obstacle::new(Code::ResolverSilent, format!("{error}; see which resolver this machine asks"));
    }
    let advice = "correct the name; one of a private zone resolves only in the networks that the zone is for";
    Obstacle::new(Code::NameNotFound, format!("{error}; {advice}"))
}

fn unconnected(error: &io::Error) -> Obstacle {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Obstacle::new(Code::ConnectionRefused, format!("{error}; start what should listen there, or correct the port"))
        }
        io::ErrorKind::TimedOut => Obstacle::new(Code::TimedOut, format!("{error}; see routes and security groups")),
        io::ErrorKind::ConnectionReset => Obstacle::new(Code::ConnectionLost, error.to_string()),
        _ => Obstacle::new(Code::Unreachable, format!("{error}; see routes and security groups")),
    }
}

/// Agrees on TLS with what calls itself `host`, by the authorities in a file if not by those that the machine trusts.
pub(super) async fn encrypt(stream: TcpStream, host: &str, ca_file: Option<&Path>) -> Result<TlsStream<TcpStream>, Obstacle> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Obstacle::new(Code::NotAsked, format!("no certificate can be for the name {host}")))?;
    let roots = match ca_file {
        None => Arc::clone(&PLATFORM),
        Some(path) => Arc::new(authorities_in(path).await?),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Obstacle::new(Code::NotAsked, error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| unencrypted(&error))
}

async fn authorities_in(path: &Path) -> Result<RootCertStore, Obstacle> {
    let unusable = |why: &dyn fmt::Display| {
        let file = path.display();
        Obstacle::new(Code::NotAsked, format!("`tlsCaFile` {file} cannot be used: {why}; it needs certificates in PEM form"))
    };
    let text = tokio::fs::read(path).await.map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() { Err(unusable(&"there is no certificate in it")) } else { Ok(roots) }
}

/// What the handshake's end says about the certificate, or about who is there.
fn unencrypted(error: &io::Error) -> Obstacle {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(invalid)) = refused else {
        let advice = "see whether TLS is spoken on this port, and whether it is TLS 1.2 or 1.3";
        return Obstacle::new(Code::TlsRefused, format!("no TLS was agreed ({error}); {advice}"));
    };
    let (code, advice) = match invalid {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => (Code::CertificateExpired, "renew it, or see whether a clock is wrong"),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (Code::CertificateOtherName, "write the name that the certificate is for, or give the server another one")
        }
        _ => (Code::CertificateUntrusted, "name the authority's file in `tlsCaFile` if it is one of your own"),
    };
    Obstacle::new(code, format!("{invalid}; {advice}"))
}
