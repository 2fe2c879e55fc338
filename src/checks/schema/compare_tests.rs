//! What two structures differ in, in plain values.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::compare;
use super::difference::Severity::{self, Blocks, Harmless, Matters};
use crate::database::Structure;
use crate::database::structure::{
    Column, DefaultValue, Environment, Event, Filling, ForeignKey, Index, IndexKind, IndexOrder, IndexPart, IndexedValue, Kept,
    Layout, Maker, Program, Routine, Schema, Setting, Table, TimeZone, Trigger, Visibility,
};
use crate::names::TableName;
use crate::spec::checks::IgnoredDifference;

fn given() -> Filling {
    Filling::Given { default: None, on_update: None }
}

fn column(name: &str, column_type: &str) -> Column {
    let collation = column_type.starts_with("varchar").then(|| "utf8mb4_general_ci".to_owned());
    Column { name: name.into(), column_type: column_type.into(), nullable: false, collation, filling: given() }
}

fn index(kind: IndexKind, columns: &[&str]) -> Index {
    let part = |name: &&str| IndexPart {
        of: IndexedValue::Column { name: (*name).to_owned(), prefix: None },
        order: IndexOrder::Ascending,
    };
    Index { kind, parts: columns.iter().map(part).collect(), visibility: Visibility::Visible }
}

fn program(text: &str) -> Program {
    Program { digest: text.into(), definer: "app@%".into(), security: "DEFINER".into() }
}

fn foreign_key(on_delete: &str) -> ForeignKey {
    ForeignKey {
        columns: vec!["customer".into()],
        referenced: TableName::new("pay", "customers"),
        referenced_columns: vec!["id".into()],
        on_delete: on_delete.into(),
        on_update: "RESTRICT".into(),
    }
}

/// One schema, `pay`, with one table, `payments`.
fn structure() -> Structure {
    let payments = Table {
        kind: "BASE TABLE".into(),
        engine: "InnoDB".into(),
        row_format: "DYNAMIC".into(),
        collation: "utf8mb4_general_ci".into(),
        layout: Layout::Whole,
        columns: vec![
            Column { filling: Filling::Numbered, ..column("id", "bigint unsigned") },
            column("customer", "int"),
            column("reference", "varchar(64)"),
            column("note", "varchar(200)"),
        ],
        indexes: BTreeMap::from([
            ("PRIMARY".to_owned(), index(IndexKind::Unique, &["id"])),
            ("reference".to_owned(), index(IndexKind::Unique, &["reference"])),
            ("ix_customer".to_owned(), index(IndexKind::Plain, &["customer"])),
        ]),
        foreign_keys: BTreeMap::new(),
        checks: BTreeMap::from([("ck_customer".to_owned(), "(`customer` > 0)".to_owned())]),
        triggers: BTreeMap::new(),
    };
    let pay = Schema {
        collation: "utf8mb4_general_ci".into(),
        tables: BTreeMap::from([("payments".to_owned(), payments)]),
        views: BTreeMap::from([("big".to_owned(), program("select"))]),
        routines: BTreeMap::from([(
            "settle (procedure)".to_owned(),
            Routine { parameters: vec!["IN a int".into()], program: program("begin end") },
        )]),
        events: BTreeMap::new(),
    };
    Structure { environment: environment(), schemas: BTreeMap::from([("pay".to_owned(), pay)]) }
}

fn environment() -> Environment {
    Environment {
        maker: Maker::MySql,
        version: "MySQL 8.0.36".into(),
        sql_mode: BTreeSet::from(["STRICT_TRANS_TABLES".to_owned()]),
        time_zone: TimeZone { name: "+00:00".into(), january_minutes: 0, july_minutes: 0 },
        settings: BTreeMap::from([(Setting::LowerCaseTableNames, "0".to_owned()), (Setting::InnodbStrictMode, "ON".to_owned())]),
    }
}

fn schema(structure: &mut Structure) -> &mut Schema {
    structure.schemas.get_mut("pay").expect("it has one schema")
}

fn payments(structure: &mut Structure) -> &mut Table {
    schema(structure).tables.get_mut("payments").expect("it has one table")
}

/// What is found once one side or both were changed.
fn found(change: impl Fn(&mut Structure, &mut Structure)) -> Vec<(String, Severity, Option<String>)> {
    let (mut legacy, mut target) = (structure(), structure());
    change(&mut legacy, &mut target);
    let found = compare(&legacy, &target, &[]);
    found.into_iter().map(|difference| (difference.what, difference.severity, difference.cure)).collect()
}

/// The same where one thing is to be found: what, how serious, and its cure.
fn one(change: impl Fn(&mut Structure, &mut Structure)) -> (String, Severity, Option<String>) {
    let mut found = found(change);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn told(what: &str, severity: Severity, cure: Option<&str>) -> (String, Severity, Option<String>) {
    (what.to_owned(), severity, cure.map(str::to_owned))
}

#[test]
fn what_is_alike_does_not_differ() {
    assert_eq!(found(|_, _| {}), []);
}

#[test]
fn an_index_that_is_named_like_a_column_is_told_apart_from_it_so_that_ignoring_one_never_hides_the_other() {
    let (legacy, mut target) = (structure(), structure());
    payments(&mut target).indexes.remove("reference");
    payments(&mut target).columns[2] = column("reference", "varchar(32)");
    let meant = |what: &str| [IgnoredDifference { what: what.into(), why: "It is.".into() }];
    let names = |ignore: &[IgnoredDifference]| -> Vec<String> {
        compare(&legacy, &target, ignore).into_iter().map(|difference| difference.what).collect()
    };
    assert_eq!(names(&[]), ["pay.payments.reference (index)", "pay.payments.reference"]);
    assert_eq!(names(&meant("pay.payments.reference (index)")), ["pay.payments.reference"]);
    assert_eq!(names(&meant("pay.payments.reference")), ["pay.payments.reference (index)"]);
    assert_eq!(names(&meant("pay.payments")).len(), 2, "a table is not what is in it");
}

#[test]
fn one_column_is_one_difference_as_serious_as_its_worst_clause() {
    let (what, severity, cure) = one(|_, target| {
        payments(target).columns[3] = Column { nullable: true, ..column("note", "varchar(100)") };
    });
    assert_eq!((what.as_str(), severity), ("pay.payments.note", Blocks));
    let modify = "ALTER TABLE `pay`.`payments` MODIFY COLUMN `note` varchar(200) COLLATE utf8mb4_general_ci NOT NULL";
    assert_eq!(cure.as_deref(), Some(modify));
}

#[test]
fn another_collation_matters_and_blocks_where_it_decides_what_is_unique_or_what_can_be_written() {
    let collated = |at: usize, collation: &'static str| {
        one(move |_, target| payments(target).columns[at].collation = Some(collation.to_owned())).1
    };
    assert_eq!(collated(3, "utf8mb4_bin"), Matters);
    assert_eq!(collated(2, "utf8mb4_bin"), Blocks);
    assert_eq!(collated(3, "latin1_swedish_ci"), Blocks);
}

#[test]
fn a_column_without_which_no_row_is_accepted_blocks_and_a_spare_one_matters() {
    let more = |nullable: bool| one(move |_, target| payments(target).columns.push(Column { nullable, ..column("more", "int") }));
    assert_eq!(more(false), told("pay.payments.more", Blocks, None));
    assert_eq!(more(true), told("pay.payments.more", Matters, None));
}

#[test]
fn columns_in_another_order_are_put_back_from_the_first_that_is_out_of_place() {
    let (what, severity, cure) = one(|_, target| payments(target).columns.swap(1, 2));
    assert_eq!((what.as_str(), severity), ("pay.payments (order of columns)", Matters));
    let cure = cure.expect("it can be put back");
    assert!(cure.starts_with("ALTER TABLE `pay`.`payments` MODIFY COLUMN `customer` int NOT NULL AFTER `id`, "), "{cure}");
    assert!(!cure.contains("`id` bigint"), "what is in its place stays: {cure}");
}

#[test]
fn the_number_of_new_rows_is_missed_and_a_numbered_column_that_is_not_there_cannot_be_added() {
    let number = one(|_, target| payments(target).columns[0].filling = given());
    assert_eq!((number.0.as_str(), number.1), ("pay.payments.id", Blocks));
    let gone = one(|_, target| drop(payments(target).columns.remove(0)));
    assert_eq!(gone, told("pay.payments.id", Blocks, None));
}

#[test]
fn a_column_that_becomes_computed_is_made_anew_and_one_that_stays_computed_is_changed() {
    let computed = |expression: &str, kept| Filling::Generated { expression: expression.into(), kept };
    let cure = |legacy: Filling, target: Filling| {
        one(move |ours, theirs| {
            payments(ours).columns[1].filling = legacy.clone();
            payments(theirs).columns[1].filling = target.clone();
        })
    };
    let (_, severity, anew) = cure(computed("`id`", Kept::Stored), given());
    assert_eq!(severity, Blocks);
    assert!(anew.is_some_and(|cure| {
        cure.contains("DROP COLUMN `customer`, ADD COLUMN `customer` int GENERATED ALWAYS AS (`id`) STORED")
    }));
    let (_, severity, changed) = cure(computed("`id`", Kept::Virtual), computed("`id` + 1", Kept::Virtual));
    assert_eq!(severity, Blocks);
    assert!(changed.is_some_and(|cure| cure.contains("MODIFY COLUMN `customer`")));
    assert_eq!(cure(computed("`id`", Kept::Virtual), computed("`id`", Kept::Stored)).1, Matters);
}

#[test]
fn two_kinds_of_server_print_one_text_in_two_ways_which_a_person_has_to_judge() {
    let texts = |maker: Maker| {
        found(move |legacy, target| {
            legacy.environment.maker = maker;
            payments(target).checks.insert("ck_customer".into(), "`customer` between 1 and 9".into());
            schema(target).views.insert("big".into(), program("SELECT"));
        })
    };
    let severities = |maker| texts(maker).into_iter().map(|(_, severity, _)| severity).collect::<Vec<_>>();
    assert_eq!(severities(Maker::MySql), [Blocks, Blocks]);
    assert_eq!(severities(Maker::Aurora), [Blocks, Blocks], "Aurora prints as MySQL does");
    assert_eq!(severities(Maker::MariaDb), [Matters, Matters]);
    let brackets = found(|_, target| drop(payments(target).checks.insert("ck_customer".into(), "customer > 0".into())));
    assert_eq!(brackets, [], "brackets round all of it are nothing");
}

#[test]
fn an_index_under_another_name_is_harmless_and_one_that_is_hidden_is_none() {
    let renamed = one(|_, target| {
        let index = payments(target).indexes.remove("ix_customer").expect("it is there");
        payments(target).indexes.insert("by_customer".into(), index);
    });
    let rename = "ALTER TABLE `pay`.`payments` RENAME KEY `by_customer` TO `ix_customer`";
    assert_eq!(renamed, told("pay.payments.ix_customer", Harmless, Some(rename)));
    let hidden = one(|_, target| {
        payments(target)
            .indexes
            .insert("ix_customer".into(), Index { visibility: Visibility::Hidden, ..index(IndexKind::Plain, &["customer"]) });
    });
    let shown = "ALTER TABLE `pay`.`payments` DROP KEY `ix_customer`, ADD KEY `ix_customer` (`customer`)";
    assert_eq!(hidden, told("pay.payments.ix_customer", Blocks, Some(shown)));
}

#[test]
fn a_foreign_key_that_cascades_is_missed_more_than_one_that_refuses() {
    let missing =
        |rule: &'static str| one(move |legacy, _| drop(payments(legacy).foreign_keys.insert("fk".into(), foreign_key(rule)))).1;
    assert_eq!((missing("CASCADE"), missing("SET NULL"), missing("RESTRICT")), (Blocks, Blocks, Matters));
}

#[test]
fn foreign_keys_of_the_target_are_told_even_where_both_sides_have_them() {
    let both = one(|legacy, target| {
        for side in [legacy, target] {
            payments(side).foreign_keys.insert("fk".into(), foreign_key("RESTRICT"));
        }
    });
    assert_eq!(both, told("foreign_key_checks", Matters, None));
}

#[test]
fn what_a_sequence_is_or_where_partitions_begin_is_not_printed() {
    let lost = |change: fn(&mut Table)| {
        one(move |legacy, target| {
            change(payments(legacy));
            schema(target).tables.clear();
        })
    };
    assert_eq!(lost(|table| table.kind = "SEQUENCE".into()), told("pay.payments", Blocks, None));
    assert_eq!(lost(|table| table.layout = Layout::Partitioned), told("pay.payments", Blocks, None));
    let other = one(|legacy, _| payments(legacy).kind = "SEQUENCE".into());
    assert_eq!(other, told("pay.payments", Blocks, None));
}

#[test]
fn an_engine_without_transactions_blocks() {
    let engine = |legacy: &'static str, target: &'static str| {
        one(move |ours, theirs| {
            payments(ours).engine = legacy.into();
            payments(theirs).engine = target.into();
        })
    };
    assert_eq!(engine("InnoDB", "MyISAM"), told("pay.payments", Blocks, Some("ALTER TABLE `pay`.`payments` ENGINE = InnoDB")));
    assert_eq!(engine("MyISAM", "InnoDB").1, Matters);
}

#[test]
fn a_trigger_that_is_on_both_sides_is_dangerous_and_one_that_is_still_to_come_is_not() {
    let trigger = || Trigger { fires: "AFTER INSERT".into(), program: program("begin end") };
    let add = move |side: &mut Structure| drop(payments(side).triggers.insert("tr".into(), trigger()));
    assert_eq!(one(|legacy, _| add(legacy)), told("pay.tr (trigger)", Matters, None));
    let drop_it = Some("DROP TRIGGER `pay`.`tr`");
    assert_eq!(one(|_, target| add(target)), told("pay.tr (trigger)", Blocks, drop_it));
    let both = one(|legacy, target| {
        add(legacy);
        add(target);
    });
    assert_eq!(both, told("pay.tr (trigger)", Blocks, drop_it));
}

#[test]
fn an_event_is_to_be_on_the_target_and_to_be_disabled_there() {
    let event = |enabled| Event { schedule: "every 1 DAY".into(), enabled, program: program("do") };
    let pair = |legacy: Option<bool>, target: Option<bool>| {
        found(move |ours, theirs| {
            legacy.iter().for_each(|&enabled| drop(schema(ours).events.insert("ev".into(), event(enabled))));
            target.iter().for_each(|&enabled| drop(schema(theirs).events.insert("ev".into(), event(enabled))));
        })
    };
    let what = "pay.ev (event)";
    let disable = Some("ALTER EVENT `pay`.`ev` DISABLE");
    assert_eq!(pair(Some(true), None), [told(what, Blocks, None)]);
    assert_eq!(pair(Some(true), Some(true)), [told(what, Blocks, disable)]);
    assert_eq!(pair(None, Some(true)), [told(what, Blocks, disable)]);
    assert_eq!(pair(Some(true), Some(false)), [told(what, Harmless, None)]);
    assert_eq!(pair(Some(false), Some(false)), []);
    assert_eq!(pair(None, Some(false)), []);
}

#[test]
fn a_program_runs_with_somebody_s_rights() {
    let changed = |change: fn(&mut Routine)| {
        one(move |_, target| change(schema(target).routines.get_mut("settle (procedure)").expect("it is there"))).1
    };
    assert_eq!(changed(|routine| routine.program.definer = "admin@%".into()), Matters);
    assert_eq!(changed(|routine| routine.program.security = "INVOKER".into()), Blocks);
    assert_eq!(changed(|routine| routine.parameters = vec!["IN a bigint".into()]), Blocks);
}

#[test]
fn a_mode_without_meaning_is_none_and_aurora_s_settings_are_no_sql() {
    let modes = |modes: &'static [&'static str], maker: Maker| {
        found(move |_, target| {
            target.environment.maker = maker;
            target.environment.sql_mode = modes.iter().map(|&mode| mode.to_owned()).collect();
        })
    };
    assert_eq!(modes(&["NO_AUTO_CREATE_USER", "STRICT_TRANS_TABLES"], Maker::MySql), []);
    let persist = "SET PERSIST sql_mode = 'STRICT_TRANS_TABLES'";
    assert_eq!(modes(&[], Maker::MySql), [told("sql_mode", Blocks, Some(persist))]);
    assert_eq!(modes(&[], Maker::Aurora), [told("sql_mode", Blocks, None)]);
    let (mut legacy, target) = (structure(), structure());
    legacy.environment.settings.insert(Setting::LowerCaseTableNames, "1".into());
    let case = compare(&legacy, &target, &[]);
    assert_eq!((case[0].severity, &case[0].cure), (Blocks, &None), "it is chosen when a server is made");
}

#[test]
fn a_time_zone_is_what_it_shows_and_blocks_where_a_table_shows_it() {
    let zone = |name: &str, january_minutes, july_minutes| TimeZone { name: name.into(), january_minutes, july_minutes };
    let zones = |legacy: TimeZone, target: TimeZone, knows: bool| {
        found(move |ours, theirs| {
            ours.environment.time_zone = legacy.clone();
            theirs.environment.time_zone = target.clone();
            for side in [ours, theirs].into_iter().filter(|_| knows) {
                let now = Some(DefaultValue::Expression("current_timestamp(6)".into()));
                payments(side).columns[3] =
                    Column { filling: Filling::Given { default: now, on_update: None }, ..column("note", "datetime(6)") };
            }
        })
    };
    let berlin = || zone("Europe/Berlin", 60, 120);
    assert_eq!(zones(zone("SYSTEM (CET)", 60, 120), berlin(), true), [], "three names of one time");
    let utc = || zone("SYSTEM (UTC)", 0, 0);
    assert_eq!(zones(utc(), berlin(), false), [told("time_zone", Matters, Some("SET PERSIST time_zone = '+00:00'"))]);
    assert_eq!(zones(utc(), berlin(), true), [told("time_zone", Blocks, Some("SET PERSIST time_zone = '+00:00'"))]);
    assert_eq!(zones(berlin(), utc(), true), [told("time_zone", Blocks, Some("SET PERSIST time_zone = 'Europe/Berlin'"))]);
    assert_eq!(
        zones(zone("SYSTEM (CET)", 60, 120), utc(), true),
        [told("time_zone", Blocks, None)],
        "nobody knows that name there"
    );
}

#[test]
fn a_schema_that_is_missing_comes_before_its_tables() {
    let all = found(|_, target| target.schemas.clear());
    let names: Vec<&str> = all.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(names, ["pay", "pay.payments", "pay.settle (procedure)", "pay.big"]);
    assert_eq!(all[0].2.as_deref(), Some("CREATE DATABASE `pay` COLLATE utf8mb4_general_ci"));
}
