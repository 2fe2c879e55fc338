//! What can go wrong when something outside is asked, and what may be done about it.

use std::time::Duration;

/// A failed call, said so that a person can act on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attempted}: {problem}")]
pub struct Fault {
    /// What was attempted, on what: `StartReplicationTask payments-forward`.
    pub attempted: String,
    /// What came instead of success.
    pub problem: Problem,
}

/// The closed list of problems. AWS problems are told apart by error *code*, never by message text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The service asked for fewer calls.
    #[error("throttled ({code})")]
    Throttled {
        /// The service's error code.
        code: String,
    },
    /// No answer, or a broken one: the call may or may not have been applied.
    #[error("no usable answer, it may have been applied: {detail}")]
    Ambiguous {
        /// Time-out, reset connection, truncated body, 5xx.
        detail: String,
    },
    /// Nobody was reached, so that nothing was asked and nothing has changed: refused, no route, no such name, no TLS.
    #[error("not reached, and nothing was sent: {why}")]
    Unreachable {
        /// Why, and what to do.
        why: String,
    },
    /// The resource is in a state that refuses this call for now (`InvalidResourceStateFault` and its kin): look again.
    #[error("refused in its present state ({code}): {message}")]
    WrongState {
        /// The service's error code.
        code: String,
        /// The service's message, for people only.
        message: String,
    },
    /// It exists already: look again and adopt it.
    #[error("exists already ({code})")]
    AlreadyExists {
        /// The service's error code.
        code: String,
    },
    /// It does not exist.
    #[error("not found ({code})")]
    NotFound {
        /// The service's error code.
        code: String,
    },
    /// Credentials, permissions or keys: a person must help.
    #[error("denied ({code}): {message}")]
    Denied {
        /// The service's error code.
        code: String,
        /// The service's message, for people only.
        message: String,
    },
    /// What the spec asks is not accepted: the spec must change.
    #[error("not accepted ({code}): {message}")]
    Invalid {
        /// The service's error code.
        code: String,
        /// The service's message, for people only.
        message: String,
    },
    /// A compare-and-swap lost: somebody else changed it first.
    #[error("changed by somebody else ({code}): {message}")]
    Conflict {
        /// The service's error code.
        code: String,
        /// The service's message, for people only.
        message: String,
    },
    /// An account quota is used up.
    #[error("quota exceeded ({code})")]
    Quota {
        /// The service's error code.
        code: String,
    },
    /// A newer controller holds the fence: this one must stop acting.
    #[error("a newer controller (epoch {theirs}) holds the fence; this one is epoch {ours}")]
    Superseded {
        /// This controller's epoch.
        ours: u64,
        /// The epoch found in the database.
        theirs: u64,
    },
}

/// When the same step may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Look again at once, then decide afresh.
    Soon,
    /// Look again after this long.
    Later(Duration),
    /// Only a person can help; keep looking slowly.
    NeedsOperator,
    /// Only another spec can help.
    NeedsSpec,
}

impl Problem {
    /// The retry class, exhaustive on purpose: a new problem must be thought about here.
    pub const fn retry(&self) -> Retry {
        match self {
            // Four calls a second is DMS's refill, shared by the whole account: five seconds lets a bucket recover.
            Self::Throttled { .. } => Retry::Later(Duration::from_secs(5)),
            // The loop re-reads before it tries again, so that a call that did apply is not repeated.
            Self::Ambiguous { .. } | Self::AlreadyExists { .. } | Self::NotFound { .. } => Retry::Soon,
            // A server that restarts is back within seconds, and whoever waits for it holds the payments up.
            Self::Unreachable { .. } => Retry::Soon,
            Self::WrongState { .. } => Retry::Later(Duration::from_secs(5)),
            Self::Denied { .. } | Self::Conflict { .. } | Self::Quota { .. } | Self::Superseded { .. } => Retry::NeedsOperator,
            Self::Invalid { .. } => Retry::NeedsSpec,
        }
    }
}
