//! The next step towards the listener that sends plain HTTP to HTTPS.

use super::{DefaultAction, Listener, RedirectAction, RedirectSighting, RedirectTerms, RedirectWish};
use crate::controllers::{Block, Steps, Wait};
use crate::sighting::Sighting;

/// The next steps. A listener that speaks anything but HTTP on the plain port is somebody else's and is left alone.
pub fn plan(wish: RedirectWish, seen: &RedirectSighting, redirect: &RedirectTerms) -> Steps<RedirectAction> {
    match (wish, &seen.listener) {
        (RedirectWish::NotYet, _) => Steps::settled(),
        (RedirectWish::InPlace, Sighting::Unknown { why }) => Steps::wait(Wait::new("ListenerUnknown", why)),
        (RedirectWish::InPlace, Sighting::Absent) => Steps::act(RedirectAction::CreateListener),
        (RedirectWish::InPlace, Sighting::Present(listener)) => correct(listener, redirect),
    }
}

fn correct(listener: &Listener, redirect: &RedirectTerms) -> Steps<RedirectAction> {
    if listener.default_action == DefaultAction::ToHttps(redirect.status_code) && listener.protocol == "HTTP" {
        return Steps::settled();
    }
    if listener.protocol != "HTTP" {
        let message = format!(
            "the listener on port {} speaks {}, so it is not the plain one; choose another `redirect.fromPort` or remove it",
            redirect.from_port, listener.protocol
        );
        return Steps::block(Block::new("ForeignListener", message));
    }
    Steps::act(RedirectAction::ModifyListener { listener: listener.arn.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::fixture::migration;
    use crate::spec::RedirectStatus;

    fn planned(wish: RedirectWish, listener: Sighting<Listener>) -> Steps<RedirectAction> {
        let redirect = migration().spec.load_balancer.redirect;
        plan(wish, &RedirectSighting { listener, targets: Sighting::Absent }, &redirect)
    }

    fn found(protocol: &str, default_action: DefaultAction) -> Sighting<Listener> {
        Sighting::Present(Listener { arn: "listener".into(), protocol: protocol.to_owned(), default_action })
    }

    #[test]
    fn as_wished_is_settled() {
        assert!(planned(RedirectWish::InPlace, found("HTTP", DefaultAction::ToHttps(RedirectStatus::Http302))).is_settled());
        assert!(planned(RedirectWish::NotYet, Sighting::Absent).is_settled());
    }

    #[test]
    fn an_unknown_listener_is_awaited_and_never_created_twice() {
        let steps = planned(RedirectWish::InPlace, Sighting::unknown("throttled"));
        assert!(steps.actions.is_empty() && !steps.waiting.is_empty());
    }

    #[test]
    fn a_missing_listener_is_created_and_another_plain_one_corrected() {
        assert_eq!(planned(RedirectWish::InPlace, Sighting::Absent).actions, vec![RedirectAction::CreateListener]);
        let modify = vec![RedirectAction::ModifyListener { listener: "listener".into() }];
        for action in [
            DefaultAction::ToHttps(RedirectStatus::Http301),
            DefaultAction::OtherRedirect("https://elsewhere".to_owned()),
            DefaultAction::Other("forward".to_owned()),
        ] {
            assert_eq!(planned(RedirectWish::InPlace, found("HTTP", action)).actions, modify);
        }
    }

    #[test]
    fn a_listener_that_speaks_https_on_the_plain_port_is_reported_and_not_touched() {
        for action in [DefaultAction::Other("forward".to_owned()), DefaultAction::ToHttps(RedirectStatus::Http302)] {
            let steps = planned(RedirectWish::InPlace, found("HTTPS", action));
            assert!(steps.actions.is_empty());
            assert_eq!(steps.blocked[0].reason.0, "ForeignListener");
        }
    }
}
