//! Closes an answer: puts what a service said into its protocol's envelope.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::xml::Xml;
use super::{RestAnswer, ServiceError, WireAnswer};
use crate::sim::faults::Service;

/// Route 53's XML namespace.
pub const ROUTE53_NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
const RDS_NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";
const ELB_NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
const JSON: &str = "application/x-amz-json-1.1";
const XML: &str = "text/xml";

/// A JSON answer.
pub(super) fn json(output: &Value, request_id: String) -> WireAnswer {
    answer(200, JSON, output.to_string(), request_id)
}

/// An awsQuery answer around the inner XML of its `Result` element.
pub(super) fn query(service: Service, action: &str, inner: &str, request_id: String) -> WireAnswer {
    let body = Xml::written(|xml| {
        xml.root(&format!("{action}Response"), namespace_of(service), |xml| {
            xml.node(&format!("{action}Result"), |xml| xml.raw(inner));
            xml.node("ResponseMetadata", |xml| xml.leaf("RequestId", &request_id));
        });
    });
    answer(200, XML, body, request_id)
}

/// A REST-XML answer.
pub(super) fn rest(rest: RestAnswer, request_id: String) -> WireAnswer {
    answer(rest.status, XML, rest.body, request_id)
}

/// A refusal in the service's own shape.
pub(super) fn refusal(service: Service, refusal: &ServiceError, request_id: String) -> WireAnswer {
    match service {
        Service::Dms => answer(refusal.status, JSON, json_refusal(refusal), request_id),
        Service::Rds | Service::Route53 | Service::Elb => {
            let body = xml_refusal(namespace_of(service), refusal, &request_id);
            answer(refusal.status, XML, body, request_id)
        }
    }
}

/// What a request for no known service is told.
pub fn nobody() -> WireAnswer {
    let refusal =
        ServiceError::with_status(403, "MissingAuthenticationToken", "The request is for no service that is known here.");
    let request_id = "00000000-0000-4000-8000-000000000000".to_owned();
    let body = xml_refusal(ELB_NAMESPACE, &refusal, &request_id);
    answer(refusal.status, XML, body, request_id)
}

fn json_refusal(refusal: &ServiceError) -> String {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Value::from(refusal.code.as_str()));
    body.insert("message".to_owned(), Value::from(refusal.message.as_str()));
    for (name, value) in &refusal.fields {
        body.insert(name.clone(), Value::from(value.as_str()));
    }
    Value::Object(body).to_string()
}

fn xml_refusal(namespace: &str, refusal: &ServiceError, request_id: &str) -> String {
    Xml::written(|xml| {
        xml.root("ErrorResponse", namespace, |xml| {
            xml.node("Error", |xml| {
                xml.leaf("Type", if refusal.status < 500 { "Sender" } else { "Receiver" });
                xml.leaf("Code", &refusal.code);
                xml.leaf("Message", &refusal.message);
                for (name, value) in &refusal.fields {
                    xml.leaf(name, value);
                }
            });
            xml.leaf("RequestId", request_id);
        });
    })
}

const fn namespace_of(service: Service) -> &'static str {
    match service {
        Service::Rds => RDS_NAMESPACE,
        Service::Elb => ELB_NAMESPACE,
        Service::Route53 | Service::Dms => ROUTE53_NAMESPACE,
    }
}

fn answer(status: u16, content_type: &'static str, body: String, request_id: String) -> WireAnswer {
    let body = Bytes::from(body);
    let sent = body.len();
    WireAnswer { status, content_type, request_id, body, sent }
}
