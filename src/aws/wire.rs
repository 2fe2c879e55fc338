//! For tests: a transport that answers from a closure and remembers what was sent.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;

use super::Aws;
use crate::clock::Clock;

/// One request as it went over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// `X-Amz-Target`'s operation, a form's `Action`, or method and path.
    pub(crate) what: String,
    /// The body.
    pub(crate) body: String,
}

/// What was sent so far.
pub(crate) type Log = Arc<Mutex<Vec<Sent>>>;

type Respond = dyn Fn(&Sent) -> (u16, String) + Send + Sync;

#[derive(Clone)]
struct Wire {
    log: Log,
    respond: Arc<Respond>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = sent(&request);
        let (status, body) = (self.respond)(&sent);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body))))
    }
}

fn sent(request: &HttpRequest) -> Sent {
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    let target = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
    let action = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    let path = request.uri().split_once(".com").map_or(request.uri(), |(_, path)| path);
    let what = target.or(action).map_or_else(|| format!("{} {path}", request.method()), str::to_owned);
    Sent { what, body }
}

/// Clients whose every call is answered by `respond`.
pub(crate) fn answering(respond: impl Fn(&Sent) -> (u16, String) + Send + Sync + 'static) -> (Aws, Log) {
    let wire = Wire { log: Log::default(), respond: Arc::new(respond) };
    let log = Arc::clone(&wire.log);
    let http: SharedHttpClient = http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()));
    let noon = "2026-03-02T12:00:00Z".parse::<Timestamp>().expect("a time");
    (Aws::from_transport("eu-central-1", &http, &Clock::starting_at(noon)), log)
}

/// The names of the operations sent so far, in order.
pub(crate) fn operations(log: &Log) -> Vec<String> {
    log.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|sent| sent.what.clone()).collect()
}

/// The body of the last request.
pub(crate) fn last_body(log: &Log) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).last().map(|sent| sent.body.clone()).unwrap_or_default()
}
