//! Credentials by reference: the spec says where a user and a password, or one secret, are found, and here they are found.
//!
//! They are read each time they are needed, so that a rotated password is used from the next connection on.

use std::fmt;
use std::io;

use crate::spec::CredentialsFrom;
use crate::spec::checks::SecretFrom;

/// A user and the password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account's user.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why credentials were not found. Says where was looked, never what stood there.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// An environment variable is not set, or is not text.
    #[error(
        "the environment variable {name} is not set; set {prefix}_USER and {prefix}_PASSWORD, or name a file in `credentialsFrom`"
    )]
    NotInEnvironment {
        /// The variable.
        name: String,
        /// The prefix that the spec names.
        prefix: String,
    },
    /// The file cannot be read.
    #[error("the credentials file {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file has no such line.
    #[error("the credentials file {path} has no line `{field}=...`; it needs two, `user=...` and `password=...`")]
    NotInFile {
        /// The file.
        path: String,
        /// Which line.
        field: &'static str,
    },
    /// The environment variable of one secret is not set, or is not text.
    #[error("the environment variable {name} is not set; set it to the secret, or name a `file` instead of `env`")]
    SecretNotInEnvironment {
        /// The variable.
        name: String,
    },
    /// The file of one secret cannot be read.
    #[error("the secret file {path} cannot be read: {source}; the secret is to be its whole content")]
    SecretUnreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is nothing where the secret should be.
    #[error("{place} is empty; the secret belongs there")]
    SecretEmpty {
        /// The variable or the file, in words.
        place: String,
    },
}

/// Finds the user and the password that `from` names, in this process's environment or file system.
///
/// # Errors
/// Where nothing was found, and what belongs there.
pub fn find(from: &CredentialsFrom) -> Result<Credentials, CredentialsError> {
    match from {
        CredentialsFrom::Env(prefix) => in_environment(prefix, &environment),
        CredentialsFrom::File(path) => {
            let text = std::fs::read_to_string(path);
            in_file(path, &text.map_err(|source| CredentialsError::Unreadable { path: path.clone(), source })?)
        }
    }
}

/// Finds the one secret that `from` names, in this process's environment or file system.
///
/// # Errors
/// As [`find`].
pub fn find_secret(from: &SecretFrom) -> Result<String, CredentialsError> {
    find_secret_in(from, &environment)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn in_environment(prefix: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<Credentials, CredentialsError> {
    let variable = |suffix: &str| {
        let name = format!("{prefix}_{suffix}");
        value(&name).ok_or_else(|| CredentialsError::NotInEnvironment { name, prefix: prefix.to_owned() })
    };
    Ok(Credentials { user: variable("USER")?, password: variable("PASSWORD")? })
}

/// Lines of `name=value`; a value is everything behind its `=`, so that a password may hold any character but a line's end.
fn in_file(path: &str, text: &str) -> Result<Credentials, CredentialsError> {
    let value = |field: &'static str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(name, _)| name.trim() == field).map(|(_, value)| value.to_owned());
        found.ok_or_else(|| CredentialsError::NotInFile { path: path.to_owned(), field })
    };
    Ok(Credentials { user: value("user")?.trim().to_owned(), password: value("password")? })
}

fn find_secret_in(from: &SecretFrom, value: &dyn Fn(&str) -> Option<String>) -> Result<String, CredentialsError> {
    let (secret, place) = match from {
        SecretFrom::Env(name) => {
            let secret = value(name).ok_or_else(|| CredentialsError::SecretNotInEnvironment { name: name.clone() })?;
            (secret, format!("the environment variable {name}"))
        }
        SecretFrom::File(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|source| CredentialsError::SecretUnreadable { path: path.clone(), source })?;
            (without_line_end(&text).to_owned(), format!("the secret file {path}"))
        }
    };
    if secret.is_empty() { Err(CredentialsError::SecretEmpty { place }) } else { Ok(secret) }
}

/// Editors end a file with a line's end that nobody means as part of the secret.
fn without_line_end(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_variables_of_one_prefix_are_a_user_and_a_password() {
        let environment = |name: &str| match name {
            "PAYMENTS_USER" => Some("bascule".to_owned()),
            "PAYMENTS_PASSWORD" => Some(" a=b ".to_owned()),
            _ => None,
        };
        let found = in_environment("PAYMENTS", &environment).expect("both are set");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("bascule", " a=b "));
        let missing = in_environment("OTHER", &environment).expect_err("neither is set").to_string();
        assert!(missing.contains("OTHER_USER is not set"), "{missing}");
    }

    #[test]
    fn a_file_of_two_lines_keeps_every_character_of_the_password() {
        let found = in_file("f", "user = bascule\r\npassword= p=w#' \"\n").expect("both are there");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("bascule", " p=w#' \""));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_that_is_there_is_repeated() {
        let missing = in_file("/f", "password=canary\nusr=canary\n").expect_err("no user").to_string();
        assert!(missing.contains("/f has no line `user=...`") && !missing.contains("canary"), "{missing}");
        let absent = find(&CredentialsFrom::File("/no/such/file".into())).expect_err("no file").to_string();
        assert!(absent.starts_with("the credentials file /no/such/file cannot be read"), "{absent}");
    }

    #[test]
    fn a_secret_is_a_whole_variable_or_a_whole_file_without_the_end_of_its_last_line() {
        let environment = |name: &str| (name == "TOKEN").then(|| " t0k=en\n".to_owned());
        assert_eq!(find_secret_in(&SecretFrom::Env("TOKEN".into()), &environment).expect("it is set"), " t0k=en\n");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let from = SecretFrom::File(file.path().display().to_string());
        for (content, secret) in [("a b\n", "a b"), ("a\nb\r\n", "a\nb"), (" a ", " a "), ("a\n\n", "a\n")] {
            std::fs::write(file.path(), content).expect("a written file");
            assert_eq!(find_secret(&from).expect("it is there"), secret);
        }
    }

    #[test]
    fn a_secret_that_is_missing_or_empty_says_where_it_belongs_and_is_never_taken_for_one() {
        let nothing = |_: &str| None;
        let unset = find_secret_in(&SecretFrom::Env("TOKEN".into()), &nothing).expect_err("not set").to_string();
        assert!(unset.starts_with("the environment variable TOKEN is not set; set it to the secret"), "{unset}");
        let absent = find_secret(&SecretFrom::File("/no/such/file".into())).expect_err("no file").to_string();
        assert!(absent.starts_with("the secret file /no/such/file cannot be read"), "{absent}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "\n").expect("a written file");
        let empty = find_secret(&SecretFrom::File(file.path().display().to_string())).expect_err("empty").to_string();
        assert!(empty.ends_with("is empty; the secret belongs there"), "{empty}");
    }
}
