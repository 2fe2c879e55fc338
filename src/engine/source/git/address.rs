//! What an operator says of a repository: its address, a branch, a path. What could be read as an option, leads out of the
//! repository or would show a secret is refused here, before git hears of it.

use std::fmt;

use aws_smithy_types::base64;
use url::Url;

use crate::spec::finding::is_hidden;

/// Why an address, a branch or a path cannot be used. No message repeats an address: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another protocol, or none.
    #[error(
        "{0}; accepted: https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, file:///PATH \
         (http:// and git:// would let anybody on the way write the spec)"
    )]
    Form(&'static str),
    /// A name that git does not take for a branch.
    #[error("`{0}` cannot be the name of a branch; accepted: such as `main` or `release/payments`")]
    Branch(String),
    /// A path that leads elsewhere.
    #[error("`{0}` is no path inside a repository; accepted: such as `migrations` or `migrations/payments.yaml`")]
    Path(String),
}

/// A repository's address, apart from the secret that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// What git is told, and everybody may read.
    shown: String,
    protocol: Protocol,
    /// `USER:PASSWORD`, for HTTPS.
    credentials: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Https,
    Ssh,
    File,
}

impl Address {
    /// Understands `text`.
    ///
    /// # Errors
    /// If it is of another protocol, or a secret stands where it would be shown.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().any(|c| is_hidden(c) || c.is_whitespace() || c == '\\') {
            return Err(AddressError::Form("there is a blank or a character that cannot be seen in the address"));
        }
        if !text.contains("://") {
            return Self::short(text);
        }
        let mut url = Url::parse(text).map_err(|_| AddressError::Form("this is no address of a repository"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Form("an address of a repository has no `?` and no `#`"));
        }
        if url.host_str().is_some_and(|host| host.starts_with('-')) {
            return Err(AddressError::Form("a host's name does not begin with `-`"));
        }
        let protocol = match url.scheme() {
            "https" => Protocol::Https,
            "ssh" => Protocol::Ssh,
            "file" => Protocol::File,
            _ => return Err(AddressError::Form("this protocol is not followed")),
        };
        if protocol == Protocol::Ssh && (url.password().is_some() || url.username().starts_with('-')) {
            return Err(AddressError::Form("SSH takes no password from an address; give the key to an agent or to ~/.ssh"));
        }
        let credentials = match protocol {
            Protocol::Https if url.password().is_some() || !url.username().is_empty() => {
                let both = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
                // Neither can fail: an HTTPS address has a host.
                let (_, _) = (url.set_username(""), url.set_password(None));
                Some(both)
            }
            Protocol::Https | Protocol::Ssh | Protocol::File => None,
        };
        Ok(Self { shown: url.into(), protocol, credentials })
    }

    /// `git@host:team/payments.git`.
    fn short(text: &str) -> Result<Self, AddressError> {
        let is_word = |word: &str| {
            !word.is_empty() && !word.starts_with('-') && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let parts = text.split_once('@').and_then(|(user, rest)| Some((user, rest.split_once(':')?)));
        match parts {
            Some((user, (host, path))) if is_word(user) && is_word(host) && !path.is_empty() && !path.starts_with([':', '-']) => {
                Ok(Self { shown: text.to_owned(), protocol: Protocol::Ssh, credentials: None })
            }
            _ => Err(AddressError::Form("this is no address of a repository; a directory is written file:///PATH")),
        }
    }

    /// The one protocol that git may speak, as it calls it.
    pub const fn protocol(&self) -> &'static str {
        match self.protocol {
            Protocol::Https => "https",
            Protocol::Ssh => "ssh",
            Protocol::File => "file",
        }
    }

    /// The address without credentials.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The header that carries the credentials. It is given to git in its environment, which other users cannot read, unlike
    /// arguments.
    pub(super) fn authorization(&self) -> Option<String> {
        self.credentials.as_ref().map(|credentials| format!("Authorization: Basic {}", base64::encode(credentials)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

/// `%40` as `@`; what is no such escape stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix('%').and_then(|rest| rest.get(..2)).and_then(|code| u8::from_str_radix(code, 16).ok());
        let taken = if let Some(byte) = code {
            bytes.push(byte);
            3
        } else {
            bytes.extend(first.to_string().bytes());
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    /// By the rules of `git check-ref-format`.
    ///
    /// # Errors
    /// If git would not take it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let is_forbidden = |c: char| is_hidden(c) || c.is_whitespace() || "~^:?*[\\".contains(c);
        let is_fine = text.split('/').all(is_part)
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && !text.contains(is_forbidden);
        if is_fine { Ok(Self(text.to_owned())) } else { Err(AddressError::Branch(text.to_owned())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file or a directory inside a repository; empty for its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// Without `./` before it and `/` behind it.
    ///
    /// # Errors
    /// If it is absolute, or goes up.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
        if text.starts_with('/') {
            return Err(AddressError::Path(text.to_owned()));
        }
        if inner.is_empty() || inner == "." {
            return Ok(Self(String::new()));
        }
        let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(is_hidden);
        if inner.split('/').all(is_part) { Ok(Self(inner.to_owned())) } else { Err(AddressError::Path(text.to_owned())) }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_an_address_is_kept_apart_and_shown_nowhere() {
        let address = Address::parse("https://deploy:s3cr%40t@git.example.com/payments.git").expect("an address");
        assert_eq!(address.shown(), "https://git.example.com/payments.git");
        assert!(!format!("{address} {address:?}").contains("s3cr"));
        assert_eq!(address.authorization().as_deref(), Some("Authorization: Basic ZGVwbG95OnMzY3JAdA=="));
        let token = Address::parse("https://t0ken@git.example.com/payments.git").expect("an address");
        assert!(!token.shown().contains("t0ken") && token.authorization().is_some());
    }

    #[test]
    fn what_git_could_take_for_an_order_is_no_address() {
        let hostile = [
            "ext::sh -c whoami",
            "ext::sh",
            "--upload-pack=whoami",
            "ssh://-oProxyCommand=whoami/x",
            "git@-oProxyCommand:x",
            "http://git.example.com/payments.git",
            "git://git.example.com/payments.git",
            "ssh://git:s3cret@git.example.com/payments.git",
            "https://git.example.com/payments.git?private_token=s3cret",
            "payments.git",
            "/srv/payments.git",
            "",
        ];
        for text in hostile {
            let error = Address::parse(text).expect_err(text);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        for text in
            ["git@git.example.com:team/payments.git", "ssh://git@git.example.com/payments.git", "file:///srv/payments.git"]
        {
            assert_eq!(Address::parse(text).expect("an address").shown(), text);
        }
    }

    #[test]
    fn branches_and_paths_stay_inside_the_repository() {
        for text in ["main", "release/payments", "v1.2"] {
            assert_eq!(Branch::parse(text).expect("a branch").as_str(), text);
        }
        for text in ["", "-f", "a..b", "a b", "a:b", "a/", "/a", "a.lock", "a^", "@{u}", "a\u{202e}b"] {
            assert!(Branch::parse(text).is_err(), "{text}");
        }
        for (text, path) in [(".", ""), ("", ""), ("./migrations/", "migrations"), ("a/b.yaml", "a/b.yaml")] {
            assert_eq!(RepositoryPath::parse(text).expect("a path").as_str(), path);
        }
        for text in ["/etc", "..", "a/../../b", "a//b", "./../a"] {
            assert!(RepositoryPath::parse(text).is_err(), "{text}");
        }
    }
}
