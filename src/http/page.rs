//! The page for people. It is the same for everybody and holds no data: its script reads the API as any other client does.
//!
//! Its parts are files of their own in `page/`, put together here into one answer, so that a browser asks for nothing else.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::guard::tagged;

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// In the order in which they use each other.
const SCRIPTS: [&str; 7] = [
    include_str!("page/nodes.js"),
    include_str!("page/words.js"),
    include_str!("page/picture.js"),
    include_str!("page/lag.js"),
    include_str!("page/sections.js"),
    include_str!("page/overview.js"),
    include_str!("page/live.js"),
];

/// The page, and the policy under which a browser shows it.
pub(super) struct Page {
    document: Vec<u8>,
    policy: Option<HeaderValue>,
}

impl Page {
    /// Puts it together.
    pub fn new() -> Self {
        let script = format!("\"use strict\";\n{}", SCRIPTS.join("\n"));
        let document = FRAME.replacen("{style}", STYLE, 1).replacen("{script}", &script, 1).into_bytes();
        Self { document, policy: HeaderValue::from_str(&policy(STYLE, &script)).ok() }
    }

    /// The page, or that the asker has it.
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let mut response = tagged(asked, "text/html; charset=utf-8", self.document.clone());
        if let Some(policy) = &self.policy {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        response
    }
}

/// Exactly this style and this script, and reading from where the page came from. `trusted-types 'none'` forbids to make markup
/// of text at all, so that nothing which the API says can become more than text.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(style),
        hash(script)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_asks_for_nothing_from_elsewhere() {
        let document = String::from_utf8(Page::new().document).expect("text");
        assert!(document.starts_with("<!doctype html>") && document.trim_end().ends_with("</html>"));
        assert!(!document.contains("{style}") && !document.contains("{script}"), "every part is in its place");
        assert_eq!((document.matches("</script>").count(), document.matches("</style>").count()), (1, 1), "no part ends another");
        let foreign = ["src=", "@import", "url(", "//cdn", "https://", "http://"];
        let asked: Vec<&str> =
            foreign.into_iter().filter(|word| document.replace("http://www.w3.org/2000/svg", "").contains(word)).collect();
        assert_eq!(asked, [""; 0]);
    }

    #[test]
    fn no_script_makes_markup_of_text() {
        for script in SCRIPTS {
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser", "srcdoc"]
            {
                assert!(!script.contains(word), "{word}");
            }
        }
    }
}
