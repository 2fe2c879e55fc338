//! TLS with everything verified: chain, name and dates, at the time that the clock shows.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::obstacle::{Obstacle, tls_error};
use crate::checks::outcome::{Code, short};
use crate::clock::Clock;

/// The authorities that the platform knows. Reading them takes longer than a whole exchange, and they change with the machine.
static PLATFORM: OnceLock<Arc<RootCertStore>> = OnceLock::new();

/// Dates of certificates are judged by the same time as everything else.
#[derive(Debug)]
struct TimeOf(Clock);

impl TimeProvider for TimeOf {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// What will be spoken within, for servers that want to be told beforehand (ALPN, RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// HTTP/1.1.
    Http,
    /// Something that has no registered name.
    Other,
}

impl Within {
    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http => vec![b"http/1.1".to_vec()],
            Self::Other => Vec::new(),
        }
    }
}

/// TLS on `stream` with a server that proves to be `name`, by the authorities in `ca_file` (PEM) or those of the platform.
pub async fn agree(
    clock: &Clock,
    stream: TcpStream,
    name: &ServerName<'static>,
    ca_file: Option<&Path>,
    within: Within,
) -> Result<TlsStream<TcpStream>, Obstacle> {
    let authorities = match ca_file {
        Some(path) => authorities_of(path).await?,
        None => authorities_of_the_platform().await?,
    };
    let connector = TlsConnector::from(Arc::new(config(clock, authorities, within)?));
    connector.connect(name.clone(), stream).await.map_err(|error| broken(&error))
}

fn config(clock: &Clock, authorities: Arc<RootCertStore>, within: Within) -> Result<ClientConfig, Obstacle> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(TimeOf(clock.clone())));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| refused(&error))?;
    let mut config = builder.with_root_certificates(authorities).with_no_client_auth();
    config.alpn_protocols = within.protocols();
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

async fn authorities_of(path: &Path) -> Result<Arc<RootCertStore>, Obstacle> {
    let wrong = |what: String| Obstacle::not_asked(format!("the file of authorities {} {what}", path.display()));
    let text = tokio::fs::read(path).await.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        store.add(certificate).map_err(|error| wrong(format!("has something in it that is no certificate: {error}")))?;
    }
    if store.is_empty() {
        return Err(wrong("has no certificate in it; it needs one or more in PEM".to_owned()));
    }
    Ok(Arc::new(store))
}

async fn authorities_of_the_platform() -> Result<Arc<RootCertStore>, Obstacle> {
    if let Some(known) = PLATFORM.get() {
        return Ok(Arc::clone(known));
    }
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found = found.map_err(|error| Obstacle::not_asked(format!("the platform's authorities were not read: {error}")))?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        let detail = format!("this machine knows no authorities{why}; install `ca-certificates`, or name a `tlsCaFile`");
        return Err(Obstacle::not_asked(detail));
    }
    Ok(Arc::clone(PLATFORM.get_or_init(|| Arc::new(store))))
}

/// What ended a handshake.
fn broken(error: &io::Error) -> Obstacle {
    match tls_error(error) {
        Some(refusal) => refused(refusal),
        None => {
            let detail = format!("the connection broke off while TLS was agreed on ({error}); see whether TLS is spoken there");
            Obstacle::new(Code::ConnectionLost, detail)
        }
    }
}

/// What rustls refuses, or was refused.
pub fn refused(error: &rustls::Error) -> Obstacle {
    match error {
        rustls::Error::InvalidCertificate(flaw) => flawed(flaw),
        rustls::Error::InvalidMessage(_) => {
            let detail = format!("what came is not TLS ({error}); check the port, and whether TLS is spoken there");
            Obstacle::new(Code::TlsRefused, detail)
        }
        rustls::Error::AlertReceived(alert) => {
            let detail = format!("the server refused TLS with the alert {alert:?}; see its log for the reason");
            Obstacle::new(Code::TlsRefused, detail)
        }
        other => Obstacle::new(Code::TlsRefused, format!("TLS was not agreed on: {other}")),
    }
}

/// What is wrong with a certificate, and who can cure it.
fn flawed(flaw: &CertificateError) -> Obstacle {
    let (code, words) = match flaw {
        CertificateError::ExpiredContext { not_after, .. } => {
            (Code::CertificateExpired, format!("has been over since {}; renew it", date(*not_after)))
        }
        CertificateError::Expired => (Code::CertificateExpired, "is over; renew it".to_owned()),
        CertificateError::NotValidYetContext { not_before, .. } => {
            let when = date(*not_before);
            (Code::CertificateExpired, format!("is not valid before {when}; wait until then, or set this machine's clock right"))
        }
        CertificateError::NotValidYet => (Code::CertificateExpired, "is not valid yet; wait until it is".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() { "no name at all".to_owned() } else { short(&presented.join(", ")) };
            (Code::CertificateOtherName, format!("is not for {}, but for {names}", expected.to_str()))
        }
        CertificateError::NotValidForName => (Code::CertificateOtherName, "is for another name".to_owned()),
        CertificateError::UnknownIssuer => {
            let cure = "let the server send its whole chain, or name the authority in `tlsCaFile`";
            (Code::CertificateUntrusted, format!("is signed by nobody who is trusted here; {cure}"))
        }
        other => (Code::CertificateUntrusted, format!("is not trusted: {other}")),
    };
    Obstacle::new(code, format!("the server's certificate {words}"))
}

/// A moment, or what its certificate takes for one.
fn date(moment: UnixTime) -> String {
    let second = i64::try_from(moment.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok());
    second.map_or_else(|| "a time that no calendar knows".to_owned(), |second| second.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_names_and_authorities_are_told_apart_by_the_kind_of_the_flaw() {
        let code = |flaw| flawed(&flaw).code;
        assert_eq!(code(CertificateError::Expired), Code::CertificateExpired);
        assert_eq!(code(CertificateError::NotValidYet), Code::CertificateExpired);
        assert_eq!(code(CertificateError::NotValidForName), Code::CertificateOtherName);
        for untrusted in [CertificateError::UnknownIssuer, CertificateError::BadSignature, CertificateError::Revoked] {
            assert_eq!(code(untrusted), Code::CertificateUntrusted);
        }
    }

    #[test]
    fn a_handshake_that_is_cut_is_a_lost_connection_and_a_refused_one_is_not() {
        assert_eq!(broken(&io::ErrorKind::UnexpectedEof.into()).code, Code::ConnectionLost);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(broken(&io::Error::other(alert)).code, Code::TlsRefused);
    }
}
