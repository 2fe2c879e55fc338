//! Texts of a check that mean more than text.
//!
//! They are understood here, for the rules of the file and for the checks alike: what the loader takes, a check can use.

use regex::{Regex, RegexBuilder};
use url::Url;

use crate::spec::form::is_host;

/// What one regular expression may compile to, in bytes. A rule about a page takes some kilobytes; a thousand rules of this size
/// still fit into a small machine.
const LARGEST_EXPRESSION: usize = 1 << 20;

/// A URL that a web server can be asked for: `http://` or `https://`, and a host.
pub fn web_url(text: &str) -> Option<Url> {
    // The reader of URLs also takes `https:host` and spaces around it, which nobody means.
    let (scheme, rest) = text.split_once("://")?;
    let is_web = ["http", "https"].contains(&scheme) && !rest.starts_with('/') && !text.contains(char::is_whitespace);
    Url::parse(text).ok().filter(|url| is_web && url.has_host())
}

/// `connectTo`: a host, and a port if it names one.
pub fn endpoint(text: &str) -> Option<(&str, Option<u16>)> {
    let Some((host, port)) = text.rsplit_once(':') else { return is_host(text).then_some((text, None)) };
    let port: u16 = port.parse().ok().filter(|number: &u16| *number > 0 && number.to_string() == port)?;
    is_host(host).then_some((host, Some(port)))
}

/// A regular expression of bounded size. Searching with it takes time in proportion to the text, whatever the text.
///
/// # Errors
/// Where it breaks the syntax, or that it is too large.
pub fn expression(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(LARGEST_EXPRESSION).build()
}

/// Whether a text is a JSON pointer (RFC 6901): empty, or names behind slashes, in which `~` stands before `0` or `1` only.
pub fn is_pointer(text: &str) -> bool {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    escaped && (text.is_empty() || text.starts_with('/'))
}

/// Whether a text can be the name of an HTTP header.
pub fn is_header_name(text: &str) -> bool {
    http::HeaderName::from_bytes(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_on_the_web_and_has_a_host() {
        for text in ["https://pay.example.com", "http://127.0.0.1:8080/health?deep=1", "https://[::1]/"] {
            assert!(web_url(text).is_some(), "{text}");
        }
        let others =
            ["pay.example.com", "https:pay.example.com", "https:///pay", "https://", "ftp://h/", " https://h/", "", "//h/"];
        for text in others {
            assert!(web_url(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_connection_leads_to_a_host_with_or_without_a_port() {
        assert_eq!(endpoint("10.0.0.1"), Some(("10.0.0.1", None)));
        assert_eq!(endpoint("lb.example.com:8443"), Some(("lb.example.com", Some(8443))));
        for text in ["https://lb.example.com", "lb.example.com:", "lb.example.com:0", "lb:+80", "lb:65536", ":80", "a b:80"] {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }

    #[test]
    fn an_expression_that_would_fill_the_memory_is_none() {
        assert!(expression("^ok(ay)?$").is_ok());
        assert!(expression("(").is_err());
        assert!(expression(r"(\w{1000}){1000}").is_err());
    }

    #[test]
    fn a_pointer_begins_with_a_slash_or_is_empty() {
        assert!(["", "/", "/checks/0/a~1b~0c"].iter().all(|text| is_pointer(text)));
        assert!(!["checks", "$.checks", "/a~2", "/a~"].iter().any(|text| is_pointer(text)));
    }
}
