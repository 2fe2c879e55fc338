//! Refuses answers that were cut short.
//!
//! The SDK reads a truncated XML list as a shorter list, and calls that success. A list that lost its end would be taken for
//! proof that something is absent, so the whole body is read and checked before the SDK sees it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;

/// The same client, whose answers are whole or an I/O error.
pub fn refusing_partial_answers(inner: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(WholeBody { inner })
}

/// Wraps every connector that the inner client selects.
#[derive(Debug)]
struct WholeBody {
    inner: SharedHttpClient,
}

impl HttpClient for WholeBody {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(WholeBodyConnector { inner: self.inner.http_connector(settings, components) })
    }

    fn validate_base_client_config(&self, components: &RuntimeComponentsBuilder, bag: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, bag)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, bag: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct WholeBodyConnector {
    inner: SharedHttpConnector,
}

impl HttpConnector for WholeBodyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move { whole(answer.await?).await })
    }
}

async fn whole(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    // A body that is in memory already is checked in place, without a copy.
    if response.body().bytes().is_none() {
        let streamed = ByteStream::new(response.take_body());
        let bytes = streamed.collect().await.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
        *response.body_mut() = SdkBody::from(bytes);
    }
    let announced = response.headers().get("content-length").and_then(|text| text.parse::<usize>().ok());
    let bytes = response.body().bytes().unwrap_or_default();
    match flaw(bytes, announced, response.status().is_success()) {
        None => Ok(response),
        Some(flaw) => Err(ConnectorError::io(format!("refused an answer that is not whole: {flaw}").into())),
    }
}

/// What shows that `body` is not the whole answer, if anything does.
fn flaw(body: &[u8], announced: Option<usize>, success: bool) -> Option<String> {
    if let Some(announced) = announced.filter(|announced| *announced != body.len()) {
        return Some(format!("{} bytes came of {announced} announced", body.len()));
    }
    let text = body.trim_ascii();
    match text.first() {
        Some(b'<') if !is_closed(text) => Some("the XML root element is not closed".to_owned()),
        Some(b'{') => {
            serde_json::from_slice::<serde::de::IgnoredAny>(text).err().map(|error| format!("the JSON ends early: {error}"))
        }
        Some(b'<') => None,
        // Every successful answer of these four services is an XML or a JSON document; a refusal may be a proxy's plain text.
        Some(_) if success => Some("the body is neither XML nor JSON".to_owned()),
        None if success => Some("the body is empty".to_owned()),
        Some(_) | None => None,
    }
}

/// Whether an XML document ends with the end tag of its root element.
fn is_closed(document: &[u8]) -> bool {
    let Some(root) = root_name(document) else { return false };
    let Some(rest) = document.strip_suffix(b">") else { return false };
    rest.trim_ascii_end().strip_suffix(root).is_some_and(|rest| rest.ends_with(b"</")) || is_one_empty_element(document)
}

/// The name of the root element: the first start tag after the prolog.
fn root_name(document: &[u8]) -> Option<&[u8]> {
    let mut rest = document;
    loop {
        rest = rest.trim_ascii_start().strip_prefix(b"<")?;
        if !matches!(rest.first(), Some(b'?' | b'!')) {
            break;
        }
        rest = &rest[rest.iter().position(|byte| *byte == b'>')? + 1..];
    }
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
    Some(&rest[..end]).filter(|name| !name.is_empty())
}

/// `<Root/>`, with or without attributes, and nothing else.
fn is_one_empty_element(document: &[u8]) -> bool {
    let start = document.windows(2).rposition(|pair| pair[0] == b'<' && !matches!(pair[1], b'?' | b'!'));
    let first = document.windows(2).position(|pair| pair[0] == b'<' && !matches!(pair[1], b'?' | b'!'));
    document.ends_with(b"/>") && start == first
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<?xml version=\"1.0\"?>\n<List xmlns=\"x\"><Item>1</Item><Item>2</Item></List>\n";

    #[test]
    fn an_xml_body_cut_at_any_byte_is_refused() {
        assert_eq!(flaw(LIST.as_bytes(), None, true), None, "the whole of it is accepted");
        for length in 0..LIST.trim_end().len() {
            assert!(flaw(&LIST.as_bytes()[..length], None, true).is_some(), "accepted the first {length} bytes");
        }
    }

    #[test]
    fn a_json_body_cut_at_any_byte_is_refused() {
        let body = br#"{"ReplicationTasks":[{"Status":"running"}],"Marker":null}"#;
        assert_eq!(flaw(body, Some(body.len()), true), None, "the whole of it is accepted");
        for length in 0..body.len() {
            assert!(flaw(&body[..length], None, true).is_some(), "accepted the first {length} bytes");
        }
    }

    #[test]
    fn a_length_other_than_the_announced_one_is_refused_even_for_errors() {
        assert!(flaw(b"{}", Some(3), true).is_some());
        assert!(flaw(b"{}", Some(3), false).is_some());
        assert_eq!(flaw(b"{}", Some(2), true), None);
    }

    #[test]
    fn a_truncated_refusal_is_refused_but_plain_text_from_a_proxy_is_only_a_refusal() {
        assert!(flaw(b"<ErrorResponse><Error><Code>Throttling</Code>", None, false).is_some());
        assert_eq!(flaw(b"bad gateway", None, false), None);
        assert_eq!(flaw(b"", Some(0), false), None);
        assert!(flaw(b"welcome to the hotel", None, true).is_some());
    }

    #[test]
    fn an_empty_root_element_is_whole() {
        assert_eq!(flaw(b"<Nothing/>", None, true), None);
        assert!(flaw(b"<List><Item/>", None, true).is_some());
    }
}
