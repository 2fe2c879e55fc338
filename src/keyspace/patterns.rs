//! Patterns of keys, and whether keys that are used together always lie in one slot.
//!
//! Decided by structure, never by trying values: keys are together if the same letters and the same placeholders decide their
//! slots. Values are taken to be without braces and not empty; where an application's values have braces of their own, they
//! belong into the pattern.

use std::collections::BTreeSet;
use std::fmt;

use super::cure::{Cure, cure};
use super::slots::{hashed_part, slot};

/// One part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token {
    /// A letter that is always there.
    Letter(char),
    /// A placeholder, by its word.
    Word(String),
}

/// A key as an application makes it: text, and `<word>` for what differs from call to call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(pub(super) Vec<Token>);

/// A `<` that opens no placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`<` is not followed by a word of letters, digits, `_` and `-`, and `>`")]
pub struct OpenPlaceholder;

impl Pattern {
    /// Text that is always the same, whatever it looks like.
    pub fn fixed(text: &str) -> Self {
        Self(text.chars().map(Token::Letter).collect())
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// If a `<` opens no placeholder.
    pub fn read(text: &str) -> Result<Self, OpenPlaceholder> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((letters, opened)) = rest.split_once('<') {
            let (word, behind) = opened.split_once('>').filter(|(word, _)| is_word(word)).ok_or(OpenPlaceholder)?;
            tokens.extend(letters.chars().map(Token::Letter));
            tokens.push(Token::Word(word.to_owned()));
            rest = behind;
        }
        tokens.extend(rest.chars().map(Token::Letter));
        Ok(Self(tokens))
    }

    /// This pattern with a fixed text in front.
    fn behind(&self, prefix: &str) -> Self {
        let mut whole = Self::fixed(prefix);
        whole.0.extend(self.0.iter().cloned());
        whole
    }

    /// Whether nothing in it ever differs.
    pub fn is_fixed(&self) -> bool {
        is_fixed(&self.0)
    }

    /// The key for these values of the placeholders.
    pub fn filled(&self, value: impl Fn(&str) -> String) -> String {
        let part = |token: &Token| match token {
            Token::Letter(letter) => letter.to_string(),
            Token::Word(word) => value(word),
        };
        self.0.iter().map(part).collect()
    }

    /// What decides the slot, as [`hashed_part`] finds it in every key of this pattern.
    fn hashed(&self) -> &[Token] {
        let place = |tokens: &[Token], letter| tokens.iter().position(|token| *token == Token::Letter(letter));
        let Some(open) = place(&self.0, '{') else { return &self.0 };
        let inner = &self.0[open + 1..];
        match place(inner, '}') {
            Some(length) if length > 0 => &inner[..length],
            _ => &self.0,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.filled(|word| format!("<{word}>")))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

pub(super) fn is_fixed(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| matches!(token, Token::Letter(_)))
}

/// Keys that an application uses in one command, transaction or script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    name: String,
    prefix: String,
    keys: Vec<Pattern>,
}

/// Where the keys of an operation lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In one slot, whatever the values.
    Together,
    /// In this one slot, as fixed keys that happen to share it. Nothing keeps them there when somebody renames one.
    ByChance(u16),
    /// In different slots, for almost all values: the cluster refuses the operation with `CROSSSLOT`.
    Apart(Cure),
}

impl Operation {
    /// Reads an operation from what its keys are behind a prefix.
    ///
    /// # Errors
    /// If a `<` in a key opens no placeholder.
    pub fn read(name: &str, prefix: &str, keys: &[String]) -> Result<Self, OpenPlaceholder> {
        let keys = keys.iter().map(|key| Pattern::read(key)).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), prefix: prefix.to_owned(), keys })
    }

    /// What the application calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its whole keys, prefix and all.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.keys.iter().map(|key| key.behind(&self.prefix)).collect()
    }

    /// Where its keys lie.
    pub fn placement(&self) -> Placement {
        let patterns = self.patterns();
        let hashed: BTreeSet<&[Token]> = patterns.iter().map(Pattern::hashed).collect();
        if hashed.len() <= 1 {
            return Placement::Together;
        }
        let slots: BTreeSet<u16> = patterns.iter().map(|pattern| slot(&pattern.to_string())).collect();
        match slots.first() {
            Some(only) if slots.len() == 1 && hashed.iter().all(|tokens| is_fixed(tokens)) => Placement::ByChance(*only),
            _ => Placement::Apart(cure(&self.name, &self.prefix, &self.keys)),
        }
    }
}

/// What a prefix's own braces do to every key behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixTag {
    /// There are none, or they do nothing.
    None,
    /// They are a hash tag: every key lies in this slot, on one node.
    OneSlot(u16),
    /// An empty `{}` comes first: no hash tag behind it counts.
    HidesTags,
    /// A `{` stays open: a hash tag behind it begins in the prefix, and is another one under another prefix.
    BeginsTags,
}

/// What a prefix's own braces do.
pub fn prefix_tag(prefix: &str) -> PrefixTag {
    match prefix.split_once('{') {
        None => PrefixTag::None,
        Some(_) if hashed_part(prefix) != prefix => PrefixTag::OneSlot(slot(prefix)),
        Some((_, inner)) if inner.contains('}') => PrefixTag::HidesTags,
        Some(_) => PrefixTag::BeginsTags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operation(prefix: &str, keys: &[&str]) -> Operation {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        Operation::read("pop", prefix, &keys).expect("the patterns are patterns")
    }

    fn is_apart(prefix: &str, keys: &[&str]) -> bool {
        matches!(operation(prefix, keys).placement(), Placement::Apart(_))
    }

    #[test]
    fn a_queue_and_its_reserved_jobs_are_apart_until_a_tag_holds_them() {
        assert!(is_apart("payments:", &["queues:<queue>", "queues:<queue>:reserved"]));
        let tagged = operation("payments:", &["queues:{<queue>}", "queues:{<queue>}:reserved"]);
        assert_eq!(tagged.placement(), Placement::Together);
    }

    #[test]
    fn the_same_word_is_the_same_value_and_another_word_is_another() {
        assert_eq!(operation("", &["{<id>}:a", "{<id>}:b"]).placement(), Placement::Together);
        assert!(is_apart("", &["{<id>}:a", "{<user>}:b"]));
        assert!(is_apart("", &["{<id>}:a", "{id}:b"]), "a word is not the text that it is written with");
    }

    #[test]
    fn a_tag_in_the_prefix_holds_everything_in_one_slot() {
        assert_eq!(operation("{pay}:", &["queues:<queue>", "locks:{<id>}"]).placement(), Placement::Together);
        assert_eq!(prefix_tag("{pay}:"), PrefixTag::OneSlot(slot("pay")));
        assert_eq!(prefix_tag("payments:"), PrefixTag::None);
        assert_eq!(prefix_tag("pay}:"), PrefixTag::None);
    }

    #[test]
    fn braces_of_the_prefix_undo_the_tags_of_the_keys() {
        let keys = ["queues:{<queue>}", "queues:{<queue>}:reserved"];
        assert_eq!(operation("pay:", &keys).placement(), Placement::Together);
        assert!(is_apart("pay{}:", &keys), "an empty tag comes first, so that the whole key counts");
        assert_eq!(prefix_tag("pay{}:"), PrefixTag::HidesTags);
        assert!(is_apart("pay{:", &["a:{<queue>}", "b:{<queue>}"]), "the tag begins in the prefix");
        assert_eq!(prefix_tag("pay{:"), PrefixTag::BeginsTags);
    }

    #[test]
    fn two_fixed_keys_that_share_a_slot_are_there_by_chance() {
        let slot_of_foo = slot("foo");
        let other = (0..).map(|number| format!("k{number}")).find(|key| slot(key) == slot_of_foo).expect("there are many keys");
        assert_eq!(operation("", &["foo", &other]).placement(), Placement::ByChance(slot_of_foo));
        assert!(is_apart("", &["foo", "bar"]));
    }

    #[test]
    fn one_key_is_always_together_with_itself() {
        assert_eq!(operation("payments:", &["locks:<id>"]).placement(), Placement::Together);
        assert_eq!(operation("payments:", &["locks:<id>", "locks:<id>"]).placement(), Placement::Together);
    }

    #[test]
    fn a_placeholder_that_does_not_close_is_no_pattern() {
        for text in ["queues:<queue", "<", "<>", "<a b>", "<<id>>", "<{id}>"] {
            assert_eq!(Pattern::read(text), Err(OpenPlaceholder), "{text}");
        }
        assert_eq!(Pattern::read("a>b").map(|pattern| pattern.is_fixed()), Ok(true));
    }

    /// Prefixes and keys of few letters, so that braces meet often.
    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", ":", "{", "}", "<x>", "<y>"]), 0..7)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn structure_and_values_agree(
            prefix in "[ab:{}]{0,4}", keys in prop::collection::vec(text(), 1..4), x in "[c-z]{1,6}", y in "[c-z]{1,6}"
        ) {
            let operation = Operation::read("pop", &prefix, &keys).expect("the patterns are patterns");
            let value = |word: &str| if word == "x" { format!("{x}1") } else { format!("{y}2") };
            let filled: Vec<String> = operation.patterns().iter().map(|pattern| pattern.filled(value)).collect();
            let hashed: BTreeSet<&str> = filled.iter().map(|key| hashed_part(key)).collect();
            let slots: BTreeSet<u16> = filled.iter().map(|key| slot(key)).collect();
            match operation.placement() {
                Placement::Together => prop_assert_eq!(slots.len(), 1),
                Placement::ByChance(only) => prop_assert_eq!(slots, BTreeSet::from([only])),
                Placement::Apart(_) => prop_assert!(hashed.len() > 1),
            }
        }

        #[test]
        fn a_cure_cures(prefix in "[ab:{}]{0,4}", keys in prop::collection::vec(text(), 1..4), name in "\\PC{0,5}") {
            let operation = Operation::read(&name, &prefix, &keys).expect("the patterns are patterns");
            if let Placement::Apart(cure) = operation.placement() {
                let cured = Operation::read(&name, &cure.prefix, &cure.keys).expect("a cure is made of patterns");
                prop_assert_eq!(cured.placement(), Placement::Together, "{}", cure);
            }
        }

        #[test]
        fn what_was_read_is_shown_as_it_was_written(text in text()) {
            prop_assert_eq!(Pattern::read(&text).map(|pattern| pattern.to_string()), Ok(text));
        }
    }
}
