//! Kills the controller at a chosen place, with the world left as it is.

use std::sync::{Arc, Mutex, PoisonError};

/// Where a controller can die: around everything it does outside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before an AWS call is received.
    BeforeCall,
    /// After an AWS call was applied, before its answer arrives.
    AfterCall,
    /// Before a database verb.
    BeforeVerb,
    /// After a database verb was applied, before its answer arrives.
    AfterVerb,
    /// Before a journal write.
    BeforeJournal,
    /// After a journal write is durable.
    AfterJournal,
}

/// The payload that unwinds out of a killed controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControllerCrash {
    /// Where it died.
    pub place: Place,
    /// The number of places passed before, counted from 0 over the whole run.
    pub number: u64,
}

/// Counts the places that the controller passes, and kills it at one. All clones share one count.
#[derive(Debug, Clone)]
pub struct CrashSwitch {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    passed: u64,
    armed_for: Option<u64>,
    /// After a crash, it is armed again for the place so many further on.
    again_after: Option<u64>,
    chance: f64,
    crashes: u64,
    rng: fastrand::Rng,
}

impl CrashSwitch {
    /// Never crashes, only counts.
    pub fn never() -> Self {
        Self::with_chance(0.0, fastrand::Rng::with_seed(0))
    }

    /// Crashes at each place with `chance`.
    pub fn with_chance(chance: f64, rng: fastrand::Rng) -> Self {
        Self { state: Arc::new(Mutex::new(State { passed: 0, armed_for: None, again_after: None, chance, crashes: 0, rng })) }
    }

    /// Crashes once, at the place with this number.
    pub fn armed_for(number: u64) -> Self {
        let switch = Self::never();
        switch.arm(number);
        switch
    }

    /// Crashes at the place with this number, and again each time `step` more were passed.
    pub fn at_every(first: u64, step: u64) -> Self {
        let switch = Self::armed_for(first);
        switch.lock().again_after = Some(step);
        switch
    }

    /// Arms for one more crash, at the place with this number.
    pub fn arm(&self, number: u64) {
        self.lock().armed_for = Some(number);
    }

    /// Crashes no more.
    pub fn disarm(&self) {
        let mut state = self.lock();
        state.armed_for = None;
        state.again_after = None;
        state.chance = 0.0;
    }

    /// Passes one place, or unwinds out of the controller. Call it with no lock held.
    pub fn place(&self, place: Place) {
        let mut state = self.lock();
        let number = state.passed;
        state.passed += 1;
        let by_chance = state.chance > 0.0 && {
            let chance = state.chance;
            state.rng.f64() < chance
        };
        if state.armed_for == Some(number) || by_chance {
            state.armed_for = state.again_after.map(|step| number + step);
            state.crashes += 1;
            drop(state);
            // Unlike `panic!`, this runs no panic hook: a planned death is not a bug to report.
            std::panic::resume_unwind(Box::new(ControllerCrash { place, number }));
        }
    }

    /// How many places were passed.
    pub fn places_passed(&self) -> u64 {
        self.lock().passed
    }

    /// How often it crashed.
    pub fn crashes(&self) -> u64 {
        self.lock().crashes
    }

    /// The lock is never held across an unwind, so a poisoned one still guards sound data.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dies_at(switch: &CrashSwitch, place: Place) -> Option<ControllerCrash> {
        let switch = switch.clone();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| switch.place(place)));
        caught.err().map(|payload| *payload.downcast::<ControllerCrash>().expect("only the switch unwinds here"))
    }

    #[test]
    fn an_armed_switch_kills_once_at_its_place_and_says_where() {
        let switch = CrashSwitch::armed_for(1);
        assert_eq!(dies_at(&switch, Place::BeforeCall), None);
        assert_eq!(dies_at(&switch, Place::AfterCall), Some(ControllerCrash { place: Place::AfterCall, number: 1 }));
        assert_eq!(dies_at(&switch, Place::BeforeVerb), None, "it must be able to start again");
        assert_eq!((switch.places_passed(), switch.crashes()), (3, 1));
    }

    #[test]
    fn a_switch_that_is_armed_again_and_again_kills_at_a_steady_step() {
        let switch = CrashSwitch::at_every(1, 3);
        let killed: Vec<bool> = (0..8).map(|_| dies_at(&switch, Place::BeforeCall).is_some()).collect();
        assert_eq!(killed, [false, true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_disarmed_switch_never_kills_but_still_counts() {
        let switch = CrashSwitch::with_chance(1.0, fastrand::Rng::with_seed(1));
        assert!(dies_at(&switch, Place::BeforeJournal).is_some());
        switch.disarm();
        assert!((0..100).all(|_| dies_at(&switch, Place::AfterJournal).is_none()));
        assert_eq!((switch.places_passed(), switch.crashes()), (101, 1));
    }
}
