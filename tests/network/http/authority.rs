//! An authority and the certificates that it signs, of every kind, made when a test begins.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

/// From when to when a certificate is valid: the first days of two years.
pub type Years = (i32, i32);

/// The years around the tests' noon.
pub const TODAY: Years = (2026, 2028);

/// An authority, with its certificate in a file as `tlsCaFile` names one.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = params(&[], (2000, 2100));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Tests' own authority");
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let file = NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), issuer.pem()).expect("a written file");
        Self { issuer, file }
    }

    /// The PEM file of its certificate.
    pub fn file(&self) -> Option<PathBuf> {
        Some(self.file.path().to_owned())
    }

    /// A certificate for `names`.
    pub fn sign(&self, names: &[&str], years: Years) -> Identity {
        let key = key();
        let certificate = params(names, years).signed_by(&key, &self.issuer).expect("a certificate");
        Identity::new(certificate.der().clone(), &key)
    }
}

/// A certificate and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { certificate, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    /// A certificate that nobody signed but itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        Self::new(params(names, TODAY).self_signed(&key).expect("a certificate").der().clone(), &key)
    }

    /// What makes TLS of a server's connections.
    pub fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = builder.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], self.key.clone_key());
        TlsAcceptor::from(Arc::new(config.expect("key and certificate fit")))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(names: &[&str], (from, until): Years) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}
