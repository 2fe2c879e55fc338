//! What kinds of servers print differently and mean alike, brought to one form.

use crate::database::structure::{DefaultValue, Maker};

/// Types that MariaDB, and MySQL before 8.0.19, print with the width of a display, which changes nothing.
const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];

/// A type as MySQL 8.4 prints it. `tinyint(1)` keeps its width on every server, because connectors read it as a boolean.
pub(super) fn column_type(printed: &str) -> String {
    // Columns of MySQL 5.5 and MariaDB 5.3 have a comment on their storage behind them.
    let printed = printed.split(" /*").next().unwrap_or(printed).trim_end();
    let Some((name, rest)) = printed.split_once('(') else { return printed.to_owned() };
    let Some((width, behind)) = rest.split_once(')') else { return printed.to_owned() };
    let is_integer = INTEGERS.contains(&name) && !behind.contains("zerofill") && (name, width) != ("tinyint", "1");
    if is_integer || name == "year" { format!("{name}{behind}") } else { printed.to_owned() }
}

/// A collation by its newest name: `utf8` has been `utf8mb3` since MySQL 8.0.30 and MariaDB 10.6.
pub(super) fn collation(printed: &str) -> String {
    printed.strip_prefix("utf8_").map_or_else(|| printed.to_owned(), |rest| format!("utf8mb3_{rest}"))
}

/// A character set by its newest name.
pub(super) fn character_set(printed: &str) -> String {
    if printed == "utf8" { "utf8mb3".to_owned() } else { printed.to_owned() }
}

/// What happens to the rows that refer to a row: InnoDB does the same for both words.
pub(super) fn reference_rule(printed: &str) -> String {
    if printed == "NO ACTION" { "RESTRICT".to_owned() } else { printed.to_owned() }
}

/// An expression as it may be written again. MySQL escapes the quotes in it.
pub(super) fn expression(maker: Maker, printed: &str) -> String {
    match maker {
        Maker::MariaDb => printed.to_owned(),
        Maker::MySql | Maker::Aurora => unescaped(printed),
    }
}

/// A column's default. MariaDB prints SQL; MySQL prints the value, and says elsewhere that it is evaluated.
pub(super) fn default_value(maker: Maker, column_type: &str, printed: &str, extra: &str) -> Option<DefaultValue> {
    let literal = |text: &str| Some(DefaultValue::Literal(text.to_owned()));
    let evaluated = |text: &str| Some(DefaultValue::Expression(expression(maker, text)));
    match maker {
        Maker::MariaDb if printed == "NULL" => None,
        Maker::MariaDb => match printed.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(quoted) => literal(&unescaped(&quoted.replace("''", "'"))),
            None if printed.parse::<f64>().is_ok() => literal(printed),
            None => evaluated(printed),
        },
        Maker::MySql | Maker::Aurora => {
            let is_in_bits = column_type.starts_with("bit") || (column_type.contains("binary") && printed.starts_with("0x"));
            if is_in_bits || extra.contains("DEFAULT_GENERATED") { evaluated(printed) } else { literal(printed) }
        }
    }
}

/// Without the backslashes that stand before quotes and backslashes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('\'' | '\\')) => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_display_is_no_part_of_a_type_and_everything_else_is() {
        let pairs = [
            ("int(11)", "int"),
            ("bigint(20) unsigned", "bigint unsigned"),
            ("tinyint(4)", "tinyint"),
            ("tinyint(1)", "tinyint(1)"),
            ("int(6) unsigned zerofill", "int(6) unsigned zerofill"),
            ("year(4)", "year"),
            ("decimal(18,4)", "decimal(18,4)"),
            ("varchar(64)", "varchar(64)"),
            ("datetime(6)", "datetime(6)"),
            ("datetime /* mariadb-5.3 */", "datetime"),
            ("enum('a(1)','b')", "enum('a(1)','b')"),
            ("json", "json"),
        ];
        for (printed, normal) in pairs {
            assert_eq!(column_type(printed), normal);
        }
    }

    #[test]
    fn one_default_is_one_value_whoever_printed_it() {
        let mariadb = |printed| default_value(Maker::MariaDb, "varchar(20)", printed, "");
        let mysql = |printed, extra| default_value(Maker::MySql, "varchar(20)", printed, extra);
        assert_eq!(mariadb(r"'it''s \\ x'"), mysql(r"it's \ x", ""));
        assert_eq!(mariadb("''"), mysql("", ""));
        assert_eq!(mariadb("0.0000"), mysql("0.0000", ""));
        assert_eq!(mariadb("uuid()"), mysql("uuid()", "DEFAULT_GENERATED"));
        assert_ne!(mariadb("'uuid()'"), mariadb("uuid()"), "a text is not what it would do");
        assert_eq!(mariadb("NULL"), None);
        assert_eq!(mysql("NULL", ""), Some(DefaultValue::Literal("NULL".into())), "MySQL has no row for none: this is a text");
        let bits = [(Maker::MariaDb, "bit(4)"), (Maker::MySql, "bit(4)")].map(|(m, t)| default_value(m, t, "b'101'", ""));
        assert_eq!(bits[0], bits[1]);
        assert_eq!(bits[0], Some(DefaultValue::Expression("b'101'".into())));
    }

    #[test]
    fn an_expression_can_be_written_again_as_it_is_kept() {
        assert_eq!(expression(Maker::MySql, r"concat(`a`,_utf8mb4\'-\')"), "concat(`a`,_utf8mb4'-')");
        assert_eq!(expression(Maker::MariaDb, r"concat(`a`,'\\')"), r"concat(`a`,'\\')");
    }

    #[test]
    fn old_names_are_new_ones() {
        assert_eq!((collation("utf8_bin").as_str(), character_set("utf8").as_str()), ("utf8mb3_bin", "utf8mb3"));
        assert_eq!((collation("utf8mb4_bin").as_str(), character_set("utf8mb4").as_str()), ("utf8mb4_bin", "utf8mb4"));
        assert_eq!((reference_rule("NO ACTION").as_str(), reference_rule("CASCADE").as_str()), ("RESTRICT", "CASCADE"));
    }
}
