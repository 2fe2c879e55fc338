//! The HTTP face over real sockets.

mod fixture;

mod answers;
mod hostile;
mod monitoring;
mod watching;
