//! How one run of a check ended, and what was seen.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest evidence that is kept, in characters: enough for a status line and a sentence, too little to flood a page.
const LONGEST: usize = 400;

/// Whether what was declared holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It does.
    Pass,
    /// It does not.
    Fail,
    /// Nobody can say.
    Unknown,
}

impl Verdict {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Unknown];

    /// As it is written in JSON and in labels.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// What a check is about; each kind has a gate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CheckKind {
    /// A page of the new system.
    Page,
    /// Something that it depends on.
    Upstream,
    /// Redis or Valkey.
    Cache,
    /// Both databases' structure.
    Schema,
    /// The public name as resolvers answer it.
    Names,
    /// Traffic that should end.
    Traffic,
}

/// Declares the codes with their meanings as one table.
macro_rules! codes {
    ($($name:ident $meaning:literal;)*) => {
        /// Why a run ended as it did: one word that never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {$(#[doc = $meaning] $name,)*}

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {$(Self::$name => $meaning,)*}
            }
        }
    };
}

codes! {
    // All is well.
    AsDeclared "Everything that was declared is so.";

    // Nothing could be found out.
    TimedOut "No answer came in time.";
    NotAsked "The check could not be made as it is declared.";
    SecretNotFound "The credentials that the spec names were not found.";

    // On the way to an answer.
    NameNotFound "The name does not resolve.";
    ResolverSilent "The resolver does not answer, or answers nonsense.";
    ConnectionRefused "Nobody listens there.";
    Unreachable "There is no way there.";
    ConnectionLost "The connection broke off.";
    CertificateExpired "The certificate is over, or not valid yet.";
    CertificateExpiresSoon "The certificate is over soon.";
    CertificateOtherName "The certificate is for another name.";
    CertificateUntrusted "The certificate's authority is not trusted.";
    TlsRefused "TLS was not agreed.";
    NotHttp "What answered does not speak HTTP.";
    NotACache "What answered speaks neither Redis's nor Valkey's protocol.";
    AnswerTooLarge "The answer does not end.";
    PrivateAddress "The way leads to a private address that is not allowed by name.";

    // Pages and upstreams.
    CredentialsRefused "The credentials are not accepted.";
    StatusDiffers "Another status than declared.";
    HeaderDiffers "A header is not as declared.";
    BodyDiffers "The body is not as declared.";
    RedirectDiffers "The redirects are not as declared.";
    RedirectLoop "The redirects do not end.";
    ForeignName "The answer leads to a host of the old system, or to the shadow name where the public one is meant.";
    TwinDiffers "The same upstream answers differently under its other name.";

    // Caches.
    CrossSlot "Keys that are used together lie in different slots.";
    ClusterModeOff "The cache is not in cluster mode.";
    ClusterDown "The cluster does not serve every slot.";
    EvictionDiffers "Memory is made free in another way than declared.";
    MemoryShort "Too little memory is left.";
    WriteRefused "The cache takes no writes.";
    RedirectedForEver "The cluster's nodes send the question to each other.";

    // Schemas.
    SchemaDiffers "The structures differ in a way that matters.";
    MigrationsDiffer "The application's migrations are not at the same version.";

    // Names.
    AnswerDiffers "The name is answered differently from what is wished.";
    TtlTooLong "The name is answered with a TTL that is too long.";
    OldAnswerKept "A resolver still holds an answer from before.";
    ConflictingRecord "Another record gets in the way of the public one.";

    // Traffic.
    StillArriving "Requests still arrive where they should have ended.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was asked, of whom.
    pub asked: String,
    /// What came back. Never a secret, never a whole page.
    pub answered: String,
    /// When it was asked.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
}

impl Evidence {
    /// Evidence of bounded length, on one line.
    pub fn new(asked: &str, answered: &str, at: Timestamp, took: std::time::Duration) -> Self {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { asked: short(asked), answered: short(answered), at, took_ms }
    }
}

/// The text on one line, cut to what is worth keeping.
pub fn short(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether what was declared holds.
    pub verdict: Verdict,
    /// Why.
    pub code: Code,
    /// The same in a sentence: what is wrong, and what would cure it.
    pub message: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

impl Outcome {
    /// Everything is as declared.
    pub fn pass(message: impl Into<String>, evidence: Vec<Evidence>) -> Self {
        Self { verdict: Verdict::Pass, code: Code::AsDeclared, message: message.into(), evidence }
    }

    /// Something is not as declared.
    pub fn fail(code: Code, message: impl Into<String>, evidence: Vec<Evidence>) -> Self {
        Self { verdict: Verdict::Fail, code, message: message.into(), evidence }
    }

    /// Nothing was found out.
    pub fn unknown(code: Code, message: impl Into<String>, evidence: Vec<Evidence>) -> Self {
        Self { verdict: Verdict::Unknown, code, message: message.into(), evidence }
    }
}
