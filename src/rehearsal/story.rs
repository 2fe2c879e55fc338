//! The story that this program comes from: what went wrong there goes wrong here, and is caught at its gate or not at all.
//!
//! Nobody in the rehearsal knows beforehand. The world has its incidents, the file is as it was before its lessons were learnt,
//! and only what the status says leads to the cure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::after;
use crate::migration::plan::Standing;
use crate::migration::status::MigrationStatus;
use crate::names::{CheckName, TableName};
use crate::sim::World;
use crate::sim::network::Incident;
use crate::spec::Migration;
use crate::spec::checks::CacheCheck;

/// From reading what is wrong to having mended it: somebody has to be found first.
const UNTIL_MENDED: Duration = Duration::from_secs(40 * 60);

/// What went wrong in the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Lesson {
    /// A table had never been created in the new environment.
    TableMissing,
    /// Plain HTTP was not redirected.
    RedirectMissing,
    /// An upstream answered under one hostname and not under the other.
    UpstreamSilent(CheckName),
    /// An upstream did not accept the new environment's credentials.
    UpstreamRefuses(CheckName),
    /// Keys that are used together lay in different slots of the cluster.
    CrossSlot(CheckName),
}

/// How far a lesson has been learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// Nobody has noticed.
    Ahead,
    /// A gate is closed for it; it will be mended at this time.
    Caught { at: Timestamp, evidence: String, mended_at: Timestamp },
    /// It is mended.
    Mended { caught_at: Timestamp, evidence: String, at: Timestamp },
}

/// One lesson as it was learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LessonReport {
    /// What went wrong.
    pub lesson: Lesson,
    /// The gate that has to catch it.
    pub gate: String,
    /// When it was caught, if it was.
    pub caught_at: Option<Timestamp>,
    /// What the gate said.
    pub evidence: String,
    /// When it was mended.
    pub mended_at: Option<Timestamp>,
}

/// The whole story.
#[derive(Debug)]
pub struct Story {
    /// The file as it is once everything has been learnt.
    learnt: Migration,
    lessons: Vec<(Lesson, Progress)>,
}

impl Lesson {
    /// The gate that has to catch it.
    pub const fn gate(&self) -> &'static str {
        match self {
            Self::TableMissing => "SchemaPresent",
            Self::RedirectMissing => "RedirectInPlace",
            Self::UpstreamSilent(_) | Self::UpstreamRefuses(_) => "UpstreamsProven",
            Self::CrossSlot(_) => "CachesProven",
        }
    }

    /// Whether what a gate says is about this lesson: several may close the same gate.
    fn is_meant(&self, said: &str) -> bool {
        match self {
            Self::UpstreamSilent(check) | Self::UpstreamRefuses(check) | Self::CrossSlot(check) => said.contains(check.as_str()),
            Self::TableMissing | Self::RedirectMissing => true,
        }
    }

    fn mending(&self) -> &'static str {
        match self {
            Self::TableMissing => "runs the application's migration that creates the table",
            Self::RedirectMissing => "has created the listener that redirects",
            Self::UpstreamSilent(_) => "opens the way to the upstream's other hostname",
            Self::UpstreamRefuses(_) => "gives the new environment the upstream's right credentials",
            Self::CrossSlot(_) => "puts the keys that belong together under one hash tag",
        }
    }
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableMissing => f.write_str("a table was never created on the target"),
            Self::RedirectMissing => f.write_str("plain HTTP is not redirected"),
            Self::UpstreamSilent(check) => write!(f, "{check} answers under one hostname and not under the other"),
            Self::UpstreamRefuses(check) => write!(f, "{check} does not accept the credentials"),
            Self::CrossSlot(check) => write!(f, "{check} breaks in cluster mode"),
        }
    }
}

impl Story {
    /// The story of `migration`, as far as it declares what went wrong there, and the file as it was before.
    pub fn of(migration: &Migration) -> (Self, Migration) {
        let checks = &migration.spec.checks;
        let mut before = migration.clone();
        let mut lessons = vec![Lesson::TableMissing, Lesson::RedirectMissing];
        let silent = checks.upstreams.iter().find(|check| check.twin.is_some());
        lessons.extend(silent.map(|check| Lesson::UpstreamSilent(check.name.clone())));
        let refusing = checks.upstreams.iter().find(|check| check.twin.is_none() && check.credentials.is_some());
        lessons.extend(refusing.map(|check| Lesson::UpstreamRefuses(check.name.clone())));
        for cache in &mut before.spec.checks.caches {
            let tagged = cache.operations.iter().any(|operation| operation.keys.len() > 1) && has_tags(cache);
            if tagged {
                lessons.push(Lesson::CrossSlot(cache.name.clone()));
                without_tags(cache);
            }
        }
        let lessons = lessons.into_iter().map(|lesson| (lesson, Progress::Ahead)).collect();
        (Self { learnt: migration.clone(), lessons }, before)
    }

    /// What is wrong in the world from the beginning.
    pub fn befall(&self, world: &mut World) {
        for (lesson, _) in &self.lessons {
            match lesson {
                Lesson::TableMissing => {
                    let table = never_created(world);
                    world.databases.target.missing.insert(table);
                }
                _ => incident(lesson).into_iter().for_each(|incident| world.incidents.happen(incident)),
            }
        }
    }

    /// What a reader of the status notices and mends: sentences for the timeline.
    pub fn follow(&mut self, status: &MigrationStatus, now: Timestamp, world: &mut World, file: &mut Migration) -> Vec<String> {
        let mut said = Vec::new();
        for (lesson, progress) in &mut self.lessons {
            match progress {
                Progress::Ahead => {
                    let Some(evidence) = closed(status, lesson) else { continue };
                    said.push(format!("is stopped by {}: {lesson}: {evidence}", lesson.gate()));
                    *progress = Progress::Caught { at: now, evidence, mended_at: after(now, UNTIL_MENDED) };
                }
                Progress::Caught { at, evidence, mended_at } if *mended_at <= now => {
                    said.push(format!("{}: {lesson}", lesson.mending()));
                    *progress = Progress::Mended { caught_at: *at, evidence: std::mem::take(evidence), at: now };
                    mend(lesson, &self.learnt, world, file);
                }
                Progress::Caught { .. } | Progress::Mended { .. } => {}
            }
        }
        said
    }

    /// When something is mended next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.lessons.iter().filter_map(|(_, progress)| match progress {
            Progress::Caught { mended_at, .. } => Some(*mended_at),
            Progress::Ahead | Progress::Mended { .. } => None,
        });
        due.min()
    }

    /// What was learnt, lesson by lesson.
    pub fn report(&self) -> Vec<LessonReport> {
        let report = |(lesson, progress): &(Lesson, Progress)| {
            let (caught_at, evidence, mended_at) = match progress {
                Progress::Ahead => (None, String::new(), None),
                Progress::Caught { at, evidence, .. } => (Some(*at), evidence.clone(), None),
                Progress::Mended { caught_at, evidence, at } => (Some(*caught_at), evidence.clone(), Some(*at)),
            };
            LessonReport { lesson: lesson.clone(), gate: lesson.gate().to_owned(), caught_at, evidence, mended_at }
        };
        self.lessons.iter().map(report).collect()
    }
}

/// What a gate says that is closed for this lesson.
fn closed(status: &MigrationStatus, lesson: &Lesson) -> Option<String> {
    let gate = status.gates.iter().find(|gate| gate.name == lesson.gate())?;
    match &gate.standing {
        Standing::Closed(why) | Standing::Unknown(why) if lesson.is_meant(why) => Some(why.clone()),
        Standing::Closed(_) | Standing::Unknown(_) | Standing::Open(_) => None,
    }
}

/// The last table is none of the busy ones.
fn never_created(world: &World) -> TableName {
    world.setting.tables.last().cloned().unwrap_or_else(|| TableName::new("", ""))
}

fn incident(lesson: &Lesson) -> Option<Incident> {
    match lesson {
        Lesson::UpstreamSilent(check) => Some(Incident::UpstreamSilent { check: check.clone() }),
        Lesson::UpstreamRefuses(check) => Some(Incident::UpstreamRefuses { check: check.clone() }),
        Lesson::TableMissing | Lesson::RedirectMissing | Lesson::CrossSlot(_) => None,
    }
}

fn mend(lesson: &Lesson, learnt: &Migration, world: &mut World, file: &mut Migration) {
    if let Some(incident) = incident(lesson) {
        world.incidents.mend(&incident);
    }
    match lesson {
        Lesson::TableMissing => {
            let table = never_created(world);
            world.databases.target.missing.remove(&table);
        }
        Lesson::CrossSlot(_) => file.spec.checks.caches.clone_from(&learnt.spec.checks.caches),
        Lesson::RedirectMissing | Lesson::UpstreamSilent(_) | Lesson::UpstreamRefuses(_) => {}
    }
}

const TAGS: [char; 2] = ['{', '}'];

fn has_tags(cache: &CacheCheck) -> bool {
    cache.prefix.contains(TAGS) || cache.operations.iter().flat_map(|operation| &operation.keys).any(|key| key.contains(TAGS))
}

/// The keys as they were before anybody thought of slots.
fn without_tags(cache: &mut CacheCheck) {
    cache.prefix = cache.prefix.replace(TAGS, "");
    for key in cache.operations.iter_mut().flat_map(|operation| &mut operation.keys) {
        *key = key.replace(TAGS, "");
    }
}
