//! The door inside the process: an HTTP client for the real SDKs that asks the world instead of a network.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::exchange::{Ending, exchange};
use super::open::{Opened, Received, open};
use super::{Cloud, WireAnswer, close};
use crate::clock::Clock;
use crate::sim::crash::CrashSwitch;

/// An HTTP client for the SDKs whose other end is `world`, in `clock`'s time.
pub fn transport<C: Cloud>(world: Arc<Mutex<C>>, clock: Clock) -> SharedHttpClient {
    transport_that_crashes(world, clock, CrashSwitch::never())
}

/// The same, with the places where `crash` may kill the controller around each call.
pub fn transport_that_crashes<C: Cloud>(world: Arc<Mutex<C>>, clock: Clock, crash: CrashSwitch) -> SharedHttpClient {
    SharedHttpClient::new(SimConnector { world, clock, crash })
}

/// Calls a world as if over HTTP.
pub struct SimConnector<C> {
    world: Arc<Mutex<C>>,
    clock: Clock,
    crash: CrashSwitch,
}

impl<C> Clone for SimConnector<C> {
    fn clone(&self) -> Self {
        Self { world: Arc::clone(&self.world), clock: self.clock.clone(), crash: self.crash.clone() }
    }
}

impl<C> fmt::Debug for SimConnector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimConnector").finish_non_exhaustive()
    }
}

impl<C: Cloud> HttpClient for SimConnector<C> {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl<C: Cloud> HttpConnector for SimConnector<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(opened) = open_request(&request) else {
            return HttpConnectorFuture::ready(response(close::nobody()));
        };
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            match exchange(&this.world, &this.clock, &this.crash, opened).await {
                Ending::Answered(answer) => response(answer),
                Ending::Silence => Err(ConnectorError::timeout("the service never answered".into())),
            }
        })
    }
}

fn open_request(request: &HttpRequest) -> Option<Opened> {
    let uri = request.uri();
    let (_, after_scheme) = uri.split_once("://").unwrap_or(("", uri));
    let (authority, rest) = after_scheme.split_at(after_scheme.find('/').unwrap_or(after_scheme.len()));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let headers = request.headers();
    open(&Received {
        method: request.method(),
        path: if path.is_empty() { "/" } else { path },
        query,
        authorization: headers.get("authorization"),
        target: headers.get("x-amz-target"),
        host: headers.get("host").or(Some(authority)),
        // The bodies of these services are never streams.
        body: request.body().bytes().unwrap_or_default(),
    })
}

fn response(answer: WireAnswer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|problem| ConnectorError::user(problem.into()))?;
    let length = answer.body.len();
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body.slice(..answer.sent.min(length))));
    let headers = response.headers_mut();
    headers.insert("content-type", answer.content_type);
    headers.insert("content-length", length.to_string());
    headers.insert("x-amzn-requestid", answer.request_id);
    Ok(response)
}
