//! What is not as declared, and how it is told.

use super::outcome::{Code, Evidence, Outcome};

/// So many are told of one run; whoever has cured these runs the check again.
const TOLD: usize = 3;

/// One thing that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Which rule it breaks.
    pub code: Code,
    /// What was found, and what would be right.
    pub said: String,
}

impl Failing {
    /// A failing.
    pub fn new(code: Code, said: impl Into<String>) -> Self {
        Self { code, said: said.into() }
    }
}

/// The first of many texts, and how many more there are.
pub fn told(texts: &[String]) -> String {
    let first = texts[..texts.len().min(TOLD)].join("; ");
    match texts.len().saturating_sub(TOLD) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// Goes on where nothing failed.
///
/// # Errors
/// The end of the run, with the word of the first failing.
pub fn refuse(failings: &[Failing], evidence: &[Evidence]) -> Result<(), Outcome> {
    let Some(first) = failings.first() else { return Ok(()) };
    let texts: Vec<String> = failings.iter().map(|failing| failing.said.clone()).collect();
    Err(Outcome::fail(first.code, told(&texts), evidence.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failing_names_the_outcome_and_the_rest_is_told_or_counted() {
        let failings: Vec<Failing> = ["a", "b", "c", "d", "e"].map(|said| Failing::new(Code::BodyDiffers, said)).into();
        let outcome = refuse(&failings, &[]).expect_err("five things are wrong");
        assert_eq!((outcome.code, outcome.message.as_str()), (Code::BodyDiffers, "a; b; c; and 2 more"));
        assert_eq!(refuse(&[], &[]), Ok(()));
    }
}
