//! What a small world's checks have come to.

use bascule::checks::board::Board;
use bascule::checks::declared::Declared;
use bascule::checks::outcome::{Code, Outcome};
use bascule::spec::Migration;
use jiff::Timestamp;

use super::world::{Blind, World};

/// Every declared check has just ended as often as it must pass; nothing is known of a network that does not answer.
pub fn board(world: &World, migration: &Migration, now: Timestamp) -> Board {
    let mut board = Board::default();
    if world.blind.contains(&Blind::Network) {
        return board;
    }
    for check in Declared::all(&migration.spec.checks) {
        for _ in 0..migration.spec.checks.consecutive_passes {
            let outcome = if world.failing == Some(check.kind()) {
                Outcome::fail(Code::StatusDiffers, "it answers 500", Vec::new())
            } else {
                Outcome::pass("as declared", Vec::new())
            };
            board.note(check.name(), check.kind(), now, outcome);
        }
    }
    board
}
