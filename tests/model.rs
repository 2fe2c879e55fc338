//! The states that the shipped `decide` can be led into in a small world, breadth first: calls that fail, calls whose answer
//! is lost, a controller that dies between any two of them, services that do not answer, an operator who changes their mind
//! and a person with a console. Judged by the world's truth, never by what the controller believes.
//!
//! There are more of them than anybody waits for: the nearest are looked into, and how many were not is said.

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "each test program takes what it needs")]
mod common;

#[path = "model/check.rs"]
mod check;
#[path = "model/state.rs"]
mod state;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};

use bascule::migration::ladder::Rung;
use check::{Good, Promise};
use state::{Bounds, Kind, State};

/// How many states are met at most: a part of them, nearest first, where the code is not optimised.
fn most_states() -> usize {
    let asked = std::env::var("BASCULE_MODEL_STATES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 12_000 } else { 60_000 })
}

/// What is remembered of a state: how it was reached, and what holds in it.
struct Visited {
    parent: usize,
    label: String,
    good: Good,
    expanded: bool,
}

/// The states that were met and the steps between them.
struct Graph {
    visited: Vec<Visited>,
    edges: Vec<(usize, usize, Kind)>,
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.world.hash(&mut hasher);
    (state.wish, state.bounds).hash(&mut hasher);
    format!("{:?}", state.facts).hash(&mut hasher);
    hasher.finish()
}

/// Explores the nearest states, and stops at the first state in which something forbidden was done.
fn explore(start: State) -> Graph {
    let mut known: HashMap<u64, usize> = HashMap::from([(fingerprint(&start), 0)]);
    let first = Visited { parent: 0, label: "begin".into(), good: Good::of(&start), expanded: false };
    let mut graph = Graph { visited: vec![first], edges: Vec::new() };
    let mut queue = VecDeque::from([(0, start)]);
    while let Some((number, state)) = queue.pop_front() {
        graph.visited[number].expanded = true;
        let plan = state.plan();
        if let Err(broken) = check::plan(&state, &plan) {
            panic!("{broken}\n{}", trace(&graph, number));
        }
        for step in state.steps(&plan) {
            let key = fingerprint(&step.state);
            let next = *known.entry(key).or_insert(graph.visited.len());
            if next == graph.visited.len() {
                let good = Good::of(&step.state);
                graph.visited.push(Visited { parent: number, label: step.label.clone(), good, expanded: false });
                if let Some(broken) = step.broken.or_else(|| check::state(&step.state)) {
                    panic!("{broken}\n{}", trace(&graph, next));
                }
                if graph.visited.len() < most_states() {
                    queue.push_back((next, step.state));
                }
            } else if let Some(broken) = step.broken {
                panic!("{broken}\n{}\n  {}", trace(&graph, number), step.label);
            }
            graph.edges.push((number, next, step.kind));
        }
    }
    graph
}

/// The shortest way to a state, in words.
fn trace(graph: &Graph, mut number: usize) -> String {
    let mut lines = Vec::new();
    while number != 0 {
        lines.push(format!("  {}", graph.visited[number].label));
        number = graph.visited[number].parent;
    }
    lines.reverse();
    lines.join("\n")
}

/// Whether the promise can be kept from every state: backwards from the states that keep it, along the steps that it may use.
fn assert_kept(graph: &Graph, promise: &Promise) {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); graph.visited.len()];
    for (from, to, kind) in &graph.edges {
        if (promise.may_use)(*kind) {
            before[*to].push(*from);
        }
    }
    // What was not looked into is not held against anybody.
    let keeps = |visited: &Visited| (promise.kept)(&visited.good) || !visited.expanded;
    let mut can: Vec<bool> = graph.visited.iter().map(keeps).collect();
    let mut queue: VecDeque<usize> = (0..can.len()).filter(|number| can[*number]).collect();
    while let Some(number) = queue.pop_front() {
        for from in &before[number] {
            if !can[*from] {
                can[*from] = true;
                queue.push_back(*from);
            }
        }
    }
    let owed: Vec<usize> = (0..can.len()).filter(|number| (promise.owed)(&graph.visited[*number].good)).collect();
    println!("{}: owed in {} states", promise.name, owed.len());
    assert!(!owed.is_empty(), "{} was never owed, so nothing was proven", promise.name);
    if let Some(stuck) = owed.into_iter().find(|number| !can[*number]) {
        panic!("{} cannot be kept any more after\n{}", promise.name, trace(graph, stuck));
    }
}

/// Looks into what can follow, and holds the promises against it.
fn prove(start: State, must_meet: &[Rung], promises: &[&Promise]) {
    let graph = explore(start);
    let expanded = graph.visited.iter().filter(|visited| visited.expanded).count();
    let beyond = graph.visited.len() - expanded;
    println!("{expanded} states looked into, {beyond} met beyond them and left, {} steps", graph.edges.len());
    let mut rungs: BTreeMap<Rung, usize> = BTreeMap::new();
    for visited in graph.visited.iter().filter(|visited| visited.expanded) {
        *rungs.entry(visited.good.rung).or_default() += 1;
    }
    println!("looked into at each rung: {rungs:?}");
    for rung in must_meet {
        assert!(rungs.contains_key(rung), "{rung} was never looked into");
    }
    for promise in promises {
        assert_kept(&graph, promise);
    }
}

/// The rungs that a search of a cutover has to come to.
const THERE: [Rung; 6] = [Rung::Fence, Rung::Drain, Rung::Aborted, Rung::Arm, Rung::Open, Rung::Flip];

/// Those of a rollback.
const BACK: [Rung; 4] = [Rung::Observing, Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen];

#[test]
fn a_cutover_that_dies_anywhere_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_cutover(Bounds::calm()), &THERE, &[&check::SOMEBODY_WRITES, &check::ABORT]);
}

#[test]
fn a_cutover_with_second_thoughts_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_cutover(Bounds::second_thoughts()), &THERE[..3], &[&check::SOMEBODY_WRITES, &check::ABORT]);
}

#[test]
fn a_cutover_amid_faults_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_cutover(Bounds::faulty()), &THERE[..3], &[&check::SOMEBODY_WRITES, &check::ABORT]);
}

#[test]
fn a_cutover_that_is_meddled_with_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_cutover(Bounds::meddled_with()), &THERE[..3], &[&check::SOMEBODY_WRITES, &check::ABORT]);
}

#[test]
fn a_rollback_that_dies_anywhere_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_rollback(Bounds::calm()), &BACK, &[&check::SOMEBODY_WRITES, &check::WAY_BACK]);
}

#[test]
fn a_rollback_with_second_thoughts_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_rollback(Bounds::second_thoughts()), &BACK[..3], &[&check::SOMEBODY_WRITES, &check::WAY_BACK]);
}

#[test]
fn a_rollback_amid_faults_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_rollback(Bounds::faulty()), &BACK[..3], &[&check::SOMEBODY_WRITES, &check::WAY_BACK]);
}

#[test]
fn a_rollback_that_is_meddled_with_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_the_rollback(Bounds::meddled_with()), &BACK[..3], &[&check::SOMEBODY_WRITES]);
}

/// Those of a forced rollback.
const FORCED: [Rung; 5] = [Rung::Observing, Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen];

#[test]
fn a_forced_rollback_that_dies_anywhere_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_a_forced_rollback(Bounds::calm()), &FORCED, &[&check::SOMEBODY_WRITES, &check::FORCED_BACK]);
}

#[test]
fn a_forced_rollback_with_second_thoughts_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_a_forced_rollback(Bounds::second_thoughts()), &FORCED, &[&check::SOMEBODY_WRITES, &check::FORCED_BACK]);
}

#[test]
fn a_forced_rollback_amid_faults_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_a_forced_rollback(Bounds::faulty()), &FORCED, &[&check::SOMEBODY_WRITES, &check::FORCED_BACK]);
}

#[test]
fn a_forced_rollback_that_is_meddled_with_breaks_nothing_and_never_gets_stuck() {
    prove(State::before_a_forced_rollback(Bounds::meddled_with()), &FORCED[..4], &[&check::SOMEBODY_WRITES]);
}

#[test]
fn hooks_that_answer_when_they_like_break_nothing_and_keep_nobody_from_writing() {
    let bounds = Bounds::calm().with_hooks();
    prove(State::before_the_cutover(bounds), &THERE[..5], &[&check::SOMEBODY_WRITES, &check::ABORT, &check::CUTOVER_ENDS]);
}

#[test]
fn hooks_that_refuse_every_call_hold_the_fence_and_nobodys_writes() {
    let bounds = Bounds::faulty().with_hooks();
    prove(State::before_the_cutover(bounds), &THERE[..3], &[&check::SOMEBODY_WRITES, &check::ABORT, &check::CUTOVER_ENDS]);
}

#[test]
fn hooks_and_second_thoughts_break_nothing() {
    let bounds = Bounds::second_thoughts().with_hooks();
    prove(State::before_the_cutover(bounds), &THERE[..3], &[&check::SOMEBODY_WRITES, &check::ABORT]);
}

#[test]
fn a_rollback_that_hooks_are_told_of_breaks_nothing_and_never_gets_stuck() {
    let bounds = Bounds::faulty().with_hooks();
    prove(State::before_the_rollback(bounds), &BACK[..3], &[&check::SOMEBODY_WRITES, &check::WAY_BACK]);
}
