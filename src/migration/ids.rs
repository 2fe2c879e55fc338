//! The numbers of rows: a side that opens must not give a number that the other side has given before.
//!
//! Pure arithmetic over both sides' counters. Reading and raising them is somebody else's work.

use super::gates::Scene;
use super::ladder::Rung;
use crate::database::{Counter, IdFloor, IdSpace};
use crate::names::{Side, TableName};

/// Below this part of a type's range a person should know: a payment system that has used 95 % of it in years uses up the rest
/// in months.
const FEW_LEFT_PERCENT: u128 = 5;

/// The side whose next opening the numbers matter for.
pub const fn side_to_open(rung: Rung) -> Side {
    match rung {
        Rung::RollbackFence | Rung::RollbackFlip | Rung::RollbackOpen => Side::Legacy,
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => Side::Target,
        Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip | Rung::Observing => Side::Target,
        Rung::Completed | Rung::Aborted => Side::Target,
    }
}

/// Both sides' numbers: of the side that opens, and of the other; `None` while either is unknown.
pub fn both<'a>(scene: &Scene<'a>, opening: Side) -> Option<(&'a IdSpace, &'a IdSpace)> {
    Some((scene.seen.id_space(opening).present()?, scene.seen.id_space(opening.other()).present()?))
}

/// What has to be raised on the side that opens.
pub fn floors(opening: &IdSpace, other: &IdSpace) -> Vec<IdFloor> {
    let shared = opening.counters.iter().filter_map(|(table, here)| Some((table, here, other.counters.get(table)?)));
    let behind = shared.filter(|(_, here, there)| here.next <= here.highest.max(there.high_water()));
    behind
        .map(|(table, here, there)| IdFloor {
            table: table.clone(),
            next: here.high_water().max(there.high_water()).saturating_add(1),
        })
        .collect()
}

/// Why rows could not be numbered once `opening` takes writes: tables that have no room, or number their rows on one side only.
pub fn obstacles(opening: &IdSpace, other: &IdSpace) -> Vec<String> {
    let mut obstacles = Vec::new();
    for (table, there) in &other.counters {
        match opening.counters.get(table) {
            None => obstacles.push(format!("{table} numbers its rows on one side only: give its key AUTO_INCREMENT on both")),
            Some(here) if used(here, there) >= here.maximum => {
                obstacles.push(format!("{table} has given the last number that its key's type holds: widen the key"));
            }
            Some(_) => {}
        }
    }
    obstacles
}

/// The table with the least room, and the percentage that is left, where that is little.
pub fn tightest<'a>(opening: &'a IdSpace, other: &IdSpace) -> Option<(&'a TableName, u128)> {
    let left = opening.counters.iter().map(|(table, here)| {
        let used = other.counters.get(table).map_or_else(|| here.high_water(), |there| used(here, there));
        (table, u128::from(here.maximum.saturating_sub(used)) * 100 / u128::from(here.maximum.max(1)))
    });
    left.min_by_key(|(_, percent)| *percent).filter(|(_, percent)| *percent < FEW_LEFT_PERCENT)
}

fn used(here: &Counter, there: &Counter) -> u64 {
    here.high_water().max(there.high_water())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(counters: &[(&str, u64, u64, u64)]) -> IdSpace {
        let counter = |&(table, next, highest, maximum): &(&str, u64, u64, u64)| {
            (TableName::new("payments", table), Counter { next, highest, maximum })
        };
        IdSpace { counters: counters.iter().map(counter).collect() }
    }

    #[test]
    fn a_number_that_was_rolled_back_on_the_other_side_is_not_given_again() {
        let legacy = space(&[("payments", 101, 90, 1000)]);
        let target = space(&[("payments", 91, 90, 1000)]);
        assert_eq!(floors(&target, &legacy), [IdFloor { table: TableName::new("payments", "payments"), next: 101 }]);
        assert_eq!(floors(&space(&[("payments", 101, 90, 1000)]), &legacy), []);
        assert_eq!(floors(&space(&[("payments", 5000, 90, 9000)]), &legacy), [], "a counter is never lowered");
    }

    #[test]
    fn a_counter_behind_its_own_rows_is_raised_above_them() {
        let target = space(&[("payments", 50, 200, 1000)]);
        assert_eq!(floors(&target, &space(&[("payments", 101, 100, 1000)]))[0].next, 201);
    }

    #[test]
    fn no_room_and_no_counter_are_said_before_anything_is_fenced() {
        let legacy = space(&[("payments", 201, 200, 1000)]);
        let full = obstacles(&space(&[("payments", 1, 0, 127)]), &legacy);
        assert!(full[0].contains("payments.payments has given the last number"), "{full:?}");
        let none = obstacles(&space(&[]), &legacy);
        assert!(none[0].contains("one side only"), "{none:?}");
        assert_eq!(obstacles(&space(&[("payments", 1, 0, 1000)]), &legacy), Vec::<String>::new());
    }

    #[test]
    fn little_room_is_told_before_it_is_none() {
        let legacy = space(&[("payments", 961, 960, 1000), ("audit", 1, 0, 1000)]);
        let target = space(&[("payments", 1, 0, 1000), ("audit", 1, 0, 1000)]);
        assert_eq!(tightest(&target, &legacy), Some((&TableName::new("payments", "payments"), 4)));
        assert_eq!(tightest(&target, &space(&[("payments", 10, 9, 1000)])), None);
    }
}
