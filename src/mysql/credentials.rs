//! Credentials are named in the spec, and read where they are named: two environment variables, or a file of two lines.

use std::path::Path;

use super::connect::Credentials;
use crate::fault::{Fault, Problem};
use crate::spec::CredentialsFrom;

/// Reads what `from` names.
///
/// # Errors
/// `Denied` with the name of what is missing; never with anything that was found.
pub fn read(from: &CredentialsFrom) -> Result<Credentials, Fault> {
    match from {
        CredentialsFrom::Env(prefix) => {
            let (user, password) = (format!("{prefix}_USER"), format!("{prefix}_PASSWORD"));
            let missing = |name: &str| missing(name, format!("set the environment variables {user} and {password}"));
            let value = |name: &str| std::env::var(name).map_err(|_| missing(name));
            Ok(Credentials { user: value(&user)?, password: value(&password)? })
        }
        CredentialsFrom::File(path) => read_file(Path::new(path)),
    }
}

fn read_file(path: &Path) -> Result<Credentials, Fault> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        missing(&shown, format!("it cannot be read ({}); write `user=...` and `password=...` there", error.kind()))
    })?;
    let field = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix('='));
    let value = |name: &str| {
        field(name).map(str::to_owned).ok_or_else(|| missing(&shown, format!("it has no line `{name}=...`; add it")))
    };
    Ok(Credentials { user: value("user")?, password: value("password")? })
}

fn missing(name: &str, message: String) -> Fault {
    let problem = Problem::Denied { code: "CredentialsMissing".to_owned(), message };
    Fault { attempted: format!("read the credentials {name}"), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, CredentialsFrom) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("legacy.credentials");
        std::fs::write(&path, text).expect("a file");
        (directory, CredentialsFrom::File(path.display().to_string()))
    }

    #[test]
    fn a_file_of_two_lines_is_read_and_a_password_may_hold_anything() {
        let (_directory, from) = file("user=bascule\npassword=a=b#c \u{fc}\n");
        let read = read(&from).expect("credentials");
        assert_eq!((read.user.as_str(), read.password.as_str()), ("bascule", "a=b#c \u{fc}"));
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_there_is_not_shown() {
        let (_directory, from) = file("password=hunter2\n");
        let fault = read(&from).expect_err("there is no user").to_string();
        assert!(fault.contains("user=") && !fault.contains("hunter2"), "{fault}");
        let fault = read(&CredentialsFrom::Env("BASCULE_NOBODY".into())).expect_err("nothing is set").to_string();
        assert!(fault.contains("BASCULE_NOBODY_USER and BASCULE_NOBODY_PASSWORD"), "{fault}");
    }
}
