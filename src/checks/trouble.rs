//! What is said of a question that was not answered, so that a person knows which end to begin at.

use super::network::Trouble;
use super::outcome::{Code, Evidence, Outcome};

/// How a run ends that came to no answer: it fails where that says something about what was asked, and is unknown elsewhere.
pub fn outcome(trouble: &Trouble, evidence: Vec<Evidence>) -> Outcome {
    let message = described(trouble);
    if trouble.is_certain() {
        Outcome::fail(trouble.code, message, evidence)
    } else {
        Outcome::unknown(trouble.code, message, evidence)
    }
}

/// What happened, what that means, and what to do.
pub fn described(trouble: &Trouble) -> String {
    let meaning = trouble.code.meaning().trim_end_matches('.');
    match advice(trouble.code) {
        Some(advice) => format!("{meaning} ({trouble}); {advice}"),
        None => format!("{meaning} ({trouble})"),
    }
}

/// What to do about it; `None` for words that no connection ends with.
const fn advice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TimedOut => {
            "see whether the host is up, and whether routes, security groups and egress rules let this network through to it"
        }
        Code::NameNotFound => {
            "correct the name or create its record; a name of a private zone resolves only in the networks that the zone is for"
        }
        Code::ResolverSilent => "see which resolver this machine asks, and whether it may",
        Code::ConnectionRefused => "start what should listen there, or correct the port",
        Code::Unreachable => "see the routes and firewalls between this network and the host",
        Code::ConnectionLost => "see the log of the server, and of what stands before it",
        Code::CertificateExpired => "renew it, or see whether a clock is wrong",
        Code::CertificateOtherName => {
            "add a certificate for this name; a load balancer shows its default one where none of its certificates fits"
        }
        Code::CertificateUntrusted => {
            "let the server send its whole chain, or name the authority's file in `tlsCaFile` if it is one of your own"
        }
        Code::TlsRefused => "let the server speak TLS 1.2 or 1.3; if it speaks none at all, correct the port or the scheme",
        Code::NotHttp => "correct the port or the scheme",
        Code::AnswerTooLarge => "name a page that ends, or see why this one does not",
        Code::PrivateAddress => "add the host to `spec.checks.privateHosts` if the way is meant to lead there",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::outcome::Verdict;

    fn outcome_of(code: Code) -> Outcome {
        let (attempted, detail) = ("GET https://booking.example.com/".to_owned(), "so it went".to_owned());
        outcome(&Trouble { attempted, detail, code }, Vec::new())
    }

    #[test]
    fn what_keeps_an_answer_away_is_told_apart_in_words() {
        let codes = [
            Code::TimedOut,
            Code::NameNotFound,
            Code::CertificateExpired,
            Code::CertificateOtherName,
            Code::CertificateUntrusted,
            Code::ConnectionRefused,
        ];
        let told: std::collections::BTreeSet<String> = codes.map(|code| outcome_of(code).message).into();
        assert_eq!(told.len(), codes.len());
        assert!(told.iter().all(|message| message.contains("GET https://booking.example.com/") && message.contains("; ")));
    }

    #[test]
    fn a_certificate_for_another_name_fails_and_silence_is_unknown() {
        assert_eq!(outcome_of(Code::CertificateOtherName).verdict, Verdict::Fail);
        assert_eq!(outcome_of(Code::TimedOut).verdict, Verdict::Unknown);
        assert_eq!(outcome_of(Code::TimedOut).code, Code::TimedOut);
    }
}
