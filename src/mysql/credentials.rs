//! Credentials by reference: the spec says where a user and a password are found, and here they are found.
//!
//! They are read each time they are needed, so that a rotated password is used from the next connection on.

use std::io;

use super::connect::Credentials;
use crate::spec::CredentialsFrom;

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
}

/// Finds the user and the password that `from` names, in this process's environment or file system.
///
/// # Errors
/// Where nothing was found, and what belongs there.
pub fn find(from: &CredentialsFrom) -> Result<Credentials, CredentialsError> {
    match from {
        CredentialsFrom::Env(prefix) => in_environment(prefix, &|name| std::env::var(name).ok()),
        CredentialsFrom::File(path) => {
            let text = std::fs::read_to_string(path);
            in_file(path, &text.map_err(|source| CredentialsError::Unreadable { path: path.clone(), source })?)
        }
    }
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
}
