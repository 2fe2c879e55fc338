//! Hooks at every point, for tests that call them.

use bascule::spec::Hook;
use serde_json::json;

/// Hooks at every point, with every demand that can be made there.
pub fn hooks() -> Vec<Hook> {
    let declared = [
        ("go", "BeforeFence", "Confirmed"),
        ("banner-on", "BeforeFence", "Told"),
        ("cron-off", "BeforeFence", "Required"),
        ("metrics", "AfterFence", "Told"),
        ("queues-held", "AfterFence", "Required"),
        ("webhooks", "BeforeFlip", "Told"),
        ("banner-off", "AfterFlip", "Told"),
        ("cron-on", "AfterFlip", "Required"),
        ("all-clear", "AfterAbort", "Required"),
        ("back-again", "AfterRollback", "Required"),
    ];
    let hook = |(name, at, demand): (&str, &str, &str)| {
        let url = format!("https://ops.example.com/{name}");
        let hook = json!({ "name": name, "at": at, "demand": demand, "url": url, "secretFrom": { "env": "HOOKS_KEY" } });
        serde_json::from_value(hook).expect("the example is a hook")
    };
    declared.map(hook).to_vec()
}
