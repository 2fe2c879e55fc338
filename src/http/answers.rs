//! The routes, one list, and the answer of each.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::board::{Board, Posted};
use super::failure::{Failure, FailureReason};
use super::guard::{guard, tagged};
use super::journey::journey;
use super::objects::{EventList, EventListMeta, ListKind};
use super::page::Page;
use super::server::Limits;
use super::watch::{Closing, MigrationQuery};
use super::{openapi, watch};
use crate::journal::HISTORY_PAGE;
use crate::names::MigrationName;
use crate::spec::ApiVersion;

const JSON: &str = "application/json";

/// Entries on a page of history when the asker names no limit: a screenful or three.
const EVENTS_UNLESS_ASKED: usize = 100;

/// Pages of history that are read at once. A journal has one lock, and the controller writes under it: a crowd of readers must
/// not keep it from that.
const JOURNAL_READERS: usize = 1;

/// What every answer is made from.
pub(super) struct Face {
    pub board: Arc<Board>,
    pub limits: Limits,
    /// Places for requests that stay open: event streams and long polls.
    pub streams: Arc<Semaphore>,
    pub closing: Closing,
    pub openapi: Vec<u8>,
    pub page: Page,
    journal_readers: Arc<Semaphore>,
}

/// A handler's answer.
pub(super) type Answer = Result<Response, Failure>;

type Shared = State<Arc<Face>>;
type NamePath = Result<Path<String>, PathRejection>;

/// The closed list of what can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A page for people.
    Index,
    /// The process answers.
    Health,
    /// The same, by Kubernetes's newer name.
    Live,
    /// The controllers are at work.
    Ready,
    /// For Prometheus.
    Metrics,
    /// This list, for machines.
    OpenApi,
    /// All migrations.
    Migrations,
    /// One migration; also as a long poll.
    Migration,
    /// What its next pass would do.
    Plan,
    /// Its history.
    Events,
    /// Where it has been, and where its wish would lead it.
    Journey,
    /// Its changes as they happen.
    Watch,
    /// The changes of all migrations as they happen.
    WatchAll,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 13] = [
        Self::Index,
        Self::Health,
        Self::Live,
        Self::Ready,
        Self::Metrics,
        Self::OpenApi,
        Self::Migrations,
        Self::Migration,
        Self::Plan,
        Self::Events,
        Self::Journey,
        Self::Watch,
        Self::WatchAll,
    ];

    /// Its path, as OpenAPI writes it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Health => "/healthz",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Migrations => "/api/v1/migrations",
            Self::Migration => "/api/v1/migrations/{name}",
            Self::Plan => "/api/v1/migrations/{name}/plan",
            Self::Events => "/api/v1/migrations/{name}/events",
            Self::Journey => "/api/v1/migrations/{name}/journey",
            Self::Watch => "/api/v1/migrations/{name}/watch",
            Self::WatchAll => "/api/v1/watch/migrations",
        }
    }

    /// Whether it is answered to whoever asks: probes have no token, and learn nothing but yes or no.
    pub(super) const fn is_open_to_all(self) -> bool {
        matches!(self, Self::Health | Self::Live | Self::Ready)
    }

    fn handler(self) -> MethodRouter<Arc<Face>> {
        match self {
            Self::Index => get(index),
            Self::Health | Self::Live => get(|| async { "ok\n" }),
            Self::Ready => get(ready),
            Self::Metrics => get(metrics),
            Self::OpenApi => get(document),
            Self::Migrations => get(migrations),
            Self::Migration => get(migration),
            Self::Plan => get(plan),
            Self::Events => get(events),
            Self::Journey => get(way),
            Self::Watch => get(stream),
            Self::WatchAll => get(stream_of_all),
        }
    }
}

/// All routes behind the guard.
pub(super) fn router(face: &Arc<Face>) -> Router {
    let routes =
        Endpoint::ALL.into_iter().fold(Router::new(), |router, endpoint| router.route(endpoint.path(), endpoint.handler()));
    routes.fallback(nowhere).layer(from_fn_with_state(Arc::clone(face), guard)).with_state(Arc::clone(face))
}

impl Face {
    pub fn new(board: Arc<Board>, limits: Limits, closing: Closing) -> Self {
        let streams = Arc::new(Semaphore::new(limits.streams));
        let openapi = openapi::document().to_string().into_bytes();
        Self {
            board,
            limits,
            streams,
            closing,
            openapi,
            page: Page::new(),
            journal_readers: Arc::new(Semaphore::new(JOURNAL_READERS)),
        }
    }

    /// The migration that a path names.
    pub fn posted(&self, name: &MigrationName) -> Result<Arc<Posted>, Failure> {
        self.board.get(name).ok_or_else(|| Failure::new(FailureReason::NotFound, format!("there is no migration `{name}`")))
    }
}

/// `value` as JSON with its ETag.
pub(super) fn json(asked: &HeaderMap, value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::new(FailureReason::InternalError, error.to_string()))?;
    Ok(tagged(asked, JSON, bytes))
}

fn name_in(path: NamePath) -> Result<MigrationName, Failure> {
    path.map(|Path(name)| name.into()).map_err(|error| Failure::new(FailureReason::BadRequest, error.body_text()))
}

fn asked_for<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Failure> {
    query.map(|Query(query)| query).map_err(|error| Failure::new(FailureReason::BadRequest, error.body_text()))
}

async fn nowhere() -> Failure {
    Failure::new(FailureReason::NotFound, "there is nothing here; /openapi.json lists what there is")
}

async fn index(State(face): Shared, asked: HeaderMap) -> Response {
    face.page.answer(&asked)
}

async fn ready(State(face): Shared) -> Answer {
    if face.board.is_ready() {
        return Ok("ok\n".into_response());
    }
    Err(Failure::new(FailureReason::ServiceUnavailable, "the controllers are not at work yet, or no longer"))
}

async fn metrics(State(face): Shared) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], face.board.metrics().text())
}

async fn document(State(face): Shared, asked: HeaderMap) -> Response {
    tagged(&asked, JSON, face.openapi.clone())
}

async fn migrations(State(face): Shared, asked: HeaderMap) -> Answer {
    json(&asked, &face.board.list())
}

async fn migration(
    State(face): Shared,
    path: NamePath,
    query: Result<Query<MigrationQuery>, QueryRejection>,
    asked: HeaderMap,
) -> Answer {
    let name = name_in(path)?;
    let query = asked_for(query)?;
    if query.watches()? {
        return watch::long_poll(&face, &name, &query, &asked).await;
    }
    json(&asked, &face.posted(&name)?.object)
}

async fn plan(State(face): Shared, path: NamePath, asked: HeaderMap) -> Answer {
    json(&asked, &face.posted(&name_in(path)?)?.plan)
}

async fn way(State(face): Shared, path: NamePath, asked: HeaderMap) -> Answer {
    let name = name_in(path)?;
    let wished = face.posted(&name)?.object.spec.phase;
    let facts = face.board.journal(&name).map(|journal| journal.facts()).unwrap_or_default();
    json(&asked, &journey(&facts, wished, face.board.lag(&name)))
}

/// Which page of history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

async fn events(
    State(face): Shared,
    path: NamePath,
    query: Result<Query<EventsQuery>, QueryRejection>,
    asked: HeaderMap,
) -> Answer {
    let name = name_in(path)?;
    let EventsQuery { after, before, limit } = asked_for(query)?;
    if after.is_some() && before.is_some() {
        return Err(Failure::new(FailureReason::BadRequest, "a page is `after` an entry or `before` one, not both"));
    }
    let (after, limit) = (after.unwrap_or(0), limit.unwrap_or(EVENTS_UNLESS_ASKED).clamp(1, HISTORY_PAGE));
    let journal = face.board.journal(&name);
    let journal = journal.ok_or_else(|| Failure::new(FailureReason::NotFound, format!("there is no history of `{name}`")))?;
    let broken_off = |_| Failure::new(FailureReason::ServiceUnavailable, "the server is shutting down");
    let turn = Arc::clone(&face.journal_readers).acquire_owned().await.map_err(broken_off)?;
    let read = tokio::task::spawn_blocking(move || {
        // It ends with the reading, which goes on when whoever asked has hung up.
        let _turn = turn;
        match before {
            Some(before) => journal.history_before(before, limit),
            None => journal.history(after, limit),
        }
    });
    let read = read.await;
    let broken = |error: &dyn std::error::Error| Failure::new(FailureReason::InternalError, error.to_string());
    let items = read.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
    let next_after = items.last().map_or(after, |entry| entry.seq.0);
    let previous_before = items.first().map(|entry| entry.seq.0).filter(|first| *first > 1);
    let metadata = EventListMeta { next_after, previous_before };
    json(&asked, &EventList { api_version: ApiVersion::V1Alpha1, kind: ListKind::EventList, metadata, items })
}

async fn stream_of_all(State(face): Shared) -> Answer {
    watch::stream_of_all(&face)
}

async fn stream(State(face): Shared, path: NamePath, asked: HeaderMap) -> Answer {
    watch::stream(&face, name_in(path)?, &asked)
}
