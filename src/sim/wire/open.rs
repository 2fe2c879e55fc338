//! Opens a request: which service it is for, which operation, with what input. Any bytes are opened or refused, never fatal.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::{Parameters, RestRequest, ServiceError};
use crate::sim::faults::{RequestKey, Service};
use crate::sim::route53;

/// The largest body that is read, in bytes. Route 53's own limit of 32,000 characters is the largest real need.
pub const BODY_AT_MOST: usize = 1024 * 1024;

/// What a door takes from a request, of whatever HTTP library it is.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// The query, percent-encoded.
    pub query: Option<&'a str>,
    /// `Authorization`
    pub authorization: Option<&'a str>,
    /// `X-Amz-Target`
    pub target: Option<&'a str>,
    /// `Host`
    pub host: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// An opened request.
#[derive(Debug)]
pub struct Opened {
    /// Who is asked.
    pub service: Service,
    /// What is asked, in the service's own word; what cannot be told is `Unknown`.
    pub operation: String,
    /// What the same question hashes to.
    pub key: RequestKey,
    /// The input, or why there is none.
    pub call: Result<Call, ServiceError>,
}

impl Opened {
    /// Whether the call only reads.
    pub fn is_read(&self) -> bool {
        ["Describe", "List", "Get"].iter().any(|prefix| self.operation.starts_with(prefix))
    }
}

/// The input of a call, in its protocol's own form.
#[derive(Debug)]
pub enum Call {
    /// JSON 1.1: DMS.
    Json(Value),
    /// awsQuery: RDS and ELBv2.
    Query(Parameters),
    /// REST-XML: Route 53.
    Rest(RestRequest),
}

/// Opens `received`; `None` when it is for no service that there is.
pub fn open(received: &Received<'_>) -> Option<Opened> {
    let service = service_of(received)?;
    let key = (service, hash_of(received));
    let (operation, call) = match service {
        Service::Dms => open_json(received),
        Service::Rds => open_query(received, "2014-10-31"),
        Service::Elb => open_query(received, "2015-12-01"),
        Service::Route53 => open_rest(received),
    };
    let call = if received.body.len() > BODY_AT_MOST { Err(too_large()) } else { call };
    Some(Opened { service, operation, key, call })
}

/// The service: from the SigV4 credential scope when signed, else from what only that service's protocol has.
fn service_of(received: &Received<'_>) -> Option<Service> {
    match received.authorization.and_then(scope_of) {
        Some(name) => service_named(name),
        None => unsigned_service_of(received),
    }
}

/// `Credential=KEY/20260101/eu-west-1/dms/aws4_request` names `dms`.
fn scope_of(authorization: &str) -> Option<&str> {
    let credential = authorization.split_once("Credential=")?.1.split([',', ' ']).next()?;
    credential.rsplit('/').nth(1)
}

fn service_named(name: &str) -> Option<Service> {
    [Service::Dms, Service::Rds, Service::Route53, Service::Elb].into_iter().find(|service| service.name() == name)
}

fn unsigned_service_of(received: &Received<'_>) -> Option<Service> {
    if received.target.is_some_and(|target| target.starts_with("AmazonDMS")) {
        return Some(Service::Dms);
    }
    if received.path.starts_with("/2013-04-01/") {
        return Some(Service::Route53);
    }
    if let Some(service) = received.host.and_then(|host| service_named(host.split('.').next()?)) {
        return Some(service);
    }
    match form_of(received).get("Version").map(String::as_str) {
        Some("2014-10-31") => Some(Service::Rds),
        Some("2015-12-01") => Some(Service::Elb),
        _ => None,
    }
}

/// The same request has the same hash in every run: the default hasher's keys are fixed.
fn hash_of(received: &Received<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (received.method, received.path, received.query, received.target, received.body).hash(&mut hasher);
    hasher.finish()
}

fn open_json(received: &Received<'_>) -> (String, Result<Call, ServiceError>) {
    let operation = received.target.and_then(|target| target.strip_prefix("AmazonDMSv20160101.")).filter(|name| is_word(name));
    let Some(operation) = operation else {
        return unknown("UnknownOperationException", "The operation is not known.");
    };
    let input =
        if received.body.is_empty() { Ok(Value::Object(serde_json::Map::new())) } else { serde_json::from_slice(received.body) };
    let call = match input {
        Ok(input @ Value::Object(_)) => Ok(Call::Json(input)),
        Ok(_) => Err(ServiceError::refused("SerializationException", "The body is not a JSON object.")),
        Err(problem) => Err(ServiceError::refused("SerializationException", format!("The body is not JSON: {problem}"))),
    };
    (operation.to_owned(), call)
}

fn open_query(received: &Received<'_>, version: &str) -> (String, Result<Call, ServiceError>) {
    let parameters = form_of(received);
    let Some(action) = parameters.get("Action").cloned() else {
        return unknown("MissingAction", "The request must contain the parameter Action.");
    };
    if !is_word(&action) {
        return unknown("InvalidAction", "The action is not valid.");
    }
    if parameters.get("Version").is_none_or(|sent| sent != version) {
        let refusal = ServiceError::refused("InvalidAction", format!("Could not find operation {action} for that version."));
        return (action, Err(refusal));
    }
    (action, Ok(Call::Query(parameters)))
}

fn open_rest(received: &Received<'_>) -> (String, Result<Call, ServiceError>) {
    let query = parameters_of(received.query.unwrap_or_default().as_bytes());
    let operation = route53::Operation::of(received.method, received.path).name().to_owned();
    let call = std::str::from_utf8(received.body)
        .map(|body| {
            let (method, path) = (received.method.to_owned(), received.path.to_owned());
            Call::Rest(RestRequest { method, path, query, body: body.to_owned() })
        })
        .map_err(|_| ServiceError::refused("InvalidInput", "The body is not UTF-8."));
    (operation, call)
}

/// The form in the body of a POST, or the query of anything else.
fn form_of(received: &Received<'_>) -> Parameters {
    match received.query {
        Some(query) if received.body.is_empty() => parameters_of(query.as_bytes()),
        // A body that will be refused for its size is not read for its fields.
        _ => parameters_of(received.body.get(..BODY_AT_MOST.min(received.body.len())).unwrap_or_default()),
    }
}

fn parameters_of(encoded: &[u8]) -> Parameters {
    form_urlencoded::parse(encoded).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Whether a name can be an operation, and so can stand in an XML element's name.
fn is_word(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !name.as_bytes()[0].is_ascii_digit()
}

fn unknown(code: &str, message: &str) -> (String, Result<Call, ServiceError>) {
    ("Unknown".to_owned(), Err(ServiceError::refused(code, message)))
}

fn too_large() -> ServiceError {
    ServiceError::with_status(413, "RequestEntityTooLarge", format!("The body is longer than {BODY_AT_MOST} bytes."))
}
