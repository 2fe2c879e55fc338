//! As whom a request is made, and what must not be repeated of it.

use std::fmt;

use aws_smithy_types::base64;

use super::outcome::{Code, Outcome, short};
use super::probe::Secrets;
use crate::spec::checks::HttpCredentials;

/// What stands where a secret would.
const BLOT: &str = "***";

/// As whom a request is made.
#[derive(Clone, Default)]
pub struct Identity {
    headers: Vec<(String, String)>,
    /// Every form in which a server could repeat what it was told.
    secrets: Vec<String>,
}

impl fmt::Debug for Identity {
    /// Without a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("headers", &self.headers.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// The identity that a check names, read anew for each run.
    ///
    /// # Errors
    /// The end of the run, where no secret is found.
    pub fn of(credentials: Option<&HttpCredentials>, secrets: &dyn Secrets) -> Result<Self, Outcome> {
        let Some(credentials) = credentials else { return Ok(Self::default()) };
        let authorization = |value: String| vec![("authorization".to_owned(), value)];
        let found = match credentials {
            HttpCredentials::Basic(from) => secrets.credentials(from).map(|(user, password)| {
                let encoded = base64::encode(format!("{user}:{password}"));
                (authorization(format!("Basic {encoded}")), vec![encoded, password])
            }),
            HttpCredentials::Bearer(from) => {
                secrets.secret(from).map(|token| (authorization(format!("Bearer {token}")), vec![token]))
            }
            HttpCredentials::Header(header) => {
                secrets.secret(&header.value_from).map(|value| (vec![(header.name.clone(), value.clone())], vec![value]))
            }
        };
        let (headers, mut secrets) = found.map_err(|why| Outcome::unknown(Code::SecretNotFound, why, Vec::new()))?;
        secrets.retain(|secret| !secret.is_empty());
        Ok(Self { headers, secrets })
    }

    /// The headers that prove it; none for nobody.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Whether anything proves it.
    pub fn is_given(&self) -> bool {
        !self.headers.is_empty()
    }

    /// A text in which nothing of the secret is left.
    pub fn blotted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, BLOT))
    }

    /// Somebody else's text as it may be shown: without the secret, on one line, cut to what is worth keeping.
    pub fn shown(&self, text: &str) -> String {
        short(&self.blotted(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::outcome::Verdict;
    use crate::checks::scripted_web::{PASSWORD, SafeOfTests};
    use crate::spec::CredentialsFrom;
    use crate::spec::checks::SecretFrom;

    #[test]
    fn a_user_and_a_password_become_a_header_and_are_never_shown() {
        let basic = HttpCredentials::Basic(CredentialsFrom::Env("BOOKING".into()));
        let identity = Identity::of(Some(&basic), &SafeOfTests).expect("the safe has it");
        // printf 'bascule:hunter-canary' | base64
        let encoded = "YmFzY3VsZTpodW50ZXItY2FuYXJ5";
        assert_eq!(identity.headers(), [("authorization".to_owned(), format!("Basic {encoded}"))]);
        let told = identity.shown(&format!("you sent {encoded}, which is {PASSWORD}"));
        assert_eq!(told, "you sent ***, which is ***");
        assert!(!format!("{identity:?}").contains("canary") && !format!("{identity:?}").contains(encoded));
    }

    #[test]
    fn a_secret_that_is_not_there_leaves_the_check_unknown() {
        let bearer = HttpCredentials::Bearer(SecretFrom::Env("NOT_THERE".into()));
        let outcome = Identity::of(Some(&bearer), &SafeOfTests).expect_err("there is none");
        assert_eq!((outcome.verdict, outcome.code), (Verdict::Unknown, Code::SecretNotFound));
        assert!(outcome.message.contains("NOT_THERE"), "{}", outcome.message);
    }
}
