//! SDK error to [`Fault`], by error code.
