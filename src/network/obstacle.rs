//! What got in the way, judged by the types of errors and never by their text.

use std::io;

use crate::checks::outcome::Code;

/// What got in the way, before it is said of what was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Its code.
    pub code: Code,
    /// What came instead of an answer, in words; never a secret.
    pub detail: String,
}

impl Obstacle {
    /// Something in the way.
    pub const fn new(code: Code, detail: String) -> Self {
        Self { code, detail }
    }

    /// A request that cannot be made.
    pub const fn not_asked(detail: String) -> Self {
        Self::new(Code::NotAsked, detail)
    }
}

/// What rustls says within an error of the stream that it stands on.
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
