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
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => Side::Legacy,
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => Side::Target,
        Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip | Rung::Observing => Side::Target,
        Rung::Completed | Rung::Aborted => Side::Target,
    }
}

/// Both sides' numbers: of the side that opens, and of the other; `None` while either is unknown.
pub fn both<'a>(scene: &Scene<'a>, opening: Side) -> Option<(&'a IdSpace, &'a IdSpace)> {
    Some((scene.seen.id_space(opening).present()?, scene.seen.id_space(opening.other()).present()?))
}

/// What has to be raised on the side that opens, each to a number that this side would give.
pub fn floors(opening: &IdSpace, other: &IdSpace) -> Vec<IdFloor> {
    let shared = opening.counters.iter().filter_map(|(table, here)| Some((table, here, other.counters.get(table)?)));
    let behind = shared.filter(|(_, here, there)| here.next <= here.highest.max(there.high_water()));
    behind.map(|(table, here, there)| IdFloor { table: table.clone(), next: first_free(opening, here, there) }).collect()
}

/// The first number above all that either side has given, among those that the opening side gives; the last number of all where
/// there is none, which no type of a key has room for either.
fn first_free(opening: &IdSpace, here: &Counter, there: &Counter) -> u64 {
    used(here, there).checked_add(1).and_then(|next| opening.stride.at_or_after(next)).unwrap_or(u64::MAX)
}

/// How the two sides' numbers lie to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strides {
    /// The same on both sides.
    Alike,
    /// Never the same number on both sides, as somebody has arranged; what each of them gives, in words.
    Apart(String),
    /// Different, and the same number may come up on both: why, and what to do.
    Crossing(String),
}

/// Judges how far apart the two sides' numbers are. Raised counters keep one number from being given twice; they do not keep a
/// side from giving numbers that were kept free for another server.
pub fn strides(opening: Side, here: &IdSpace, there: &IdSpace) -> Strides {
    if here.stride == there.stride {
        return Strides::Alike;
    }
    let found = format!("{opening} has {}, {} has {}", here.stride, opening.other(), there.stride);
    if here.stride.meets(there.stride) {
        Strides::Crossing(format!("{found}: set both alike, or so that no number comes up on both"))
    } else {
        Strides::Apart(found)
    }
}

/// Why rows could not be numbered once `opening` takes writes: tables that have no room, or number their rows on one side only.
pub fn obstacles(opening: &IdSpace, other: &IdSpace) -> Vec<String> {
    let mut obstacles = Vec::new();
    for (table, there) in &other.counters {
        match opening.counters.get(table) {
            None => obstacles.push(format!("{table} numbers its rows on one side only: give its key AUTO_INCREMENT on both")),
            Some(here) if used(here, there) >= here.maximum || first_free(opening, here, there) > here.maximum => {
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
    use crate::database::Stride;

    fn space(counters: &[(&str, u64, u64, u64)]) -> IdSpace {
        let counter = |&(table, next, highest, maximum): &(&str, u64, u64, u64)| {
            (TableName::new("payments", table), Counter { next, highest, maximum })
        };
        IdSpace { stride: Stride::default(), counters: counters.iter().map(counter).collect() }
    }

    fn striding(increment: u64, offset: u64, space: IdSpace) -> IdSpace {
        IdSpace { stride: Stride { increment, offset }, ..space }
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
    fn a_floor_is_a_number_that_the_side_would_give() {
        let legacy = space(&[("payments", 102, 90, 1000)]);
        let next =
            |increment, offset| floors(&striding(increment, offset, space(&[("payments", 91, 90, 1000)])), &legacy)[0].next;
        assert_eq!((next(1, 1), next(2, 1), next(2, 2), next(10, 7)), (102, 103, 102, 107));
    }

    #[test]
    fn a_type_is_full_where_the_next_number_of_the_side_is_beyond_it() {
        let legacy = space(&[("payments", 125, 124, 127)]);
        let target = |increment, offset| striding(increment, offset, space(&[("payments", 1, 0, 127)]));
        assert_eq!(obstacles(&target(1, 1), &legacy), Vec::<String>::new());
        assert_eq!(obstacles(&target(10, 7), &legacy), Vec::<String>::new(), "127 is left");
        assert!(obstacles(&target(10, 8), &legacy)[0].contains("has given the last number"), "128 is too much");
    }

    #[test]
    fn numbers_that_lie_differently_are_told_and_crossing_ones_are_refused() {
        let every = space(&[("payments", 1, 0, 1000)]);
        let (odd, even) = (striding(2, 1, every.clone()), striding(2, 2, every.clone()));
        assert_eq!(strides(Side::Target, &odd, &odd), Strides::Alike);
        let Strides::Apart(told) = strides(Side::Target, &odd, &even) else { panic!("no number is both odd and even") };
        assert!(told.contains("target has auto_increment_increment 2, auto_increment_offset 1, legacy has"), "{told}");
        let Strides::Crossing(why) = strides(Side::Target, &every, &odd) else { panic!("the target would give even numbers") };
        assert!(why.contains("set both alike"), "{why}");
    }

    #[test]
    fn little_room_is_told_before_it_is_none() {
        let legacy = space(&[("payments", 961, 960, 1000), ("audit", 1, 0, 1000)]);
        let target = space(&[("payments", 1, 0, 1000), ("audit", 1, 0, 1000)]);
        assert_eq!(tightest(&target, &legacy), Some((&TableName::new("payments", "payments"), 4)));
        assert_eq!(tightest(&target, &space(&[("payments", 10, 9, 1000)])), None);
    }
}
