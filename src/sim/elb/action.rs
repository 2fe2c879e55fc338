//! A listener's default action: read from a request, judged, and written with AWS's own defaults filled in.

use crate::sim::wire::xml::Xml;
use crate::sim::wire::{Parameters, ServiceError, query};

/// What a listener does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To one target group or to several by weight.
    Forward(Vec<WeightedGroup>),
    /// Elsewhere, by a redirect.
    Redirect(Redirect),
    /// A ready answer.
    FixedResponse(FixedResponse),
}

/// One target group of a forward action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedGroup {
    /// `TargetGroupArn`
    pub arn: String,
    /// 0 to 999.
    pub weight: u16,
}

/// `RedirectConfig`, with every component: what was left out is filled with the request's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`
    pub protocol: String,
    /// A port or `#{port}`
    pub port: String,
    /// A host or `#{host}`
    pub host: String,
    /// A path or `/#{path}`
    pub path: String,
    /// A query or `#{query}`
    pub query: String,
    /// `HTTP_301` or `HTTP_302`
    pub status_code: String,
}

/// `FixedResponseConfig`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    /// Three digits, the first of them 2, 4 or 5.
    pub status_code: String,
    /// `text/plain`, ...
    pub content_type: Option<String>,
    /// At most 1,024 characters.
    pub message_body: Option<String>,
}

impl Redirect {
    /// To HTTPS on port 443, with host, path and query as they were.
    pub fn to_https(status_code: &str) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            protocol: text("HTTPS"),
            port: text("443"),
            host: text(HOST),
            path: text(PATH),
            query: text(QUERY),
            status_code: text(status_code),
        }
    }
}

const PROTOCOL: &str = "#{protocol}";
const PORT: &str = "#{port}";
const HOST: &str = "#{host}";
const PATH: &str = "/#{path}";
const QUERY: &str = "#{query}";
/// Characters of a host, path or query (RedirectActionConfig).
const COMPONENT_AT_MOST: usize = 128;
/// Target groups of one forward action (User Guide, "Quotas").
const GROUPS_AT_MOST: usize = 5;

/// Reads `DefaultActions`. Authentication actions are not modelled, so there is exactly one.
pub(super) fn read(sent: &Parameters, listener_protocol: &str) -> Result<Vec<Action>, ServiceError> {
    let items = query::items(sent, "DefaultActions.member");
    match items.as_slice() {
        [] => Err(validation("A default action must be specified")),
        [item] => Ok(vec![read_one(item, listener_protocol)?]),
        _ => Err(invalid_action("Exactly one forward, redirect or fixed-response action is allowed")),
    }
}

fn read_one(item: &Parameters, listener_protocol: &str) -> Result<Action, ServiceError> {
    match query::optional(item, "Type") {
        Some("forward") => read_forward(item),
        Some("redirect") => read_redirect(&query::below(item, "RedirectConfig."), listener_protocol),
        Some("fixed-response") => read_fixed(&query::below(item, "FixedResponseConfig.")),
        Some(other) => Err(invalid_action(format!("Actions of type {other} are not modelled by this stand-in"))),
        None => Err(validation("An action type must be specified")),
    }
}

fn read_forward(item: &Parameters) -> Result<Action, ServiceError> {
    let mut groups = Vec::new();
    for group in query::items(item, "ForwardConfig.TargetGroups.member") {
        let arn = query::required(&group, "TargetGroupArn")?.to_owned();
        let weight = match query::optional(&group, "Weight") {
            None => 1,
            Some(text) => text
                .parse()
                .ok()
                .filter(|weight| *weight <= 999)
                .ok_or_else(|| validation(format!("Weight '{text}' must be from 0 to 999")))?,
        };
        groups.push(WeightedGroup { arn, weight });
    }
    if groups.len() > GROUPS_AT_MOST {
        return Err(ServiceError::refused("TooManyUniqueTargetGroupsPerLoadBalancer", "At most five target groups an action"));
    }
    match (query::optional(item, "TargetGroupArn"), groups.as_slice()) {
        (None, []) => Err(validation("A target group ARN must be specified")),
        (None, _) => Ok(Action::Forward(groups)),
        (Some(arn), []) => Ok(Action::Forward(vec![WeightedGroup { arn: arn.to_owned(), weight: 1 }])),
        (Some(arn), [group]) if group.arn == arn => Ok(Action::Forward(groups)),
        (Some(_), _) => Err(invalid_action("TargetGroupArn and ForwardConfig must name the same single target group")),
    }
}

fn read_redirect(sent: &Parameters, listener_protocol: &str) -> Result<Action, ServiceError> {
    let part = |name, default: &str| query::optional(sent, name).unwrap_or(default).to_owned();
    let status_code =
        query::optional(sent, "StatusCode").ok_or_else(|| validation("A redirect status code must be specified"))?;
    let redirect = Redirect {
        protocol: part("Protocol", PROTOCOL),
        port: part("Port", PORT),
        host: part("Host", HOST),
        path: part("Path", PATH),
        query: part("Query", QUERY),
        status_code: status_code.to_owned(),
    };
    match redirect_problem(&redirect, listener_protocol) {
        Some(problem) => Err(problem),
        None => Ok(Action::Redirect(redirect)),
    }
}

fn redirect_problem(redirect: &Redirect, listener_protocol: &str) -> Option<ServiceError> {
    if !["HTTP_301", "HTTP_302"].contains(&redirect.status_code.as_str()) {
        return Some(validation(format!("Status code '{}' is not HTTP_301 or HTTP_302", redirect.status_code)));
    }
    if !["HTTP", "HTTPS", PROTOCOL].contains(&redirect.protocol.as_str()) {
        return Some(validation(format!("Protocol '{}' is not HTTP, HTTPS or {PROTOCOL}", redirect.protocol)));
    }
    if redirect.port != PORT && !redirect.port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Some(validation(format!("Port '{}' is not from 1 to 65535 or {PORT}", redirect.port)));
    }
    if !redirect.path.starts_with('/') {
        return Some(validation(format!("Path '{}' does not start with '/'", redirect.path)));
    }
    if [&redirect.host, &redirect.path, &redirect.query].iter().any(|part| part.chars().count() > COMPONENT_AT_MOST) {
        return Some(validation("Host, path and query have at most 128 characters"));
    }
    if listener_protocol == "HTTPS" && redirect.protocol == "HTTP" {
        return Some(invalid_action("A redirect from HTTPS to HTTP is not allowed"));
    }
    let unchanged = redirect.protocol == PROTOCOL && redirect.port == PORT && redirect.host == HOST && redirect.path == PATH;
    unchanged.then(|| invalid_action("The redirect leads back to where it came from: change protocol, host, port or path"))
}

fn read_fixed(sent: &Parameters) -> Result<Action, ServiceError> {
    let status_code = query::optional(sent, "StatusCode").ok_or_else(|| validation("A status code must be specified"))?;
    let digits = status_code.len() == 3 && status_code.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !status_code.starts_with(['2', '4', '5']) {
        return Err(validation(format!("Status code '{status_code}' is not 2XX, 4XX or 5XX")));
    }
    let content_type = query::optional(sent, "ContentType").map(str::to_owned);
    let known = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
    if content_type.as_deref().is_some_and(|sent| !known.contains(&sent)) {
        return Err(validation("The content type is not one that is allowed"));
    }
    let message_body = query::optional(sent, "MessageBody").map(str::to_owned);
    if message_body.as_ref().is_some_and(|body| body.chars().count() > 1_024) {
        return Err(validation("The message body has at most 1024 characters"));
    }
    Ok(Action::FixedResponse(FixedResponse { status_code: status_code.to_owned(), content_type, message_body }))
}

impl Action {
    /// Whether it sends requests to the target group.
    pub(super) fn forwards_to(&self, arn: &str) -> bool {
        match self {
            Self::Forward(groups) => groups.iter().any(|group| group.arn == arn),
            Self::Redirect(_) | Self::FixedResponse(_) => false,
        }
    }

    /// Writes it as the inside of a `member` of `DefaultActions`.
    pub(super) fn write(&self, xml: &mut Xml) {
        match self {
            Self::Forward(groups) => {
                xml.leaf("Type", "forward");
                if let [group] = groups.as_slice() {
                    xml.leaf("TargetGroupArn", &group.arn);
                }
                xml.node("ForwardConfig", |xml| {
                    xml.list("TargetGroups", "member", groups, |xml, group| {
                        xml.leaf("TargetGroupArn", &group.arn);
                        xml.leaf("Weight", group.weight);
                    });
                    xml.node("TargetGroupStickinessConfig", |xml| xml.leaf("Enabled", false));
                });
            }
            Self::Redirect(redirect) => {
                xml.leaf("Type", "redirect");
                xml.node("RedirectConfig", |xml| {
                    xml.leaf("Protocol", &redirect.protocol);
                    xml.leaf("Port", &redirect.port);
                    xml.leaf("Host", &redirect.host);
                    xml.leaf("Path", &redirect.path);
                    xml.leaf("Query", &redirect.query);
                    xml.leaf("StatusCode", &redirect.status_code);
                });
            }
            Self::FixedResponse(fixed) => {
                xml.leaf("Type", "fixed-response");
                xml.node("FixedResponseConfig", |xml| {
                    xml.leaf("StatusCode", &fixed.status_code);
                    xml.optional("ContentType", fixed.content_type.as_ref());
                    xml.optional("MessageBody", fixed.message_body.as_ref());
                });
            }
        }
    }
}

/// What ELBv2 says to a value that is malformed; the model does not list the code.
pub(super) fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::refused("ValidationError", message)
}

fn invalid_action(message: impl Into<String>) -> ServiceError {
    ServiceError::refused("InvalidLoadBalancerAction", message)
}
