//! What is worth knowing of a certificate that was accepted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::checks::network::Certificate;
use crate::checks::outcome::{Code, short};
use crate::network::obstacle::Obstacle;

/// The server's own certificate, the first of its chain.
pub fn of(stream: &TlsStream<TcpStream>) -> Result<Certificate, Obstacle> {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let read = shown.map(|certificate| read(certificate));
    match read {
        Some(Ok(certificate)) => Ok(certificate),
        Some(Err(error)) => Err(unreadable(&error.to_string())),
        None => Err(unreadable("none was shown")),
    }
}

fn unreadable(why: &str) -> Obstacle {
    Obstacle::new(Code::CertificateUntrusted, format!("the server's certificate cannot be read: {why}"))
}

fn read(der: &[u8]) -> Result<Certificate, X509Error> {
    let (_, certificate) = X509Certificate::from_der(der)?;
    let alternatives = certificate.subject_alternative_name()?;
    let names = alternatives.iter().flat_map(|names| &names.value.general_names);
    Ok(Certificate {
        names: names.filter_map(name).collect(),
        issuer: short(&certificate.issuer().to_string()),
        not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX),
    })
}

/// A name that a server may be called by. Certificates hold others as well, such as e-mail addresses.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(short(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let ipv4 = <[u8; 4]>::try_from(bytes).map(Ipv4Addr::from).map(IpAddr::from);
    ipv4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Ipv6Addr::from).map(IpAddr::from)).ok()
}
