//! The statements that ask for a structure, and what each of their rows is.

use crate::mysql::flavour::Family;
use crate::mysql::session::quoted_text;

/// What is called differently.
struct Words {
    isolation: &'static str,
    /// Whether the optimiser may use an index.
    visible: &'static str,
    /// What a part of an index is computed from.
    expression: &'static str,
    /// Schema, table, name, condition; `IN ({})` stands for the schemas.
    checks: &'static str,
}

const MYSQL: Words = Words {
    isolation: "transaction_isolation",
    visible: "is_visible = 'YES'",
    expression: "expression",
    // What is not enforced is none.
    checks: "SELECT t.table_schema, t.table_name, c.constraint_name, c.check_clause FROM information_schema.check_constraints c \
             JOIN information_schema.table_constraints t ON t.constraint_schema = c.constraint_schema \
             AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK' AND t.enforced = 'YES' \
             WHERE c.constraint_schema IN ({})",
};

const MARIADB: Words = Words {
    isolation: "tx_isolation",
    visible: "ignored = 'NO'",
    expression: "NULL",
    checks: "SELECT constraint_schema, table_name, constraint_name, check_clause FROM information_schema.check_constraints \
             WHERE constraint_schema IN ({})",
};

/// Minutes east of UTC at noon of a day, in the time zone that a session gets which sets none.
fn minutes_east(day: &str) -> String {
    format!("TIMESTAMPDIFF(MINUTE, '{day} 12:00', CONVERT_TZ('{day} 12:00', '+00:00', @@GLOBAL.time_zone))")
}

/// The digest of a program's text. The semicolon behind it is the client's or the text's, as the client had it.
fn digest(text: &str) -> String {
    format!("SHA2(TRIM(TRAILING ';' FROM RTRIM({text})), 256)")
}

/// SQL mode, time zone and what the system calls its own, minutes east in January and July, server's character set, collation,
/// case of names, defaults of timestamps, strictness, isolation.
pub(super) type Settings = (String, String, String, Option<i64>, Option<i64>, String, String, u8, u8, u8, String);
/// Name, collation.
pub(super) type SchemaRow = (String, String);
/// Schema, name, kind, engine, row format, collation, 1 where it is partitioned.
pub(super) type TableRow = (String, String, String, Option<String>, Option<String>, Option<String>, Option<u8>);
/// Schema, table, name, type, `YES` where it may be NULL, default, what else, expression, collation.
pub(super) type ColumnRow =
    (String, String, String, String, String, Option<String>, Option<String>, Option<String>, Option<String>);
/// Schema, table, index, 1 where values may repeat, column, expression, `D` where it descends, prefix, kind, 1 where visible.
pub(super) type IndexRow = (String, String, String, u8, Option<String>, Option<String>, Option<String>, Option<u64>, String, u8);
/// Schema, table, constraint, column, and the schema, table and column that it leads to.
pub(super) type ReferenceRow = (String, String, String, String, String, String, String);
/// Schema, table, constraint, what happens on delete, and on update.
pub(super) type RuleRow = (String, String, String, String, String);
/// Schema, table, name, condition.
pub(super) type CheckRow = (String, String, String, String);
/// Schema, table, name, when, at what, digest, definer.
pub(super) type TriggerRow = (String, String, String, String, String, Option<String>, String);
/// Schema, name, schedule, 1 where it runs, digest, definer.
pub(super) type EventRow = (String, String, Option<String>, u8, Option<String>, String);
/// Schema, name, kind, digest, definer, with whose rights.
pub(super) type RoutineRow = (String, String, String, Option<String>, String, String);
/// Schema, routine, its kind, `IN` and its kin, name, type.
pub(super) type ParameterRow = (String, String, String, Option<String>, Option<String>, String);
/// Schema, name, digest, definer, with whose rights.
pub(super) type ViewRow = (String, String, Option<String>, String, String);

/// Everything that is asked, in the order in which [`put_together`](super::put_together) reads it: first who asks, and what may
/// be seen by whoever does.
pub(super) fn statements(family: Family, schemas: &[String]) -> Vec<String> {
    let words = if family == Family::MariaDb { MARIADB } else { MYSQL };
    let Words { isolation, visible, expression, checks } = words;
    let schemas: Vec<String> = schemas.iter().map(|schema| quoted_text(schema)).collect();
    let schemas = schemas.join(", ");
    let [action_statement, event_definition, routine_definition] =
        ["action_statement", "event_definition", "routine_definition"].map(digest);
    let (january, july) = (minutes_east("2026-01-15"), minutes_east("2026-07-15"));
    vec![
        "SHOW GRANTS".to_owned(),
        "SELECT CURRENT_USER()".to_owned(),
        format!(
            "SELECT @@GLOBAL.sql_mode, @@GLOBAL.time_zone, @@GLOBAL.system_time_zone, {january}, {july}, \
             @@GLOBAL.character_set_server, @@GLOBAL.collation_server, @@GLOBAL.lower_case_table_names, \
             @@GLOBAL.explicit_defaults_for_timestamp, @@GLOBAL.innodb_strict_mode, @@GLOBAL.{isolation}"
        ),
        format!("SELECT schema_name, default_collation_name FROM information_schema.schemata WHERE schema_name IN ({schemas})"),
        format!(
            "SELECT table_schema, table_name, table_type, engine, row_format, table_collation, \
             create_options LIKE '%partitioned%' FROM information_schema.tables \
             WHERE table_type <> 'VIEW' AND table_schema IN ({schemas})"
        ),
        format!(
            "SELECT table_schema, table_name, column_name, column_type, is_nullable, column_default, extra, \
             generation_expression, collation_name FROM information_schema.columns WHERE table_schema IN ({schemas}) \
             ORDER BY table_schema, table_name, ordinal_position"
        ),
        format!(
            "SELECT table_schema, table_name, index_name, non_unique, column_name, {expression}, collation, sub_part, \
             index_type, {visible} FROM information_schema.statistics WHERE table_schema IN ({schemas}) \
             ORDER BY table_schema, table_name, index_name, seq_in_index"
        ),
        format!(
            "SELECT table_schema, table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name, \
             referenced_column_name FROM information_schema.key_column_usage \
             WHERE referenced_table_name IS NOT NULL AND table_schema IN ({schemas}) \
             ORDER BY table_schema, table_name, constraint_name, ordinal_position"
        ),
        format!(
            "SELECT constraint_schema, table_name, constraint_name, delete_rule, update_rule \
             FROM information_schema.referential_constraints WHERE constraint_schema IN ({schemas})"
        ),
        checks.replace("{}", &schemas),
        format!(
            "SELECT event_object_schema, event_object_table, trigger_name, action_timing, event_manipulation, \
             {action_statement}, definer FROM information_schema.triggers WHERE event_object_schema IN ({schemas})"
        ),
        format!(
            "SELECT event_schema, event_name, COALESCE(CONCAT('every ', interval_value, ' ', interval_field), execute_at), \
             status = 'ENABLED', {event_definition}, definer FROM information_schema.events \
             WHERE event_schema IN ({schemas})"
        ),
        format!(
            "SELECT routine_schema, routine_name, routine_type, {routine_definition}, definer, security_type \
             FROM information_schema.routines WHERE routine_schema IN ({schemas})"
        ),
        format!(
            "SELECT specific_schema, specific_name, routine_type, parameter_mode, parameter_name, dtd_identifier \
             FROM information_schema.parameters WHERE specific_schema IN ({schemas}) \
             ORDER BY specific_schema, specific_name, ordinal_position"
        ),
        format!(
            "SELECT table_schema, table_name, SHA2(NULLIF(view_definition, ''), 256), definer, security_type \
             FROM information_schema.views WHERE table_schema IN ({schemas})"
        ),
    ]
}
