//! TLS towards a server: what is demanded of it, and what to do where it was not agreed.

use std::path::Path;

use mysql_async::{DriverError, Error, IoError, SslOpts};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::fault::Problem;
use crate::spec::Tls;

/// What stands in place of a wildcard's `*`, which is no name itself.
const ANY_LABEL: &str = "any";

/// What the driver is told; `None` for plain text.
///
/// # Errors
/// `Denied`, where the file of authorities cannot be used.
pub async fn options(tls: Tls, ca_file: Option<&Path>) -> Result<Option<SslOpts>, Problem> {
    Ok(match tls {
        Tls::Disabled => None,
        Tls::Required => Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)),
        Tls::VerifyCa | Tls::VerifyIdentity => Some(trusting(ca_file).await?),
    })
}

/// Trusts the authorities of the file, and nobody else; without one, those that browsers trust.
async fn trusting(ca_file: Option<&Path>) -> Result<SslOpts, Problem> {
    let Some(path) = ca_file else { return Ok(SslOpts::default()) };
    let unusable = |why: String| denied(format!("`tlsCaFile` {} {why}; name a PEM file of authorities", path.display()));
    let pem = tokio::fs::read(path).await.map_err(|error| unusable(format!("cannot be read ({error})")))?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(authorities) if authorities.is_empty() => Err(unusable("holds no certificate".to_owned())),
        Ok(_) => Ok(SslOpts::default().with_disable_built_in_roots(true).with_root_certs(vec![pem.into()])),
        Err(error) => Err(unusable(format!("is no PEM file ({error})"))),
    }
}

/// What an error while connecting says of TLS; `None` where it says nothing.
pub fn not_agreed(error: &Error) -> Option<Problem> {
    if matches!(error, Error::Driver(DriverError::NoClientSslFlagFromServer)) {
        return Some(denied("the server offers no TLS; give it a certificate, or write `tls: Disabled` in a lab".to_owned()));
    }
    match (reason(error), error) {
        (Some(why), _) => Some(denied(format!("TLS was not agreed ({why}); {}", advice(why)))),
        (None, Error::Io(IoError::Tls(why))) => Some(denied(format!("TLS was not agreed ({why}); {}", GENERAL_ADVICE))),
        (None, _) => None,
    }
}

/// A name that the server's certificate is for, where the name was all that was wrong with it: an authority that is trusted has
/// signed it. `VerifyCa` asks no more, and the driver can only be told so with such a name.
pub fn name_of_its_own(error: &Error) -> Option<String> {
    match reason(error)? {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => {
            presented.iter().find_map(|name| plain_name(name))
        }
        _ => None,
    }
}

/// `DnsName("*.db.example.com")` or `IpAddress(192.0.2.1)`, as rustls writes them, without what is around the name.
fn plain_name(presented: &str) -> Option<String> {
    let name = presented.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
    let address = || presented.strip_prefix("IpAddress(").and_then(|rest| rest.strip_suffix(')'));
    name.or_else(address).map(|name| name.replacen('*', ANY_LABEL, 1))
}

/// The TLS library's own word, which comes in one of two wrappings: of the driver, or of the stream.
fn reason(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Io(IoError::Tls(mysql_async::TlsError::Tls(why))) => Some(why),
        Error::Io(IoError::Io(io)) => io.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }
}

const GENERAL_ADVICE: &str = "check `tls` and `tlsCaFile` in the spec, and the server's certificate";

fn advice(why: &rustls::Error) -> &'static str {
    match why {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "nobody who is trusted has signed the server's certificate: name its authority's file in `tlsCaFile` (for RDS and \
             Aurora, the global bundle of AWS)"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the server's certificate is for another name: write one of its names as `host`, or `tls: VerifyCa`",
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the server's certificate has expired: renew it there"
        }
        _ => GENERAL_ADVICE,
    }
}

fn denied(message: String) -> Problem {
    Problem::Denied { code: "TLS".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_s_own_name_is_read_from_every_form_it_comes_in() {
        let table = [
            ("DnsName(\"db.example.com\")", Some("db.example.com")),
            ("DnsName(\"*.cluster.example.com\")", Some("any.cluster.example.com")),
            ("IpAddress(192.0.2.1)", Some("192.0.2.1")),
            ("DirectoryName", None),
        ];
        for (presented, name) in table {
            assert_eq!(plain_name(presented).as_deref(), name, "{presented}");
        }
    }

    #[tokio::test]
    async fn a_file_of_authorities_that_is_missing_or_holds_none_is_named_before_anything_is_sent() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ca.pem");
        let refused = async || options(Tls::VerifyCa, Some(&file)).await.expect_err("nobody can be trusted").to_string();
        assert!(refused().await.contains("ca.pem cannot be read"));
        std::fs::write(&file, "no certificate").expect("a file");
        assert!(refused().await.contains("ca.pem holds no certificate"));
        assert!(options(Tls::Required, Some(&file)).await.is_ok(), "nobody is asked who has signed it");
    }
}
