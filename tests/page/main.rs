//! The status page in a real browser: what a person reads at every rung and in every failure, live, by keyboard, on any screen.
//!
//! The browser is Chromium, driven by its own protocol over two pipes. `BASCULE_TEST_BROWSER` names another one;
//! `BASCULE_SCREENSHOTS` names a directory into which every state is photographed.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test program takes what it needs")]
mod common;

mod browser;
mod stage;
mod states;

mod accessible;
mod guarded;
mod live;
mod many;
mod reading;
