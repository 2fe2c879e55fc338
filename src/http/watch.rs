//! Watching: a long poll of one migration, or a stream of server-sent events of one or of all.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::answers::{Answer, Face, json};
use super::board::Posted;
use super::failure::{Failure, FailureReason};
use super::objects::{Bookmark, Look, WatchEvent, WatchEventType};
use crate::names::MigrationName;

/// A long poll's patience when the asker names none: below the minute after which common proxies hang up.
const PATIENCE_UNLESS_ASKED: Duration = Duration::from_secs(30);

/// A bookmark this often keeps proxies from taking a quiet stream for a dead one, and lets the page say so when it is one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(15);

/// Becomes true when the server shuts down.
#[derive(Clone)]
pub(super) struct Closing(pub watch::Receiver<bool>);

impl Closing {
    /// Waits for the shutdown.
    pub async fn begun(&mut self) {
        // A server that is gone has shut down too.
        _ = self.0.wait_for(|closing| *closing).await;
    }
}

/// What may follow the name of a migration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MigrationQuery {
    watch: Option<String>,
    resource_version: Option<String>,
    timeout_seconds: Option<u64>,
}

impl MigrationQuery {
    /// Whether a change is to be waited for.
    pub fn watches(&self) -> Result<bool, Failure> {
        match self.watch.as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true" | "") => Ok(true),
            Some(_) => Err(Failure::new(FailureReason::BadRequest, "`watch` is 1 or 0")),
        }
    }
}

fn place(face: &Face) -> Result<OwnedSemaphorePermit, Failure> {
    let full = |_| Failure::new(FailureReason::TooManyRequests, "too many watches are open; try again later");
    Arc::clone(&face.streams).try_acquire_owned().map_err(full)
}

/// Answers as soon as the migration is not at the version that the asker has; 304 when it stays there.
pub(super) async fn long_poll(face: &Face, name: &MigrationName, query: &MigrationQuery, asked: &HeaderMap) -> Answer {
    let patience = query.timeout_seconds.map_or(PATIENCE_UNLESS_ASKED, Duration::from_secs).min(face.limits.longest_poll);
    let has = query.resource_version.as_deref().unwrap_or_default();
    face.posted(name)?;
    let _place = place(face)?;
    let mut closing = face.closing.clone();
    let mut newest = face.board.watch();
    let news = async {
        loop {
            newest.borrow_and_update();
            let posted = face.posted(name)?;
            if posted.object.metadata.resource_version != has || newest.changed().await.is_err() {
                return Ok(posted);
            }
        }
    };
    tokio::select! {
        posted = news => json(asked, &posted?.object),
        () = tokio::time::sleep(patience) => Ok(StatusCode::NOT_MODIFIED.into_response()),
        () = closing.begun() => Ok(StatusCode::NOT_MODIFIED.into_response()),
    }
}

/// The migration as it is, unless the client says that it has that version already, then every change, until the client or
/// the server has enough.
pub(super) fn stream(face: &Arc<Face>, name: MigrationName, asked: &HeaderMap) -> Answer {
    face.posted(&name)?;
    let known = asked.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let sent = known.map(|version| (name.clone(), version)).into_iter().collect();
    watching(face, Some(name), sent)
}

/// The same for all migrations, those that come later too.
pub(super) fn stream_of_all(face: &Arc<Face>) -> Answer {
    watching(face, None, BTreeMap::new())
}

fn watching(face: &Arc<Face>, only: Option<MigrationName>, sent: BTreeMap<MigrationName, u64>) -> Answer {
    let watching = Watching {
        newest: face.board.watch(),
        closing: face.closing.clone(),
        _place: place(face)?,
        face: Arc::clone(face),
        only,
        sent,
    };
    Ok(response(unfold(watching, Watching::next)))
}

fn response(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).into_response()
}

struct Watching {
    face: Arc<Face>,
    /// The one that is watched; all without it.
    only: Option<MigrationName>,
    newest: watch::Receiver<u64>,
    closing: Closing,
    /// The versions that the client has.
    sent: BTreeMap<MigrationName, u64>,
    _place: OwnedSemaphorePermit,
}

impl Watching {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            self.newest.borrow_and_update();
            let watched = self.watched();
            if let Some(posted) = watched.iter().find(|posted| self.is_news(posted)) {
                let name = posted.object.metadata.name.clone();
                let before = self.sent.insert(name, posted.resource_version);
                let event_type = if before.is_none() { WatchEventType::Added } else { WatchEventType::Modified };
                return Some((Ok(told(event_type, posted)?), self));
            }
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = self.closing.begun() => return None,
                () = tokio::time::sleep(BOOKMARK_EVERY) => return Some((Ok(bookmark(&self.watched())?), self)),
            }
        }
    }

    fn watched(&self) -> Vec<Arc<Posted>> {
        match &self.only {
            Some(name) => self.face.board.get(name).into_iter().collect(),
            None => self.face.board.all(),
        }
    }

    fn is_news(&self, posted: &Posted) -> bool {
        self.sent.get(&posted.object.metadata.name) != Some(&posted.resource_version)
    }
}

fn told(event_type: WatchEventType, posted: &Posted) -> Option<Event> {
    let data = WatchEvent { event_type, object: posted.object.clone() };
    let event = Event::default().event(event_type.as_str()).id(posted.resource_version.to_string());
    event.json_data(data).ok()
}

fn bookmark(watched: &[Arc<Posted>]) -> Option<Event> {
    let look = |posted: &Arc<Posted>| {
        let object = &posted.object;
        Look { name: object.metadata.name.clone(), observed_at: object.status.observed_at }
    };
    Event::default().event("BOOKMARK").json_data(Bookmark { looks: watched.iter().map(look).collect() }).ok()
}
