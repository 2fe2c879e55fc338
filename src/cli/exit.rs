//! How commands end: data on stdout, messages on stderr, a documented code.

use serde::Serialize;

/// Prints a message and answers the code of a failure.
pub fn failed(why: &str) -> u8 {
    eprintln!("error: {why}");
    1
}

/// `EX_USAGE` of sysexits(3): no plan and no verdict has it, so that a script can tell a mistyped option from an answer.
const USAGE: u8 = 64;

/// Prints what is wrong with the command line as a whole, which its parser cannot see, and answers the code of wrong usage.
pub fn misused(why: &str) -> u8 {
    eprintln!("error: {why}");
    USAGE
}

/// Prints what the parser of the command line says, a refusal or the help that was asked for, and answers its code.
pub fn said_by_parser(said: &clap::Error) -> u8 {
    // A closed terminal is nobody to tell.
    let _ = said.print();
    if said.use_stderr() { USAGE } else { 0 }
}

/// Prints a value as JSON.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("error: the result cannot be written as JSON: {error}"),
    }
}

/// An error with everything behind it, once, at the edge.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
