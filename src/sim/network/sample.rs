//! A text that a regular expression finds: the simulated application is as the spec declares it.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A short text that `pattern` finds; none where the pattern is none, or demands more than its letters say (a word boundary).
pub fn sample(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, &mut text)?;
    Regex::new(pattern).ok()?.is_match(&text).then_some(text)
}

fn write(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(first_of(class)?),
        HirKind::Repetition(repetition) => {
            // Where nothing is enough, one shows more; a thousand would show nothing else.
            let times = repetition.min.max(1).min(repetition.max.unwrap_or(u32::MAX)).min(1_000);
            for _ in 0..times {
                write(&repetition.sub, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, text))?,
        HirKind::Alternation(parts) => write(parts.first()?, text)?,
    }
    Some(())
}

/// A character that a person can read, if the class has one.
fn first_of(class: &Class) -> Option<char> {
    let characters: Vec<char> = match class {
        Class::Unicode(ranges) => ranges.iter().flat_map(|range| (range.start()..=range.end()).take(128)).take(1_024).collect(),
        Class::Bytes(ranges) => ranges.iter().flat_map(|range| (range.start()..=range.end()).map(char::from)).collect(),
    };
    characters.iter().find(|c| c.is_ascii_alphanumeric()).or_else(|| characters.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_own_pattern() {
        for pattern in ["max-age=\\d+", "^(ok|fine)$", "[A-F0-9]{8}", "(?i)pay now", "a.c", "x*", "\\w+@\\w+"] {
            let text = sample(pattern).expect("it can be made");
            assert!(Regex::new(pattern).expect("a pattern").is_match(&text), "{pattern}: {text}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_not_pretended() {
        assert_eq!(sample("("), None);
        assert_eq!(sample("a\\Bb\\b c$^"), None);
    }
}
