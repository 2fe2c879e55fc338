//! One plain page for people: what there is, and where the rest can be read.

use std::fmt::Write as _;

use super::answers::Endpoint;
use super::objects::{MigrationList, MigrationObject};
use crate::migration::status::ConditionType;

/// The page, without script or style.
pub(super) fn index(list: &MigrationList) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>bascule</title>\n<h1>bascule</h1>\n",
    );
    if list.items.is_empty() {
        page.push_str("<p>No migration has been read yet.</p>\n");
    } else {
        page.push_str("<table>\n<tr><th>Migration<th>Wished<th>Reached<th>Rung<th>Ready<th>Rollback<th>Summary\n");
        list.items.iter().for_each(|object| page.push_str(&row(object)));
        page.push_str("</table>\n");
    }
    page.push_str("<p>Nothing can be changed here: edit the spec file. For machines: ");
    for endpoint in [Endpoint::Migrations, Endpoint::Metrics, Endpoint::OpenApi] {
        // Relative, so that the page works behind a path prefix.
        let path = endpoint.path().trim_start_matches('/');
        _ = write!(page, "<a href=\"{path}\">{path}</a> ");
    }
    page.push_str("</p>\n</html>\n");
    page
}

fn row(object: &MigrationObject) -> String {
    let (name, status) = (escaped(object.metadata.name.as_str()), &object.status);
    let ready = status.conditions.iter().find(|condition| condition.condition_type == ConditionType::Ready);
    let ready = ready.map_or_else(|| "Unknown".to_owned(), |ready| format!("{:?}: {}", ready.status, ready.reason));
    let reached = status.phase.map_or("none yet", crate::spec::Phase::name);
    let rollback = if status.rollback.ready { "ready" } else { "not ready" };
    let (ready, summary) = (escaped(&ready), escaped(&status.summary));
    let (wished, rung) = (status.wished_phase, status.rung);
    let links =
        ["plan", "events", "watch"].map(|part| format!("<a href=\"api/v1/migrations/{name}/{part}\">{part}</a>")).join(" ");
    format!(
        "<tr><td><a href=\"api/v1/migrations/{name}\">{name}</a> {links}\
         <td>{wished}<td>{reached}<td>{rung}<td>{ready}<td>{rollback}<td>{summary}\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
