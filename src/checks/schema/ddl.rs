//! Structure as SQL: what would make the target like legacy. Nothing here is ever run.

use crate::database::structure::{
    Column, DefaultValue, Filling, ForeignKey, Index, IndexKind, IndexOrder, IndexPart, IndexedValue, Kept, Maker, Table,
    Visibility,
};
use crate::mysql::session::{quoted_name, quoted_text};

/// `schema`.`name`
pub(super) fn place(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted_name(schema), quoted_name(name))
}

/// `ALTER TABLE` with its changes.
pub(super) fn alter(schema: &str, table: &str, changes: &[String]) -> String {
    format!("ALTER TABLE {} {}", place(schema, table), changes.join(", "))
}

/// A column as a table's definition has it.
pub(super) fn column(column: &Column) -> String {
    let mut words = vec![quoted_name(&column.name), column.column_type.clone()];
    words.extend(column.collation.as_ref().map(|collation| format!("COLLATE {collation}")));
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    match &column.filling {
        Filling::Generated { expression, kept } => {
            let kept = if *kept == Kept::Stored { "STORED" } else { "VIRTUAL" };
            words.push(format!("GENERATED ALWAYS AS ({expression}) {kept}"));
            // A generated column may be NULL unless it says so, and MariaDB does not let it say anything.
            words.extend((!column.nullable).then(|| null.to_owned()));
        }
        Filling::Numbered => words.extend([null.to_owned(), "AUTO_INCREMENT".to_owned()]),
        Filling::Given { default, on_update } => {
            words.push(null.to_owned());
            words.extend(default.as_ref().map(|default| format!("DEFAULT {}", default_value(default))));
            words.extend(on_update.as_ref().map(|what| format!("ON UPDATE {what}")));
        }
    }
    words.join(" ")
}

fn default_value(default: &DefaultValue) -> String {
    match default {
        DefaultValue::Literal(text) => quoted_text(text),
        // These two stand without brackets on every server.
        DefaultValue::Expression(text) if is_now(text) || text.starts_with("b'") => text.clone(),
        DefaultValue::Expression(text) => format!("({text})"),
    }
}

/// Whether an expression is the current time, which a server knows as such.
pub(super) fn is_now(expression: &str) -> bool {
    expression.to_ascii_lowercase().starts_with("current_timestamp")
}

/// Where a column stands: first, or behind another.
pub(super) fn behind(previous: Option<&Column>) -> String {
    previous.map_or_else(|| "FIRST".to_owned(), |previous| format!("AFTER {}", quoted_name(&previous.name)))
}

/// An index as a table's definition has it.
pub(super) fn index(name: &str, index: &Index, maker: Maker) -> String {
    let parts: Vec<String> = index.parts.iter().map(part).collect();
    let kind = match index.kind {
        IndexKind::Unique if name == "PRIMARY" => "PRIMARY KEY".to_owned(),
        IndexKind::Unique => format!("UNIQUE KEY {}", quoted_name(name)),
        IndexKind::Plain => format!("KEY {}", quoted_name(name)),
        IndexKind::FullText => format!("FULLTEXT KEY {}", quoted_name(name)),
        IndexKind::Spatial => format!("SPATIAL KEY {}", quoted_name(name)),
    };
    let hidden = match (index.visibility, maker) {
        (Visibility::Visible, _) => "",
        (Visibility::Hidden, Maker::MariaDb) => " IGNORED",
        (Visibility::Hidden, Maker::MySql | Maker::Aurora) => " INVISIBLE",
    };
    format!("{kind} ({}){hidden}", parts.join(", "))
}

fn part(part: &IndexPart) -> String {
    let of = match &part.of {
        IndexedValue::Column { name, prefix: None } => quoted_name(name),
        IndexedValue::Column { name, prefix: Some(length) } => format!("{}({length})", quoted_name(name)),
        IndexedValue::Expression(expression) => format!("({expression})"),
    };
    match part.order {
        IndexOrder::Ascending => of,
        IndexOrder::Descending => format!("{of} DESC"),
    }
}

/// What removes an index.
pub(super) fn drop_index(name: &str) -> String {
    if name == "PRIMARY" { "DROP PRIMARY KEY".to_owned() } else { format!("DROP KEY {}", quoted_name(name)) }
}

/// A foreign key as a table's definition has it.
pub(super) fn foreign_key(name: &str, key: &ForeignKey) -> String {
    let list = |columns: &[String]| columns.iter().map(|column| quoted_name(column)).collect::<Vec<_>>().join(", ");
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
        quoted_name(name),
        list(&key.columns),
        place(&key.referenced.schema, &key.referenced.table),
        list(&key.referenced_columns),
        key.on_delete,
        key.on_update
    )
}

/// A condition as a table's definition has it.
pub(super) fn check(name: &str, condition: &str) -> String {
    format!("CONSTRAINT {} CHECK ({condition})", quoted_name(name))
}

/// A whole table. Foreign keys are not checked meanwhile, so that tables may be created in any order; its triggers are left out.
pub(super) fn create_table(schema: &str, name: &str, table: &Table, maker: Maker) -> String {
    let columns = table.columns.iter().map(column);
    let indexes = table.indexes.iter().map(|(name, of)| index(name, of, maker));
    let keys = table.foreign_keys.iter().map(|(name, of)| foreign_key(name, of));
    let checks = table.checks.iter().map(|(name, of)| check(name, of));
    let parts: Vec<String> = columns.chain(indexes).chain(keys).chain(checks).collect();
    let created = format!(
        "CREATE TABLE {} ({}) ENGINE = {} ROW_FORMAT = {} COLLATE = {}",
        place(schema, name),
        parts.join(", "),
        table.engine,
        table.row_format,
        table.collation
    );
    if table.foreign_keys.is_empty() {
        return created;
    }
    format!("SET SESSION foreign_key_checks = 0; {created}; SET SESSION foreign_key_checks = 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(column_type: &str, nullable: bool, filling: Filling) -> String {
        let name = "c".to_owned();
        let text = column_type.starts_with("varchar").then(|| "utf8mb4_bin".to_owned());
        column(&Column { name, column_type: column_type.to_owned(), nullable, collation: text, filling })
    }

    fn given(default: Option<DefaultValue>) -> Filling {
        Filling::Given { default, on_update: None }
    }

    #[test]
    fn a_column_is_written_with_everything_that_it_is() {
        assert_eq!(written("bigint unsigned", false, Filling::Numbered), "`c` bigint unsigned NOT NULL AUTO_INCREMENT");
        assert_eq!(
            written("varchar(9)", false, given(Some(DefaultValue::Literal("it's".into())))),
            "`c` varchar(9) COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s'"
        );
        assert_eq!(
            written("varchar(9)", true, Filling::Generated { expression: "`a`".into(), kept: Kept::Virtual }),
            "`c` varchar(9) COLLATE utf8mb4_bin GENERATED ALWAYS AS (`a`) VIRTUAL"
        );
    }

    #[test]
    fn the_current_time_stands_without_brackets_and_any_other_expression_within() {
        let now = |text: &str| Filling::Given {
            default: Some(DefaultValue::Expression(text.into())),
            on_update: Some("current_timestamp()".into()),
        };
        assert_eq!(
            written("timestamp", true, now("CURRENT_TIMESTAMP(6)")),
            "`c` timestamp NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE current_timestamp()"
        );
        assert_eq!(
            written("char(36)", true, given(Some(DefaultValue::Expression("uuid()".into())))),
            "`c` char(36) NULL DEFAULT (uuid())"
        );
        assert_eq!(written("bit(1)", true, given(Some(DefaultValue::Expression("b'1'".into())))), "`c` bit(1) NULL DEFAULT b'1'");
    }
}
