//! Certificates made for one test: an authority, and what it signs for a server.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};

/// Somebody who signs certificates, and whom a spec may trust.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate, its key, and how the server is told of both.
pub struct Identity {
    options: [String; 2],
}

/// Until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// For as long as anybody will run this test.
    Young,
    /// Until some time before.
    Expired,
}

impl Authority {
    /// A new one of that name, whom nobody trusts yet.
    pub fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no host is a good list of hosts");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        Self { issuer: issuer.expect("an authority signs itself") }
    }

    /// Its certificate as a file, for `tlsCaFile`.
    pub fn file(&self, directory: &Path, name: &str) -> PathBuf {
        let file = directory.join(name);
        std::fs::write(&file, self.issuer.pem()).expect("a file");
        file
    }

    /// A certificate of a server with these names, and its key, in `directory`.
    pub fn sign(&self, directory: &Path, names: &[&str], age: Age) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names and addresses");
        if age == Age::Expired {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("it signs");
        let (certificate_file, key_file) = (directory.join("server.pem"), directory.join("server.key"));
        std::fs::write(&certificate_file, certificate.pem()).expect("a file");
        std::fs::write(&key_file, key.serialize_pem()).expect("a file");
        let options = [format!("--ssl-cert={}", certificate_file.display()), format!("--ssl-key={}", key_file.display())];
        Identity { options }
    }
}

impl Identity {
    /// What the server is started with.
    pub fn options(&self) -> [&str; 2] {
        [&self.options[0], &self.options[1]]
    }
}
