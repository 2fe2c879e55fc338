//! A headless Chromium and its tabs, by the DevTools protocol. It is spoken over file descriptors 3 and 4, messages end in a
//! zero byte, and the browser ends when this process does: no port, no socket, nothing left behind.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Looks at a page this often.
const GLANCE: Duration = Duration::from_millis(50);

/// One browser for all tests of this program.
static BROWSER: LazyLock<Browser> = LazyLock::new(Browser::start);

/// Its own pipes become descriptors 3 and 4, which the standard library cannot pass; the profile goes when the browser has gone.
const LAUNCH: &str = r#"profile=$1; shift; "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null; rm -rf "$profile""#;

struct Browser {
    orders: Mutex<ChildStdin>,
    heard: Mutex<Heard>,
    news: Condvar,
    ids: AtomicU64,
}

#[derive(Default)]
struct Heard {
    answers: HashMap<u64, Value>,
    /// Complaints of each tab: exceptions, refused policies, failed loads.
    complaints: HashMap<String, Vec<String>>,
    has_ended: bool,
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().expect("a directory").keep();
        let program = program();
        let mut child = Command::new("sh")
            .args(["-c", LAUNCH, "sh"])
            .arg(&profile)
            .arg(&program)
            .arg(format!("--user-data-dir={}", profile.display()))
            // Tests run as root in containers, where its sandbox cannot; only pages of this test are opened.
            .args(["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--no-proxy-server", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-extensions", "--disable-sync", "--hide-scrollbars", "--mute-audio", "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let answers = child.stdout.take().expect("a pipe");
        let orders = Mutex::new(child.stdin.take().expect("a pipe"));
        std::thread::spawn(move || {
            BROWSER.listen(answers);
            _ = child.wait();
        });
        Self { orders, heard: Mutex::default(), news: Condvar::new(), ids: AtomicU64::new(1) }
    }

    fn listen(&self, answers: ChildStdout) {
        let mut answers = BufReader::new(answers);
        let mut bytes = Vec::new();
        while answers.read_until(0, &mut bytes).is_ok_and(|length| length > 0) {
            bytes.pop();
            let message: Value = serde_json::from_slice(&bytes).expect("JSON");
            bytes.clear();
            let mut heard = self.heard.lock().expect("a sound lock");
            if let Some(id) = message["id"].as_u64() {
                heard.answers.insert(id, message);
                self.news.notify_all();
            } else if let Some(complaint) = complaint(&message) {
                let tab = message["sessionId"].as_str().unwrap_or_default().to_owned();
                heard.complaints.entry(tab).or_default().push(complaint);
            }
        }
        self.heard.lock().expect("a sound lock").has_ended = true;
        self.news.notify_all();
    }

    fn call(&self, tab: Option<&str>, method: &str, parameters: Value) -> Value {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut order = json!({ "id": id, "method": method });
        order["params"] = parameters;
        if let Some(tab) = tab {
            order["sessionId"] = tab.into();
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        let sent = self.orders.lock().expect("a sound lock").write_all(&bytes);
        let heard = self.heard.lock().expect("a sound lock");
        let waits = |heard: &mut Heard| !heard.answers.contains_key(&id) && !heard.has_ended;
        let (mut heard, _) = self.news.wait_timeout_while(heard, PATIENCE, waits).expect("a sound lock");
        let answer = heard.answers.remove(&id);
        let answer = answer
            .unwrap_or_else(|| panic!("no answer to {method} from `{}` ({sent:?}); .ci/run installs a Chromium", program()));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

fn program() -> String {
    std::env::var("BASCULE_TEST_BROWSER").unwrap_or_else(|_| "chromium".to_owned())
}

/// What a tab should never say.
fn complaint(message: &Value) -> Option<String> {
    match message["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(message["params"]["exceptionDetails"].to_string()),
        "Log.entryAdded" if message["params"]["entry"]["level"] == "error" => Some(message["params"]["entry"].to_string()),
        _ => None,
    }
}

/// One tab in a profile of its own.
pub struct Tab {
    session: String,
    context: Value,
}

impl Drop for Tab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            BROWSER.call(None, "Target.disposeBrowserContext", json!({ "browserContextId": self.context }));
        }
    }
}

impl Tab {
    /// A tab of so many pixels.
    pub fn of(width: u32, height: u32) -> Self {
        let context = BROWSER.call(None, "Target.createBrowserContext", json!({}))["browserContextId"].clone();
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = BROWSER.call(None, "Target.createTarget", target)["targetId"].clone();
        let attached = BROWSER.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let tab = Self { session: attached["sessionId"].as_str().expect("a session").to_owned(), context };
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.resize(width, height);
        tab
    }

    /// A laptop's.
    pub fn open() -> Self {
        Self::of(1280, 900)
    }

    /// A call of the protocol.
    pub fn call(&self, method: &str, parameters: Value) -> Value {
        BROWSER.call(Some(&self.session), method, parameters)
    }

    /// Another screen.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// `light` or `dark`.
    pub fn scheme(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media);
    }

    /// Goes to an address.
    pub fn go(&self, url: &str) {
        let went = self.call("Page.navigate", json!({ "url": url }));
        assert!(went.get("errorText").is_none(), "{url}: {went}");
    }

    /// What an expression of JavaScript is.
    pub fn eval(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"].get("value").cloned().unwrap_or_default()
    }

    /// Waits until an expression holds.
    pub fn until(&self, expression: &str) {
        for _ in 0..PATIENCE.as_millis() / GLANCE.as_millis() {
            if self.eval(&format!("Boolean({expression})")) == true {
                return;
            }
            std::thread::sleep(GLANCE);
        }
        panic!("never came: {expression}; the page says:\n{}\n{:?}", self.text("body"), self.complaints());
    }

    /// Waits until `selector` shows `words`.
    pub fn until_says(&self, selector: &str, words: &str) {
        self.until(&format!("document.querySelector({selector:?})?.innerText.includes({words:?})"));
    }

    /// The text that a person sees in `selector`; nothing where there is none.
    pub fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({selector:?})?.innerText ?? ''"));
        text.as_str().expect("text").to_owned()
    }

    /// Presses a key.
    pub fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            other => panic!("{other} is a key that no test has needed so far"),
        };
        for kind in ["rawKeyDown", "char", "keyUp"] {
            let text = if kind == "char" && key == "Enter" { "\r" } else { "" };
            if kind != "char" || !text.is_empty() {
                let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
                self.call("Input.dispatchKeyEvent", event);
            }
        }
    }

    /// Exceptions, refused policies and failed loads so far.
    pub fn complaints(&self) -> Vec<String> {
        BROWSER.heard.lock().expect("a sound lock").complaints.get(&self.session).cloned().unwrap_or_default()
    }

    /// Photographs the whole page, if somebody wants to look at it.
    pub fn photograph(&self, name: &str) {
        let Some(directory) = std::env::var_os("BASCULE_SCREENSHOTS") else { return };
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let shot = self.call("Page.captureScreenshot", json!({ "clip": clip, "captureBeyondViewport": true }));
        let bytes = base64(shot["data"].as_str().expect("a picture"));
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.png")), bytes).expect("a written picture");
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}
