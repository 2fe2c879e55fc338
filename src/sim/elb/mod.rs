//! ELBv2: one application load balancer, its listeners and one target group.
//!
//! Health is computed when asked, so there is nothing to step. Not modelled: rules beside each listener's default one,
//! calls that register and deregister targets, tags, attributes, authentication actions, other balancer types.

mod action;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use action::{Action, FixedResponse, Redirect, WeightedGroup};
pub use targets::Targets;

use self::action::validation;
use crate::names::{LoadBalancerArn, TargetGroupArn, region_of};
use crate::sim::wire::xml::Xml;
use crate::sim::wire::{Parameters, ServiceError, query};

/// Listeners of one load balancer (User Guide, "Quotas").
const LISTENERS_AT_MOST: usize = 50;
const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-4000-8000-000000000001";
const SSL_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// 1 to 65535.
    pub port: u16,
    /// What it does, and with which protocol.
    pub settings: ListenerSettings,
}

/// What CreateListener compares before it calls a listener the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// `HTTP` or `HTTPS`
    pub protocol: String,
    /// `SslPolicy` of an HTTPS listener.
    pub ssl_policy: Option<String>,
    /// The default certificate of an HTTPS listener.
    pub certificate: Option<String>,
    /// `DefaultActions`
    pub default_actions: Vec<Action>,
}

/// One load balancer.
#[derive(Debug)]
pub struct Elb {
    load_balancer: LoadBalancerArn,
    target_group: TargetGroupArn,
    /// The targets of the group.
    pub targets: Targets,
    /// By port; a port is used once.
    listeners: BTreeMap<u16, Listener>,
    rng: fastrand::Rng,
}

impl Elb {
    /// An active load balancer with an HTTPS listener that forwards to a group of `targets` since `start`; port 80 is free.
    pub fn new(
        load_balancer: LoadBalancerArn,
        target_group: TargetGroupArn,
        targets: usize,
        start: Timestamp,
        mut rng: fastrand::Rng,
    ) -> Self {
        let region = region_of(load_balancer.as_str()).unwrap_or("eu-west-1");
        let targets = Targets::new(targets, region, start, &mut rng);
        let forward = Action::Forward(vec![WeightedGroup { arn: target_group.to_string(), weight: 1 }]);
        let mut elb = Self { load_balancer, target_group, targets, listeners: BTreeMap::new(), rng };
        let settings = ListenerSettings {
            protocol: "HTTPS".to_owned(),
            ssl_policy: Some(SSL_POLICY.to_owned()),
            certificate: Some(CERTIFICATE.to_owned()),
            default_actions: vec![forward],
        };
        elb.listen(443, settings);
        elb.note_references(start);
        elb
    }

    /// The listener on `port`.
    pub fn listener(&self, port: u16) -> Option<&Listener> {
        self.listeners.get(&port)
    }

    /// Somebody deletes the listener on `port` by hand; what was there.
    pub fn delete_by_hand(&mut self, port: u16, now: Timestamp) -> Option<Listener> {
        let deleted = self.listeners.remove(&port);
        self.note_references(now);
        deleted
    }

    /// Somebody puts a listener back by hand, in the place of whatever is on its port.
    pub fn put_by_hand(&mut self, listener: Listener, now: Timestamp) {
        self.listeners.insert(listener.port, listener);
        self.note_references(now);
    }

    /// Handles one action; the answer is the inner XML of its `Result` element.
    pub fn call(&mut self, now: Timestamp, action: &str, sent: &Parameters) -> Result<String, ServiceError> {
        match action {
            "DescribeLoadBalancers" => self.describe_load_balancers(sent),
            "DescribeListeners" => self.describe_listeners(sent),
            "CreateListener" => self.create_listener(now, sent),
            "ModifyListener" => self.modify_listener(now, sent),
            "DeleteListener" => self.delete_listener(now, sent),
            "DescribeTargetGroups" => self.describe_target_groups(sent),
            "DescribeTargetHealth" => self.describe_target_health(now, sent),
            "DescribeRules" => self.describe_rules(sent),
            _ => Err(ServiceError::refused("InvalidAction", format!("Could not find operation {action} for version 2015-12-01"))),
        }
    }

    fn listen(&mut self, port: u16, settings: ListenerSettings) {
        let suffix = self.load_balancer.as_str().split_once("loadbalancer/").map_or("app/stand-in/1", |(_, suffix)| suffix);
        let prefix = self.load_balancer.as_str().split_once("loadbalancer/").map_or("", |(prefix, _)| prefix);
        let arn = format!("{prefix}listener/{suffix}/{:016x}", self.rng.u64(..));
        self.listeners.insert(port, Listener { arn, port, settings });
    }

    fn note_references(&mut self, now: Timestamp) {
        let group = self.target_group.as_str();
        let actions = || self.listeners.values().flat_map(|listener| &listener.settings.default_actions);
        let is_referenced = actions().any(|action| action.forwards_to(group));
        self.targets.note_reference(is_referenced, now);
    }

    fn describe_load_balancers(&self, sent: &Parameters) -> Result<String, ServiceError> {
        for arn in query::values(sent, "LoadBalancerArns.member") {
            self.check_load_balancer(&arn)?;
        }
        let name = self.load_balancer_name();
        if let Some(unknown) = query::values(sent, "Names.member").iter().find(|wanted| *wanted != name) {
            return Err(ServiceError::refused("LoadBalancerNotFound", format!("Load balancers '[{unknown}]' not found")));
        }
        let (shown, next) = page(sent)?.cut(&[()]);
        Ok(Xml::written(|xml| {
            xml.list("LoadBalancers", "member", shown, |xml, ()| {
                xml.leaf("LoadBalancerArn", &self.load_balancer);
                xml.leaf("DNSName", format_args!("{name}-1234567890.eu-west-1.elb.amazonaws.com"));
                xml.leaf("CanonicalHostedZoneId", "Z32O12XQLNTSW2");
                xml.leaf("LoadBalancerName", name);
                xml.leaf("Scheme", "internet-facing");
                xml.node("State", |xml| xml.leaf("Code", "active"));
                xml.leaf("Type", "application");
                xml.leaf("IpAddressType", "ipv4");
            });
            xml.optional("NextMarker", next);
        }))
    }

    /// The name in `.../loadbalancer/app/NAME/ID`.
    fn load_balancer_name(&self) -> &str {
        self.load_balancer.as_str().rsplit('/').nth(1).unwrap_or("stand-in")
    }

    fn describe_listeners(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let arns = query::values(sent, "ListenerArns.member");
        let found: Vec<&Listener> = match (query::optional(sent, "LoadBalancerArn"), arns.as_slice()) {
            (Some(_), [_, ..]) | (None, []) => {
                return Err(validation("Either a load balancer ARN or listener ARNs must be specified"));
            }
            (Some(load_balancer), []) => {
                self.check_load_balancer(load_balancer)?;
                self.listeners.values().collect()
            }
            (None, arns) => arns.iter().map(|arn| self.listener_with(arn)).collect::<Result<_, _>>()?,
        };
        let (shown, next) = page(sent)?.cut(&found);
        Ok(Xml::written(|xml| {
            self.write_listeners(shown.iter().copied(), xml);
            xml.optional("NextMarker", next);
        }))
    }

    fn create_listener(&mut self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        self.check_load_balancer(
            query::optional(sent, "LoadBalancerArn").ok_or_else(|| validation("LoadBalancerArn is missing"))?,
        )?;
        let port = port_of(query::optional(sent, "Port").ok_or_else(|| validation("A listener port must be specified"))?)?;
        let protocol = query::optional(sent, "Protocol").ok_or_else(|| validation("A listener protocol must be specified"))?;
        let settings = settings_of(sent, protocol, None)?;
        self.check_groups(&settings)?;
        match self.listeners.get(&port) {
            // "If you attempt to create multiple listeners with the same settings, each call succeeds."
            Some(found) if found.settings == settings => {}
            Some(_) => return Err(ServiceError::refused("DuplicateListener", "A listener already exists on this port")),
            None if self.listeners.len() >= LISTENERS_AT_MOST => {
                return Err(ServiceError::refused("TooManyListeners", "The load balancer has as many listeners as it may have"));
            }
            None => self.listen(port, settings),
        }
        self.note_references(now);
        Ok(Xml::written(|xml| self.write_listeners(self.listeners.get(&port), xml)))
    }

    fn modify_listener(&mut self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        let before = self
            .listener_with(query::optional(sent, "ListenerArn").ok_or_else(|| validation("ListenerArn is missing"))?)?
            .clone();
        let port = query::optional(sent, "Port").map_or(Ok(before.port), port_of)?;
        let protocol = query::optional(sent, "Protocol").unwrap_or(&before.settings.protocol);
        let settings = settings_of(sent, protocol, Some(&before.settings))?;
        self.check_groups(&settings)?;
        if port != before.port && self.listeners.contains_key(&port) {
            return Err(ServiceError::refused("DuplicateListener", "A listener already exists on this port"));
        }
        self.listeners.remove(&before.port);
        self.listeners.insert(port, Listener { arn: before.arn, port, settings });
        self.note_references(now);
        Ok(Xml::written(|xml| self.write_listeners(self.listeners.get(&port), xml)))
    }

    fn delete_listener(&mut self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        let arn = query::optional(sent, "ListenerArn").ok_or_else(|| validation("ListenerArn is missing"))?;
        let port = self.listener_with(arn)?.port;
        self.delete_by_hand(port, now);
        Ok(String::new())
    }

    fn describe_target_groups(&self, sent: &Parameters) -> Result<String, ServiceError> {
        for arn in query::values(sent, "TargetGroupArns.member") {
            self.check_group(&arn)?;
        }
        if let Some(load_balancer) = query::optional(sent, "LoadBalancerArn") {
            self.check_load_balancer(load_balancer)?;
        }
        let name = self.target_group.as_str().rsplit('/').nth(1).unwrap_or("stand-in");
        if query::values(sent, "Names.member").iter().any(|wanted| wanted != name) {
            return Err(ServiceError::refused("TargetGroupNotFound", "One or more target groups not found"));
        }
        let (shown, next) = page(sent)?.cut(&[()]);
        Ok(Xml::written(|xml| {
            xml.list("TargetGroups", "member", shown, |xml, ()| {
                xml.leaf("TargetGroupArn", &self.target_group);
                xml.leaf("TargetGroupName", name);
                xml.leaf("Protocol", "HTTP");
                xml.leaf("Port", 8080);
                xml.leaf("TargetType", "ip");
                let balancers = self.targets.are_referenced().then_some(&self.load_balancer);
                xml.node("LoadBalancerArns", |xml| balancers.into_iter().for_each(|arn| xml.leaf("member", arn)));
            });
            xml.optional("NextMarker", next);
        }))
    }

    fn describe_target_health(&self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        self.check_group(query::optional(sent, "TargetGroupArn").ok_or_else(|| validation("TargetGroupArn is missing"))?)?;
        let wanted: Vec<String> =
            query::items(sent, "Targets.member").iter().filter_map(|target| target.get("Id").cloned()).collect();
        Ok(self.targets.describe(now, &wanted))
    }

    /// Only default rules: they are changed with ModifyListener.
    fn describe_rules(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let listener = match (query::optional(sent, "ListenerArn"), query::values(sent, "RuleArns.member").first()) {
            (Some(arn), None) => self.listener_with(arn)?,
            (None, Some(rule)) => self
                .listeners
                .values()
                .find(|listener| rule_arn(listener) == *rule)
                .ok_or_else(|| ServiceError::refused("RuleNotFound", "One or more rules not found"))?,
            (None, None) | (Some(_), Some(_)) => return Err(validation("Either a listener ARN or rule ARNs must be specified")),
        };
        Ok(Xml::written(|xml| {
            xml.list("Rules", "member", [listener], |xml, listener| {
                xml.leaf("RuleArn", rule_arn(listener));
                xml.leaf("Priority", "default");
                xml.node("Conditions", |_| {});
                xml.list("Actions", "member", &listener.settings.default_actions, |xml, action| action.write(xml));
                xml.leaf("IsDefault", true);
            });
        }))
    }

    fn write_listeners<'a>(&self, listeners: impl IntoIterator<Item = &'a Listener>, xml: &mut Xml) {
        xml.list("Listeners", "member", listeners, |xml, listener| {
            xml.leaf("ListenerArn", &listener.arn);
            xml.leaf("LoadBalancerArn", &self.load_balancer);
            xml.leaf("Port", listener.port);
            xml.leaf("Protocol", &listener.settings.protocol);
            if let Some(certificate) = &listener.settings.certificate {
                xml.list("Certificates", "member", [certificate], |xml, arn| xml.leaf("CertificateArn", arn));
            }
            xml.optional("SslPolicy", listener.settings.ssl_policy.as_ref());
            xml.list("DefaultActions", "member", &listener.settings.default_actions, |xml, action| action.write(xml));
        });
    }

    fn listener_with(&self, arn: &str) -> Result<&Listener, ServiceError> {
        let found = self.listeners.values().find(|listener| listener.arn == arn);
        found.ok_or_else(|| ServiceError::refused("ListenerNotFound", "One or more listeners not found"))
    }

    fn check_load_balancer(&self, arn: &str) -> Result<(), ServiceError> {
        if arn == self.load_balancer.as_str() {
            return Ok(());
        }
        Err(ServiceError::refused("LoadBalancerNotFound", format!("Load balancer '{arn}' not found")))
    }

    fn check_group(&self, arn: &str) -> Result<(), ServiceError> {
        if arn == self.target_group.as_str() {
            return Ok(());
        }
        Err(ServiceError::refused("TargetGroupNotFound", format!("Target group '{arn}' not found")))
    }

    fn check_groups(&self, settings: &ListenerSettings) -> Result<(), ServiceError> {
        for action in &settings.default_actions {
            match action {
                Action::Forward(groups) => groups.iter().try_for_each(|group| self.check_group(&group.arn))?,
                Action::Redirect(_) | Action::FixedResponse(_) => {}
            }
        }
        Ok(())
    }
}

fn rule_arn(listener: &Listener) -> String {
    format!("{}/default", listener.arn.replacen(":listener/", ":listener-rule/", 1))
}

/// The settings a request asks for; what it leaves out stays as it was `before`, and lists are replaced whole.
fn settings_of(sent: &Parameters, protocol: &str, before: Option<&ListenerSettings>) -> Result<ListenerSettings, ServiceError> {
    let default_actions = match before {
        Some(before) if query::items(sent, "DefaultActions.member").is_empty() => before.default_actions.clone(),
        Some(_) | None => action::read(sent, protocol)?,
    };
    let sent_policy = query::optional(sent, "SslPolicy").map(str::to_owned);
    let sent_certificate = query::items(sent, "Certificates.member").first().and_then(|item| item.get("CertificateArn").cloned());
    match protocol {
        // HTTP has neither; a listener that becomes HTTP loses both.
        "HTTP" if sent_policy.is_some() || sent_certificate.is_some() => {
            Err(ServiceError::refused("InvalidConfigurationRequest", "An HTTP listener has no certificate and no SSL policy"))
        }
        "HTTP" => Ok(ListenerSettings { protocol: protocol.to_owned(), ssl_policy: None, certificate: None, default_actions }),
        "HTTPS" => {
            let certificate = sent_certificate.or_else(|| before.and_then(|before| before.certificate.clone()));
            if certificate.is_none() {
                return Err(ServiceError::refused("CertificateNotFound", "A certificate must be specified for HTTPS listeners"));
            }
            let policy = sent_policy.or_else(|| before.and_then(|before| before.ssl_policy.clone()));
            let ssl_policy = Some(policy.unwrap_or_else(|| SSL_POLICY.to_owned()));
            Ok(ListenerSettings { protocol: protocol.to_owned(), ssl_policy, certificate, default_actions })
        }
        other => {
            Err(ServiceError::refused("UnsupportedProtocol", format!("Protocol {other} is not for application load balancers")))
        }
    }
}

fn port_of(text: &str) -> Result<u16, ServiceError> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| validation(format!("Port '{text}' must be from 1 to 65535")))
}

/// ELBv2's pages hold 1 to 400 things.
fn page(sent: &Parameters) -> Result<query::Page, ServiceError> {
    query::Page::read(sent, "PageSize", 1, 400, validation)
}
