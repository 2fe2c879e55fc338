//! What an API says stays text, nobody else is asked anything, and a server that wants its token gets it from the browser.

use std::net::SocketAddr;

use bascule::http::{Access, Limits, Token};
use bascule::migration::plan::{GateReport, Standing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::browser::Tab;
use crate::stage::Stage;
use crate::states;

/// A proxy that serves the stage under a prefix, one request a connection.
pub fn prefixed(stage: &Stage, prefix: &'static str) -> SocketAddr {
    let listener = stage.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let (address, behind) = (listener.local_addr().expect("its address"), stage.address);
    stage.runtime.spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            open.spawn(forward(client, behind, prefix));
        }
    });
    address
}

async fn forward(mut client: TcpStream, behind: SocketAddr, prefix: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    // The favicon and whatever else is not below the prefix is not there.
    let Some(path) = head.split(' ').nth(1).and_then(|path| path.strip_prefix(prefix)) else { return };
    let path = if path.is_empty() { "/" } else { path };
    let last_id = head.lines().find(|line| line.to_ascii_lowercase().starts_with("last-event-id")).unwrap_or("X-None: 1");
    let mut server = TcpStream::connect(behind).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{last_id}\r\nConnection: close\r\n\r\n");
    _ = server.write_all(request.as_bytes()).await;
    _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[test]
fn what_the_api_says_is_text_and_never_markup() {
    let hostile = "<img src=x onerror=\"window.hit=1\"></script><script>window.hit=1</script>{style}";
    let mut state = states::named("at-drain").clone();
    let status = &mut state.status;
    status.summary = hostile.to_owned();
    status.next_step = hostile.to_owned();
    status.spec_error = Some(hostile.to_owned());
    status.legacy_writes = hostile.to_owned();
    status.forward.task = hostile.to_owned();
    status.forward.errored_tables = vec![hostile.to_owned()];
    status.gates = vec![GateReport { name: hostile.to_owned(), standing: Standing::Closed(hostile.to_owned()) }];
    status.rollback.reasons = vec![hostile.to_owned()];
    status.approvals.refused = vec![hostile.to_owned()];
    let stage = Stage::with([&state]);
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    for selector in ["#summary", "#next", "#writers", "#forward", "#gates", "#rollback", "#approvals"] {
        assert!(tab.text(selector).contains(hostile), "{selector} says it word for word: {}", tab.text(selector));
    }
    assert_eq!(tab.eval("[window.hit ?? 0, document.images.length, document.scripts.length]"), serde_json::json!([0, 0, 1]));
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn the_policy_lets_nothing_in_that_is_not_the_page() {
    let stage = Stage::with([states::named("at-drain")]);
    let tab = Tab::open();
    stage.visit(&tab, "at-drain");
    let asked =
        tab.eval("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin === location.origin)");
    assert!(asked.as_array().is_some_and(|asked| !asked.is_empty() && asked.iter().all(|own| own == true)), "{asked}");
    for attack in [
        "document.body.innerHTML = '<b>hit</b>'",
        "document.head.appendChild(document.createElement('script')).text = 'window.hit = 1'",
        "document.body.setAttribute('onclick', 'window.hit = 1'), document.body.click()",
    ] {
        // Each is refused with or without an exception.
        tab.eval(&format!("(() => {{ try {{ {attack} }} catch {{ return 'refused' }} }})()"));
        assert_eq!(tab.eval("window.hit === undefined && document.querySelector('main') !== null"), true, "{attack}");
    }
    assert_eq!(tab.eval("fetch('http://127.0.0.2:9/').then(() => 'asked', () => 'refused')"), "refused");
    assert!(!tab.complaints().is_empty(), "and the browser says so");
}

#[test]
fn a_browser_that_was_told_the_token_is_shown_everything_and_another_nothing() {
    let token = "c4n4ry-0123456789abcdef";
    let access = Access::Holders(Token::new(token).expect("a token"));
    let stage = Stage::empty(Limits { access, ..Limits::default() });
    let state = states::named("at-observing");
    stage.show(state);
    let tab = Tab::open();
    tab.go("about:blank");
    // What a person types when the browser asks; the address is another way to say it.
    tab.go(&format!("http://anybody:{token}@{}/", stage.address));
    tab.until_says("h1", state.name());
    tab.until("document.querySelector('#history .events li')");
    assert!(!tab.eval("document.documentElement.outerHTML").to_string().contains("c4n4ry"), "the page holds no token");
    let stranger = Tab::open();
    stranger.call("Page.navigate", serde_json::json!({ "url": format!("http://{}/", stage.address) }));
    stranger.until("document.readyState === 'complete'");
    assert!(!stranger.text("body").contains(state.name()));
}
