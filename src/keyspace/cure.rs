//! The hash tag that keeps the keys of an operation together.

use std::fmt;

use super::patterns::{Pattern, Token, is_fixed};

/// So many rewritten keys are told; the others follow the same rule.
const TOLD: usize = 4;

/// Characters with which applications divide their keys.
const DIVIDERS: [char; 6] = [':', '.', '/', '|', '-', '_'];

/// How an operation's keys would have to be written to lie in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cure {
    /// The prefix: as it was, unless its braces get in the way.
    pub prefix: String,
    /// The keys behind the prefix, as patterns, in the order of the operation.
    pub keys: Vec<String>,
    /// What that does to the load.
    pub spread: Spread,
    prefix_before: String,
}

/// What a tag does to the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each value has a slot of its own.
    ByValue,
    /// All of the operation's keys lie in one slot, on one node.
    OneSlot,
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.keys.iter().take(TOLD).map(|key| format!("`{}{key}`", self.prefix)).collect();
        write!(f, "write {}", told.join(", "))?;
        match self.keys.len().saturating_sub(TOLD) {
            0 => {}
            more => write!(f, " and {more} more in the same way")?,
        }
        if self.prefix != self.prefix_before {
            write!(f, ", with `{}` as the prefix instead of `{}`", self.prefix, self.prefix_before)?;
        }
        match self.spread {
            Spread::ByValue => Ok(()),
            Spread::OneSlot => f.write_str(" (correct, but one node carries all of it)"),
        }
    }
}

/// The smallest change that keeps `keys` together: braces round what they have in common. A common placeholder is best, because
/// each of its values may lie elsewhere; and it is what an operator can often put in braces without the application's help.
pub(super) fn cure(name: &str, prefix: &str, keys: &[Pattern]) -> Cure {
    // Braces that did not help are in the way of those that will.
    let bare: Vec<Vec<Token>> = keys.iter().map(|key| key.0.iter().filter(|token| !is_brace(token)).cloned().collect()).collect();
    let (tagged, spread): (Vec<Vec<Token>>, _) = match common_run(&bare).or_else(|| common_beginning(&bare)) {
        Some(run) => (bare.iter().map(|key| braced(key, run)).collect(), spread_by(run)),
        None => (bare.iter().map(|key| in_front(&tag_named(name), key)).collect(), Spread::OneSlot),
    };
    Cure {
        prefix: if prefix.contains('{') { prefix.replace(['{', '}'], "") } else { prefix.to_owned() },
        keys: tagged.into_iter().map(|key| Pattern(key).to_string()).collect(),
        spread,
        prefix_before: prefix.to_owned(),
    }
}

fn is_brace(token: &Token) -> bool {
    matches!(token, Token::Letter('{' | '}'))
}

fn spread_by(tag: &[Token]) -> Spread {
    if is_fixed(tag) { Spread::OneSlot } else { Spread::ByValue }
}

/// The run with most placeholders, from a placeholder to a placeholder, that all keys have.
fn common_run(keys: &[Vec<Token>]) -> Option<&[Token]> {
    let first = keys.first()?;
    let words: Vec<usize> = (0..first.len()).filter(|&at| matches!(first[at], Token::Word(_))).collect();
    let runs = (1..=words.len()).rev().flat_map(|length| words.windows(length));
    let mut runs = runs.map(|words| &first[words[0]..=words[words.len() - 1]]);
    runs.find(|run| keys.iter().all(|key| place(key, run).is_some()))
}

/// The longest beginning that all keys have, up to a divider or an end.
fn common_beginning(keys: &[Vec<Token>]) -> Option<&[Token]> {
    let first = keys.first()?;
    let ends = |key: &[Token], at: usize| match key.get(at) {
        None => true,
        Some(Token::Letter(letter)) => DIVIDERS.contains(letter),
        Some(Token::Word(_)) => false,
    };
    let mut beginnings = (1..=first.len()).rev().map(|length| &first[..length]);
    beginnings.find(|beginning| {
        let whole = |key: &Vec<Token>| key.starts_with(beginning) && ends(key, beginning.len());
        is_text(beginning) && keys.iter().all(whole)
    })
}

/// Whether there is more in it than dividers.
fn is_text(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| !matches!(token, Token::Letter(letter) if DIVIDERS.contains(letter)))
}

/// Where `run` stands in `key` for the first time.
fn place(key: &[Token], run: &[Token]) -> Option<usize> {
    key.windows(run.len()).position(|window| window == run)
}

/// The key with braces round `run`.
fn braced(key: &[Token], run: &[Token]) -> Vec<Token> {
    let Some(at) = place(key, run) else { return key.to_vec() };
    let (before, behind) = (&key[..at], &key[at + run.len()..]);
    [before, &[Token::Letter('{')], run, &[Token::Letter('}')], behind].concat()
}

fn in_front(tag: &str, key: &[Token]) -> Vec<Token> {
    let mut tagged = Pattern::fixed(&format!("{{{tag}}}:")).0;
    tagged.extend_from_slice(key);
    tagged
}

/// A tag from an operation's name, for keys that have nothing in common.
fn tag_named(name: &str) -> String {
    let tag: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
    if tag.is_empty() { "together".to_owned() } else { tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cured(name: &str, prefix: &str, keys: &[&str]) -> String {
        let keys: Vec<Pattern> = keys.iter().map(|key| Pattern::read(key).expect("the pattern is a pattern")).collect();
        cure(name, prefix, &keys).to_string()
    }

    #[test]
    fn a_common_placeholder_is_put_in_braces() {
        assert_eq!(
            cured("pop", "payments:", &["queues:<queue>", "queues:<queue>:reserved"]),
            "write `payments:queues:{<queue>}`, `payments:queues:{<queue>}:reserved`"
        );
        assert_eq!(
            cured("pop", "", &["<tenant>:<user>:cart", "total:<tenant>:<user>"]),
            "write `{<tenant>:<user>}:cart`, `total:{<tenant>:<user>}`"
        );
    }

    #[test]
    fn keys_of_different_values_share_a_text_or_are_given_one() {
        assert_eq!(
            cured("release", "payments:", &["jobs:<id>", "jobs:done"]),
            "write `payments:{jobs}:<id>`, `payments:{jobs}:done` (correct, but one node carries all of it)"
        );
        assert_eq!(
            cured("move job", "payments:", &["job:<id>", "queue:<queue>"]),
            "write `payments:{movejob}:job:<id>`, `payments:{movejob}:queue:<queue>` (correct, but one node carries all of it)"
        );
        assert_eq!(cured("?", "", &["a", "b"]), "write `{together}:a`, `{together}:b` (correct, but one node carries all of it)");
        assert_eq!(
            cured("pop", "", &["job", "jobs"]),
            "write `{pop}:job`, `{pop}:jobs` (correct, but one node carries all of it)"
        );
    }

    #[test]
    fn braces_in_the_wrong_place_give_way() {
        assert_eq!(cured("pop", "", &["{queues}:<id>", "{jobs}:<id>"]), "write `queues:{<id>}`, `jobs:{<id>}`");
        assert_eq!(
            cured("pop", "pay{}:", &["a:{<id>}", "b:{<id>}"]),
            "write `pay:a:{<id>}`, `pay:b:{<id>}`, with `pay:` as the prefix instead of `pay{}:`"
        );
    }

    #[test]
    fn many_keys_are_told_in_part() {
        let keys = ["<id>:1", "<id>:2", "<id>:3", "<id>:4", "<id>:5", "<id>:6"];
        assert_eq!(cured("pop", "", &keys), "write `{<id>}:1`, `{<id>}:2`, `{<id>}:3`, `{<id>}:4` and 2 more in the same way");
    }
}
