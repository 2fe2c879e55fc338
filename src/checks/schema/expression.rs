//! Whether two expressions are the same, however each server prints them.

/// Whether they are. Only what never changes a meaning is overlooked; two kinds of server may print one expression in ways that
/// go beyond that.
pub(super) fn same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

/// Without backticks, character sets of texts, and brackets round all of it; spaces and case as one, outside of texts.
fn canonical(expression: &str) -> String {
    let mut plain = String::with_capacity(expression.len());
    let mut rest = expression.trim();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' => {
                let text = text_at(rest);
                without_character_set(&mut plain);
                plain.push_str(text);
                text.len()
            }
            '`' => 1,
            _ if first.is_whitespace() => {
                plain.push_str(if plain.ends_with(' ') { "" } else { " " });
                first.len_utf8()
            }
            _ => {
                plain.extend(first.to_lowercase());
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    without_outer_brackets(&plain.replace("current_timestamp()", "current_timestamp")).to_owned()
}

/// The quoted text that `rest` begins with, quotes included. A doubled or escaped quote is a part of it.
fn text_at(rest: &str) -> &str {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match (character, characters.peek()) {
            ('\\', _) | ('\'', Some((_, '\''))) => drop(characters.next()),
            ('\'', _) => return &rest[..=at],
            _ => {}
        }
    }
    rest
}

/// `_utf8mb4` before a text says how its bytes are to be read, and the server has read them already.
fn without_character_set(plain: &mut String) {
    let name = plain.chars().rev().take_while(char::is_ascii_alphanumeric).count();
    let begins = plain.len() - name;
    let before = plain[..begins].strip_suffix('_');
    if let Some(before) = before.filter(|before| name > 0 && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
        plain.truncate(before.len());
    }
}

fn without_outer_brackets(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    let mut rest = inner;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\'' { text_at(rest).len() } else { first.len_utf8() };
        depth += i32::from(first == '(') - i32::from(first == ')');
        if depth < 0 {
            return text;
        }
        rest = &rest[taken..];
    }
    without_outer_brackets(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_servers_print_of_one_expression_is_the_same() {
        for (mariadb, mysql) in [
            ("`amount` * 100", "(`amount` * 100)"),
            ("concat(`a`,'-',`b`)", "concat(`a`,_utf8mb3'-',`b`)"),
            ("current_timestamp()", "CURRENT_TIMESTAMP"),
            ("current_timestamp(6)", "CURRENT_TIMESTAMP(6)"),
            ("  a  +\n b ", "a + b"),
            ("('it''s') ", "'it''s'"),
        ] {
            assert!(same(mariadb, mysql), "{mariadb} and {mysql}");
        }
    }

    #[test]
    fn what_differs_in_meaning_is_never_the_same() {
        for (one, other) in [
            ("(a + b) * (c + d)", "a + b) * (c + d"),
            ("(a + b) * c", "a + (b * c)"),
            ("'A b'", "'a b'"),
            ("'a  b'", "'a b'"),
            ("concat(my_a'x')", "concat('x')"),
            ("current_timestamp(6)", "current_timestamp()"),
            ("a <> ')'", "(a <> ')"),
        ] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }
}
