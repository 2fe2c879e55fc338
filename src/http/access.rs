//! Who may read: anybody, or whoever shows a token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Sixteen characters of `openssl rand -hex` are 64 bits, which nobody guesses at a few dozen tries a second.
const SHORTEST_TOKEN: usize = 16;

/// Who may read what this server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever can reach it.
    Anybody,
    /// Whoever shows this token.
    Holders(Token),
}

/// A token, kept as its digest: a comparison takes as long for a wrong one as for the right one, whatever their lengths, and
/// nothing that prints this value can tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why a text is no token. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too easily guessed.
    #[error("the token has {0} characters; give it {SHORTEST_TOKEN} or more, such as `openssl rand -hex 32` prints")]
    TooShort(usize),
    /// A header could not carry it, or a person could not see it.
    #[error("the token holds a space, a line's end or a letter beyond ASCII; `openssl rand -hex 32` prints one without")]
    Characters,
}

impl Token {
    /// A token that headers can carry and nobody guesses.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if !text.chars().all(|letter| letter.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        if text.len() < SHORTEST_TOKEN {
            return Err(TokenError::TooShort(text.len()));
        }
        Ok(Self(Sha256::digest(text.as_bytes()).into()))
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(&Sha256::digest(shown)).into()
    }
}

impl Access {
    /// Whether a request with these headers may read.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Anybody => true,
            Self::Holders(token) => shown(headers).is_some_and(|shown| token.is(&shown)),
        }
    }
}

/// The token that a request shows: as `Bearer`, as programs do, or as the password of `Basic`, for which browsers ask by
/// themselves; the user's name does not matter. Two headers are as good as none.
fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn asking(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        headers
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn whoever_shows_the_token_may_read_as_a_program_or_as_a_browser_and_nobody_else() {
        let access = Access::Holders(Token::new(TOKEN).expect("a token"));
        for good in
            [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN}"), basic(&format!("ann:{TOKEN}")), basic(&format!(":{TOKEN}"))]
        {
            assert!(access.admits(&asking(&good)), "{good}");
        }
        let longer = format!("Bearer {TOKEN}0");
        for bad in [
            "Bearer",
            "Bearer ",
            &longer,
            &longer[..longer.len() - 2],
            TOKEN,
            "Basic !",
            &basic(TOKEN),
            &basic(&format!("{TOKEN}:")),
        ] {
            assert!(!access.admits(&asking(bad)), "{bad}");
        }
        assert!(!access.admits(&HeaderMap::new()));
        let mut twice = asking(&format!("Bearer {TOKEN}"));
        twice.append(header::AUTHORIZATION, "Bearer other".parse().expect("a header"));
        assert!(!access.admits(&twice), "nobody chooses between two");
        assert!(Access::Anybody.admits(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_long_and_visible_and_never_told() {
        assert_eq!(Token::new("c4n4ry"), Err(TokenError::TooShort(6)));
        for invisible in ["0123456789 abcdef", "0123456789abcdef\n", "0123456789abcdéf"] {
            assert_eq!(Token::new(invisible), Err(TokenError::Characters), "{invisible:?}");
        }
        let token = Token::new("c4n4ry-0123456789").expect("a token");
        assert!(!format!("{:?} {:?}", Access::Holders(token), TokenError::TooShort(6)).contains("c4n4ry"));
    }
}
