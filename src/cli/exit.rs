//! How commands end: data on stdout, messages on stderr, a documented code.

use serde::Serialize;

/// Prints a message and answers the code of a failure.
pub fn failed(why: &str) -> u8 {
    eprintln!("error: {why}");
    1
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
