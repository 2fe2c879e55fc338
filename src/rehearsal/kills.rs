//! Where the controller is killed, and where it was.

use crate::migration::ladder::Rung;
use crate::sim::crash::{ControllerCrash, CrashSwitch, Place};

/// Whether and where the controller is killed, beside what the fault profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// As the profile says.
    ByProfile,
    /// Once, at this numbered place (an AWS call, a database verb or a journal write, before or after it).
    AtPlace(u64),
    /// At the place `first` and then at every place `step` further on: a whole journey under one kill after another.
    Every {
        /// The first place, counted from 0.
        first: u64,
        /// Places from one kill to the next; enough for a controller to start and get something done.
        step: u64,
    },
    /// On each rung so many times: first while it looks, then anywhere in a pass. Whatever takes how long, no rung is spared.
    OnEveryRung {
        /// At most so many times a rung, and at least once.
        times: usize,
    },
}

/// One death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed {
    /// The rung that the journal had by then.
    pub rung: Rung,
    /// Around what.
    pub place: Place,
}

/// Every pass begins with a look at both databases: two verbs, before and after each.
const PLACES_OF_A_LOOK: u64 = 4;

/// A pass that acts has about so many places.
const PLACES_OF_A_PASS: u64 = 40;

/// Whoever kills the controller, and remembers it.
#[derive(Debug)]
pub(super) struct Killer {
    kill: Kill,
    rng: fastrand::Rng,
    killed: Vec<Killed>,
}

impl Killer {
    pub(super) const fn new(kill: Kill, rng: fastrand::Rng) -> Self {
        Self { kill, rng, killed: Vec::new() }
    }

    /// Before a pass that begins on `rung`.
    pub(super) fn aim(&mut self, crash: &CrashSwitch, rung: Rung) {
        let Kill::OnEveryRung { times } = self.kill else { return };
        let so_far = self.killed.iter().filter(|killed| killed.rung == rung).count();
        if so_far < times {
            let near = if so_far == 0 { PLACES_OF_A_LOOK } else { PLACES_OF_A_PASS };
            crash.arm(crash.places_passed() + self.rng.u64(..near));
        } else {
            crash.disarm();
        }
    }

    /// It died.
    pub(super) fn note(&mut self, crash: ControllerCrash, rung: Rung) {
        self.killed.push(Killed { rung, place: crash.place });
    }

    /// No more.
    pub(super) fn rest(&mut self, crash: &CrashSwitch) {
        self.kill = Kill::ByProfile;
        crash.disarm();
    }

    pub(super) fn into_killed(self) -> Vec<Killed> {
        self.killed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes so many places, and tells whether it lived.
    fn lives(crash: &CrashSwitch, places: u64) -> bool {
        let crash = crash.clone();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..places).for_each(|_| crash.place(Place::BeforeVerb))))
            .is_ok()
    }

    #[test]
    fn the_first_pass_on_a_rung_is_always_killed_and_after_so_many_deaths_none_is() {
        let crash = CrashSwitch::never();
        let mut killer = Killer::new(Kill::OnEveryRung { times: 1 }, fastrand::Rng::with_seed(7));
        for rung in [Rung::Fence, Rung::Drain, Rung::Arm] {
            killer.aim(&crash, rung);
            assert!(!lives(&crash, PLACES_OF_A_LOOK), "{rung}: a look is not survived");
            killer.note(ControllerCrash { place: Place::BeforeVerb, number: 0 }, rung);
            killer.aim(&crash, rung);
            assert!(lives(&crash, 1_000), "{rung}: once is enough");
        }
        assert_eq!(killer.into_killed().len(), 3);
    }
}
